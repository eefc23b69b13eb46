//! The other side of Modbus: a device that answers, for simulators and tests. Nothing that polls stands on it.
//!
//! `image` is what the tables of a device hold, filled through its profile; `answer` takes a request apart and frames
//! what the device says to it, or spoils that as a broken device does; `ascii` does the same in ASCII frames.

mod answer;
mod ascii;
mod image;

pub use answer::{
    Answers, Asked, NoFrame, OnSerial, OnTcp, Outcome, Reply, Spoilt, from_serial, from_tcp, spoil_tcp,
    tcp_frame, to_serial,
};
pub use ascii::OnAscii;
pub use image::{Cell, Image};
