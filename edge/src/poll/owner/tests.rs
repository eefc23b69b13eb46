//! A line's task against fake wires, in tokio's paused time: devices that answer late, wrongly or not at all,
//! and wires that break. What comes out of the task's channel is what would be stored.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steward_shared::alarm::EventKind;
use steward_shared::document::listing;
use steward_shared::id::{PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::task::{LineTask, Told};
use crate::config::{LineConfig, parse};
use crate::evidence::Evidence;
use crate::health::LineGauge;
use crate::lend::Visits;
use crate::line::Dial;
use crate::line::fake::{Act, BASE, FakeWire, PausedClock, framed};

mod errands;
mod flights;

/// A point for each of these registers, read every second.
fn profiles(registers: &[u16]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"this test\"]\n\
         [modbus]\nmax_gap = 0\n",
    );
    for address in registers {
        let point = format!(
            "[[point]]\nkey = \"p{address}\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\ntable = \"holding\"\n\
             address = {address}\ntype = \"u16\"\nunit = \"1\"\nclass = \"fast\"\n"
        );
        text.push_str(&point);
    }
    std::fs::create_dir_all(folder.path().join("acme")).unwrap();
    std::fs::write(folder.path().join("acme/m1.toml"), text).unwrap();
    folder
}

fn line(folder: &Path, kind: &str, units: &[u8]) -> LineConfig {
    let mut text = format!(
        "[gateway]\nname = \"t\"\n[profiles]\nfolders = [\".\"]\n[[line]]\nname = \"l\"\n{kind}\ntimeout = \"300ms\"\n"
    );
    for unit in units {
        let device =
            format!("[[line.device]]\nname = \"d{unit}\"\nprofile = \"acme/m1\"\naddress = {unit}\n");
        text.push_str(&device);
    }
    let mut config = parse("edge.toml", &text, folder, []).unwrap_or_else(|f| panic!("{}", listing(&f)));
    config.lines.remove(0)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Serial,
    Tcp,
    RtuOverTcp,
    /// Modbus TCP with four questions under way.
    Several,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Serial, Self::Tcp, Self::RtuOverTcp, Self::Several];

    const fn is_rtu(self) -> bool {
        matches!(self, Self::Serial | Self::RtuOverTcp)
    }

    fn config(self) -> &'static str {
        match self {
            Self::Serial => "kind = \"serial\"\nport = \"/dev/fake\"",
            Self::Tcp => "kind = \"tcp\"\nhost = \"h\"\nport = 502",
            Self::RtuOverTcp => "kind = \"tcp\"\nhost = \"h\"\nport = 502\nframing = \"rtu\"",
            Self::Several => "kind = \"tcp\"\nhost = \"h\"\nport = 502\nin_flight = 4",
        }
    }
}

struct Run {
    gauge: Arc<LineGauge>,
    readings: Vec<Reading>,
    alarms: Vec<(EventKind, Option<String>, bool)>,
    dialled: Vec<Duration>,
    health: steward_shared::wire::message::LineHealth,
}

/// The task of a fake line. Point numbers are 10 for each unit, plus the point's place in the profile.
fn task(
    kind: Kind,
    units: &[u8],
    opens: impl Fn(Duration) -> bool + Send + Sync + 'static,
    device: impl Fn(Duration, u8, u16) -> Act + Send + Sync + 'static,
    told: mpsc::Sender<Told>,
) -> (LineTask, Arc<Mutex<Vec<Duration>>>) {
    let folder = profiles(&[0, 1, 100]);
    let config = line(folder.path(), kind.config(), units);
    let start = Instant::now();
    let wire = FakeWire::new(kind.is_rtu(), start, opens, device);
    let dialled = Arc::clone(&wire.dialled);
    let gauge = Arc::new(LineGauge::new("l", config.devices.iter().map(|d| d.name.clone())));
    let numbers = units.iter().map(|u| (0..3).map(|p| PointNo(u32::from(*u) * 10 + p)).collect()).collect();
    let (clock, ids) = (Arc::new(PausedClock(start)), Arc::new(RandomIds));
    let dial = Arc::new(wire);
    let (slowest_before, silent_before) = (Duration::ZERO, vec![false; units.len()]);
    let (evidence, visits) = (Evidence::none(), Visits::none());
    let task = LineTask {
        config,
        numbers,
        slowest_before,
        silent_before,
        dial,
        gauge,
        told,
        evidence,
        clock,
        ids,
        visits,
    };
    (task, dialled)
}

