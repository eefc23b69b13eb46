//! Character strings (ASHRAE 135, clause 20.2.9): one byte names the character set, the rest is in it. Called by the
//! value decoder. A string that cannot be read is told apart from an empty one; it never spoils what stands beside it.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// The text, or nothing where the bytes are no text of their character set.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let (set, bytes) = bytes.split_first()?;
    let text = match set {
        0 => utf8(bytes),
        1 => double_byte(bytes),
        // JIS X 0208: pairs of seven bit codes, which EUC-JP holds with the high bits set.
        2 => strict(EUC_JP, &bytes.iter().map(|b| b | 0x80).collect::<Vec<_>>()),
        3 => wide(bytes),
        4 => utf16(bytes),
        5 => Some(latin1(bytes)),
        _ => None,
    }?;
    Some(text.trim_end_matches('\0').to_owned())
}

/// The bytes of a character string in UTF-8, as we write them.
pub fn encode(text: &str) -> Vec<u8> {
    [&[0], text.as_bytes()].concat()
}

/// Set 0 was ANSI X3.4 before UTF-8, and devices write it in whatever they have. Pairs of high bytes only are
/// GB 2312, the first row of GB 18030; anything else is ISO 8859-1, in which every byte is a character.
fn utf8(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    if in_high_pairs(bytes) {
        return strict(GB18030, bytes);
    }
    Some(latin1(bytes))
}

fn in_high_pairs(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let fits = byte.is_ascii() || *byte >= 0xA1 && rest.next().is_some_and(|second| *second >= 0xA1);
        if !fits {
            return false;
        }
    }
    true
}

/// Set 1: two bytes of code page, then the text in it.
fn double_byte(bytes: &[u8]) -> Option<String> {
    let (page, bytes) = bytes.split_first_chunk::<2>()?;
    let encoding = match u16::from_be_bytes(*page) {
        936 | 1386 | 20_936 | 54_936 => GB18030,
        932 | 943 => SHIFT_JIS,
        949 | 1363 => EUC_KR,
        950 => BIG5,
        1252 => WINDOWS_1252,
        65_001 => UTF_8,
        _ if bytes.is_ascii() => UTF_8,
        _ => return None,
    };
    strict(encoding, bytes)
}

fn strict(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Into::into)
}

/// Set 3: four bytes a character, the highest first.
fn wide(bytes: &[u8]) -> Option<String> {
    let (chars, rest) = bytes.as_chunks::<4>();
    let text = chars.iter().map(|c| char::from_u32(u32::from_be_bytes(*c))).collect::<Option<_>>()?;
    rest.is_empty().then_some(text)
}

/// Set 4: two bytes a character, the highest first. Surrogates, which UCS-2 does not know, are taken as they are meant.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text =
        char::decode_utf16(units.iter().map(|u| u16::from_be_bytes(*u))).collect::<Result<_, _>>().ok()?;
    rest.is_empty().then_some(text)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_set_of_the_standard_is_read() {
        // The bytes are those of Python's codecs: "温度".encode("gb18030"), "utf_16_be", "utf_32_be", "iso2022_jp".
        let cases: [(&[u8], &str); 7] = [
            (b"\x00\xE6\xB8\xA9\xE5\xBA\xA6", "温度"),
            (b"\x01\x03\xA8\xCE\xC2\xB6\xC8", "温度"),
            (b"\x02\x32\x39\x45\x59", "温度"),
            (b"\x03\x00\x00\x6E\x29\x00\x00\x5E\xA6", "温度"),
            (b"\x04\x6E\x29\x5E\xA6", "温度"),
            (b"\x05\xB0C", "°C"),
            (b"\x00", ""),
        ];
        for (bytes, text) in cases {
            assert_eq!(decode(bytes).as_deref(), Some(text), "{bytes:02X?}");
        }
    }

    #[test]
    fn what_claims_to_be_ansi_and_is_not_is_still_read() {
        assert_eq!(decode(b"\x00\xCE\xC2\xB6\xC8 1").as_deref(), Some("温度 1"));
        assert_eq!(decode(b"\x0021 \xB0C").as_deref(), Some("21 °C"));
    }

    #[test]
    fn what_is_no_text_is_nothing() {
        for bytes in [&[][..], &[9, 65], &[4, 0x6E], &[3, 0, 0x11, 0, 0], &[1, 3], &[1, 1, 181, 0x80]] {
            assert_eq!(decode(bytes), None, "{bytes:02X?}");
        }
    }
}
