//! Values that the hub wants written into points of this gateway's devices. A command is verified, written once or never,
//! read back, given up when its time is over, and told of at every step; what must not be forgotten is on the disk before
//! anything is written. The supervisor starts [`run`]; the uplink hands in what comes; nothing here knows the hub.
//!
//! | file | what it holds |
//! |---|---|
//! | `desk` | the task: takes orders, knows the ids, starts a course for each command |
//! | `course` | one command from its receipt to its end, also after a restart |
//! | `check` | what is refused before a device is asked; pure |
//! | `verify` | the hub's signature |
//! | `target` | the point on its device: read, write, give up |
//! | `record` | what is kept of a command |
//! | `room` | what the courses share: record, reports, the points that are busy |
//!
//! | state | power lost here, after the restart |
//! |---|---|
//! | received | it goes on, if it is still valid |
//! | begun: about to write, or the device did not answer | it is read and told as what it is found to be, never written again |
//! | written | it is read back |
//! | holding | it is given up when its time is over, or at once where it was over meanwhile |

mod check;
mod course;
mod desk;
mod record;
mod room;
mod target;
#[cfg(test)]
mod tests;
mod verify;

pub use check::step;
pub use desk::{Incoming, run};
pub use record::{Account, accounts};
pub use room::{Pace, Room};
