//! Reading many properties of one device, whatever it can do: together as many as its answer can hold, fewer where it
//! says that was too much, one by one where it knows no other way, and an array that it cannot send whole element by
//! element. Called by the client; asks through it. What one property does to an answer never costs another its value,
//! and a device that has fallen silent is not asked for the rest.
//!
//! | a piece | fails with | becomes |
//! |---|---|---|
//! | several properties | no reply, the first time, of a device that has answered before | the first alone; then the rest, in smaller pieces if that was answered |
//! | several properties | no reply, while the first alone is to be asked | the same again, after it |
//! | several properties | no reply | no reply for all that is left |
//! | several properties | any refusal, or an answer that cannot be read | its two halves |
//! | several properties | "service not known" | each alone, now and always |
//! | one array | "too long" | its length, then its elements |
//! | one property | anything else | that failure |

use std::collections::VecDeque;

use super::abilities::Abilities;
use super::failure::Failure;
use crate::bacnet::apdu::reject;
use crate::bacnet::object::{PropertyRef, usual_size};
use crate::bacnet::service::{Answer, Content, Property, Request, answers};
use crate::bacnet::value::Value;

/// What came of one property.
pub type Reading = Result<Content, Failure>;

/// Elements of an array that is read one by one, at most.
const MAX_ELEMENTS: u64 = 16_384;

/// One thing to be read.
#[derive(Clone, Copy, Debug)]
struct Want {
    target: PropertyRef,
    slot: usize,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Whole,
    /// The length of the array that the property is.
    Length,
    Element(usize),
}

#[derive(Clone, Debug)]
enum Slot {
    Open,
    Elements { contents: Vec<Option<Content>>, missing: usize },
    Done(Reading),
}

/// A piece that is under way.
#[derive(Debug)]
pub struct Piece {
    wants: Vec<Want>,
    pub request: Request,
}

#[derive(Debug)]
pub struct Job {
    targets: Vec<PropertyRef>,
    slots: Vec<Slot>,
    pending: VecDeque<Vec<Want>>,
    flying: usize,
    probe: Probe,
    failed: Option<Failure>,
}

/// Whether silence to many properties means that they are too many, or that nobody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// There was no silence yet.
    None,
    /// There was, to so many properties: one of them is asked for alone, before anything else.
    Asking(usize),
    /// It is known, or there is no more time to find out.
    Over,
}

impl Job {
    pub fn new(targets: Vec<PropertyRef>, abilities: &Abilities) -> Self {
        let wants = targets.iter().enumerate();
        let wants: Vec<Want> =
            wants.map(|(slot, target)| Want { target: *target, slot, what: What::Whole }).collect();
        let mut job = Self {
            slots: vec![Slot::Open; targets.len()],
            targets,
            pending: VecDeque::new(),
            flying: 0,
            probe: Probe::None,
            failed: None,
        };
        job.cut(wants, abilities);
        job
    }

    /// Puts wants in pieces of a size that the device bears, in their order.
    fn cut(&mut self, wants: Vec<Want>, abilities: &Abilities) {
        let (mut piece, mut asked, mut told) = (Vec::new(), 0, 0);
        let (most_asked, most_told) = (usize::from(abilities.max_apdu) - 10, abilities.room());
        let most = abilities.most();
        for want in wants {
            let (a, t) = want.size();
            if !piece.is_empty() && (piece.len() >= most || asked + a > most_asked || told + t > most_told) {
                self.pending.push_back(std::mem::take(&mut piece));
                (asked, told) = (0, 0);
            }
            asked += a;
            told += t;
            piece.push(want);
        }
        if !piece.is_empty() {
            self.pending.push_back(piece);
        }
    }

