//! Who a device says that it is: function 43/14, Read Device Identification (MODBUS Application Protocol V1.1b3, 6.21).
//! Its answer says by itself how long it is, and may want to be asked again for the rest.

use steward_shared::profile::Framing;

use super::call::Call;
use super::framing::exchange;
use super::pdu::RequestFault;
use crate::character::Character;
use crate::exchange::{Exchange, Fault, Progress};

const FUNCTION: u8 = 0x2B;
const MEI: u8 = 0x0E;
/// Function, MEI, level, conformity, more, next, count.
const HEAD: usize = 7;
/// The longest PDU there is.
const MOST: usize = 253;
/// A device that always has more to say is not listened to for ever.
const MOST_FRAMES: u8 = 16;

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Vendor, product code and revision: what every device that knows the function has.
    Basic,
    Regular,
    Extended,
}

#[derive(Clone, Debug)]
struct Ask {
    unit: u8,
    level: Level,
    object: u8,
}

impl Call for Ask {
    fn unit(&self) -> u8 {
        self.unit
    }

    fn function(&self) -> u8 {
        FUNCTION
    }

    fn pdu(&self) -> Vec<u8> {
        let level = match self.level {
            Level::Basic => 1,
            Level::Regular => 2,
            Level::Extended => 3,
        };
        vec![FUNCTION, MEI, level, self.object]
    }

    fn answer_len(&self, begun: &[u8]) -> Option<usize> {
        let (head, mut rest) = begun.split_first_chunk::<HEAD>()?;
        let [.., count] = head;
        let mut len = HEAD;
        for _ in 0..*count {
            let [_, size, after @ ..] = rest else { return None };
            len += 2 + usize::from(*size);
            rest = after.get(usize::from(*size)..).unwrap_or_default();
        }
        Some(len)
    }

    fn longest(&self) -> usize {
        MOST
    }

    fn misfit(&self, begun: &[u8]) -> Option<Fault> {
        (*begun.get(1)? != MEI).then_some(Fault::Content)
    }

    fn contents(&self, pdu: &[u8]) -> Result<Vec<u8>, Fault> {
        if let Some(fault) = self.misfit(pdu) {
            return Err(fault);
        }
        let wanted = self.answer_len(pdu).ok_or(Fault::Short { bytes: pdu.len() })?;
        if pdu.len() != wanted {
            return Err(Fault::Length { wanted, got: pdu.len() });
        }
        Ok(pdu.get(2..).unwrap_or_default().to_vec())
    }
}

/// The exchange that asks until the device has said all. Its contents are read by [`Identity::of`].
pub fn identify(unit: u8, level: Level, framing: Framing) -> Result<Box<dyn Exchange>, RequestFault> {
    if matches!(unit, 248..=254) {
        return Err(RequestFault::Unit(unit));
    }
    let ask = Ask { unit, level, object: 0 };
    let frame = exchange(ask.clone(), framing);
    Ok(Box::new(Identify { ask, framing, frame, said: Vec::new(), frames: 0 }))
}

#[derive(Debug)]
struct Identify {
    ask: Ask,
    framing: Framing,
    frame: Box<dyn Exchange>,
    /// Conformity, then each object as it stood on the wire.
    said: Vec<u8>,
    frames: u8,
}

impl Identify {
    fn take(&mut self, contents: &[u8]) -> Progress {
        let [_, conformity, more, next, _, objects @ ..] = contents else {
            return Progress::Bad(Fault::Short { bytes: contents.len() });
        };
        if self.said.is_empty() {
            self.said.push(*conformity);
        }
        self.said.extend(objects);
        self.frames += 1;
        if *more != 0xFF {
            return Progress::Reply(Ok(std::mem::take(&mut self.said)));
        }
        if *next <= self.ask.object || self.frames >= MOST_FRAMES {
            return Progress::Bad(Fault::Content);
        }
        self.ask.object = *next;
        self.frame = exchange(self.ask.clone(), self.framing);
        Progress::Next
    }
}

impl Exchange for Identify {
    fn frame(&mut self, number: u16) -> Vec<u8> {
        self.frame.frame(number)
    }

    fn character(&self) -> Option<Character> {
        self.frame.character()
    }

    fn answer_len(&self) -> Option<usize> {
        self.frame.answer_len()
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        match self.frame.received(bytes) {
            Progress::Reply(Ok(contents)) => self.take(&contents),
            other => other,
        }
    }

    fn held(&self) -> usize {
        self.frame.held()
    }

    fn skip_foreign(&mut self) -> bool {
        self.frame.skip_foreign()
    }

    fn verdict(&self) -> Option<Fault> {
        self.frame.verdict()
    }

    fn began_like_the_answer(&self) -> bool {
        self.frame.began_like_the_answer()
    }

    fn trailing(&self) -> usize {
        self.frame.trailing()
    }
}

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// By number: 0 vendor, 1 product code, 2 revision, 3 vendor's address, 4 product, 5 model, 6 application; from 128
    /// on the vendor's own. Characters that are none are shown as such.
    pub objects: Vec<(u8, String)>,
}

impl Identity {
    /// What [`identify`] brought.
    pub fn of(contents: &[u8]) -> Self {
        let mut objects = Vec::new();
        let mut rest = contents.get(1..).unwrap_or_default();
        while let [id, size, after @ ..] = rest {
            let Some((text, behind)) = after.split_at_checked(usize::from(*size)) else { break };
            let text = String::from_utf8_lossy(text);
            let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
            objects.push((*id, text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()));
            rest = behind;
        }
        Self { objects }
    }

    pub fn object(&self, id: u8) -> Option<&str> {
        self.objects.iter().find(|(i, text)| *i == id && !text.is_empty()).map(|(_, text)| text.as_str())
    }

    /// The standard's name of an object.
    pub const fn name(id: u8) -> Option<&'static str> {
        Some(match id {
            0 => "VendorName",
            1 => "ProductCode",
            2 => "MajorMinorRevision",
            3 => "VendorUrl",
            4 => "ProductName",
            5 => "ModelName",
            6 => "UserApplicationName",
            _ => return None,
        })
    }
}
