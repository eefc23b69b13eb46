//! ASCII frames: a colon, every byte as two hexadecimal digits, a check sum, CR LF (MODBUS over Serial Line V1.02,
//! 2.5.2). The colon says where a frame begins, whatever came before it.

use super::call::Call;
use crate::exchange::{Exchange, Fault, Progress, Reply};

/// The longest frame there is.
const MAX_FRAME: usize = 513;

/// The check sum: what makes the sum of all bytes zero (V1.02, 6.2.1).
pub fn lrc(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

/// The request's frame.
pub fn encode(call: &impl Call) -> Vec<u8> {
    let mut body = vec![call.unit()];
    body.extend(call.pdu());
    frame_of(body)
}

/// Unit and PDU as a frame.
pub fn frame_of(mut body: Vec<u8>) -> Vec<u8> {
    body.push(lrc(&body));
    let digits = body.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
    std::iter::once(b':').chain(digits.map(digit)).chain(*b"\r\n").collect()
}

/// Characters of a frame with so long a PDU: colon, unit, PDU, check sum, CR LF.
const fn characters(pdu: usize) -> usize {
    1 + 2 * (1 + pdu + 1) + 2
}

/// Collects the answer to one request.
#[derive(Clone, Debug)]
pub struct Decoder<C> {
    call: C,
    /// The request's frame, which some transceivers hear themselves say.
    echo: Vec<u8>,
    held: Vec<u8>,
    /// What the last whole frame was that is no answer.
    foreign: Option<Fault>,
}

impl<C: Call> Decoder<C> {
    pub fn new(call: C) -> Self {
        let echo = encode(&call);
        Self { call, echo, held: Vec::new(), foreign: None }
    }

    /// The next whole frame is taken from what is held.
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        let end = self.held.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let line: Vec<u8> = self.held.drain(..end).collect();
        // What came before the last colon broke off.
        let from = line.iter().rposition(|byte| *byte == b':');
        Some(from.and_then(|from| line.get(from..)).unwrap_or_default().to_vec())
    }

    fn judge(&self, frame: &[u8]) -> Result<Reply, Fault> {
        let body = bytes_of(frame).ok_or(Fault::Noise { bytes: frame.len() })?;
        let (sum, body) = body.split_last().ok_or(Fault::Short { bytes: frame.len() })?;
        let [unit, pdu @ ..] = body else { return Err(Fault::Short { bytes: frame.len() }) };
        if lrc(body) != *sum {
            return Err(Fault::CheckSum);
        }
        if *unit != self.call.unit() {
            return Err(Fault::Unit { wanted: self.call.unit(), got: *unit });
        }
        self.call.reply(pdu).map(|reply| reply.map_err(Into::into))
    }
}

/// The bytes of a whole frame; none where something else than digits stands in it.
pub fn bytes_of(frame: &[u8]) -> Option<Vec<u8>> {
    let digits = frame.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|n| n as u8);
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

impl<C: Call> Exchange for Decoder<C> {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.echo.clone()
    }

    fn answer_len(&self) -> Option<usize> {
        Some(characters(self.call.longest()))
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        let room = 2 * MAX_FRAME - self.held.len().min(2 * MAX_FRAME);
        self.held.extend(bytes.iter().take(room));
        while let Some(frame) = self.next_frame() {
            // The answer to most writes looks like their echo: then the last of two is the answer.
            if frame == self.echo && (!self.call.is_repeated() || self.held.starts_with(&frame)) {
                continue;
            }
            match self.judge(&frame) {
                Ok(_) if !self.held.is_empty() => {
                    return Progress::Bad(Fault::Trailing { bytes: self.held.len() });
                }
                Ok(reply) => return Progress::Reply(reply),
                Err(fault @ (Fault::Unit { .. } | Fault::Function { .. })) => self.foreign = Some(fault),
                Err(fault) => return Progress::Bad(fault),
            }
        }
        if bytes.len() > room {
            Progress::Bad(Fault::Noise { bytes: self.held.len() })
        } else {
            Progress::More
        }
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn verdict(&self) -> Option<Fault> {
        let short = (!self.held.is_empty()).then_some(if self.held.first() == Some(&b':') {
            Fault::Short { bytes: self.held.len() }
        } else {
            Fault::Noise { bytes: self.held.len() }
        });
        short.or(self.foreign)
    }

    fn began_like_the_answer(&self) -> bool {
        self.echo.get(..3).is_some_and(|head| self.held.starts_with(head))
    }
}
