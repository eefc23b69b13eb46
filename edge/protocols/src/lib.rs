//! The devices' languages as pure state machines. Nothing here does I/O or reads a clock.
//!
//! THE LIST of languages, one folder each: they are joined in `question.rs`, which is all that polling knows of them.

pub mod bacnet;
pub mod character;
pub mod cjt188;
pub mod cost;
pub mod dlt645;
pub mod driver;
pub mod exchange;
pub mod far_end;
pub mod field;
pub mod fingerprint;
pub mod hex;
pub mod iec62056;
pub mod line;
pub mod mbus;
pub mod modbus;
pub mod mqtt;
pub mod overheard;
pub mod question;
pub mod sample;
pub mod scan;
