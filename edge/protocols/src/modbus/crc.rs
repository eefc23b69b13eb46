//! The check sum of RTU frames (MODBUS over Serial Line V1.02, 6.2.2 and appendix B).

/// CRC-16 with polynomial 0xA001 (reflected) and start 0xFFFF; sent low byte first.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        let index = usize::from((crc ^ u16::from(*byte)) & 0xFF);
        (crc >> 8) ^ TABLE[index]
    })
}

/// The frame with its check sum behind it.
pub fn with_crc(mut frame: Vec<u8>) -> Vec<u8> {
    let sum = crc(&frame);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame
}

/// Whether the last two bytes are the check sum of those before.
pub(super) fn crc_holds(frame: &[u8]) -> bool {
    frame.split_last_chunk::<2>().is_some_and(|(body, sum)| crc(body) == u16::from_le_bytes(*sum))
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::crc;

    #[test]
    fn the_example_of_the_standard_gives_its_check_sum() {
        // MODBUS over Serial Line V1.02, appendix B: 02 07 is followed by 41 12.
        assert_eq!(crc(&[0x02, 0x07]).to_le_bytes(), [0x41, 0x12]);
        assert_eq!(crc(&[]), 0xFFFF);
    }
}
