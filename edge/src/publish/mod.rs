//! Tells readings to a building's own systems: the same that go to the hub, to a broker of MQTT, as JSON or as Sparkplug B.
//! `queue` holds what waits, `task` owns the session, `directory` knows the points by their names, `json` and `sparkplug`
//! say how a reading is told; `payload` is Sparkplug's protobuf.
//!
//! Whoever listens there must never slow polling or the hub: what cannot be told in time gives way to what is newer, and is
//! counted. There is no history here beyond the queue: that is the hub's.

mod directory;
mod json;
mod payload;
mod queue;
mod sparkplug;
mod task;

pub use directory::{Directory, NamedDevice, NamedPoint};
pub use task::PublishTask;
