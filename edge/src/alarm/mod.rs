//! Alarms: what lasts is told once when it begins and once when it ends, across restarts of the program.
//! Polling and supervision call [`Alarms::tell`] as often as they like and never wait for the disk; `waiting` is what
//! the buffer has not stored yet.

mod alarms;
mod waiting;

pub use alarms::Alarms;
