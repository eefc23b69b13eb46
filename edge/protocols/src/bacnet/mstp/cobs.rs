//! The stuffing of long frames (ASHRAE 135, clauses 9.10.2 and 9.10.3): after it no octet is 0x55, so that no preamble
//! can stand within. Blocks of up to 254 octets, each led by its length; a block that is not full stands for a zero
//! behind it, save the last. Every octet is then exclusive-ored with 0x55.

use super::crc::long_data;

const MASK: u8 = 0x55;
/// Octets of a full block, with its code.
const FULL: u8 = 0xFF;
/// Four octets of CRC, stuffed.
pub const CRC_LEN: usize = 5;

fn stuff(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets;
    loop {
        let block = rest.iter().take(usize::from(FULL) - 1).take_while(|octet| **octet != 0).count();
        let (head, tail) = rest.split_at(block);
        out.push((block as u8 + 1) ^ MASK);
        out.extend(head.iter().map(|octet| octet ^ MASK));
        let full = block == usize::from(FULL) - 1;
        match tail {
            [] => return,
            [_zero, tail @ ..] if !full => rest = tail,
            tail => rest = tail,
        }
    }
}

fn unstuff(stuffed: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(stuffed.len());
    let mut rest = stuffed;
    while let [code, tail @ ..] = rest {
        let code = code ^ MASK;
        let block = usize::from(code).checked_sub(1)?;
        let (head, tail) = tail.split_at_checked(block)?;
        out.extend(head.iter().map(|octet| octet ^ MASK));
        if code != FULL && !tail.is_empty() {
            out.push(0);
        }
        rest = tail;
    }
    Some(out)
}

/// What stands behind the header of a long frame: the data and their CRC.
pub fn encode(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / 254 + 1 + CRC_LEN);
    stuff(data, &mut out);
    let crc = long_data(&out);
    stuff(&crc.to_le_bytes(), &mut out);
    out
}

/// The data again; nothing where the stuffing or the CRC is broken.
pub fn decode(octets: &[u8]) -> Option<Vec<u8>> {
    let (stuffed, crc) = octets.split_at_checked(octets.len().checked_sub(CRC_LEN)?)?;
    let crc = <[u8; 4]>::try_from(unstuff(crc)?).ok()?;
    if u32::from_le_bytes(crc) != long_data(stuffed) {
        return None;
    }
    unstuff(stuffed)
}
