//! The functions that write: 5, 6, 15, 16, 22 and 23 (MODBUS Application Protocol V1.1b3, 6.5, 6.6, 6.11, 6.12, 6.16
//! and 6.17). Most answers repeat the request; one that repeats another is no answer to it.

use super::call::{Call, counted, stated_bytes};
use super::pdu::RequestFault;
use crate::exchange::Fault;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Function 5.
    Coil { address: u16, on: bool },
    /// Function 6.
    Register { address: u16, value: u16 },
    /// Function 15, 1 to 1968 coils.
    Coils { address: u16, bits: Vec<bool> },
    /// Function 16, 1 to 123 registers.
    Registers { address: u16, values: Vec<u16> },
    /// Function 22: the new contents are (old AND `and`) OR (`or` AND NOT `and`).
    Mask { address: u16, and: u16, or: u16 },
    /// Function 23: first writes 1 to 121 registers, then reads 1 to 125.
    Exchange { from: u16, count: u16, address: u16, values: Vec<u16> },
}

impl Change {
    /// Leaves all bits of a register alone but those of `mask`, which become those of `bits`.
    pub const fn bits(address: u16, mask: u16, bits: u16) -> Self {
        Self::Mask { address, and: !mask, or: bits & mask }
    }

    pub const fn function(&self) -> u8 {
        match self {
            Self::Coil { .. } => 5,
            Self::Register { .. } => 6,
            Self::Coils { .. } => 15,
            Self::Registers { .. } => 16,
            Self::Mask { .. } => 22,
            Self::Exchange { .. } => 23,
        }
    }

    /// Address, count and the most of what is written.
    fn span(&self) -> (u16, usize, u16) {
        match self {
            Self::Coil { address, .. } | Self::Register { address, .. } | Self::Mask { address, .. } => {
                (*address, 1, 1)
            }
            Self::Coils { address, bits } => (*address, bits.len(), 1968),
            Self::Registers { address, values } => (*address, values.len(), 123),
            Self::Exchange { address, values, .. } => (*address, values.len(), 121),
        }
    }
}

/// A change that is put to one unit. Made by [`Write::new`], so that none breaks the limits of the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    unit: u8,
    change: Change,
}

impl Write {
    pub fn new(unit: u8, change: Change) -> Result<Self, RequestFault> {
        let (address, count, most) = change.span();
        within(address, count, most)?;
        if let Change::Exchange { from, count, .. } = change {
            within(from, usize::from(count), 125)?;
        }
        if matches!(unit, 248..=254) {
            return Err(RequestFault::Unit(unit));
        }
        Ok(Self { unit, change })
    }

    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// The functions that write.
    pub const FUNCTIONS: [u8; 6] = [5, 6, 15, 16, 22, 23];

    /// What a request asks to be written, for the device's side; none where its counts do not agree or break the limits
    /// of the standard.
    pub fn of(unit: u8, pdu: &[u8]) -> Option<Self> {
        let words = |bytes: &[u8]| {
            let (pairs, odd) = bytes.as_chunks::<2>();
            odd.is_empty().then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>())
        };
        let [function, rest @ ..] = pdu else { return None };
        let (head, tail) = rest.split_at_checked(4)?;
        let [address, second] = *words(head)?.as_slice() else { return None };
        // Behind a count stands how many bytes follow.
        let counted = |count: u16, bytes: &[u8], each: &dyn Fn(usize) -> usize| {
            let (stated, data) = bytes.split_first()?;
            let agrees = usize::from(*stated) == data.len() && data.len() == each(usize::from(count));
            agrees.then(|| data.to_vec())
        };
        let change = match (function, tail) {
            (5, []) if matches!(second, 0 | 0xFF00) => Change::Coil { address, on: second != 0 },
            (6, []) => Change::Register { address, value: second },
            (15, tail) => {
                let bytes = counted(second, tail, &|count| count.div_ceil(8))?;
                let bit = |n: usize| bytes.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
                Change::Coils { address, bits: (0..usize::from(second)).map(bit).collect() }
            }
            (16, tail) => Change::Registers { address, values: words(&counted(second, tail, &|n| 2 * n)?)? },
            (22, [a, b]) => Change::Mask { address, and: second, or: u16::from_be_bytes([*a, *b]) },
            (23, [a, b, c, d, data @ ..]) => {
                let values = counted(u16::from_be_bytes([*c, *d]), data, &|n| 2 * n)?;
                let target = u16::from_be_bytes([*a, *b]);
                Change::Exchange { from: address, count: second, address: target, values: words(&values)? }
            }
            _ => return None,
        };
        Self::new(unit, change).ok()
    }
}

