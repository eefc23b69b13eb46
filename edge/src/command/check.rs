//! What is refused before any device is asked: the gateway's own rules hold whatever the hub has checked. Pure.

use std::time::Duration;

use steward_protocols::modbus::put;
use steward_shared::profile::PointDef;
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{LONGEST_VALID_MS, PRIORITIES, WriteOrder, reason};
use steward_shared::wire::message::PointKind;

use crate::config::{Config, DeviceConfig, LineConfig, RemoteWrite};

/// An order from further ahead than this says that our clock is behind: its times would mean something else here.
const AHEAD: Duration = Duration::from_mins(5);
/// What is written comes back within a month.
const LONGEST_HOLD: Duration = Duration::from_hours(31 * 24);

/// A word of [`reason`], and the same in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: &'static str,
    pub detail: String,
}

impl Refusal {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Where the point of an order is.
#[derive(Clone, Copy)]
pub struct Spot<'c> {
    pub line: &'c LineConfig,
    pub device: &'c DeviceConfig,
    pub point: &'c PointDef,
    pub remote: RemoteWrite,
}

pub fn find<'c>(config: &'c Config, device: &str, point: &str) -> Result<Spot<'c>, Refusal> {
    let found = config.lines.iter().find_map(|line| {
        let device = line.devices.iter().find(|d| d.name == device)?;
        Some((line, device, device.profile.point(point)?))
    });
    let Some((line, device, point)) = found else {
        let detail = format!("the gateway's file has no point {device}/{point}");
        return Err(Refusal::new(reason::NO_SUCH_POINT, detail));
    };
    if point.write.is_none() {
        let detail = format!("the profile {} does not let {} be written", device.profile.id, point.key);
        return Err(Refusal::new(reason::NOT_WRITABLE, detail));
    }
    let Some(remote) = device.remote.get(&point.key).copied() else {
        let detail = format!(
            "the gateway's file does not let the hub write {}/{}; an engineer adds remote_write to the device",
            device.name, point.key
        );
        return Err(Refusal::new(reason::NOT_ALLOWED, detail));
    };
    Ok(Spot { line, device, point, remote })
}

/// The smallest difference that counts: the last digit that the point shows.
pub fn step(point: &PointDef) -> f64 {
    match point.kind {
        PointKind::Gauge | PointKind::Counter => 10f64.powi(-i32::from(point.decimals)),
        PointKind::Flag | PointKind::Enumeration | PointKind::Text => 1.0,
    }
}

/// Whether the point still shows what was expected, as far as its digits tell.
pub fn is_expected(point: &PointDef, expected: f64, now: Option<f64>) -> bool {
    now.is_some_and(|now| (now - expected).abs() <= step(point) * 0.500_001)
}

/// What must be so whatever the device says. `since` is where our record of commands begins.
pub fn check(order: &WriteOrder, config: &Config, now: Timestamp, since: Timestamp) -> Result<(), Refusal> {
    let spot = find(config, &order.device, &order.point)?;
    check_value(order, spot.point)?;
    if order.priority.is_some_and(|p| !PRIORITIES.contains(&p)) {
        let detail = "commands have the priorities 7 to 16; 1 to 6 are for life safety and equipment";
        return Err(Refusal::new(reason::BAD_PRIORITY, detail));
    }
    let agreed = order.approver.as_deref().is_some_and(|approver| approver != order.by);
    if spot.remote.two_persons && !agreed {
        return Err(Refusal::new(reason::NEEDS_TWO_PERSONS, "a second person must agree to it"));
    }
    if spot.remote.time_boxed && order.relinquish_at.is_none() {
        let detail = "what is written here must come back by itself; say when";
        return Err(Refusal::new(reason::NEEDS_TIME_BOX, detail));
    }
    check_times(order, now, since)
}

fn check_value(order: &WriteOrder, point: &PointDef) -> Result<(), Refusal> {
    let range = point.write.and_then(|w| w.range);
    let code = (order.value.fract() == 0.0).then_some(order.value as i64);
    let fits = match (range, point.kind) {
        (Some((min, max)), _) => (min..=max).contains(&order.value),
        (None, PointKind::Flag) => matches!(code, Some(0 | 1)),
        (None, _) => code.is_some_and(|code| point.labels.iter().any(|l| l.code == code)),
    };
    if !fits || !order.value.is_finite() {
        let between = range.map_or_else(|| "its labels".to_owned(), |(min, max)| format!("{min} to {max}"));
        let detail = format!("{} is not among {between}", order.value);
        return Err(Refusal::new(reason::OUT_OF_RANGE, detail));
    }
    if point.register().is_some() {
        put::fits(point, &Value::Number(order.value))
            .map_err(|e| Refusal::new(reason::OUT_OF_RANGE, e.to_string()))?;
    }
    Ok(())
}

fn check_times(order: &WriteOrder, now: Timestamp, since: Timestamp) -> Result<(), Refusal> {
    let valid = order.not_after.as_millis().saturating_sub(order.issued.as_millis());
    if !(0..=LONGEST_VALID_MS).contains(&valid) {
        return Err(Refusal::new(reason::BAD_TIMES, "a command is valid for a day at most"));
    }
    let longest = order.issued.plus(LONGEST_HOLD);
    if order.relinquish_at.is_some_and(|until| until <= order.issued || until > longest) {
        let detail = "it must come back after it was given, and within a month";
        return Err(Refusal::new(reason::BAD_TIMES, detail));
    }
    if order.issued > now.plus(AHEAD) {
        let detail = format!("it was given at {}, and the gateway's clock says {now}", order.issued);
        return Err(Refusal::new(reason::CLOCK, detail));
    }
    if order.issued < since {
        let detail = format!("the gateway's record of commands begins at {since}; give it anew");
        return Err(Refusal::new(reason::BEFORE_RECORD, detail));
    }
    Ok(())
}
