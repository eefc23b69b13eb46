//! The figures for Prometheus. `install` makes the recorder of this process, once; `publish` is called after
//! each report. Names end in their unit, as Prometheus asks.

use std::sync::Arc;

use metrics::{counter, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use steward_shared::wire::message::Health;

use super::gauges::LineGauge;

/// Makes this process's recorder. Fails where there is one already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}

pub fn publish(health: &Health, lines: &[Arc<LineGauge>]) {
    gauge!("steward_edge_uptime_seconds").set(health.uptime_s as f64);
    gauge!("steward_edge_resident_bytes").set(health.rss_bytes as f64);
    gauge!("steward_edge_cpu_cores").set(health.cpu);
    gauge!("steward_edge_disk_free_bytes").set(health.disk_free_bytes as f64);
    gauge!("steward_edge_buffer_bytes").set(health.buffer_bytes as f64);
    gauge!("steward_edge_buffer_unacknowledged").set(health.unacked as f64);
    counter!("steward_edge_buffer_dropped_readings_total").absolute(health.dropped);
    for line in &health.lines {
        let labels = [("line", line.name.clone())];
        gauge!("steward_edge_line_up", &labels).set(if line.up { 1.0 } else { 0.0 });
        gauge!("steward_edge_line_busy_ratio", &labels).set(line.busy);
        counter!("steward_edge_line_requests_total", &labels).absolute(line.requests);
        counter!("steward_edge_line_errors_total", &labels).absolute(line.errors);
    }
    for line in lines {
        let (missed, reconnects) = line.counts();
        let labels = [("line", line.name().to_owned())];
        counter!("steward_edge_line_missed_slots_total", &labels).absolute(missed);
        counter!("steward_edge_line_reconnects_total", &labels).absolute(reconnects);
    }
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