fn within(address: u16, count: usize, most: u16) -> Result<(), RequestFault> {
    let given = u16::try_from(count).unwrap_or(u16::MAX);
    if given == 0 || given > most {
        return Err(RequestFault::Count { count: given, most });
    }
    if u32::from(address) + u32::from(given) > 0x1_0000 {
        return Err(RequestFault::Address { address, count: given });
    }
    Ok(())
}

impl Call for Write {
    fn unit(&self) -> u8 {
        self.unit
    }

    fn function(&self) -> u8 {
        self.change.function()
    }

    fn pdu(&self) -> Vec<u8> {
        let mut pdu = vec![self.function()];
        let mut put = |word: u16| pdu.extend(word.to_be_bytes());
        match &self.change {
            Change::Coil { address, on } => [*address, if *on { 0xFF00 } else { 0 }].map(put),
            Change::Register { address, value } => [*address, *value].map(put),
            Change::Coils { address, bits } => [*address, bits.len() as u16].map(put),
            Change::Registers { address, values } => [*address, values.len() as u16].map(put),
            Change::Mask { address, and, or } => {
                put(*address);
                [*and, *or].map(put)
            }
            Change::Exchange { from, count, address, values } => {
                put(*from);
                put(*count);
                [*address, values.len() as u16].map(put)
            }
        };
        match &self.change {
            Change::Coils { bits, .. } => {
                pdu.push(bits.len().div_ceil(8) as u8);
                let byte = |eight: &[bool]| {
                    eight.iter().enumerate().fold(0, |byte, (n, bit)| byte | u8::from(*bit) << n)
                };
                pdu.extend(bits.chunks(8).map(byte));
            }
            Change::Registers { values, .. } | Change::Exchange { values, .. } => {
                pdu.push(2 * values.len() as u8);
                pdu.extend(values.iter().flat_map(|value| value.to_be_bytes()));
            }
            Change::Coil { .. } | Change::Register { .. } | Change::Mask { .. } => {}
        }
        pdu
    }

    fn answer_len(&self, _begun: &[u8]) -> Option<usize> {
        Some(match &self.change {
            Change::Mask { .. } => 7,
            Change::Exchange { count, .. } => 2 + 2 * usize::from(*count),
            _ => 5,
        })
    }

    fn longest(&self) -> usize {
        self.answer_len(&[]).unwrap_or_default()
    }

    fn is_repeated(&self) -> bool {
        matches!(self.change, Change::Coil { .. } | Change::Register { .. } | Change::Mask { .. })
    }

    fn misfit(&self, begun: &[u8]) -> Option<Fault> {
        match &self.change {
            Change::Exchange { count, .. } => stated_bytes(begun, 2 * usize::from(*count)),
            _ => None,
        }
    }