async fn run(
    kind: Kind,
    units: &[u8],
    seconds: u64,
    opens: impl Fn(Duration) -> bool + Send + Sync + 'static,
    device: impl Fn(Duration, u8, u16) -> Act + Send + Sync + 'static,
) -> Run {
    let (told, mut from_line) = mpsc::channel(64);
    let (task, dialled) = task(kind, units, opens, device, told);
    let (start, gauge) = (Instant::now(), Arc::clone(&task.gauge));
    let cancel = CancellationToken::new();
    let running = tokio::spawn(task.run(cancel.clone()));
    let (mut readings, mut alarms) = (Vec::new(), Vec::new());
    let end = start + Duration::from_secs(seconds);
    while let Ok(Some(told)) = tokio::time::timeout_at(end, from_line.recv()).await {
        match told {
            Told::Readings(some) => readings.extend(some),
            Told::Alarm { kind, device, active, .. } => alarms.push((kind, device, active)),
            Told::About { .. } | Told::Listed { .. } => {}
        }
    }
    cancel.cancel();
    running.await.unwrap();
    let dialled = dialled.lock().unwrap().clone();
    Run { readings, alarms, dialled, health: gauge.read().0, gauge }
}

impl Run {
    /// Every value that was stored must be the one of its own register and unit.
    fn assert_no_value_of_another(&self) {
        for reading in &self.readings {
            let (unit, place) = (reading.point.0 / 10, reading.point.0 % 10);
            let register = [0.0, 1.0, 100.0][place as usize];
            if let Some(Value::Number(n)) = reading.value {
                let wanted = register + 1000.0 * f64::from(unit);
                assert!(
                    (n - wanted).abs() < f64::EPSILON,
                    "{n} was stored for {:?}, {wanted} is right",
                    reading.point
                );
                assert_eq!(reading.quality, Quality::Good);
            }
        }
    }

    fn good(&self, unit: u32) -> usize {
        self.readings.iter().filter(|r| r.point.0 / 10 == unit && r.quality.is_good()).count()
    }
}

#[tokio::test(start_paused = true)]
async fn readings_carry_the_slot_of_their_poll() {
    let run = run(Kind::Tcp, &[1], 10, |_| true, |_, _, _| Act::Answer).await;
    run.assert_no_value_of_another();
    let mut after_the_first = run.readings.iter().filter(|r| r.at >= BASE.plus(Duration::from_secs(1)));
    assert!(after_the_first.all(|r| r.at.as_millis() % 1000 == 0), "{:?}", run.readings);
    let slots: BTreeSet<_> = run.readings.iter().map(|r| (r.point, r.at)).collect();
    assert_eq!(slots.len(), run.readings.len(), "no slot is polled twice");
    assert_eq!(run.good(1), 30);
}

