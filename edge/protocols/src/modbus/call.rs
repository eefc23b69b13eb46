//! What the framings know of a function: its bytes, and how long and of what shape the answer is. Each function that
//! is spoken implements it; a framing never looks into a PDU by itself.

use std::fmt;

use super::pdu::{Exception, Request};
use crate::exchange::Fault;

/// A function with its arguments, put to one unit.
pub trait Call: Clone + fmt::Debug + Send + Sync {
    fn unit(&self) -> u8;

    fn function(&self) -> u8;

    /// Function and arguments.
    fn pdu(&self) -> Vec<u8>;

    /// Length of the answer's PDU (no exception) that begins so. None while its beginning does not tell.
    fn answer_len(&self, begun: &[u8]) -> Option<usize>;

    /// The most that the answer's PDU may have.
    fn longest(&self) -> usize;

    /// Whether the answer is the request once more, to the byte.
    fn is_repeated(&self) -> bool {
        false
    }

    /// What the beginning of an answer's PDU states that cannot be.
    fn misfit(&self, _begun: &[u8]) -> Option<Fault> {
        None
    }

    /// What a whole PDU (no exception) holds.
    fn contents(&self, pdu: &[u8]) -> Result<Vec<u8>, Fault>;

    /// What a whole PDU says, be it contents or an exception.
    fn reply(&self, pdu: &[u8]) -> Result<Result<Vec<u8>, Exception>, Fault> {
        match *pdu {
            [] => Err(Fault::Short { bytes: 0 }),
            [function, code] if function == self.function() | 0x80 => Ok(Err(Exception(code))),
            [function, ..] if function == self.function() | 0x80 => {
                Err(Fault::Length { wanted: 2, got: pdu.len() })
            }
            [function, ..] if function != self.function() => {
                Err(Fault::Function { wanted: self.function(), got: function })
            }
            _ => Ok(Ok(self.contents(pdu)?)),
        }
    }
}

impl Call for Request {
    fn unit(&self) -> u8 {
        self.unit()
    }

    fn function(&self) -> u8 {
        self.function()
    }

    fn pdu(&self) -> Vec<u8> {
        self.pdu().to_vec()
    }

    fn answer_len(&self, _begun: &[u8]) -> Option<usize> {
        Some(self.reply_len())
    }

    fn longest(&self) -> usize {
        self.reply_len()
    }

    fn misfit(&self, begun: &[u8]) -> Option<Fault> {
        stated_bytes(begun, self.data_bytes())
    }

    fn contents(&self, pdu: &[u8]) -> Result<Vec<u8>, Fault> {
        counted(pdu, self.data_bytes())
    }
}

/// The byte count that follows the function, where it is another than `wanted`.
pub(super) fn stated_bytes(begun: &[u8], wanted: usize) -> Option<Fault> {
    let got = usize::from(*begun.get(1)?);
    (got != wanted).then_some(Fault::Length { wanted, got })
}

/// The data behind function and byte count.
pub(super) fn counted(pdu: &[u8], wanted: usize) -> Result<Vec<u8>, Fault> {
    let [_, stated, data @ ..] = pdu else { return Err(Fault::Short { bytes: pdu.len() }) };
    if usize::from(*stated) != wanted || data.len() != wanted {
        return Err(Fault::Length { wanted, got: usize::from(*stated).max(data.len()) });
    }
    Ok(data.to_vec())
}