    /// What 23 has read; nothing for the others.
    fn contents(&self, pdu: &[u8]) -> Result<Vec<u8>, Fault> {
        if let Change::Exchange { count, .. } = &self.change {
            return counted(pdu, 2 * usize::from(*count));
        }
        let wanted = self.longest();
        if pdu.len() != wanted {
            return Err(Fault::Length { wanted, got: pdu.len() });
        }
        if self.pdu().get(..wanted) == Some(pdu) { Ok(Vec::new()) } else { Err(Fault::Content) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(change: Change) -> Write {
        Write::new(17, change).unwrap()
    }

    /// Request and answer of the standard's own examples (MODBUS Application Protocol V1.1b3).
    #[test]
    fn a_device_understands_what_is_written_to_it() {
        // MODBUS Application Protocol V1.1b3, the examples of 6.5, 6.6, 6.11, 6.12, 6.16 and 6.17.
        let coils = [true, false, true, true, false, false, true, true, true, false];
        let cases: [(&[u8], Change); 6] = [
            (&[5, 0, 0xAC, 0xFF, 0], Change::Coil { address: 172, on: true }),
            (&[6, 0, 1, 0, 3], Change::Register { address: 1, value: 3 }),
            (&[15, 0, 0x13, 0, 0x0A, 2, 0xCD, 1], Change::Coils { address: 19, bits: coils.to_vec() }),
            (
                &[16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2],
                Change::Registers { address: 1, values: vec![0x0A, 0x102] },
            ),
            (&[22, 0, 4, 0, 0xF2, 0, 0x25], Change::Mask { address: 4, and: 0xF2, or: 0x25 }),
            (
                &[23, 0, 3, 0, 6, 0, 0x0E, 0, 3, 6, 0, 0xFF, 0, 0xFF, 0, 0xFF],
                Change::Exchange { from: 3, count: 6, address: 14, values: vec![0xFF; 3] },
            ),
        ];
        for (pdu, change) in cases {
            let write = Write::of(1, pdu).unwrap();
            assert_eq!((write.change(), write.pdu().as_slice()), (&change, pdu));
            for short in 0..pdu.len() {
                assert!(Write::of(1, &pdu[..short]).is_none(), "{short} bytes of {pdu:02X?}");
            }
        }
        for wrong in [
            &[5, 0, 1, 0x12, 0x34][..],
            &[16, 0, 1, 0, 2, 4, 0, 1],
            &[16, 0xFF, 0xFF, 0, 2, 4, 0, 1, 0, 1],
            &[7],
        ] {
            assert!(Write::of(1, wrong).is_none(), "{wrong:02X?}");
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_made_and_read_as_it_says() {
        let coil = write(Change::Coil { address: 172, on: true });
        assert_eq!(coil.pdu(), [0x05, 0x00, 0xAC, 0xFF, 0x00], "6.5");
        assert_eq!(coil.reply(&[0x05, 0x00, 0xAC, 0xFF, 0x00]), Ok(Ok(Vec::new())));

        let register = write(Change::Register { address: 1, value: 3 });
        assert_eq!(register.pdu(), [0x06, 0x00, 0x01, 0x00, 0x03], "6.6");
        assert_eq!(register.reply(&[0x06, 0x00, 0x01, 0x00, 0x03]), Ok(Ok(Vec::new())));

        let bits = "1011001110".chars().map(|c| c == '1').collect();
        let coils = write(Change::Coils { address: 19, bits });
        assert_eq!(coils.pdu(), [0x0F, 0x00, 0x13, 0x00, 0x0A, 0x02, 0xCD, 0x01], "6.11");
        assert_eq!(coils.reply(&[0x0F, 0x00, 0x13, 0x00, 0x0A]), Ok(Ok(Vec::new())));

        let registers = write(Change::Registers { address: 1, values: vec![0x000A, 0x0102] });
        assert_eq!(registers.pdu(), [0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02], "6.12");
        assert_eq!(registers.reply(&[0x10, 0x00, 0x01, 0x00, 0x02]), Ok(Ok(Vec::new())));

        let mask = write(Change::Mask { address: 4, and: 0x00F2, or: 0x0025 });
        assert_eq!(mask.pdu(), [0x16, 0x00, 0x04, 0x00, 0xF2, 0x00, 0x25], "6.16");
        assert_eq!(mask.reply(&[0x16, 0x00, 0x04, 0x00, 0xF2, 0x00, 0x25]), Ok(Ok(Vec::new())));

        let both = write(Change::Exchange { from: 3, count: 6, address: 14, values: vec![0x00FF; 3] });
        let pdu = [0x17, 0, 3, 0, 6, 0, 0x0E, 0, 3, 6, 0, 0xFF, 0, 0xFF, 0, 0xFF];
        assert_eq!(both.pdu(), pdu, "6.17");
        let answer = [0x17, 0x0C, 0x00, 0xFE, 0x0A, 0xCD, 0, 1, 0, 3, 0, 0x0D, 0, 0xFF];
        assert_eq!(both.reply(&answer), Ok(Ok(answer[2..].to_vec())));
    }

    #[test]
    fn an_answer_that_repeats_another_request_is_no_answer() {
        let register = write(Change::Register { address: 1, value: 3 });
        assert_eq!(register.reply(&[0x06, 0x00, 0x01, 0x00, 0x04]), Err(Fault::Content));
        assert_eq!(register.reply(&[0x06, 0x00, 0x01]), Err(Fault::Length { wanted: 5, got: 3 }));
        assert!(matches!(register.reply(&[0x86, 3]), Ok(Err(e)) if e.0 == 3));
        assert!(matches!(register.reply(&[0x03, 0x00]), Err(Fault::Function { .. })));
        assert_eq!(register.reply(&[]), Err(Fault::Short { bytes: 0 }));
    }

    #[test]
    fn bits_are_masked_so_that_their_neighbours_stay() {
        let Change::Mask { and, or, .. } = Change::bits(4, 0x0030, 0xFF10) else { panic!() };
        let old = 0xABCD_u16;
        assert_eq!(old & and | (or & !and), 0xABDD);
    }

    #[test]
    fn a_write_that_the_standard_forbids_is_not_made() {
        assert!(Write::new(1, Change::Registers { address: 0, values: vec![0; 124] }).is_err());
        assert!(Write::new(1, Change::Registers { address: 0, values: vec![0; 123] }).is_ok());
        assert!(Write::new(1, Change::Registers { address: 0, values: Vec::new() }).is_err());
        assert!(Write::new(1, Change::Coils { address: 0, bits: vec![true; 1969] }).is_err());
        assert!(Write::new(1, Change::Registers { address: 65_535, values: vec![1, 2] }).is_err());
        assert!(Write::new(250, Change::Register { address: 0, value: 0 }).is_err());
        let both = |count, written| Change::Exchange { from: 0, count, address: 0, values: vec![0; written] };
        assert!(Write::new(1, both(125, 121)).is_ok());
        assert!(Write::new(1, both(126, 1)).is_err() && Write::new(1, both(1, 122)).is_err());
    }
}
