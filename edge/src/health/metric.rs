//! The figures for Prometheus, made anew for each look from what is counted anyway: what is configured no more has no
//! series any more, and a line that was started again counts from zero, which Prometheus knows for what it is. Names end
//! in their unit, as Prometheus asks.

use std::sync::Arc;

use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Health;

use super::gauges::LineGauge;
use super::publishers::PublishHealth;
use crate::doctor::TURNAROUNDS_MS;
use crate::uplink::UplinkState;

/// Prometheus's text format 0.0.4.
pub fn figures(
    health: &Health,
    lines: &[Arc<LineGauge>],
    publish: &[PublishHealth],
    hub: &UplinkState,
    now: Timestamp,
) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        of_program(health, hub, now);
        of_lines(health, lines);
        of_devices(health);
        of_publishers(publish);
    });
    recorder.handle().render()
}

fn of_program(health: &Health, hub: &UplinkState, now: Timestamp) {
    gauge!("steward_edge_uptime_seconds").set(health.uptime_s as f64);
    gauge!("steward_edge_resident_bytes").set(health.rss_bytes as f64);
    gauge!("steward_edge_cpu_cores").set(health.cpu);
    gauge!("steward_edge_disk_free_bytes").set(health.disk_free_bytes as f64);
    gauge!("steward_edge_buffer_bytes").set(health.buffer_bytes as f64);
    gauge!("steward_edge_buffer_unacknowledged").set(health.unacked as f64);
    let oldest = health.oldest_unacked.map_or(0.0, |stored| now.since(stored).as_secs_f64());
    gauge!("steward_edge_buffer_oldest_unacknowledged_seconds").set(oldest);
    counter!("steward_edge_buffer_dropped_readings_total").absolute(health.dropped);
    gauge!("steward_edge_hub_connected").set(if hub.connected { 1.0 } else { 0.0 });
    if let Some(expires) = hub.certificate_expires {
        let seconds = expires.as_millis() as f64 / 1000.0;
        gauge!("steward_edge_certificate_expires_timestamp_seconds").set(seconds);
    }
}

fn of_lines(health: &Health, lines: &[Arc<LineGauge>]) {
    for line in &health.lines {
        let labels = [("line", line.name.clone())];
        gauge!("steward_edge_line_up", &labels).set(if line.up { 1.0 } else { 0.0 });
        gauge!("steward_edge_line_busy_ratio", &labels).set(line.busy);
        gauge!("steward_edge_line_wasted_ratio", &labels).set(line.wasted);
        gauge!("steward_edge_line_planned_ratio", &labels).set(line.planned);
        counter!("steward_edge_line_requests_total", &labels).absolute(line.requests);
        counter!("steward_edge_line_errors_total", &labels).absolute(line.errors);
    }
    for line in lines {
        let (missed, reconnects) = line.counts();
        let labels = [("line", line.name().to_owned())];
        counter!("steward_edge_line_missed_slots_total", &labels).absolute(missed);
        counter!("steward_edge_line_reconnects_total", &labels).absolute(reconnects);
        counter!("steward_edge_line_turned_away_total", &labels).absolute(line.strangers());
        counter!("steward_edge_line_stray_bytes_total", &labels).absolute(line.stray_bytes());
        let (book, names) = line.book();
        counter!("steward_edge_line_early_requests_total", &labels).absolute(book.line().early);
        for (device, name) in book.devices().iter().zip(names) {
            let labels = [("device", name)];
            counter!("steward_edge_device_damaged_replies_total", &labels).absolute(device.damaged());
            counter!("steward_edge_device_second_replies_total", &labels).absolute(device.twice);
            counter!("steward_edge_device_late_replies_total", &labels).absolute(device.late);
            counter!("steward_edge_device_paused_replies_total", &labels).absolute(device.paused);
            counter!("steward_edge_device_hasty_replies_total", &labels).absolute(device.hasty);
            for (class, count) in device.turnarounds.iter().enumerate() {
                let most = TURNAROUNDS_MS
                    .get(class)
                    .map_or("more".to_owned(), |ms| format!("{}", *ms as f64 / 1000.0));
                let labels = [labels[0].clone(), ("below_seconds", most)];
                counter!("steward_edge_device_replies_by_turnaround_total", &labels).absolute(*count);
            }
        }
    }
}

