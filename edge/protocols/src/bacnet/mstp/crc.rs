//! The three checksums of MS/TP (ASHRAE 135, Annex G; CRC-32K, clause 9.6.3). Each is sent as its complement, the low
//! octet first.

/// Of a frame's header, x^8 + x^7 + 1, one octet further.
const fn header_step(crc: u8, octet: u8) -> u8 {
    let mut crc = crc ^ octet;
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x81 };
        bit += 1;
    }
    crc
}

/// Of a frame's data, x^16 + x^12 + x^5 + 1, one octet further.
const fn data_step(crc: u16, octet: u8) -> u16 {
    let mut crc = crc ^ octet as u16;
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x8408 };
        bit += 1;
    }
    crc
}

/// Of a long frame's data, Koopman's polynomial, one octet further.
const fn long_step(crc: u32, octet: u8) -> u32 {
    let mut crc = crc ^ octet as u32;
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEB31_D82E };
        bit += 1;
    }
    crc
}

pub fn header(octets: &[u8]) -> u8 {
    !octets.iter().fold(0xFF, |crc, octet| header_step(crc, *octet))
}

pub fn data(octets: &[u8]) -> u16 {
    !octets.iter().fold(0xFFFF, |crc, octet| data_step(crc, *octet))
}

pub fn long_data(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |crc, octet| long_step(crc, *octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Annex G.1: the register after each octet of a token's header, from station 5 to station 16.
    #[test]
    fn the_header_is_checked_as_the_standard_shows() {
        let mut crc = 0xFF;
        for (octet, register) in [(0x00, 0x55), (0x10, 0xC2), (0x05, 0xBC), (0x00, 0x95), (0x00, 0x73)] {
            crc = header_step(crc, octet);
            assert_eq!(crc, register);
        }
        assert_eq!(header_step(crc, !crc), 0x55, "what is left over a whole header");
        assert_eq!(header(&[0x00, 0x10, 0x05, 0x00, 0x00]), 0x8C);
    }

    /// Annex G.2.
    #[test]
    fn data_is_checked_as_the_standard_shows() {
        let mut crc = 0xFFFF;
        for (octet, register) in
            [(0x01, 0x1E0E), (0x22, 0xEB70), (0x30, 0x42EF), (0x10, 0x0F3A), (0xBD, 0xF0B8)]
        {
            crc = data_step(crc, octet);
            assert_eq!(crc, register);
        }
        assert_eq!(data(&[0x01, 0x22, 0x30]), 0xBD10);
    }

    /// The residue that clause 9.6.3 names.
    #[test]
    fn a_long_frame_leaves_the_residue_of_the_standard() {
        let octets = b"any octets at all";
        let sent = long_data(octets).to_le_bytes();
        let register = octets.iter().chain(&sent).fold(u32::MAX, |crc, octet| long_step(crc, *octet));
        assert_eq!(register, 0x0843_323B);
    }
}
