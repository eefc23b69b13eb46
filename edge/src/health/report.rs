//! Puts the lines' gauges and the machine's figures together into one report. The supervisor's health task
//! asks for one every ten seconds; shares are those of the time since the report before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::time::Timestamp;
use steward_shared::wire::message::Health;

use super::gauges::LineGauge;
use super::machine::Look;

#[derive(Debug, Default)]
pub struct Reporter {
    before: Option<(Duration, Look)>,
    busy: HashMap<String, [Duration; 2]>,
}

impl Reporter {
    /// `mono`: time since the program started. The buffer's fields and the certificate are left to the caller.
    pub fn report(&mut self, look: Look, lines: &[Arc<LineGauge>], now: Timestamp, mono: Duration) -> Health {
        let (since, former) = self.before.unwrap_or_default();
        self.before = Some((mono, look));
        let passed = mono.saturating_sub(since).as_secs_f64().max(0.001);
        let mut health = Health {
            at: now,
            uptime_s: mono.as_secs(),
            rss_bytes: look.rss_bytes,
            cpu: look.cpu_ms.saturating_sub(former.cpu_ms) as f64 / 1000.0 / passed,
            disk_free_bytes: look.disk_free_bytes,
            disk_total_bytes: look.disk_total_bytes,
            ..Health::default()
        };
        let mut busy = HashMap::with_capacity(lines.len());
        for gauge in lines {
            let (mut line, used, devices) = gauge.read();
            // A line that began anew counts from zero.
            let before = self.busy.get(gauge.name()).copied().filter(|b| b[0] <= used[0]).unwrap_or_default();
            let share = |i: usize| (used[i].saturating_sub(before[i]).as_secs_f64() / passed).min(1.0);
            (line.busy, line.wasted) = (share(0), share(1));
            busy.insert(line.name.clone(), used);
            health.lines.push(line);
            health.devices.extend(devices);
        }
        self.busy = busy;
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_time_since_the_report_before() {
        let gauge = Arc::new(LineGauge::new("chw", ["m".to_owned()]));
        let lines = [Arc::clone(&gauge)];
        let mut reporter = Reporter::default();
        gauge.asked(0, Duration::from_secs(4), Ok((Timestamp(1), Duration::ZERO)));
        let look = Look { cpu_ms: 1000, ..Look::default() };
        reporter.report(look, &lines, Timestamp(0), Duration::from_secs(10));
        gauge.asked(0, Duration::from_secs(1), Ok((Timestamp(2), Duration::ZERO)));
        gauge.asked(0, Duration::from_secs(2), Err("no reply"));
        let look = Look { cpu_ms: 1500, ..look };
        let health = reporter.report(look, &lines, Timestamp(0), Duration::from_secs(20));
        assert!((health.lines[0].busy - 0.3).abs() < 1e-9, "{health:?}");
        assert!((health.lines[0].wasted - 0.2).abs() < 1e-9, "{health:?}");
        assert!((health.cpu - 0.05).abs() < 1e-9, "{health:?}");
        assert_eq!(health.uptime_s, 20);
    }
}
