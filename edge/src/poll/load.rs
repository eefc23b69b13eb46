//! Whether a line can carry what its devices are asked for: the share of its time that the questions take, and who would
//! wait too long for whom. `check` tells it, the supervisor when a line starts, and the line's owner when its devices are
//! known better; what the wire itself cannot carry is refused before a configuration is taken.
//!
//! A line is one resource: alarm points first, then earliest deadline first, and no question is interrupted. So the
//! questions of a period come in time where their own share, that of all shorter periods, and the longest question of
//! a longer period in this one's time make no more than 1 (Jeffay, Stanat, Martel 1991: EDF without interruption).

use std::time::Duration;

use serde::Serialize;
use steward_protocols::cost::Cost;
use steward_protocols::question::Question;

use super::plan::Plan;
use crate::config::{DeviceConfig, LineConfig, SerialConfig, WireConfig};
use crate::line::{Manner, cost};

/// A line that is fuller than this has no room for retries and probes.
pub const ROOM: f64 = 0.8;
const BAUDS: [u32; 7] = [1200, 2400, 4800, 9600, 19_200, 38_400, 115_200];

/// What a line is asked to carry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// With devices that answer at once: what the frames and the silence between them take.
    pub least: f64,
    /// With devices that take what is known of them, or what devices usually take.
    pub usual: f64,
    /// Points that are asked for.
    pub points: usize,
    /// Device and point, `device/point`, of what would be late, if the shortest periods are kept first.
    pub late: Vec<String>,
    /// Where points would be late though there is time for all: what holds them up.
    pub longest: Option<Longest>,
    /// With periods so many times as long it has room.
    pub longer: f64,
    /// The lowest rate that would do, where this one does not.
    pub baud: Option<u32>,
    /// Devices with settings of their own that are to be set to that rate; none where the line's is.
    pub own: Vec<String>,
}

/// The longest question of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Longest {
    pub device: String,
    /// The first of its points.
    pub point: String,
    pub took_ms: u64,
}

pub fn load(line: &LineConfig) -> Load {
    measured(line, &[])
}

/// The load of a line whose wire cannot carry it, whatever devices are on it; the others cost no more than to find that
/// out.
pub fn impossible(line: &LineConfig) -> Option<Load> {
    (least(line) > 1.0).then(|| load(line))
}

/// With the devices' turnarounds, as far as they are known.
pub fn measured(line: &LineConfig, turnarounds: &[Option<Duration>]) -> Load {
    let as_it_is = asked(line, turnarounds, Rate::AsItIs);
    let (usual, judged) = (as_it_is.share(), as_it_is.judge());
    let mut load = Load {
        least: least(line),
        usual,
        points: line.devices.iter().map(|d| d.profile.points.len()).sum(),
        longer: judged.fullest.max(usual / ROOM),
        late: judged.late,
        longest: judged.longest,
        baud: None,
        own: Vec::new(),
    };
    if load.has_room() {
        return load;
    }
    if let WireConfig::Serial(serial) = &line.wire {
        let would_do = |rate| {
            let faster = asked(line, turnarounds, rate);
            faster.share() <= ROOM && faster.judge().late.is_empty()
        };
        let lines = BAUDS.into_iter().filter(|baud| *baud > serial.character.baud).map(Rate::Lines);
        let rates = lines.chain(BAUDS.into_iter().map(Rate::OwnToo));
        if let Some(rate) = rates.into_iter().find(|rate| would_do(*rate)) {
            load.baud = rate.baud();
            load.own = line.devices.iter().filter(|d| rate.sets(d)).map(|d| d.name.clone()).collect();
        }
    }
    load
}

/// At which rate the questions would be put.
#[derive(Debug, Clone, Copy)]
enum Rate {
    AsItIs,
    /// The line's rate is another.
    Lines(u32),
    /// So is that of the devices that have slower settings of their own.
    OwnToo(u32),
}

impl Rate {
    const fn baud(self) -> Option<u32> {
        match self {
            Self::AsItIs => None,
            Self::Lines(baud) | Self::OwnToo(baud) => Some(baud),
        }
    }

    fn sets(self, device: &DeviceConfig) -> bool {
        matches!((self, device.character), (Self::OwnToo(baud), Some(own)) if own.baud < baud)
    }

    fn wire(self, wire: &WireConfig) -> WireConfig {
        match (wire, self.baud()) {
            (WireConfig::Serial(serial), Some(baud)) => {
                let mut faster: SerialConfig = serial.clone();
                faster.character.baud = baud.max(serial.character.baud);
                WireConfig::Serial(faster)
            }
            _ => wire.clone(),
        }
    }

    fn manner(self, device: &DeviceConfig) -> Manner<'_> {
        let mut manner = Manner::from(device);
        if let (true, Some(own), Some(baud)) = (self.sets(device), &mut manner.character, self.baud()) {
            own.baud = baud;
        }
        manner
    }
}

/// Everything that is asked on a line.
struct Questions<'l> {
    all: Vec<One<'l>>,
    /// So many go at once.
    at_once: usize,
    /// The devices are asked side by side, each by itself.
    side_by_side: bool,
}

struct One<'l> {
    device: &'l DeviceConfig,
    question: Question,
    period: Duration,
    took: Duration,
    /// It gives a point that raises alarms.
    first: bool,
}

