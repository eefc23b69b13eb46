//! One request to a meter and its answer. An answer bears the meter's type and address, the function, the item and the
//! number of the request: what bears others is somebody else's, or late, and is let pass.

use std::time::Duration;

use steward_shared::reading::Quality;

use super::address::Address;
use super::frame::{AROUND, FROM_METER, FUNCTION, Frame, LOOK, REFUSES};
use super::request::{Dialect, Request, is_meter};
use crate::exchange::{About, Exchange, Fault, Progress, Refusal};
use crate::hex::hex;
use crate::scan::{Listener, WAKE_UP};

/// Bytes FE before an answer that are waited for.
const MOST_WAKE_UP: usize = 20;
/// Meters on a battery fall silent within a frame.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Makes the frame of one request and collects what is answered.
#[derive(Clone, Debug)]
pub struct Decoder {
    dialect: Dialect,
    request: Request,
    address: Address,
    sent: Frame,
    listener: Listener<Frame>,
}

impl Decoder {
    pub fn new(request: Request, address: Address, dialect: Dialect) -> Self {
        let sent = request.frame(address, dialect, 0);
        let address = sent.address;
        Self { dialect, request, address, sent, listener: Listener::new(LOOK) }
    }

    /// What a whole frame means for the request; nothing where it is the request itself, heard again.
    fn judge(&self, frame: &Frame) -> Result<Option<Progress>, Fault> {
        let wanted = self.request.function();
        if frame.control & FROM_METER == 0 {
            return Ok(None);
        }
        if !is_meter(self.sent.meter, frame.meter) || !self.address.means(frame.address) {
            return Err(Fault::Device);
        }
        if frame.control & FUNCTION != wanted {
            return Err(Fault::Function { wanted, got: frame.control & FUNCTION });
        }
        let serial = self.sent.data.last().copied().unwrap_or_default();
        let number = |got: u8| {
            let (wanted, got) = (u16::from(serial), u16::from(got));
            if wanted == got { Ok(()) } else { Err(Fault::Transaction { wanted, got }) }
        };
        if frame.control & REFUSES != 0 {
            let [got, status @ ..] = frame.data.as_slice() else {
                return Ok(Some(Progress::Bad(Fault::Length { wanted: 1, got: 0 })));
            };
            number(*got)?;
            return Ok(Some(Progress::Reply(Err(refusal(status)))));
        }
        let item = self.dialect.item(self.request.item());
        let [got, data @ ..] = frame.data.strip_prefix(item.as_slice()).ok_or(Fault::Content)? else {
            return Ok(Some(Progress::Bad(Fault::Length { wanted: 3, got: 2 })));
        };
        number(*got)?;
        let contents = match self.request {
            Request::Read { .. } => data.to_vec(),
            // The answer says whose it is.
            Request::ReadAddress => frame.address.wire().to_vec(),
        };
        Ok(Some(Progress::Reply(Ok(contents))))
    }
}

/// The two bytes of a refusal are the meter's state.
fn refusal(status: &[u8]) -> Refusal {
    let text = if status.is_empty() {
        "an error that it does not explain".to_owned()
    } else {
        format!("an error, its state is {}", hex(status))
    };
    Refusal { quality: Quality::Refused(1), about: About::Other, text }
}

impl Exchange for Decoder {
    fn frame(&mut self, number: u16) -> Vec<u8> {
        self.listener.clear();
        self.sent = self.request.frame(self.address, self.dialect, number as u8);
        let mut bytes = vec![WAKE_UP; usize::from(self.dialect.wake_up)];
        bytes.extend(self.sent.bytes());
        bytes
    }

    fn answer_len(&self) -> Option<usize> {
        let data = match self.request {
            Request::Read { bytes, .. } => bytes,
            Request::ReadAddress => 0,
        };
        Some(MOST_WAKE_UP + AROUND + 3 + data)
    }

    fn longest_pause(&self) -> Duration {
        LONGEST_PAUSE
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        let mut listener = std::mem::replace(&mut self.listener, Listener::new(LOOK));
        let progress = listener.received(bytes, |frame| self.judge(frame));
        self.listener = listener;
        progress
    }

    fn held(&self) -> usize {
        self.listener.held().len()
    }

    fn verdict(&self) -> Option<Fault> {
        self.listener.verdict()
    }

    fn began_like_the_answer(&self) -> bool {
        let address =
            self.listener.held().get(2..9).and_then(|a| <[u8; 7]>::try_from(a).ok()).map(Address::new);
        address.is_some_and(|address| self.address.means(address)) && self.listener.is_damaged()
    }

    fn trailing(&self) -> usize {
        self.listener.trailing()
    }
}
