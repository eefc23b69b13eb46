//! The devices' languages as pure state machines. Nothing here does I/O or reads a clock.
//!
//! THE LIST of protocols: one folder each.

pub mod driver;
pub mod modbus;
