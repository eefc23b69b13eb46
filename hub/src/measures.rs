//! What the measures of `/metrics` are, for whoever reads them in Prometheus. Every measure of the hub stands here.

use metrics::{describe_counter, describe_gauge, describe_histogram};

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

const ALL: &[(&str, Kind, &str)] = &[
    ("steward_hub_audit_whole", Gauge, "1 while the audit trail is whole; 0 when it was tampered with"),
    ("steward_hub_database_wait_seconds", Histogram, "waits for the turn to write, a reader or a connection"),
    ("steward_hub_gateway_connections", Gauge, "connections of gateways that are open"),
    ("steward_hub_http_requests_total", Counter, "requests that were answered, by method, route and status"),
    ("steward_hub_http_seconds", Histogram, "time from the head of a request to the head of its answer"),
    ("steward_hub_job_failures_total", Counter, "runs of a background job that failed; it is tried again"),
    ("steward_hub_job_seconds", Histogram, "time that a run of a background job took"),
    (
        "steward_hub_live_streams_lagged_total",
        Counter,
        "streams that ended because their page read too slowly",
    ),
    ("steward_hub_log_in_failures_total", Counter, "wrong passwords"),
    ("steward_hub_outbox_waiting", Gauge, "events between modules that wait to be told, or are set aside"),
    ("steward_hub_readings_stored_total", Counter, "readings that were stored"),
    ("steward_hub_readings_uncompacted", Gauge, "stored readings that are not compacted yet"),
    ("steward_hub_sessions", Gauge, "people's sessions that are open, counted every ten minutes"),
    ("steward_hub_store_takes_nothing", Gauge, "1 while readings cannot be stored; gateways keep them"),
    ("steward_hub_streams", Gauge, "pages that watch live"),
];

/// After the recorder is there.
pub fn describe() {
    for (name, kind, what) in ALL {
        match kind {
            Counter => describe_counter!(*name, *what),
            Gauge => describe_gauge!(*name, *what),
            Histogram => describe_histogram!(*name, *what),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn named_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path, names);
            } else if !path.ends_with("measures.rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let made = text.split("\"steward_hub_").skip(1);
                let ends = |c: char| !(c.is_ascii_lowercase() || c == '_');
                names.extend(
                    made.filter_map(|rest| Some(format!("steward_hub_{}", rest.split(ends).next()?))),
                );
            }
        }
    }

    #[test]
    fn every_measure_says_what_it_is() {
        let mut made = BTreeSet::new();
        named_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut made);
        let described: BTreeSet<String> = ALL.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(made, described);
    }
}
