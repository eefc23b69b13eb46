//! What the head of a program's file says: for which processor it is, and whether it asks for a loader and libraries of the
//! machine. Asked by `cross` about what it has built; a file that is cut short is refused, never guessed at.

use std::path::Path;

/// The head of an ELF file (System V ABI, chapter 4 and 5).
#[derive(Debug, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine`.
    pub machine: u16,
    /// It has no `PT_INTERP`: it runs by itself.
    pub is_static: bool,
}

const PT_INTERP: u32 = 3;

impl Elf {
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Self::parse(&bytes).ok_or_else(|| format!("{} is no little-endian ELF program", path.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let wide = match bytes.get(..6)? {
            [0x7f, b'E', b'L', b'F', 1, 1] => false,
            [0x7f, b'E', b'L', b'F', 2, 1] => true,
            _ => return None,
        };
        let (table, size, count) = if wide {
            (usize::try_from(u64::from_le_bytes(at(bytes, 0x20)?)).ok()?, 0x36, 0x38)
        } else {
            (usize::try_from(u32::from_le_bytes(at(bytes, 0x1c)?)).ok()?, 0x2a, 0x2c)
        };
        let [size, count] = [size, count].map(|place| at(bytes, place).map(u16::from_le_bytes));
        let mut is_static = true;
        for n in 0..usize::from(count?) {
            let kind = u32::from_le_bytes(at(bytes, table.checked_add(n * usize::from(size?))?)?);
            is_static &= kind != PT_INTERP;
        }
        Some(Self { machine: u16::from_le_bytes(at(bytes, 0x12)?), is_static })
    }
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
    bytes.get(place..place.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_this_machine_asks_for_its_loader() {
        let elf = Elf::read(Path::new("/proc/self/exe")).unwrap();
        let machine = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        assert_eq!(elf, Elf { machine, is_static: false });
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_refused() {
        let whole = std::fs::read("/proc/self/exe").unwrap();
        for end in [0, 4, 5, 0x13, 0x21, 0x39, 0x60] {
            assert_eq!(Elf::parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(Elf::parse(b"#!/bin/sh\nexit 0\n"), None);
    }
}
