//! Modbus over serial lines (RTU and ASCII) and TCP, client side: reading functions 1 to 4, writing functions 5, 6, 15,
//! 16, 22 and 23, and who a device is (43/14); `device` is the other side.
//!
//! Sources: MODBUS Application Protocol Specification V1.1b3; MODBUS over Serial Line V1.02;
//! MODBUS Messaging on TCP/IP Implementation Guide V1.0b.

pub mod ascii;
mod call;
mod crc;
pub mod device;
mod framing;
mod identify;
pub mod orders;
mod pdu;
mod plan;
pub mod put;
pub mod rtu;
mod sample;
pub mod share;
pub mod sniff;
pub(crate) mod span;
pub mod tcp;
mod value;
mod write;

pub use call::Call;
pub use crc::{crc, with_crc};
pub use framing::{answer_frame, exchange, frame_gap};
pub use identify::{Identity, Level, identify};
pub use pdu::{Exception, Request, RequestFault, Response};
pub use plan::{Block, Hole, plan};
pub use sample::read_sample;
pub use value::{EncodeFault, decode, encode, encode_into};
pub use write::{Change, Write};
