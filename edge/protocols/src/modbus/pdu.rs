//! Requests and what may answer them, without any framing (MODBUS Application Protocol V1.1b3, clause 6).
//! The length of an answer follows from its request: whatever has another length is no answer.

use std::fmt;

use steward_shared::profile::Table;
use steward_shared::reading::Quality;

use crate::exchange::{About, Fault, Refusal};

/// One reading request. Made by [`Request::new`], so that no request breaks the limits of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    unit: u8,
    table: Table,
    address: u16,
    count: u16,
}

/// A request that the standard does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    #[error("{count} addresses cannot be read at once; read 1 to {most}")]
    Count { count: u16, most: u16 },
    #[error("addresses {address} to {address}+{count} reach past 65535")]
    Address { address: u16, count: u16 },
    #[error("unit {0} cannot answer; a device has an address from 1 to 247 (on TCP also 0 and 255)")]
    Unit(u8),
}

impl Request {
    pub const MAX_REGISTERS: u16 = 125;
    pub const MAX_BITS: u16 = 2000;

    /// A request to read `count` addresses from `address` (counted from 0).
    pub fn new(unit: u8, table: Table, address: u16, count: u16) -> Result<Self, RequestFault> {
        let most = if table.is_bits() { Self::MAX_BITS } else { Self::MAX_REGISTERS };
        if count == 0 || count > most {
            return Err(RequestFault::Count { count, most });
        }
        if u32::from(address) + u32::from(count) > 0x1_0000 {
            return Err(RequestFault::Address { address, count });
        }
        // On serial lines 0 is everybody, and nobody answers; 248 to 254 are reserved (V1.02, 2.2).
        if matches!(unit, 248..=254) {
            return Err(RequestFault::Unit(unit));
        }
        Ok(Self { unit, table, address, count })
    }

    pub const fn unit(&self) -> u8 {
        self.unit
    }

    pub const fn table(&self) -> Table {
        self.table
    }

    pub const fn function(&self) -> u8 {
        self.table.function()
    }

    pub const fn address(&self) -> u16 {
        self.address
    }

    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Bytes of data in the answer.
    pub const fn data_bytes(&self) -> usize {
        if self.table.is_bits() { (self.count as usize).div_ceil(8) } else { self.count as usize * 2 }
    }

    /// Function, address and count.
    pub fn pdu(&self) -> [u8; 5] {
        let ([a, b], [c, d]) = (self.address.to_be_bytes(), self.count.to_be_bytes());
        [self.function(), a, b, c, d]
    }

    /// Length of the whole answer's PDU, if it is no exception: function, byte count, data.
    pub const fn reply_len(&self) -> usize {
        2 + self.data_bytes()
    }

    /// The data in an answer's PDU (function and what follows), which must be whole.
    pub fn data<'a>(&self, pdu: &'a [u8]) -> Result<Result<&'a [u8], Exception>, Fault> {
        let [function, rest @ ..] = pdu else { return Err(Fault::Short { bytes: 0 }) };
        if *function == self.function() | 0x80 {
            return match rest {
                [code] => Ok(Err(Exception(*code))),
                _ => Err(Fault::Length { wanted: 2, got: pdu.len() }),
            };
        }
        if *function != self.function() {
            return Err(Fault::Function { wanted: self.function(), got: *function });
        }
        let [stated, data @ ..] = rest else { return Err(Fault::Short { bytes: pdu.len() }) };
        if usize::from(*stated) != self.data_bytes() || data.len() != self.data_bytes() {
            return Err(Fault::Length {
                wanted: self.data_bytes(),
                got: usize::from(*stated).max(data.len()),
            });
        }
        Ok(Ok(data))
    }

    /// The contents in an answer's PDU, which must be whole.
    pub fn read(&self, pdu: &[u8]) -> Result<Result<Response, Exception>, Fault> {
        Ok(self.data(pdu)?.map(|data| Response::of(self.table, self.count, data)))
    }
}

/// The contents that were asked for, as many as were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    Bits(Vec<bool>),
    Registers(Vec<u16>),
}

impl Response {
    /// The contents that an answer's data hold.
    pub fn of(table: Table, count: u16, data: &[u8]) -> Self {
        if table.is_bits() {
            let bits = data.iter().flat_map(|byte| (0..8).map(move |n| byte >> n & 1 == 1));
            Self::Bits(bits.take(usize::from(count)).collect())
        } else {
            let words = data.chunks_exact(2).filter_map(|w| <[u8; 2]>::try_from(w).ok());
            Self::Registers(words.map(u16::from_be_bytes).collect())
        }
    }
}

/// A refusal: the device works, and says no (V1.1b3, clause 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exception(pub u8);

