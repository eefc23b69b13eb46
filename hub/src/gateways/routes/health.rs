//! A gateway's health as the API shows it.

use serde::Serialize;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Health;
use utoipa::ToSchema;

/// How a gateway fares, by its last report; it reports every ten seconds.
#[derive(Serialize, ToSchema)]
pub struct GatewayHealth {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub uptime_s: u64,
    pub rss_bytes: u64,
    /// Share of one core, 0.0 to the number of cores.
    pub cpu: f64,
    pub disk_free_bytes: u64,
    pub disk_total_bytes: u64,
    /// Bytes of the telemetry buffer on disk.
    pub buffer_bytes: u64,
    /// Batches and events that the hub has not acknowledged.
    pub unacked: u64,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub oldest_unacked: Option<Timestamp>,
    /// Readings dropped for want of space since the gateway's database was made.
    pub dropped: u64,
    /// What is wrong with the gateway's disk, if anything is: `full` (the oldest readings give way), `failing` (it refuses
    /// to write: what comes now is in the memory only).
    #[schema(required = true)]
    pub storage: Option<String>,
    pub lines: Vec<LineHealth>,
    pub devices: Vec<DeviceHealth>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub certificate_expires: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub struct LineHealth {
    pub name: String,
    pub up: bool,
    /// Share of the time in which the line was busy, 0.0 to 1.0.
    pub busy: f64,
    /// Of which for questions that nobody answered: what silent devices cost.
    pub wasted: f64,
    /// Share of the line's time that its questions take, by what is known of its devices; above 1.0 something is always
    /// late. 0.0 where the gateway does not tell.
    pub planned: f64,
    pub requests: u64,
    pub errors: u64,
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// What is wrong with its wires, as far as the bytes on it tell.
    pub troubles: Vec<LineTrouble>,
}

/// Something that is wrong with a line or a device on it.
#[derive(Serialize, ToSchema)]
pub struct LineTrouble {
    /// two_answers, errors_grow, damaged, late, pauses, hasty, babble, own_silence, strangers, overloaded; a later gateway may
    /// have more.
    pub what: String,
    /// The device's name in the gateway's file; null where it is the line's.
    #[schema(required = true)]
    pub device: Option<String>,
    /// How often, of how many.
    pub count: u64,
    pub of: u64,
    /// The first of the points that it is about, `device/point` by their names in the gateway's file.
    pub points: Vec<String>,
    /// The lowest rate of the line that would mend it.
    #[schema(required = true)]
    pub baud: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct DeviceHealth {
    /// The device's name in the gateway's file.
    pub key: String,
    pub silent: bool,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub last_good: Option<Timestamp>,
    pub requests: u64,
    pub errors: u64,
    /// Median time from request to whole reply.
    #[schema(required = true)]
    pub turnaround_ms: Option<f64>,
    #[schema(required = true)]
    pub last_error: Option<String>,
}

impl From<Health> for GatewayHealth {
    fn from(h: Health) -> Self {
        let line = |l: steward_shared::wire::message::LineHealth| LineHealth {
            name: l.name,
            up: l.up,
            busy: l.busy,
            wasted: l.wasted,
            planned: l.planned,
            requests: l.requests,
            errors: l.errors,
            last_error: l.last_error,
            troubles: l
                .troubles
                .into_iter()
                .map(|t| LineTrouble {
                    what: t.what,
                    device: t.device,
                    count: t.count,
                    of: t.of,
                    points: t.points,
                    baud: t.baud,
                })
                .collect(),
        };
        let device = |d: steward_shared::wire::message::DeviceHealth| DeviceHealth {
            key: d.key,
            silent: d.silent,
            last_good: d.last_good,
            requests: d.requests,
            errors: d.errors,
            turnaround_ms: d.turnaround_ms,
            last_error: d.last_error,
        };
        Self {
            at: h.at,
            uptime_s: h.uptime_s,
            rss_bytes: h.rss_bytes,
            cpu: h.cpu,
            disk_free_bytes: h.disk_free_bytes,
            disk_total_bytes: h.disk_total_bytes,
            buffer_bytes: h.buffer_bytes,
            unacked: h.unacked,
            oldest_unacked: h.oldest_unacked,
            dropped: h.dropped,
            storage: h.storage,
            lines: h.lines.into_iter().map(line).collect(),
            devices: h.devices.into_iter().map(device).collect(),
            certificate_expires: h.certificate_expires,
        }
    }
}
