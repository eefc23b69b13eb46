//! One request to a meter and its answer, which may come in several frames. An answer bears the meter's address, the
//! function and the item that was asked for: what bears others is somebody else's, or late, and is let pass.

use std::time::Duration;

use steward_shared::profile::dlt645::Version;

use super::address::Address;
use super::frame::{AROUND, FROM_METER, FUNCTION, Frame, LOOK, MORE, REFUSES};
use super::refusal::refusal;
use super::request::{Dialect, Request, RequestFault, item_bytes};
use crate::exchange::{Exchange, Fault, Progress};
use crate::scan::{Listener, WAKE_UP};

/// More than this a meter does not give in answer to one question, in however many frames.
const MAX_DATA: usize = 4096;
/// Bytes FE before an answer, at most.
const MOST_WAKE_UP: usize = 4;
/// Between two bytes of a frame a meter may fall silent for so long (DL/T 645: the pause between bytes).
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Makes the frames of one request and collects what is answered.
#[derive(Clone, Debug)]
pub struct Decoder {
    dialect: Dialect,
    address: Address,
    request: Request,
    first: Frame,
    /// The number of the frame that is wanted behind those that came.
    following: Option<u8>,
    gathered: Vec<u8>,
    listener: Listener<Frame>,
}

impl Decoder {
    pub fn new(request: Request, address: Address, dialect: Dialect) -> Result<Self, RequestFault> {
        let first = request.frame(dialect.version, address)?;
        Ok(Self {
            dialect,
            address: first.address,
            request,
            first,
            following: None,
            gathered: Vec::new(),
            listener: Listener::new(LOOK),
        })
    }

    fn wanted(&self) -> Frame {
        let Some(number) = self.following else { return self.first.clone() };
        let mut data = self.request.item().map(|i| item_bytes(i, self.dialect.version)).unwrap_or_default();
        if self.dialect.version == Version::V2007 {
            data.push(number);
        }
        Frame { address: self.address, control: Request::following(self.dialect.version), data }
    }

    /// What a whole frame means for the request; nothing where it is the request itself, heard again.
    fn judge(&mut self, frame: &Frame) -> Result<Option<Progress>, Fault> {
        let wanted = if self.following.is_some() {
            Request::following(self.dialect.version)
        } else {
            self.request.function(self.dialect.version)
        };
        if frame.control & FROM_METER == 0 {
            return Ok(None);
        }
        if !self.address.means(frame.address) {
            return Err(Fault::Device);
        }
        if frame.control & FUNCTION != wanted {
            return Err(Fault::Function { wanted, got: frame.control & FUNCTION });
        }
        if frame.control & REFUSES != 0 {
            return Ok(Some(match frame.data.as_slice() {
                [error, ..] => Progress::Reply(Err(refusal(self.dialect.version, *error))),
                [] => Progress::Bad(Fault::Length { wanted: 1, got: 0 }),
            }));
        }
        self.contents(frame).map(Some)
    }

    fn contents(&mut self, frame: &Frame) -> Result<Progress, Fault> {
        let data = match &self.request {
            Request::Read { item, .. } => {
                let item = item_bytes(*item, self.dialect.version);
                frame.data.strip_prefix(item.as_slice()).ok_or(Fault::Content)?
            }
            Request::ReadAddress if frame.data.len() == 6 => frame.data.as_slice(),
            Request::ReadAddress => {
                return Ok(Progress::Bad(Fault::Length { wanted: 6, got: frame.data.len() }));
            }
            _ => return Ok(Progress::Reply(Ok(Vec::new()))),
        };
        let data = match (self.following, self.dialect.version, data) {
            (Some(number), Version::V2007, [data @ .., got]) if *got == number => data,
            (Some(_), Version::V2007, _) => return Err(Fault::Content),
            _ => data,
        };
        self.gathered.extend(data);
        if frame.control & MORE == 0 {
            return Ok(Progress::Reply(Ok(std::mem::take(&mut self.gathered))));
        }
        let next = self.following.map_or(Some(1), |number| number.checked_add(1));
        match next.filter(|_| self.gathered.len() <= MAX_DATA) {
            Some(number) => {
                self.following = Some(number);
                Ok(Progress::Next)
            }
            None => Ok(Progress::Bad(Fault::Noise { bytes: self.gathered.len() })),
        }
    }
}

impl Exchange for Decoder {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.listener.clear();
        let mut bytes = vec![WAKE_UP; usize::from(self.dialect.wake_up)];
        bytes.extend(self.wanted().bytes());
        bytes
    }

    fn answer_len(&self) -> Option<usize> {
        let item = self.dialect.version.item_bytes();
        let data = match &self.request {
            Request::Read { bytes: Some(bytes), .. } => item + bytes,
            Request::Read { bytes: None, .. } => 200,
            _ => 6,
        };
        self.request.is_answered(self.address).then_some(MOST_WAKE_UP + AROUND + data)
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
            self.listener.held().get(1..7).and_then(|a| <[u8; 6]>::try_from(a).ok()).map(Address::new);
        address.is_some_and(|address| self.address.means(address)) && self.listener.is_damaged()
    }

    fn trailing(&self) -> usize {
        self.listener.trailing()
    }
}
