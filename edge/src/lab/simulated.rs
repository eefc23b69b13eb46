//! One simulated device: a profile, a course for its values, what a person has set, and what is broken. It answers
//! requests; whoever owns its line asks it. Its clock is handed in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_protocols::modbus::device::{Answers, Asked, Cell, Image, Outcome, Reply, Spoilt};
use steward_protocols::modbus::{Change, EncodeFault, Response, decode, encode};
use steward_shared::document::nearest;
use steward_shared::profile::{PointDef, Profile, Table};
use steward_shared::reading::Value;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::PointKind;

use super::breaks::{Break, Fault};
use super::course::{Course, counted, counter_end, rate};
use super::noise::chance;
use super::room::room;

/// Counters that are about to start over do so after this time.
const ROLLOVER_S: f64 = 10.0;

#[derive(Debug)]
pub struct Simulated {
    profile: Arc<Profile>,
    course: Course,
    clock: Arc<dyn Clock>,
    began: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What a person has set; nothing is "no value".
    set: BTreeMap<String, Option<Value>>,
    /// What a master has written into registers.
    written: BTreeMap<Cell, u16>,
    /// What commands make of points, where the device keeps them by itself.
    commanded: BTreeMap<String, Value>,
    breaks: Vec<(Timestamp, Break)>,
    /// When the counters start over on command.
    rollover: Option<Timestamp>,
    /// When the device was started last.
    booted: Option<Timestamp>,
    asked: u64,
}

/// What is broken about the answer to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub silent: bool,
    /// The code with which everything is refused.
    pub refused: Option<u8>,
    pub late: Duration,
    pub spoilt: Option<Spoilt>,
    /// A second device answers as well, so much later.
    pub again: Option<Duration>,
}

/// A value that cannot be set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetFault {
    #[error("there is no point \"{key}\"{}", .meant.as_ref().map(|m| format!("; did you mean {m}?")).unwrap_or_default())]
    Point { key: String, meant: Option<String> },
    #[error("\"{0}\" is no number; write it like 21.5, or none for no value")]
    Number(String),
    #[error("{key} holds {} … {}, and not {value}", plain(*.low), plain(*.high))]
    Range { key: String, value: String, low: f64, high: f64 },
    #[error("{0}")]
    Room(#[from] EncodeFault),
}

/// A bound as people read it.
fn plain(bound: f64) -> String {
    if bound.abs() < 1e15 { format!("{}", (bound * 1e6).round() / 1e6) } else { format!("{bound:.6e}") }
}