    /// The next piece, if there is room for one more under way.
    pub fn next(&mut self, in_flight: usize, abilities: &Abilities) -> Option<Piece> {
        let most = if matches!(self.probe, Probe::Asking(_)) { 1 } else { in_flight.max(1) };
        if self.flying >= most || self.failed.is_some() {
            return None;
        }
        let wants = self.pending.pop_front()?;
        self.flying += 1;
        let request = match wants.as_slice() {
            [want] => Request::ReadProperty(want.target),
            more => Request::ReadPropertyMultiple(more.iter().map(|w| w.target).collect()),
        };
        // What was learned since the piece was cut.
        let most = abilities.most();
        if wants.len() <= most {
            return Some(Piece { wants, request });
        }
        self.flying -= 1;
        let mut parts: Vec<Vec<Want>> = wants.chunks(most).map(<[Want]>::to_vec).collect();
        while let Some(part) = parts.pop() {
            self.pending.push_front(part);
        }
        self.next(in_flight, abilities)
    }

    pub fn answered(&mut self, piece: Piece, outcome: Result<Answer, Failure>, abilities: &mut Abilities) {
        self.flying -= 1;
        let outcome = match outcome {
            Ok(Answer::Properties(list)) => Ok(list),
            Ok(_) => Err(Failure::BadReply(crate::bacnet::tag::Fault::Cut)),
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(list) => {
                abilities.answered = true;
                abilities.bears(piece.wants.len());
                self.heard(piece.wants.len(), abilities);
                self.take(piece.wants, list, abilities);
            }
            Err(failure) => {
                if failure.was_answered() {
                    abilities.answered = true;
                    self.heard(piece.wants.len(), abilities);
                }
                self.failed(&piece.wants, failure, abilities);
            }
        }
    }

    /// The device has said something to a piece of so many properties.
    fn heard(&mut self, count: usize, abilities: &mut Abilities) {
        let Probe::Asking(silent_to) = self.probe else { return };
        if count == 1 {
            abilities.is_silent_to(silent_to);
            self.probe = Probe::Over;
        } else if count >= silent_to {
            // It was away for a moment: they are not too many.
            self.probe = Probe::Over;
        }
    }

    fn take(&mut self, wants: Vec<Want>, list: Vec<Property>, abilities: &Abilities) {
        let alone = wants.len() == 1;
        let mut list: Vec<Option<Property>> = list.into_iter().map(Some).collect();
        let mut hint = 0;
        let mut left_out = Vec::new();
        for want in wants {
            // Devices answer in the order of the questions; one that does not is found as well.
            let is_it = |p: &Option<Property>| p.as_ref().is_some_and(|p| answers(&want.target, &p.target));
            let at = list
                .iter()
                .skip(hint)
                .position(is_it)
                .map(|i| i + hint)
                .or_else(|| list.iter().position(is_it));
            let property = at.and_then(|at| {
                hint = at + 1;
                list.get_mut(at)?.take()
            });
            match property {
                Some(property) => self.put(want, property.value.map_err(Failure::Refused), abilities),
                None if alone => {
                    self.put(want, Err(Failure::BadReply(crate::bacnet::tag::Fault::Cut)), abilities);
                }
                None => left_out.push(want),
            }
        }
        for want in left_out {
            self.pending.push_back(vec![want]);
        }
    }

    fn failed(&mut self, wants: &[Want], failure: Failure, abilities: &mut Abilities) {
        if let [want] = wants {
            let silent = matches!(failure, Failure::NoReply(_) | Failure::NoRoute { .. });
            self.put(*want, Err(failure), abilities);
            if silent {
                self.give_up(failure);
            }
            return;
        }
        let halves = |wants: &[Want]| {
            let (first, rest) = wants.split_at(wants.len() / 2);
            [first.to_vec(), rest.to_vec()]
        };
        match failure {
            Failure::NoReply(_) if abilities.answered && self.probe == Probe::None => {
                self.probe = Probe::Asking(wants.len());
                let (first, rest) = wants.split_at(1);
                self.pending.push_front(rest.to_vec());
                self.pending.push_front(first.to_vec());
            }
            // It was under way together with the first.
            Failure::NoReply(_) if matches!(self.probe, Probe::Asking(_)) => {
                self.pending.push_back(wants.to_vec());
            }
            Failure::NoReply(_) | Failure::NoRoute { .. } | Failure::Expired | Failure::Busy => {
                for want in wants {
                    self.put(*want, Err(failure), abilities);
                }
                self.give_up(failure);
            }
            Failure::Rejected(reject::UNRECOGNIZED_SERVICE) => {
                abilities.singly = true;
                for want in wants.iter().rev() {
                    self.pending.push_front(vec![*want]);
                }
            }
            _ => {
                if failure == Failure::Stalled {
                    abilities.is_silent_to(wants.len());
                } else if failure.is_too_long() && wants.iter().all(|w| w.size().1 < 100) {
                    abilities.refuses(wants.len());
                }
                let [first, rest] = halves(wants);
                self.pending.push_front(rest);
                self.pending.push_front(first);
            }
        }
    }

