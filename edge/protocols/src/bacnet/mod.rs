//! BACnet, client side: reading, writing, change of value, events, foreign devices and routers; over BACnet/IP (`bvlc`) or a
//! serial line (`mstp`). `device` is the other side.
//!
//! Source: ANSI/ASHRAE Standard 135 (BACnet). The frames are taken apart by our own decoder; nothing that comes from
//! the network can make it panic or take more memory than a small multiple of the message.

pub mod apdu;
mod batch;
pub mod bvlc;
pub mod client;
mod contents;
pub mod device;
pub mod mstp;
mod notice;
pub mod npdu;
mod object;
mod sample;
mod service;
pub(crate) mod span;
pub mod tag;
mod text;
mod value;

pub use batch::{Batch, batches, target, value_of};
pub use contents::{command, held};
pub use notice::{CovNotice, EventNotice, IAm, Segmentation, Stamp, event_state, who_is};
pub use object::{ObjectId, PropertyRef, ServiceError};
pub(crate) use sample::read_sample;
pub use service::{Answer, Content, EventSummary, Priority, Property, Request, confirmed, unconfirmed};
pub use span::contents;
pub use steward_shared::profile::{ObjectType, PropertyId};
pub use value::{Bits, Date, Time, Value};