impl Simulated {
    pub fn new(profile: Arc<Profile>, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let began = clock.now();
        Self { profile, course: Course { seed }, clock, began, state: Mutex::default() }
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub fn shared_profile(&self) -> Arc<Profile> {
        Arc::clone(&self.profile)
    }

    /// Fixes a point. The text is a number, a text where the point is one, or `none`.
    pub fn set(&self, key: &str, text: &str) -> Result<(), SetFault> {
        let point = self.profile.point(key).ok_or_else(|| SetFault::Point {
            key: key.to_owned(),
            meant: nearest(key, self.profile.points.iter().map(|p| p.key.as_str())).map(str::to_owned),
        })?;
        let value = match text {
            "none" => None,
            text if point.kind == PointKind::Text => Some(Value::Text(text.to_owned())),
            text => {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
                let number = number.ok_or_else(|| SetFault::Number(text.to_owned()))?;
                // What is written with fewer digits than the scale has is rounded to the bound.
                let step = point.scale.as_f64().abs() / 2.0;
                if let Some((low, high)) =
                    room(point).filter(|(low, high)| !(low - step..=high + step).contains(&number))
                {
                    return Err(SetFault::Range { key: key.to_owned(), value: text.to_owned(), low, high });
                }
                Some(Value::Number(number))
            }
        };
        if point.register().is_some() {
            encode(point, value.as_ref())?;
        }
        let mut state = self.state();
        for cell in cells(point) {
            state.written.remove(&cell);
        }
        state.set.insert(key.to_owned(), value);
        Ok(())
    }

    /// Lets a point move again, or all. Says how many had been fixed or written to.
    pub fn free(&self, key: Option<&str>) -> usize {
        let mut state = self.state();
        let mut freed = 0;
        for point in self.profile.points.iter().filter(|p| key.is_none_or(|key| key == p.key)) {
            let was_set = state.set.remove(&point.key).is_some();
            let was_written = cells(point).filter(|cell| state.written.remove(cell).is_some()).count() > 0;
            freed += usize::from(was_set || was_written);
        }
        freed
    }

    pub fn break_by(&self, b: Break) {
        let now = self.clock.now();
        let mut state = self.state();
        match b.fault {
            Fault::Rollover => state.rollover = Some(now.plus(Duration::from_secs_f64(ROLLOVER_S))),
            Fault::Reboot => state.booted = Some(now),
            _ => {}
        }
        state.breaks.push((now, b));
    }

    /// Mends everything; says how much was broken.
    pub fn mend(&self) -> usize {
        let mut state = self.state();
        state.rollover = None;
        std::mem::take(&mut state.breaks).len()
    }

    /// What is broken now.
    pub fn broken(&self) -> Vec<Break> {
        let now = self.clock.now();
        self.state().breaks.iter().filter(|(since, b)| holds(*since, b, now)).map(|(_, b)| *b).collect()
    }

    /// What each point shows now; nothing is "no value".
    pub fn values(&self) -> Vec<(&PointDef, Option<Value>)> {
        let state = self.state();
        let now = self.clock.now();
        self.profile.points.iter().map(|point| (point, self.value(&state, point, now))).collect()
    }

    /// What a point shows now.
    pub fn shows(&self, point: &PointDef) -> Option<Value> {
        self.value(&self.state(), point, self.clock.now())
    }

    /// What a point shows when nobody has fixed it or written to it, for a device that keeps what is written by itself.
    pub fn moves(&self, point: &PointDef) -> Option<Value> {
        let state = self.state();
        self.uncommanded(&state, point, self.clock.now())
    }

    /// What commands make of points from now on.
    pub fn commanded(&self, all: BTreeMap<String, Value>) {
        self.state().commanded = all;
    }

    fn value(&self, state: &State, point: &PointDef, now: Timestamp) -> Option<Value> {
        if let Some(commanded) = state.commanded.get(&point.key) {
            return Some(commanded.clone());
        }
        let fixed = self.uncommanded(state, point, now);
        let Some(register) = point.register().filter(|_| !state.written.is_empty()) else { return fixed };
        let mut words =
            encode(point, fixed.as_ref()).unwrap_or_else(|_| vec![0; register.data.width().into()]);
        let mut is_written = false;
        for (word, cell) in words.iter_mut().zip(cells(point)) {
            if let Some(written) = state.written.get(&cell) {
                (*word, is_written) = (*written, true);
            }
        }
        if !is_written {
            return fixed;
        }
        let response = if register.table.is_bits() {
            Response::Bits(words.iter().map(|word| *word != 0).collect())
        } else {
            Response::Registers(words)
        };
        decode(point, &response, 0).0
    }

    /// What a person has fixed, or else what moves.
    fn uncommanded(&self, state: &State, point: &PointDef, now: Timestamp) -> Option<Value> {
        let set = state.set.get(&point.key).cloned();
        set.unwrap_or_else(|| Some(self.moving(state, point, now)))
    }

    fn moving(&self, state: &State, point: &PointDef, now: Timestamp) -> Value {
        let seconds = |from: Timestamp| (now.as_millis() - from.as_millis()) as f64 / 1000.0;
        if point.kind == PointKind::Counter {
            if let Some((at, end)) = state.rollover.zip(counter_end(point)) {
                return Value::Number(counted(point, end + rate(point) * seconds(at)));
            }
            if point.key.contains("uptime")
                && let Some(booted) = state.booted
            {
                return Value::Number(counted(point, rate(point) * seconds(booted)));
            }
        }
        self.course.value(point, seconds(self.began))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst a value unset.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(since: Timestamp, b: &Break, now: Timestamp) -> bool {
    b.lasts.is_none_or(|lasts| now < since.plus(lasts))
}

/// Devices that answer to one unit only; none answers to all, as a device alone behind its TCP connection does.
#[derive(Debug)]
pub struct Only<D> {
    pub unit: Option<u8>,
    pub devices: D,
}

impl<D: Answers> Answers for Only<D> {
    fn answer(&self, asked: Asked) -> Reply {
        let is_meant = self.unit.is_none_or(|unit| unit == asked.unit);
        if is_meant { self.devices.answer(asked) } else { Reply::NOTHING }
    }

    fn change(&self, unit: u8, change: &Change) -> Reply {
        let is_meant = unit == 0 || self.unit.is_none_or(|own| own == unit);
        if is_meant { self.devices.change(unit, change) } else { Reply::NOTHING }
    }
}

/// Several devices on one line; no two of them have one unit.
#[derive(Debug)]
pub struct Several<D>(pub Vec<Only<D>>);

impl<D: Answers> Answers for Several<D> {
    fn answer(&self, asked: Asked) -> Reply {
        let mut replies = self.0.iter().map(|device| device.answer(asked));
        replies.find(|reply| reply.outcome != Outcome::Nothing).unwrap_or(Reply::NOTHING)
    }

    fn change(&self, unit: u8, change: &Change) -> Reply {
        // All of them hear a broadcast.
        let replies: Vec<Reply> = self.0.iter().map(|device| device.change(unit, change)).collect();
        replies.into_iter().find(|reply| reply.outcome != Outcome::Nothing).unwrap_or(Reply::NOTHING)
    }
}

/// The registers that a point stands in.
fn cells(point: &PointDef) -> impl Iterator<Item = Cell> {
    let register = point.register();
    (0..register.map_or(0, |r| r.data.width()))
        .filter_map(move |i| register.map(|r| (r.table, r.address.saturating_add(i))))
}

impl Simulated {
    /// What is broken about the next answer. Each question counts once: ask it once.
    pub fn turn(&self) -> Turn {
        let now = self.clock.now();
        self.turn_of(&mut self.state(), now)
    }

    fn turn_of(&self, state: &mut State, now: Timestamp) -> Turn {
        state.asked += 1;
        let number = i64::try_from(state.asked).unwrap_or(i64::MAX);
        state.breaks.retain(|(since, b)| holds(*since, b, now));
        let mut turn = Turn::default();
        for ((since, b), channel) in state.breaks.iter().zip(0..) {
            if f64::midpoint(chance(self.course.seed, 900 + channel, number), 1.0) >= b.share {
                continue;
            }
            match b.fault {
                Fault::Silent => turn.silent = true,
                Fault::Late(by) => turn.late = by,
                Fault::Exception(code) => turn.refused = Some(code),
                Fault::WrongCrc => turn.spoilt = Some(Spoilt::CheckSum),
                Fault::Cut => turn.spoilt = Some(Spoilt::Short),
                Fault::Foreign => turn.spoilt = Some(Spoilt::Foreign),
                Fault::FalseCount => turn.spoilt = Some(Spoilt::Count),
                Fault::TwoAnswers(by) => turn.again = Some(by),
                Fault::Reboot => {
                    let half = b.lasts.unwrap_or_default() / 2;
                    turn.silent |= now < since.plus(half);
                    turn.refused = Some(6);
                }
                Fault::Rollover => {}
            }
        }
        turn
    }

    /// Answers one request of Modbus out of what the registers hold, as broken as the device is.
    fn says(&self, outcome: impl FnOnce(&mut State, Image) -> Outcome) -> Reply {
        let now = self.clock.now();
        let mut state = self.state();
        let turn = self.turn_of(&mut state, now);
        if turn.silent {
            return Reply::NOTHING;
        }
        let outcome = if let Some(code) = turn.refused {
            Outcome::Refused(code)
        } else {
            // What is set was tried when it was set; a course that finds no room leaves zeros.
            let fill = |point: &PointDef| self.uncommanded(&state, point, now);
            let (mut image, _) = Image::fill(&self.profile, fill);
            image.put(state.written.iter().map(|(cell, word)| (*cell, *word)));
            outcome(&mut state, image)
        };
        Reply { outcome, spoilt: turn.spoilt, late: turn.late, again: turn.again }
    }

    /// Whether a point whose profile allows it stands in a register.
    fn may_be_written(&self, cell: Cell) -> bool {
        self.profile.points.iter().any(|point| point.write.is_some() && cells(point).any(|own| own == cell))
    }
}

impl Answers for Simulated {
    fn answer(&self, asked: Asked) -> Reply {
        self.says(|_, image| image.answer(asked))
    }

    fn change(&self, _unit: u8, change: &Change) -> Reply {
        self.says(|state, mut image| match image.changed(change, |cell| self.may_be_written(cell)) {
            Err(code) => Outcome::Refused(code),
            Ok(contents) => {
                image.put(contents.iter().copied());
                state.written.extend(contents);
                match change {
                    Change::Exchange { from, count, .. } => image.read(Table::Holding, *from, *count),
                    _ => Outcome::Done,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use steward_protocols::modbus::{Response, decode};
    use steward_shared::profile::Library;
    use steward_shared::time::ManualClock;

    use super::*;

    fn meter() -> (Simulated, Arc<ManualClock>) {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000)));
        (Simulated::new(profile, 5, clock.clone()), clock)
    }

    fn ask(device: &Simulated, key: &str) -> Reply {
        let register = *device.profile().point(key).unwrap().register().unwrap();
        let (function, address) = (register.table.function(), register.address);
        device.answer(Asked { unit: 1, function, address, count: register.data.width() })
    }

    fn read(device: &Simulated, key: &str) -> Option<f64> {
        let Outcome::Registers(words) = ask(device, key).outcome else { return None };
        let point = device.profile().point(key).unwrap();
        decode(point, &Response::Registers(words), 0).0.and_then(|v| v.as_number())
    }

    #[test]
    fn a_value_that_is_set_stays_until_it_is_freed() {
        let (device, clock) = meter();
        device.set("frequency", "49.2").unwrap();
        clock.advance(Duration::from_secs(500));
        assert!((read(&device, "frequency").unwrap() - 49.2).abs() < 1e-4);
        assert_eq!(device.free(Some("frequency")), 1);
        assert!((read(&device, "frequency").unwrap() - 50.0).abs() < 0.1);
        assert_eq!(
            device.set("freqency", "1").unwrap_err().to_string(),
            "there is no point \"freqency\"; did you mean frequency?"
        );
        assert!(device.set("frequency", "fast").unwrap_err().to_string().contains("is no number"));
    }

    #[test]
    fn what_a_device_cannot_show_is_refused_with_what_it_can_in_every_language() {
        let library = Library::compiled_in().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000)));
        for (profile, key, value, told) in [
            (
                "schneider/pm5350",
                "frequency",
                "1e99",
                "frequency holds -3.402823e38 … 3.402823e38, and not 1e99",
            ),
            ("kamstrup/multical-601", "flow-temperature", "1e30", "flow-temperature holds -"),
            ("dlt645/three-phase", "frequency", "1e5", "frequency holds 0 … 99.99, and not 1e5"),
            ("cjt188/water-1f90", "volume", "1000000", "volume holds 0 … 999999.99"),
            ("flexit/nordic", "supply-temperature", "1e40", "holds -3.402823e38"),
        ] {
            let device = Simulated::new(library.get(profile).unwrap(), 5, clock.clone());
            assert!(device.set(key, "12").is_ok(), "{profile}");
            let refused = device.set(key, value).unwrap_err().to_string();
            assert!(refused.starts_with(told) || refused.contains(told), "{profile}: {refused}");
        }
    }

    #[test]
    fn each_fault_is_seen_in_the_answer() {
        let (device, clock) = meter();
        let broken = |text: &str| {
            device.mend();
            device.break_by(text.parse().unwrap());
            ask(&device, "frequency")
        };
        assert_eq!(broken("silent"), Reply::NOTHING);
        assert_eq!(broken("exception code=2").outcome, Outcome::Refused(2));
        assert_eq!(broken("late by=2s").late, Duration::from_secs(2));
        assert_eq!(broken("wrong-crc").spoilt, Some(Spoilt::CheckSum));
        assert_eq!(broken("cut").spoilt, Some(Spoilt::Short));
        assert_eq!(broken("two-answers by=3ms").again, Some(Duration::from_millis(3)));
        assert_eq!(broken("reboot for=6s"), Reply::NOTHING);
        clock.advance(Duration::from_secs(4));
        assert_eq!(ask(&device, "frequency").outcome, Outcome::Refused(6), "it is starting");
        clock.advance(Duration::from_secs(3));
        assert!(read(&device, "frequency").is_some() && device.broken().is_empty());
        device.break_by("wrong-crc share=0.2".parse().unwrap());
        let spoilt = (0..1000).filter(|_| ask(&device, "frequency").spoilt.is_some()).count();
        assert!((140..260).contains(&spoilt), "{spoilt} of 1000 are no fifth");
    }

    #[test]
    fn what_is_written_is_read_back_until_it_is_freed() {
        let text = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"made up\"]\n\
                    [[point]]\nkey = \"setpoint\"\ntitle = { zh = \"设定\", en = \"Set point\" }\ntable = \"holding\"\n\
                    address = 10\ntype = \"i16\"\nscale = 0.1\nunit = \"Cel\"\nwrite = { min = 16, max = 30 }\n\
                    [[point]]\nkey = \"room\"\ntitle = { zh = \"室温\", en = \"Room\" }\ntable = \"holding\"\n\
                    address = 11\ntype = \"i16\"\nscale = 0.1\nunit = \"Cel\"\n";
        let profile = Arc::new(Profile::parse("acme/m1.toml", text).unwrap());
        let device = Simulated::new(profile, 5, Arc::new(ManualClock::at(Timestamp(1_790_000_000_000))));
        let change = |change| device.change(1, &change).outcome;
        let before = read(&device, "setpoint").unwrap();
        assert_eq!(change(Change::Register { address: 10, value: 215 }), Outcome::Done);
        assert_eq!(read(&device, "setpoint"), Some(21.5));
        assert_eq!(device.shows(&device.profile().points[0]), Some(Value::Number(21.5)));
        assert_eq!(change(Change::Mask { address: 10, and: 0xFFF0, or: 0x0001 }), Outcome::Done);
        assert_eq!(read(&device, "setpoint"), Some(20.9), "D7 becomes D1");
        let exchange = Change::Exchange { from: 10, count: 1, address: 10, values: vec![180] };
        assert_eq!(change(exchange), Outcome::Registers(vec![180]));
        for refused in [
            Change::Register { address: 11, value: 1 },
            Change::Registers { address: 10, values: vec![1, 2] },
            Change::Coil { address: 10, on: true },
        ] {
            assert_eq!(change(refused), Outcome::Refused(2), "nobody may write there");
        }
        assert_eq!((device.free(None), read(&device, "setpoint")), (1, Some(before)));
    }

    #[test]
    fn a_rollover_on_command_comes_within_ten_seconds() {
        let text = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"made up\"]\n\
                    [[point]]\nkey = \"energy\"\ntitle = { zh = \"电能\", en = \"Energy\" }\ntable = \"holding\"\n\
                    address = 10\ntype = \"bcd32\"\nscale = 0.01\nunit = \"kW.h\"\nkind = \"counter\"\n";
        let profile = Arc::new(Profile::parse("acme/m1.toml", text).unwrap());
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000)));
        let device = Simulated::new(profile, 5, clock.clone());
        let before = read(&device, "energy").unwrap();
        device.break_by("rollover".parse().unwrap());
        let full = read(&device, "energy").unwrap();
        assert!(before < 20_000.0 && full > 999_999.0, "{before} {full}");
        clock.advance(Duration::from_secs(12));
        assert!(read(&device, "energy").unwrap() < 1.0);
    }
}