#[tokio::test(start_paused = true)]
async fn fault_b4_a_late_reply_is_never_taken_for_the_answer() {
    for kind in Kind::ALL {
        for late in [350, 450, 600, 790] {
            let act = move |at: Duration, _: u8, address: u16| {
                let now_and_then = at.as_secs() % 3 == 1 && address == 0;
                if now_and_then { Act::Late(Duration::from_millis(late)) } else { Act::Answer }
            };
            let run = run(kind, &[1, 2], 60, |_| true, act).await;
            run.assert_no_value_of_another();
            assert!(run.good(1) >= 40, "{kind:?}, late {late}: {}", run.good(1));
            assert!(run.health.errors > 10, "{kind:?}, late {late}: {:?}", run.health);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b4_a_foreign_cut_or_damaged_reply_is_never_stored() {
    let whole = framed(true, &[], 1, &[3, 4, 0x07, 0x77, 0x07, 0x78]);
    let mut damaged = whole.clone();
    damaged[4] ^= 0x10;
    let foreign_unit = framed(true, &[], 7, &[3, 4, 0x07, 0x77, 0x07, 0x78]);
    let other_length = framed(true, &[], 1, &[3, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let lying_length = framed(true, &[], 1, &[3, 200, 1, 2, 3, 4]);
    for (what, bytes) in [
        ("wrong check sum", damaged),
        ("wrong unit", foreign_unit),
        ("cut short", whole[..5].to_vec()),
        ("another length", other_length),
        ("a byte count that lies", lying_length),
        ("noise", vec![0xff; 40]),
    ] {
        let act = move |at: Duration, _: u8, address: u16| {
            if at.as_secs() % 4 == 2 && address == 0 { Act::Raw(bytes.clone()) } else { Act::Answer }
        };
        let run = run(Kind::Serial, &[1], 40, |_| true, act).await;
        run.assert_no_value_of_another();
        assert!(run.health.errors >= 5, "{what}: {:?}", run.health);
        assert!(run.good(1) >= 60, "{what}: {}", run.good(1));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b4_after_three_bad_polls_the_quality_is_bad() {
    let act = |at: Duration, _: u8, _: u16| {
        if at < Duration::from_secs(5) { Act::Answer } else { Act::Raw(vec![1, 3, 4, 9, 9, 9, 9, 0, 0]) }
    };
    let run = run(Kind::Serial, &[1], 30, |_| true, act).await;
    run.assert_no_value_of_another();
    for place in 0..3 {
        let last = run.readings.iter().rfind(|r| r.point == PointNo(10 + place)).unwrap();
        assert_eq!((last.quality, last.value.as_ref()), (Quality::BadReply, None));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b5_a_refusal_is_a_quality_and_hurts_no_neighbour() {
    let act = |_: Duration, _: u8, address: u16| if address == 0 { Act::Exception(2) } else { Act::Answer };
    let run = run(Kind::Tcp, &[1], 10, |_| true, act).await;
    run.assert_no_value_of_another();
    let of =
        |place: u32| run.readings.iter().filter(move |r| r.point == PointNo(10 + place)).collect::<Vec<_>>();
    assert!(of(0).iter().all(|r| r.quality == Quality::Refused(2)) && of(0).len() == 3, "{:?}", of(0));
    assert!(of(1).iter().all(|r| r.quality.is_good()) && of(1).len() == 10, "its neighbour in the block");
}

#[tokio::test(start_paused = true)]
async fn fault_b11_a_silent_device_is_marked_once_told_once_and_cleared_when_it_answers() {
    let (gone, back) = (Duration::from_secs(10), Duration::from_secs(70));
    let act = move |at: Duration, unit: u8, _: u16| {
        if unit == 2 && at > gone && at < back { Act::Silent } else { Act::Answer }
    };
    let run = run(Kind::Serial, &[1, 2], 120, |_| true, act).await;
    run.assert_no_value_of_another();
    let marks: Vec<_> = run.readings.iter().filter(|r| r.quality == Quality::NoReply).collect();
    assert_eq!(marks.len(), 3, "each of its points once: {marks:?}");
    assert!(marks[0].at <= BASE.plus(gone + Duration::from_secs(5)), "{marks:?}");
    let alarms: Vec<_> = run
        .alarms
        .iter()
        .filter(|(k, d, _)| *k == EventKind::DeviceSilent && d.as_deref() == Some("d2"))
        .collect();
    let states: Vec<_> = alarms.iter().map(|(_, _, active)| *active).collect();
    assert_eq!(states, [false, true, false], "in order at the start, silent, back");
    assert!(run.good(1) >= 3 * 115, "the other lost values: {} of 360", run.good(1));
    assert!(run.good(2) >= 3 * 20, "it is polled as before: {}", run.good(2));
}

#[tokio::test(start_paused = true)]
async fn fault_b12_a_port_that_is_gone_is_told_once_and_polled_five_seconds_after_it_is_back() {
    let (gone, back) = (Duration::from_secs(10), Duration::from_mins(1));
    let opens = move |at: Duration| at < gone || at > back;
    let act =
        move |at: Duration, _: u8, _: u16| if at > gone && at < back { Act::HangUp } else { Act::Answer };
    let run = run(Kind::Serial, &[1, 2], 90, opens, act).await;
    let states: Vec<_> = run
        .alarms
        .iter()
        .filter(|(k, _, _)| *k == EventKind::LineDown)
        .map(|(_, _, active)| *active)
        .collect();
    assert_eq!(states, [false, true, false]);
    let marks = run.readings.iter().filter(|r| r.quality == Quality::LineDown).count();
    assert_eq!(marks, 6, "each point of the line once");
    assert!(
        !run.alarms.contains(&(EventKind::DeviceSilent, Some("d1".to_owned()), true)),
        "one fault, one alarm"
    );
    let first = run.readings.iter().find(|r| r.quality.is_good() && r.at > BASE.plus(back)).unwrap().at;
    assert!(first < BASE.plus(back + Duration::from_secs(6)), "polled again at {first}");
    assert!(run.dialled.len() < 40, "no storm of dials: {}", run.dialled.len());
}

#[tokio::test(start_paused = true)]
async fn fault_b12_a_port_that_is_pulled_in_mid_frame_gives_neither_half_a_value_nor_another_ones() {
    let gone = [Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(40)];
    for kind in [Kind::Serial, Kind::RtuOverTcp] {
        // What is left of the answer waits in the adapter, and comes out when the port is opened again.
        for rest in [Duration::ZERO, Duration::from_millis(290), Duration::from_secs(2)] {
            let pulled = Mutex::new(gone.to_vec());
            let act = move |at: Duration, unit: u8, _: u16| {
                let mut pulled = pulled.lock().unwrap();
                if unit == 1 && pulled.first().is_some_and(|first| at >= *first) {
                    pulled.remove(0);
                    return Act::HalfAndHangUp(rest);
                }
                Act::Answer
            };
            let opens = move |at: Duration| {
                !gone.iter().any(|gone| at >= *gone && at < *gone + Duration::from_secs(4))
            };
            let run = run(kind, &[1, 2], 60, opens, act).await;
            run.assert_no_value_of_another();
            for unit in [1, 2] {
                assert!(run.good(unit) >= 3 * 36, "{kind:?}, rest after {rest:?}: {}", run.good(unit));
            }
            for gone in gone {
                let back = BASE.plus(gone + Duration::from_secs(4));
                let first = run.readings.iter().find(|r| r.quality.is_good() && r.at >= back).unwrap().at;
                assert!(first <= back.plus(Duration::from_secs(6)), "{kind:?}: polled again at {first}");
            }
            assert!(run.health.up, "{kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_line_is_back_what_was_silent_before_bears_its_own_reason_again() {
    let (gone, back) = (Duration::from_secs(40), Duration::from_mins(1));
    let opens = move |at: Duration| at < gone || at > back;
    let act = move |at: Duration, unit: u8, address: u16| match (unit, address) {
        _ if at > gone && at < back => Act::HangUp,
        (2, _) | (1, 100) if at > Duration::from_secs(5) => Act::Silent,
        _ => Act::Answer,
    };
    let run = run(Kind::Serial, &[1, 2], 90, opens, act).await;
    let last = |point| run.readings.iter().rfind(|r| r.point == PointNo(point)).unwrap();
    for point in [12, 20, 21, 22] {
        let of = run.readings.iter().filter(|r| r.point == PointNo(point));
        let reasons: Vec<_> = of.map(|r| r.quality).filter(|q| !q.is_good()).collect();
        assert_eq!(reasons, [Quality::NoReply, Quality::LineDown, Quality::NoReply], "{point}");
        assert!(last(point).at > BASE.plus(back), "{:?}", last(point));
    }
    assert!(last(10).quality.is_good() && last(11).quality.is_good());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_connections_and_drops_them_is_not_stormed() {
    let run = run(Kind::Tcp, &[1], 60, |_| true, |_, _, _| Act::HangUp).await;
    assert!(run.dialled.len() < 40, "{} dials in a minute", run.dialled.len());
    assert!(run.alarms.contains(&(EventKind::LineDown, None, true)));
    assert!(!run.health.up);
}

/// What was told of a kind, in order: the device where it is about one, and whether it began.
fn told(run: &Run, kind: EventKind) -> Vec<(Option<&str>, bool)> {
    run.alarms.iter().filter(|(k, _, _)| *k == kind).map(|(_, d, active)| (d.as_deref(), *active)).collect()
}

#[tokio::test(start_paused = true)]
async fn fault_b11_a_device_over_which_the_connection_is_closed_starves_no_other() {
    let back = Duration::from_secs(90);
    for kind in [Kind::Tcp, Kind::RtuOverTcp] {
        let act = move |at: Duration, unit: u8, _: u16| {
            if unit == 1 && at < back { Act::HangUp } else { Act::Answer }
        };
        let run = run(kind, &[1, 2, 3], 150, |_| true, act).await;
        run.assert_no_value_of_another();
        for unit in [2, 3] {
            assert!(run.good(unit) >= 3 * 140, "{kind:?}: unit {unit} lost values: {}", run.good(unit));
        }
        let marks: Vec<_> = run.readings.iter().filter(|r| !r.quality.is_good()).collect();
        assert!(marks.iter().all(|r| r.quality == Quality::NoReply && r.point.0 / 10 == 1), "{marks:?}");
        assert_eq!(marks.len(), 3, "each of its points once");
        let silent = told(&run, EventKind::DeviceSilent);
        let mut of_it: Vec<_> = silent.iter().filter(|(d, _)| *d == Some("d1")).map(|(_, a)| *a).collect();
        of_it.dedup();
        assert_eq!(of_it, [true, false], "{kind:?}: {silent:?}");
        assert_eq!(told(&run, EventKind::LineDown), [(None, false)], "{kind:?}: the line is in order");
        assert!(run.good(1) >= 3 * 25, "{kind:?}: polled as before once it is back: {}", run.good(1));
        assert!(run.dialled.len() < 40, "{kind:?}: {} dials", run.dialled.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_closes_after_each_answer_costs_none() {
    for kind in [Kind::Tcp, Kind::RtuOverTcp, Kind::Several] {
        let run = run(kind, &[1, 2], 20, |_| true, |_, _, _| Act::AnswerAndHangUp).await;
        run.assert_no_value_of_another();
        // Once it was asked several things at once, and not again.
        let once = u64::from(kind == Kind::Several);
        assert_eq!((run.good(1), run.good(2), run.health.errors), (60, 60, once), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_devices_over_which_the_connection_is_closed_are_not_a_line_that_is_down() {
    let act = |_: Duration, unit: u8, _: u16| if unit < 3 { Act::HangUp } else { Act::Answer };
    let run = run(Kind::Tcp, &[1, 2, 3], 60, |_| true, act).await;
    assert_eq!(told(&run, EventKind::LineDown), [(None, false)]);
    let silent = told(&run, EventKind::DeviceSilent);
    assert!(silent.contains(&(Some("d1"), true)) && silent.contains(&(Some("d2"), true)), "{silent:?}");
    assert!(run.good(3) >= 3 * 55, "{}", run.good(3));
}

#[tokio::test(start_paused = true)]
async fn a_block_over_which_the_connection_is_closed_hurts_no_other_block_of_its_device() {
    for bad in [0, 100] {
        let act =
            move |_: Duration, _: u8, address: u16| if address == bad { Act::HangUp } else { Act::Answer };
        let run = run(Kind::Tcp, &[1], 60, |_| true, act).await;
        run.assert_no_value_of_another();
        let (good, marked) = if bad == 0 { (55, 2) } else { (2 * 55, 1) };
        assert!(run.good(1) >= good, "{bad}: {}", run.good(1));
        let marks: Vec<_> = run.readings.iter().filter(|r| !r.quality.is_good()).collect();
        assert!(marks.len() == marked && marks.iter().all(|r| r.quality == Quality::NoReply), "{marks:?}");
        assert_eq!(run.alarms.iter().filter(|(_, _, active)| *active).count(), 0, "{:?}", run.alarms);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_closes_over_every_device_is_one_fault_and_whoever_is_back_first_is_found() {
    let (one, all) = (Duration::from_mins(1), Duration::from_secs(100));
    let act = move |at: Duration, unit: u8, _: u16| {
        let answers = at < Duration::from_secs(10) || at > all || (at > one && unit == 2);
        if answers { Act::Answer } else { Act::HangUp }
    };
    let run = run(Kind::Tcp, &[1, 2, 3], 150, |_| true, act).await;
    run.assert_no_value_of_another();
    assert_eq!(told(&run, EventKind::LineDown), [(None, false), (None, true), (None, false)]);
    let down = run.alarms.iter().position(|a| *a == (EventKind::LineDown, None, true)).unwrap();
    let up = run.alarms.iter().rposition(|a| *a == (EventKind::LineDown, None, false)).unwrap();
    assert_eq!(up, down + 1, "nothing is told of the devices of a line that is down: {:?}", run.alarms);
    let first = run.readings.iter().find(|r| r.quality.is_good() && r.at > BASE.plus(one)).unwrap();
    assert_eq!(first.point.0 / 10, 2);
    assert!(first.at < BASE.plus(one + Duration::from_secs(16)), "found at {}", first.at);
    for unit in [1, 3] {
        let again = run
            .readings
            .iter()
            .find(|r| r.point.0 / 10 == unit && r.quality.is_good() && r.at > BASE.plus(one));
        assert!(again.unwrap().at < BASE.plus(all + Duration::from_secs(35)), "unit {unit}");
    }
    assert!(run.dialled.len() < 150, "{} dials", run.dialled.len());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_given_up_after_an_unanswered_question() {
    let act = |at: Duration, _: u8, _: u16| if at.as_secs() == 5 { Act::Silent } else { Act::Answer };
    let run = run(Kind::Tcp, &[1], 10, |_| true, act).await;
    assert!(run.dialled.len() >= 2, "{:?}", run.dialled);
    assert!(run.health.up);
    run.assert_no_value_of_another();
}

#[tokio::test(start_paused = true)]
async fn fault_b4_a_reply_that_comes_after_the_answer_is_thrown_away() {
    for kind in Kind::ALL {
        // Register 0's answer twice: the second copy lies on the wire when register 100 is asked for.
        let act = move |_: Duration, _: u8, address: u16| {
            if kind.is_rtu() && address == 0 {
                let one = framed(true, &[], 1, &[3, 4, 0x03, 0xe8, 0x03, 0xe9]);
                Act::Raw([one.clone(), one].concat())
            } else {
                Act::Answer
            }
        };
        let run = run(kind, &[1], 20, |_| true, act).await;
        run.assert_no_value_of_another();
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b4_a_reply_that_came_late_while_the_owner_was_held_up_is_thrown_away() {
    for kind in Kind::ALL {
        let first = Mutex::new(true);
        let act = move |_: Duration, unit: u8, address: u16| match (unit, address) {
            (1, 0) if std::mem::take(&mut *first.lock().unwrap()) => Act::Late(Duration::from_millis(600)),
            (1, 0) => Act::Silent,
            _ => Act::Answer,
        };
        // Nobody takes what the line tells: its owner stands still after the first question, which failed.
        let (told, mut from_line) = mpsc::channel(1);
        told.try_send(Told::Readings(Vec::new())).unwrap();
        let (task, _) = task(kind, &[1], |_| true, act, told);
        let cancel = CancellationToken::new();
        let running = tokio::spawn(task.run(cancel.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let end = Instant::now() + Duration::from_secs(10);
        let mut readings = Vec::new();
        while let Ok(Some(told)) = tokio::time::timeout_at(end, from_line.recv()).await {
            if let Told::Readings(some) = told {
                readings.extend(some);
            }
        }
        let good =
            |p: u32| readings.iter().filter(|r| r.point == PointNo(10 + p) && r.quality.is_good()).count();
        assert_eq!((good(0), good(1)), (0, 0), "{kind:?}: it answered nothing after that");
        assert!(good(2) > 0, "{kind:?}");
        cancel.cancel();
        running.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b4_what_the_owner_before_asked_is_never_taken_for_an_answer_to_the_next() {
    // Two blocks of one register each: nothing in a frame tells their answers apart.
    let folder = profiles(&[0, 100]);
    for kind in [Kind::Serial, Kind::RtuOverTcp] {
        for (late, slowest_before) in [(150, Duration::ZERO), (1000, Duration::from_secs(1))] {
            let start = Instant::now();
            let asked = Arc::new(tokio::sync::Notify::new());
            let (hear, first) = (Arc::clone(&asked), Mutex::new(true));
            let wire = FakeWire::new(
                true,
                start,
                |_| true,
                move |_, _, address| {
                    if address == 100 && std::mem::take(&mut *first.lock().unwrap()) {
                        hear.notify_one();
                        return Act::Late(Duration::from_millis(late));
                    }
                    Act::Late(Duration::from_millis(280))
                },
            );
            let dial: Arc<dyn Dial> = Arc::new(wire);
            let (told, mut from_line) = mpsc::channel(64);
            let owner = || LineTask {
                config: line(folder.path(), kind.config(), &[1]),
                numbers: vec![vec![PointNo(10), PointNo(12)]],
                slowest_before,
                silent_before: vec![false],
                dial: Arc::clone(&dial),
                gauge: Arc::new(LineGauge::new("l", ["d1".to_owned()])),
                evidence: Evidence::none(),
                told: told.clone(),
                clock: Arc::new(PausedClock(start)),
                ids: Arc::new(RandomIds),
                visits: Visits::none(),
            };
            let cancel = CancellationToken::new();
            let former = tokio::spawn(owner().run(cancel.clone()));
            asked.notified().await;
            cancel.cancel();
            former.await.unwrap();
            let cancel = CancellationToken::new();
            let next = tokio::spawn(owner().run(cancel.clone()));
            let end = Instant::now() + Duration::from_secs(20);
            let mut good = 0;
            while let Ok(Some(told)) = tokio::time::timeout_at(end, from_line.recv()).await {
                let Told::Readings(readings) = told else { continue };
                for r in readings {
                    let wanted = if r.point == PointNo(10) { 1000.0 } else { 1100.0 };
                    assert_eq!(r.value, Some(Value::Number(wanted)), "{kind:?}: {r:?}");
                    good += 1;
                }
            }
            assert!(good >= 2 * 17, "{kind:?}: {good}");
            cancel.cancel();
            next.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_b9_a_line_that_babbles_is_told_of_and_not_polled_into() {
    let (from, to) = (Duration::from_secs(10), Duration::from_mins(1));
    for kind in [Kind::Serial, Kind::RtuOverTcp] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let act = move |at: Duration, unit: u8, _: u16| {
            if unit > 0 {
                heard.lock().unwrap().push(at);
            }
            if at >= from && at < to { Act::Babble } else { Act::Answer }
        };
        let run = run(kind, &[1, 2], 90, |_| true, act).await;
        run.assert_no_value_of_another();
        let into: Vec<_> = asked.lock().unwrap().iter().copied().filter(|t| *t > from && *t < to).collect();
        assert!(into.len() <= 1, "{kind:?}: only what set it off: {into:?}");
        assert_eq!(told(&run, EventKind::LineDown), [(None, false), (None, true), (None, false)], "{kind:?}");
        let marks = run.readings.iter().filter(|r| r.quality == Quality::LineDown).count();
        assert_eq!(marks, 6, "{kind:?}: each point of the line once");
        assert!(run.dialled.len() < 20, "{kind:?}: no storm of dials: {}", run.dialled.len());
        assert!(run.good(1) >= 3 * 25 && run.health.up, "{kind:?}: polled as before when it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_asked_for_close_no_connection_whose_frames_bear_no_number() {
    let act = |_: Duration, _: u8, _: u16| Act::Twice(Duration::from_millis(100));
    let run = run(Kind::RtuOverTcp, &[1], 30, |_| true, act).await;
    run.assert_no_value_of_another();
    assert_eq!(run.dialled.len(), 1, "{:?}", run.dialled);
    assert_eq!(run.good(1), 90);
    assert!(run.gauge.stray_bytes() >= 29 * (9 + 7), "each byte counts: {}", run.gauge.stray_bytes());
}
