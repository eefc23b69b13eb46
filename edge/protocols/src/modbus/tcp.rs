//! TCP frames: a header with number and length, then the PDU (Messaging on TCP/IP V1.0b, 3.1.3). The number
//! tells which request is answered; whatever bears another is not taken, and the connection is given up.

use super::call::Call;
use crate::exchange::{Exchange, Fault, Progress, Reply};

/// Header with unit.
pub(super) const HEADER: usize = 7;
/// Unit and the longest PDU.
pub(super) const MAX_LENGTH: u16 = 254;

/// The request's frame under a number of its own.
pub fn encode(call: &impl Call, transaction: u16) -> Vec<u8> {
    let pdu = call.pdu();
    let mut frame = Vec::with_capacity(HEADER + pdu.len());
    frame.extend(transaction.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend((pdu.len() as u16 + 1).to_be_bytes());
    frame.push(call.unit());
    frame.extend(pdu);
    frame
}

/// Collects the answer to one request.
#[derive(Clone, Debug)]
pub struct Decoder<C> {
    call: C,
    transaction: u16,
    held: Vec<u8>,
}

impl<C: Call> Decoder<C> {
    /// `transaction` is the number that is awaited, until a frame is made under another.
    pub fn new(call: C, transaction: u16) -> Self {
        Self { call, transaction, held: Vec::new() }
    }

    fn answer(&self) -> Option<Result<Reply, Fault>> {
        let (header, after) = self.held.split_first_chunk::<HEADER>()?;
        let [t0, t1, p0, p1, l0, l1, unit] = *header;
        let protocol = u16::from_be_bytes([p0, p1]);
        if protocol != 0 {
            return Some(Err(Fault::Protocol(protocol)));
        }
        let length = u16::from_be_bytes([l0, l1]);
        if !(3..=MAX_LENGTH).contains(&length) {
            return Some(Err(Fault::Length { wanted: self.call.longest() + 1, got: usize::from(length) }));
        }
        let transaction = u16::from_be_bytes([t0, t1]);
        if transaction != self.transaction {
            return Some(Err(Fault::Transaction { wanted: self.transaction, got: transaction }));
        }
        if unit != self.call.unit() {
            return Some(Err(Fault::Unit { wanted: self.call.unit(), got: unit }));
        }
        let pdu = after.get(..usize::from(length) - 1)?;
        Some(self.call.reply(pdu).map(|reply| reply.map_err(Into::into)))
    }
}

impl<C: Call> Exchange for Decoder<C> {
    fn frame(&mut self, number: u16) -> Vec<u8> {
        self.transaction = number;
        encode(&self.call, number)
    }

    fn answer_len(&self) -> Option<usize> {
        Some(HEADER + self.call.longest())
    }

    /// After `Bad` what follows on the connection means nothing.
    fn received(&mut self, bytes: &[u8]) -> Progress {
        let most = HEADER + usize::from(MAX_LENGTH);
        self.held.extend(bytes.iter().take(2 * most - self.held.len().min(2 * most)));
        match self.answer() {
            None => Progress::More,
            Some(Ok(reply)) => Progress::Reply(reply),
            Some(Err(fault)) => Progress::Bad(fault),
        }
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn trailing(&self) -> usize {
        let length = match self.held.as_slice() {
            [_, _, _, _, l0, l1, ..] => usize::from(u16::from_be_bytes([*l0, *l1])),
            _ => return 0,
        };
        self.held.len().saturating_sub(HEADER - 1 + length)
    }

    fn verdict(&self) -> Option<Fault> {
        (!self.held.is_empty()).then_some(Fault::Short { bytes: self.held.len() })
    }
}
