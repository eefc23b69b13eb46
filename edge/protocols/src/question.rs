//! A question that reads some points of one device, whatever the device speaks: THE LIST of languages meets polling
//! here. Each language says how questions are cut, asked and understood; polling says when.

use std::ops::Range;
use std::time::Duration;

use steward_shared::profile::{Framing, Language, PointDef, Profile};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use crate::bacnet;
use crate::cost::Cost;
use crate::exchange::Exchange;
use crate::{cjt188, dlt645, iec62056, mbus, modbus, mqtt};

/// What is asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Modbus(modbus::Block),
    Dlt645(dlt645::Ask),
    Cjt188(cjt188::Ask),
    Mbus(mbus::Ask),
    Iec62056(iec62056::Ask),
    /// Not put by an exchange of bytes: its network's client asks, and gives readings to `Batch::values`.
    Bacnet(bacnet::Batch),
    /// Nobody asks: what a device tells under one topic, where it is kept.
    Mqtt(mqtt::Subject),
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// 1 to 247, on TCP also 0 and 255.
    Modbus(u8),
    Dlt645(dlt645::Address),
    Cjt188(cjt188::Address),
    Mbus(mbus::Address),
    Iec62056(iec62056::Address),
    Bacnet(Node),
    /// Nobody is asked there: the device tells under this topic.
    Mqtt(mqtt::Topic),
}

impl Address {
    /// Whether there can be a device that answers to both.
    pub fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Dlt645(a), Self::Dlt645(b)) => a.overlaps(b),
            (Self::Cjt188(a), Self::Cjt188(b)) => a.means(b) || b.means(a),
            (Self::Mbus(a), Self::Mbus(b)) => a.overlaps(b),
            (Self::Iec62056(a), Self::Iec62056(b)) => a.means(&b) || b.means(&a),
            // Wherever a device is, its number is its alone.
            (Self::Bacnet(a), Self::Bacnet(b)) => a.instance == b.instance,
            (a, b) => a == b,
        }
    }
}

/// A device of a BACnet network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its number, unique in the whole internetwork.
    pub instance: u32,
    /// Where it is, if that was written down; otherwise it is asked for by its number.
    pub at: Option<bacnet::client::Peer>,
}

/// A point's value out of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PointValue {
    /// Index into the profile's points.
    pub point: usize,
    pub value: Option<Value>,
    pub quality: Quality,
}

/// What one part of an answer says of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which part, in the words of its language; nothing is the whole.
    pub of: String,
    /// Where it lies in the contents, where that can be told.
    pub bytes: Option<Range<usize>>,
    pub says: Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Words(String),
    /// It had so many bytes, and at most so many are kept.
    TooLong {
        bytes: usize,
        most: usize,
    },
    /// The answer does not say.
    Nothing,
}

/// A question that cannot be put: a fault of ours, for the file's reader and the planner keep to the standards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFault {
    #[error(transparent)]
    Modbus(#[from] modbus::RequestFault),
    #[error(transparent)]
    Dlt645(#[from] dlt645::RequestFault),
    #[error("the device's address is not one of its language")]
    Address,
}

/// A question in two parts, for a device that refuses the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split<Q = Question> {
    pub parts: [Q; 2],
    /// What lay between them and nobody wants, if something did.
    pub gap: Option<Gap<Q>>,
    /// Where it was cut: no question reaches over a hole of no width either. Where both parts are answered and the whole
    /// is not, this is why.
    pub seam: Option<Hole>,
}

/// What a question read over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap<Q = Question> {
    pub hole: Hole,
    /// The shortest question that reads over it, and gives no point. Where both parts are answered and this is not, it
    /// is a hole.
    pub across: Q,
}

/// What no question may reach over. Only Modbus has such.
pub type Hole = modbus::Hole;

/// The questions that read the `wanted` points (indices into the profile's) in the least line time.
pub fn questions(
    profile: &Profile,
    wanted: impl IntoIterator<Item = usize>,
    cost: &Cost,
    holes: &[Hole],
) -> Vec<Question> {
    match &profile.language {
        Language::Modbus(limits) => {
            let blocks = modbus::plan(&profile.points, wanted, limits, cost, holes);
            blocks.into_iter().map(Question::Modbus).collect()
        }
        Language::Dlt645(limits) => {
            dlt645::plan(&profile.points, wanted, limits).into_iter().map(Question::Dlt645).collect()
        }
        Language::Cjt188(limits) => {
            cjt188::plan(&profile.points, wanted, limits).into_iter().map(Question::Cjt188).collect()
        }
        Language::Mbus(limits) => {
            mbus::plan(&profile.points, wanted, limits).into_iter().map(Question::Mbus).collect()
        }
        Language::Iec62056(limits) => {
            iec62056::plan(&profile.points, wanted, limits).into_iter().map(Question::Iec62056).collect()
        }
        Language::Bacnet(limits) => {
            let batches = bacnet::batches(&profile.points, wanted, limits);
            batches.into_iter().map(Question::Bacnet).collect()
        }
        // Nothing is asked.
        Language::Mqtt(_) => Vec::new(),
    }
}