fn of_devices(health: &Health) {
    for device in &health.devices {
        let labels = [("device", device.key.clone())];
        gauge!("steward_edge_device_silent", &labels).set(if device.silent { 1.0 } else { 0.0 });
        counter!("steward_edge_device_requests_total", &labels).absolute(device.requests);
        counter!("steward_edge_device_errors_total", &labels).absolute(device.errors);
        if let Some(ms) = device.turnaround_ms {
            gauge!("steward_edge_device_turnaround_seconds", &labels).set(ms / 1000.0);
        }
    }
}

fn of_publishers(publish: &[PublishHealth]) {
    for publisher in publish {
        let labels = [("publisher", publisher.name.clone())];
        gauge!("steward_edge_publisher_connected", &labels).set(if publisher.connected { 1.0 } else { 0.0 });
        gauge!("steward_edge_publisher_waiting_readings", &labels).set(publisher.waiting as f64);
        counter!("steward_edge_publisher_told_readings_total", &labels).absolute(publisher.told);
        counter!("steward_edge_publisher_dropped_readings_total", &labels).absolute(publisher.dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steward_shared::wire::message::{DeviceHealth, LineHealth};

    use super::*;
    use crate::doctor::{Observed, Outcome};

    const NOW: Timestamp = Timestamp(1_760_000_000_000);

    fn shown(health: &Health, lines: &[&str], hub: &UplinkState) -> Vec<String> {
        let lines: Vec<_> = lines.iter().map(|l| Arc::new(LineGauge::new(l, []))).collect();
        figures(health, &lines, &[], hub, NOW).lines().map(str::to_owned).collect()
    }

    fn report(requests: u64) -> Health {
        let line = LineHealth { name: "chw".into(), up: true, requests, ..LineHealth::default() };
        let device = DeviceHealth { key: "meter".into(), requests, ..DeviceHealth::default() };
        Health { lines: vec![line], devices: vec![device], ..Health::default() }
    }

    #[test]
    fn counters_follow_a_line_that_was_started_again() {
        let hub = UplinkState::default();
        for requests in [900, 3] {
            let text = shown(&report(requests), &["chw"], &hub);
            assert!(
                text.contains(&format!("steward_edge_line_requests_total{{line=\"chw\"}} {requests}")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_configured_no_more_has_no_series() {
        let hub = UplinkState::default();
        let named =
            |text: &[String]| text.iter().filter(|l| l.contains("chw") || l.contains("meter")).count();
        assert!(named(&shown(&report(1), &["chw"], &hub)) > 4);
        assert_eq!(named(&shown(&Health::default(), &[], &hub)), 0);
    }

    #[test]
    fn a_silence_that_we_did_not_keep_is_counted_in_the_figures_and_told_in_the_health() {
        let line = Arc::new(LineGauge::new("chw", ["meter".to_owned()]));
        let figure = |line: &Arc<LineGauge>| {
            let text = figures(&Health::default(), &[Arc::clone(line)], &[], &UplinkState::default(), NOW);
            let name = "steward_edge_line_early_requests_total{line=\"chw\"} ";
            text.lines().find_map(|l| l.strip_prefix(name)?.parse::<u64>().ok())
        };
        for early in [false, false, true] {
            line.seen(0, Observed { early, ..Observed::default() }, Outcome::Answered);
            assert_eq!(figure(&line), Some(u64::from(early)), "it is there before it counts");
        }
        let troubles = line.read().0.troubles;
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        assert_eq!((troubles[0].what.as_str(), troubles[0].count, troubles[0].of), ("own_silence", 1, 3));
    }

    #[test]
    fn the_way_to_the_hub_is_to_be_seen() {
        let waits = Health { oldest_unacked: Some(NOW.minus(Duration::from_secs(90))), ..Health::default() };
        let expires = Timestamp(1_762_000_000_000);
        let hub =
            UplinkState { connected: true, certificate_expires: Some(expires), ..UplinkState::default() };
        let text = shown(&waits, &[], &hub);
        for line in [
            "steward_edge_hub_connected 1",
            "steward_edge_certificate_expires_timestamp_seconds 1762000000",
            "steward_edge_buffer_oldest_unacknowledged_seconds 90",
        ] {
            assert!(text.contains(&line.to_owned()), "{line} is missing in {text:?}");
        }
        let text = shown(&Health::default(), &[], &UplinkState::default());
        assert!(text.contains(&"steward_edge_hub_connected 0".to_owned()));
        assert!(!text.iter().any(|l| l.contains("certificate")), "there is none");
    }
}
