//! MQTT 3.1.1 as a client: `packet` writes and reads control packets, `inbox` finds them among the bytes of a connection,
//! `client` is the session, `payload` makes values of what devices tell, `topic` is a device's own topic, `span` is a message
//! that is kept.
//!
//! Source: MQTT Version 3.1.1, OASIS Standard, 29 October 2014; clauses are named where they matter. Of QoS 2, which
//! nobody here asks for, nothing is spoken.

mod client;
mod inbox;
mod packet;
mod payload;
mod sample;
mod span;
mod topic;

pub use client::{Client, Event, Fault, Options};
pub use inbox::{Inbox, Incoming};
pub use packet::{Connect, Malformed, Message, Packet, Will};
pub use payload::{Document, Heard, excerpt, hear, word};
pub use sample::read_sample;
pub use span::{LONGEST, Manner, Subject, subject, words};
pub use topic::{Topic, TopicFault};