/// The silence that a language wants before its frames on a serial line.
pub fn frame_gap(language: &Language, baud: u32) -> Duration {
    match language {
        // BACnet and MQTT have no frames on a serial line here.
        Language::Modbus(_) | Language::Bacnet(_) | Language::Mqtt(_) => modbus::frame_gap(baud),
        Language::Iec62056(_) => REACTION_TIME,
        // A meter needs the time to turn its transceiver round (DL/T 645: 20 ms at least before it answers).
        Language::Dlt645(_) | Language::Cjt188(_) | Language::Mbus(_) => {
            modbus::frame_gap(baud).max(METER_GAP)
        }
    }
}

/// The words of a question that is answered with all that a meter has.
const READOUT: &str = "readout";

const METER_GAP: Duration = Duration::from_millis(20);
/// IEC 62056-21: either side waits at least so long after a message.
const REACTION_TIME: Duration = Duration::from_millis(200);

impl Question {
    /// Indices into the profile's points.
    pub fn points(&self) -> &[usize] {
        match self {
            Self::Modbus(block) => &block.points,
            Self::Dlt645(ask) => &ask.points,
            Self::Cjt188(ask) => &ask.points,
            Self::Mbus(ask) => &ask.points,
            Self::Iec62056(ask) => &ask.points,
            Self::Bacnet(batch) => &batch.points,
            Self::Mqtt(subject) => &subject.points,
        }
    }

    /// The same points in two smaller questions, for a device that refuses the whole. `None` where there is no place
    /// to cut.
    pub fn split(&self, points: &[PointDef]) -> Option<Split> {
        match self {
            Self::Modbus(block) => block.split(points).map(|split| split.map(Self::Modbus)),
            Self::Dlt645(ask) => ask.split(points).map(|split| split.map(Self::Dlt645)),
            // An item is read whole or not at all; and the client of BACnet has found the parts that are answered.
            Self::Cjt188(_) | Self::Mbus(_) | Self::Iec62056(_) | Self::Bacnet(_) | Self::Mqtt(_) => None,
        }
    }

    /// The same, giving no point: for the sake of knowing whether it is answered. `None` where nothing follows from that.
    pub fn bare(&self) -> Option<Self> {
        match self {
            Self::Modbus(block) => Some(Self::Modbus(modbus::Block { points: Vec::new(), ..block.clone() })),
            _ => None,
        }
    }

    /// What it asks for, in words that [`Question::of`] understands: for answers that outlive the plan.
    pub fn words(&self) -> String {
        match self {
            Self::Modbus(block) => modbus::span::words(block),
            Self::Dlt645(ask) => dlt645::span::words(ask),
            Self::Cjt188(ask) => cjt188::span::words(ask),
            // A meter sends all that it has.
            Self::Mbus(_) | Self::Iec62056(_) => READOUT.to_owned(),
            Self::Bacnet(batch) => bacnet::span::words(batch),
            Self::Mqtt(subject) => subject.words(),
        }
    }

    /// The question of such words, with every point of the profile that its answer holds.
    pub fn of(profile: &Profile, words: &str) -> Option<Self> {
        match &profile.language {
            Language::Modbus(_) => modbus::span::block(words, &profile.points).map(Self::Modbus),
            Language::Dlt645(limits) => dlt645::span::ask(words, &profile.points, limits).map(Self::Dlt645),
            Language::Cjt188(limits) => cjt188::span::ask(words, &profile.points, *limits).map(Self::Cjt188),
            Language::Bacnet(_) => bacnet::span::batch(words, &profile.points).map(Self::Bacnet),
            Language::Mqtt(limits) => mqtt::subject(words, &profile.points, limits).map(Self::Mqtt),
            Language::Mbus(_) | Language::Iec62056(_) if words != READOUT => None,
            Language::Mbus(limits) => {
                mbus::plan(&profile.points, 0..profile.points.len(), limits).pop().map(Self::Mbus)
            }
            Language::Iec62056(limits) => {
                iec62056::plan(&profile.points, 0..profile.points.len(), limits).pop().map(Self::Iec62056)
            }
        }
    }