impl One<'_> {
    fn share(&self) -> f64 {
        self.took.as_secs_f64() / self.period.as_secs_f64()
    }

    fn longest(&self) -> Option<Longest> {
        let point = self.device.profile.points.get(*self.question.points().first()?)?;
        let took_ms = self.took.as_millis() as u64;
        Some(Longest { device: self.device.name.clone(), point: point.key.clone(), took_ms })
    }

    fn names(&self) -> impl Iterator<Item = String> + '_ {
        let points = self.question.points().iter().filter_map(|i| self.device.profile.points.get(*i));
        points.map(|point| format!("{}/{}", self.device.name, point.key))
    }
}

/// Who comes too late.
#[derive(Default)]
struct Judged {
    late: Vec<String>,
    longest: Option<Longest>,
    fullest: f64,
}

fn asked<'l>(line: &'l LineConfig, turnarounds: &[Option<Duration>], rate: Rate) -> Questions<'l> {
    let wire = rate.wire(&line.wire);
    let known = turnarounds.iter().copied().chain(std::iter::repeat(None));
    let of = |(device, turnaround)| questions(device, cost(&wire, rate.manner(device), turnaround));
    Questions {
        all: line.devices.iter().zip(known).flat_map(of).collect(),
        at_once: line.in_flight.max(1),
        side_by_side: matches!(line.wire, WireConfig::Bacnet(_) | WireConfig::Mstp(_)),
    }
}

fn questions(device: &DeviceConfig, cost: Cost) -> Vec<One<'_>> {
    let plan = Plan::new(device, cost);
    let one = |(question, period): &(Question, Duration)| One {
        device,
        took: plan.time(question, cost),
        first: plan.is_first(question),
        question: question.clone(),
        period: *period,
    };
    plan.questions.iter().map(one).collect()
}

fn least(line: &LineConfig) -> f64 {
    match &line.wire {
        WireConfig::Serial(_) => {
            asked(line, &vec![Some(Duration::ZERO); line.devices.len()], Rate::AsItIs).share()
        }
        // A connection has no rate of its own, and how long the token is away depends on the other masters.
        WireConfig::Tcp { .. }
        | WireConfig::Listen(_)
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => 0.0,
    }
}

impl Questions<'_> {
    /// What is asked by one after the other.
    fn queues(&self) -> Vec<Vec<&One<'_>>> {
        if !self.side_by_side {
            return vec![self.all.iter().collect()];
        }
        self.all.chunk_by(|a, b| std::ptr::eq(a.device, b.device)).map(|own| own.iter().collect()).collect()
    }

    /// Where devices are asked side by side, the one with most to say is the measure.
    fn share(&self) -> f64 {
        let of =
            |queue: &Vec<&One<'_>>| queue.iter().map(|one| one.share()).sum::<f64>() / self.at_once as f64;
        self.queues().iter().map(of).fold(0.0, f64::max)
    }

    fn judge(&self) -> Judged {
        let mut judged = Judged::default();
        for queue in self.queues() {
            self.judge_one(queue, &mut judged);
        }
        judged
    }

    /// The alarm points first, and of each kind the shortest periods.
    fn judge_one(&self, mut queue: Vec<&One<'_>>, judged: &mut Judged) {
        queue.sort_by_key(|one| (one.period, !one.first));
        for alike in queue.chunk_by(|a, b| (a.period, a.first) == (b.period, b.first)) {
            let Some(one) = alike.first() else { continue };
            let share = |ones: &mut dyn Iterator<Item = &&One<'_>>| {
                ones.map(|o| o.share()).sum::<f64>() / self.at_once as f64
            };
            let is_before = |other: &&&One<'_>| {
                (other.period, !other.first) < (one.period, !one.first) && (other.first || !one.first)
            };
            let before = share(&mut queue.iter().filter(is_before));
            let whole = before + share(&mut alike.iter());
            let (held, by) = self.held(&queue, one);
            let held = held.as_secs_f64() / one.period.as_secs_f64();
            judged.fullest = judged.fullest.max(whole + held);
            let mut used = before;
            for one in alike {
                used += one.share() / self.at_once as f64;
                // Where there is not time for all of them, there is for the first.
                if if whole <= 1.0 { whole } else { used } + held > 1.0 {
                    judged.late.extend(one.names());
                }
            }
            if whole <= 1.0 && whole + held > 1.0 {
                let is_longer =
                    |by: &Longest| judged.longest.as_ref().is_none_or(|old| by.took_ms > old.took_ms);
                judged.longest = by.and_then(One::longest).filter(is_longer).or(judged.longest.take());
            }
        }
    }

    /// How long questions of longer periods hold up this one, and the longest of them. It waits for one that is under
    /// way, where as many as go at once may be; and if it raises no alarms, for each that does.
    fn held<'q>(&self, queue: &[&'q One<'q>], one: &One<'_>) -> (Duration, Option<&'q One<'q>>) {
        let goes_first = |other: &One<'_>| other.first && !one.first;
        let later = || queue.iter().copied().filter(|other| other.period > one.period);
        let alarms = later().filter(|o| goes_first(o)).map(|o| o.took).sum::<Duration>();
        let waits_behind = |other: &&One<'_>| other.period > one.period || one.first && !other.first;
        let mut under_way: Vec<_> =
            queue.iter().copied().filter(waits_behind).filter(|o| !goes_first(o)).collect();
        under_way.sort_by_key(|other| std::cmp::Reverse(other.took));
        let free = under_way.get(self.at_once - 1).map_or(Duration::ZERO, |other| other.took);
        let longest = later().chain(under_way.first().copied()).max_by_key(|other| other.took);
        (alarms / self.at_once as u32 + free, longest)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