    fn give_up(&mut self, failure: Failure) {
        self.failed = Some(failure);
        self.pending.clear();
    }

    fn put(&mut self, want: Want, value: Reading, abilities: &Abilities) {
        let whole = PropertyRef { index: None, ..want.target };
        match (want.what, value) {
            (What::Whole, Err(failure)) if failure.is_too_long() && want.target.index.is_none() => {
                let length = Want { target: whole.at(0), slot: want.slot, what: What::Length };
                self.pending.push_back(vec![length]);
            }
            (What::Length, Ok(length)) => match length.values.as_slice() {
                [Value::Unsigned(n)] if *n <= MAX_ELEMENTS => {
                    let n = *n as usize;
                    let element =
                        |i| Want { target: whole.at(i as u32 + 1), slot: want.slot, what: What::Element(i) };
                    let slot = if n == 0 {
                        Slot::Done(Ok(Content::default()))
                    } else {
                        Slot::Elements { contents: vec![None; n], missing: n }
                    };
                    self.set(want.slot, slot);
                    self.cut((0..n).map(element).collect(), abilities);
                }
                _ => self.set(want.slot, Slot::Done(Err(Failure::TooMuch(MAX_ELEMENTS as usize)))),
            },
            (What::Element(i), Ok(value)) => {
                if let Some(slot) = self.slots.get_mut(want.slot) {
                    slot.element(i, value);
                }
            }
            (_, value) => self.set(want.slot, Slot::Done(value)),
        }
    }

    fn set(&mut self, index: usize, to: Slot) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = to;
        }
    }

    pub fn is_over(&self) -> bool {
        self.flying == 0 && self.pending.is_empty()
    }

    /// What came of each property, in the order in which they were asked for.
    pub fn into_readings(self) -> Vec<(PropertyRef, Reading)> {
        let failure = self.failed.unwrap_or(Failure::Expired);
        let readings = self.slots.into_iter().map(|slot| match slot {
            Slot::Done(reading) => reading,
            Slot::Open | Slot::Elements { .. } => Err(failure),
        });
        self.targets.into_iter().zip(readings).collect()
    }
}

impl Slot {
    fn element(&mut self, at: usize, content: Content) {
        let Self::Elements { contents, missing } = self else { return };
        if let Some(empty @ None) = contents.get_mut(at) {
            *empty = Some(content);
            *missing -= 1;
        }
        if *missing == 0 {
            let mut all = Content::default();
            for element in std::mem::take(contents).into_iter().flatten() {
                all.values.extend(element.values);
                all.bytes.extend(element.bytes);
            }
            *self = Self::Done(Ok(all));
        }
    }
}

impl Want {
    /// What asking for it takes, and what its answer takes, in bytes: the latter a guess.
    const fn size(&self) -> (usize, usize) {
        let index = if self.target.index.is_some() { 3 } else { 0 };
        let value = match self.what {
            What::Whole if self.target.index.is_none() => usual_size(self.target.property),
            _ => 12,
        };
        // The object, its opening and closing tag; the property with its own.
        (7 + 4 + index, 7 + 6 + index + value)
    }
}
