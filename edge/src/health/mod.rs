//! How the gateway fares: `gauges` are what the lines' tasks count, `publishers` what those that tell others, `machine` is what /proc says, `report`
//! puts both together every ten seconds, `http` shows it to the machine's own operator and to Prometheus.

mod gauges;
mod http;
mod machine;
mod metric;
mod publishers;
mod report;

pub use gauges::LineGauge;
pub use http::{Pages, bind, serve};
pub use machine::{Look, Machine};
pub use metric::figures;
pub use publishers::{PublishGauge, PublishHealth};
pub use report::Reporter;
