//! Bytes as people write and read frames.

/// `01 03 00 6B`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// The bytes of pairs of hexadecimal digits, with or without blanks between them. None where it is something else.
pub fn parse(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_and_nothing_else() {
        assert_eq!(parse(&hex(&[0, 0x6b, 0xff])), Some(vec![0, 0x6b, 0xff]));
        assert_eq!(parse("7e01"), Some(vec![0x7e, 1]));
        assert_eq!(parse(""), Some(Vec::new()));
        assert_eq!((parse("7"), parse("7g"), parse("0x7e")), (None, None, None));
    }
}
