//! Whether a line can carry what its devices are asked for: the share of its time that the questions take. Told by
//! `check` and before a configuration is taken; what the wire itself cannot carry is refused.
//!
//! The share is the sum of each question's time by its period (one resource, earliest deadline first,
//! never interrupted): above 1 something is late for ever; near it a question that is missed has no room to be made up
//! for.

use std::time::Duration;

use serde::Serialize;
use steward_protocols::cost::Cost;

use super::plan::Plan;
use crate::config::{LineConfig, SerialConfig, WireConfig};
use crate::line::cost;

/// A line that is fuller than this has no room for retries and probes.
pub const ROOM: f64 = 0.8;
const BAUDS: [u32; 7] = [1200, 2400, 4800, 9600, 19_200, 38_400, 115_200];

/// What a line is asked to carry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// With devices that answer at once: what the frames and the silence between them take.
    pub least: f64,
    /// With devices that take what devices usually take.
    pub usual: f64,
    /// Device and point, `device/point`, of what is late where `usual` is above 1, if the shortest periods are kept first.
    pub late: Vec<String>,
    /// The lowest rate that leaves room, where this one does not.
    pub baud: Option<u32>,
}

pub fn load(line: &LineConfig) -> Load {
    let (least, usual) = (least(line), share(line, &line.wire, None));
    let baud = match &line.wire {
        WireConfig::Serial(serial) if usual > ROOM => BAUDS.into_iter().find(|baud| {
            let faster = WireConfig::Serial(at(serial, *baud));
            *baud > serial.character.baud && share(line, &faster, None) <= ROOM
        }),
        _ => None,
    };
    let late = if usual > 1.0 { late(line) } else { Vec::new() };
    Load { least, usual, late, baud }
}

/// The load of a line whose wire cannot carry it, whatever devices are on it; the others cost no more than to find that
/// out.
pub fn impossible(line: &LineConfig) -> Option<Load> {
    (least(line) > 1.0).then(|| load(line))
}

fn least(line: &LineConfig) -> f64 {
    match &line.wire {
        WireConfig::Serial(_) => share(line, &line.wire, Some(Duration::ZERO)),
        // A connection has no rate of its own, and how long the token is away depends on the other masters.
        WireConfig::Tcp { .. }
        | WireConfig::Listen(_)
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => 0.0,
    }
}

fn at(serial: &SerialConfig, baud: u32) -> SerialConfig {
    let mut faster = serial.clone();
    faster.character.baud = baud;
    faster
}

fn share(line: &LineConfig, wire: &WireConfig, turnaround: Option<Duration>) -> f64 {
    let plans = plans(line, wire, turnaround);
    let shares = plans.iter().map(|(plan, cost)| plan.share(*cost));
    match wire {
        // Its devices are asked side by side: the one with most to say is the measure.
        WireConfig::Bacnet(_) | WireConfig::Mstp(_) => shares.fold(0.0, f64::max),
        _ => shares.sum::<f64>() / line.in_flight.max(1) as f64,
    }
}

/// What each device is asked, and what a question to it costs.
fn plans(line: &LineConfig, wire: &WireConfig, turnaround: Option<Duration>) -> Vec<(Plan, Cost)> {
    let plan = |device| {
        let cost = cost(wire, device, turnaround);
        (Plan::new(device, cost), cost)
    };
    line.devices.iter().map(plan).collect()
}

/// The questions with the shortest periods first, as long as there is time.
fn late(line: &LineConfig) -> Vec<String> {
    let plans = plans(line, &line.wire, None);
    let mut questions: Vec<_> = plans
        .iter()
        .zip(&line.devices)
        .flat_map(|(plan, device)| plan.0.questions.iter().map(move |(q, period)| (*period, q, device, plan)))
        .collect();
    questions.sort_by_key(|(period, ..)| *period);
    let (mut used, mut late) = (0.0, Vec::new());
    for (period, question, device, (plan, cost)) in questions {
        used += plan.time(question, *cost).as_secs_f64() / period.as_secs_f64();
        if used > 1.0 {
            let points = question.points().iter().filter_map(|i| device.profile.points.get(*i));
            late.extend(points.map(|point| format!("{}/{}", device.name, point.key)));
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn line(wire: &str, devices: usize, period: &str) -> LineConfig {
        let mut text = format!(
            "[gateway]\nname = \"east\"\n[periods]\nfast = \"{period}\"\nnormal = \"{period}\"\nslow = \"{period}\"\n\
             [[line]]\nname = \"COM2\"\n{wire}\n"
        );
        for unit in 1..=devices {
            let device = format!(
                "[[line.device]]\nname = \"m{unit}\"\nprofile = \"eastron/sdm630\"\naddress = {unit}\n"
            );
            text.push_str(&device);
        }
        crate::config::parse("edge.toml", &text, Path::new("/"), []).unwrap().lines.remove(0)
    }

    fn serial(baud: u32) -> String {
        format!("kind = \"serial\"\nport = \"/dev/ttyS1\"\nbaud = {baud}\nparity = \"even\"")
    }

    #[test]
    fn a_line_with_room_names_nothing_late() {
        let load = load(&line(&serial(9600), 2, "10s"));
        assert!(load.least > 0.02 && load.least < load.usual && load.usual < 0.5, "{load:?}");
        assert_eq!((load.late.len(), load.baud), (0, None));
    }

    #[test]
    fn what_a_line_cannot_carry_is_told_with_the_rate_that_would_do() {
        let one = load(&line(&serial(9600), 1, "2s")).usual;
        let full = load(&line(&serial(9600), 10, "2s"));
        assert!((full.usual - 10.0 * one).abs() < 1e-9, "each device takes the same");
        assert!(full.least > 1.0 && full.usual > full.least, "{full:?}");
        assert!(!full.late.is_empty() && full.late.iter().all(|point| point.starts_with('m')));
        let baud = full.baud.unwrap();
        assert!(load(&line(&serial(baud), 10, "2s")).usual <= ROOM);
        assert!(baud == 19_200 || load(&line(&serial(19_200), 10, "2s")).usual > ROOM);
    }

    #[test]
    fn over_tcp_only_the_devices_take_time() {
        let load = load(&line("kind = \"tcp\"\nhost = \"h\"\nport = 502", 10, "1s"));
        assert!(load.usual > 0.05, "{load:?}");
        assert_eq!((load.least.to_bits(), load.baud), (0.0_f64.to_bits(), None));
        let four = super::load(&line("kind = \"tcp\"\nhost = \"h\"\nport = 502\nin_flight = 4", 10, "1s"));
        assert!((four.usual - load.usual / 4.0).abs() < 1e-9, "four at once: {four:?}");
    }
}
