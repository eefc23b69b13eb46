//! What the edge and the hub must agree on: ids, time, readings, events and the wire between them; and what both say to systemd.
//! No tokio, no SQL, no HTTP: both programs and the protocol crate stand on it.

pub mod alarm;
pub mod dimension;
pub mod document;
pub mod id;
pub mod profile;
pub mod reading;
pub mod systemd;
pub mod time;
pub mod unit;
pub mod wire;