impl Exception {
    /// The standard's name; codes that it does not know are of the vendor's own making.
    pub const fn name(self) -> &'static str {
        match self.0 {
            1 => "illegal function",
            2 => "illegal data address",
            3 => "illegal data value",
            4 => "server device failure",
            5 => "acknowledge: still working on it",
            6 => "server device busy",
            7 => "negative acknowledge",
            8 => "memory parity error",
            9 => "reserved code 9",
            10 => "gateway path unavailable",
            11 => "gateway target device failed to respond",
            _ => "vendor's own code",
        }
    }

    /// Codes that fit a quality keep their number; others are an answer that cannot be believed.
    pub const fn quality(self) -> Quality {
        match self.0 {
            code @ 1..=15 => Quality::Refused(code),
            _ => Quality::BadReply,
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exception {} ({})", self.0, self.name())
    }
}

impl From<Exception> for Refusal {
    fn from(exception: Exception) -> Self {
        let about = match exception.0 {
            2 | 3 => About::Place,
            // A gateway's word that the device behind it did not answer.
            10 | 11 => About::Absence,
            _ => About::Other,
        };
        Self { quality: exception.quality(), about, text: exception.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Request and answer of the standard's own examples (MODBUS Application Protocol V1.1b3, 6.1 to 6.4).
    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        let coils = Request::new(1, Table::Coil, 19, 19).unwrap();
        assert_eq!(coils.pdu(), [0x01, 0x00, 0x13, 0x00, 0x13]);
        let Ok(Ok(Response::Bits(bits))) = coils.read(&[0x01, 0x03, 0xCD, 0x6B, 0x05]) else { panic!() };
        let on: Vec<usize> = bits.iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i + 20).collect();
        assert_eq!(on, [20, 22, 23, 26, 27, 28, 29, 31, 33, 34, 36, 38]);
        assert_eq!(bits.len(), 19);

        let inputs = Request::new(1, Table::Discrete, 196, 22).unwrap();
        assert_eq!(inputs.pdu(), [0x02, 0x00, 0xC4, 0x00, 0x16]);
        let Ok(Ok(Response::Bits(bits))) = inputs.read(&[0x02, 0x03, 0xAC, 0xDB, 0x35]) else { panic!() };
        assert!(!bits[0] && !bits[1] && bits[2] && bits[21]);

        let holding = Request::new(1, Table::Holding, 107, 3).unwrap();
        assert_eq!(holding.pdu(), [0x03, 0x00, 0x6B, 0x00, 0x03]);
        let got = holding.read(&[0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64]);
        assert_eq!(got, Ok(Ok(Response::Registers(vec![555, 0, 100]))));

        let input = Request::new(1, Table::Input, 8, 1).unwrap();
        assert_eq!(input.pdu(), [0x04, 0x00, 0x08, 0x00, 0x01]);
        assert_eq!(input.read(&[0x04, 0x02, 0x00, 0x0A]), Ok(Ok(Response::Registers(vec![10]))));
    }

    #[test]
    fn fault_b5_exceptions_1_to_11_keep_their_code_as_quality() {
        let request = Request::new(1, Table::Holding, 0, 1).unwrap();
        for code in 1..=11 {
            let Ok(Err(exception)) = request.read(&[0x83, code]) else { panic!("{code}") };
            assert_eq!(exception.quality(), Quality::Refused(code));
            assert!(!exception.name().is_empty());
        }
        assert_eq!(Exception(0).quality(), Quality::BadReply);
        assert_eq!(Exception(0xE0).quality(), Quality::BadReply);
    }

    #[test]
    fn fault_b5_a_byte_count_that_lies_is_no_answer() {
        let request = Request::new(1, Table::Holding, 0, 2).unwrap();
        let wrong = |pdu: &[u8]| assert!(matches!(request.read(pdu), Err(Fault::Length { .. })), "{pdu:?}");
        wrong(&[3, 2, 0, 1, 0, 2]);
        wrong(&[3, 4, 0, 1, 0]);
        wrong(&[3, 4, 0, 1, 0, 2, 0]);
        wrong(&[3, 6, 0, 1, 0, 2]);
        wrong(&[3, 255]);
        wrong(&[0x83, 2, 0]);
        assert!(matches!(request.read(&[3]), Err(Fault::Short { .. })));
        assert!(matches!(request.read(&[]), Err(Fault::Short { .. })));
        assert!(matches!(request.read(&[4, 4, 0, 1, 0, 2]), Err(Fault::Function { .. })));
    }

    #[test]
    fn a_request_that_the_standard_forbids_is_not_made() {
        assert!(Request::new(1, Table::Holding, 0, 126).is_err());
        assert!(Request::new(1, Table::Coil, 0, 2001).is_err());
        assert!(Request::new(1, Table::Coil, 0, 2000).is_ok());
        assert!(Request::new(1, Table::Holding, 65_535, 2).is_err());
        assert!(Request::new(1, Table::Holding, 65_535, 1).is_ok());
        assert!(Request::new(1, Table::Holding, 0, 0).is_err());
        assert!(Request::new(250, Table::Holding, 0, 1).is_err());
    }
}
