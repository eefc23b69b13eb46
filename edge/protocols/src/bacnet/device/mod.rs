//! The other side of BACnet/IP: a device that answers, for simulated ones. Nothing that polls stands on it. It does no I/O
//! and has no clock: datagrams and instants are handed in, datagrams come out.
//!
//! | file | what |
//! |---|---|
//! | `asked` | what a request wants, taken apart |
//! | `objects` | the objects that a profile's points stand in |
//! | `properties` | what each property of an object is |
//! | `changes` | who is told of changes of value |
//! | `machine` | the device |

mod asked;
mod changes;
mod machine;
mod objects;
mod properties;

pub use machine::{Commanded, Device};
