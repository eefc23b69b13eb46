//! Alarms: what lasts is told once when it begins and once when it ends, across restarts of the program.
//! Polling and supervision call [`Alarms::set`] as often as they like; the buffer keeps which are open.

mod alarms;

pub use alarms::Alarms;