    /// Which bytes of the contents a point is made of.
    pub fn bytes(&self, point: &PointDef, contents: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Modbus(block) => modbus::span::bytes(block, point),
            Self::Dlt645(ask) => dlt645::span::bytes(ask, point),
            Self::Cjt188(_) => cjt188::span::bytes(point),
            Self::Mbus(_) => mbus::bytes(point, contents),
            Self::Iec62056(_) => iec62056::bytes(point, contents),
            Self::Bacnet(batch) => bacnet::span::bytes(batch, point, contents),
            // JSON tells its places by names.
            Self::Mqtt(_) => None,
        }
    }

    /// What an answer says of a point, part by part, where a language has such parts.
    pub fn parts(&self, point: &PointDef, contents: &[u8]) -> Vec<Part> {
        match self {
            Self::Bacnet(batch) => bacnet::span::parts(batch, point, contents),
            Self::Mqtt(subject) => subject.parts(point, contents),
            _ => Vec::new(),
        }
    }

    /// Whether nobody asked: the device told by itself.
    pub const fn was_told(&self) -> bool {
        match self {
            Self::Bacnet(batch) => batch.told,
            Self::Mqtt(_) => true,
            _ => false,
        }
    }

    /// Bytes of contents in its answer.
    pub fn contents_len(&self) -> f64 {
        match self {
            Self::Modbus(block) => block.contents_len(),
            Self::Dlt645(ask) => ask.bytes as f64,
            Self::Cjt188(ask) => ask.bytes as f64,
            // A meter sends all that it has, whatever is wanted of it.
            Self::Mbus(_) => mbus::MAX_FRAME as f64,
            // As many as most readouts have: how many it is, only the meter knows.
            Self::Iec62056(ask) => f64::from(ask.dialect.bytes.min(1024)),
            Self::Bacnet(batch) => batch.contents_len(),
            Self::Mqtt(_) => 0.0,
        }
    }

    /// The question, to be put to a device. `framing` is that of the line, where the language has more than one.
    pub fn exchange(&self, address: Address, framing: Framing) -> Result<Box<dyn Exchange>, QuestionFault> {
        match (self, address) {
            (Self::Modbus(block), Address::Modbus(unit)) => {
                Ok(modbus::exchange(block.request(unit)?, framing))
            }
            (Self::Dlt645(ask), Address::Dlt645(address)) => Ok(Box::new(ask.exchange(address)?)),
            (Self::Cjt188(ask), Address::Cjt188(address)) => Ok(Box::new(ask.exchange(address))),
            (Self::Mbus(ask), Address::Mbus(address)) => Ok(Box::new(ask.exchange(address))),
            (Self::Iec62056(ask), Address::Iec62056(address)) => Ok(Box::new(ask.exchange(address))),
            _ => Err(QuestionFault::Address),
        }
    }

    /// The frame that these contents came in, where they alone tell it: an answer of Modbus.
    pub fn answer_frame(&self, address: Address, framing: Framing, contents: &[u8]) -> Option<Vec<u8>> {
        match (self, address) {
            (Self::Modbus(block), Address::Modbus(unit)) => {
                modbus::answer_frame(unit, block.table, contents, framing)
            }
            _ => None,
        }
    }

    /// The values of its points in the contents that a device answered.
    pub fn values(&self, points: &[PointDef], contents: &[u8]) -> Vec<PointValue> {
        match self {
            Self::Modbus(block) => block.values(points, contents),
            Self::Dlt645(ask) => ask.values(points, contents),
            Self::Cjt188(ask) => ask.values(points, contents),
            Self::Mbus(ask) => ask.values(points, contents),
            Self::Iec62056(ask) => ask.values(points, contents),
            Self::Bacnet(batch) => batch.values(points, &bacnet::span::readings(batch, contents)),
            Self::Mqtt(subject) => subject.values(points, contents),
        }
    }

    /// The same of contents that came at `at`, each with its own instant where the contents say one.
    pub fn values_at(
        &self,
        points: &[PointDef],
        contents: &[u8],
        at: Timestamp,
    ) -> Vec<(PointValue, Option<Timestamp>)> {
        match self {
            Self::Mqtt(subject) => subject.values_at(points, contents, at),
            _ => self.values(points, contents).into_iter().map(|value| (value, None)).collect(),
        }
    }
}

/// Where in the whole a part of it lies.
pub(crate) fn part(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let begin = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let range = begin..begin + part.len();
    (range.end <= whole.len()).then_some(range)
}

impl<Q> Split<Q> {
    fn map<R>(self, to: impl Fn(Q) -> R) -> Split<R> {
        let gap = self.gap.map(|gap| Gap { hole: gap.hole, across: to(gap.across) });
        Split { parts: self.parts.map(to), gap, seam: self.seam }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Modbus(unit) => write!(f, "{unit}"),
            Self::Dlt645(address) => write!(f, "{address}"),
            Self::Cjt188(address) => write!(f, "{address}"),
            Self::Mbus(address) => write!(f, "{address}"),
            Self::Iec62056(address) => write!(f, "{address}"),
            Self::Bacnet(node) => write!(f, "{}", node.instance),
            Self::Mqtt(topic) => write!(f, "{topic}"),
        }
    }
}
