//! The gateway's wall clock: whether it can be believed, and what is done about readings that a wrong one has stamped.
//! The rule, whole:
//!
//! 1. The clock is **trusted** while a time server has looked at it in the last two hours, or while it agrees with the hub's: the
//!    hub tells its time in the greeting, and from there on it is counted with the monotonic clock, so that a clock that
//!    is set in the middle of a session is trusted at once. A time server that sets it away from the hub's is not believed. It is not trusted before either: a gateway without a battery
//!    begins somewhere in the past.
//! 2. By a trusted clock everything of this boot that the hub has not got is **corrected**: each batch says by both
//!    clocks when it was made, and the difference says by how much its instants are off. What devices said to it
//!    (`evidence`) is moved by the same. Where it had been trusted before, and is off by no more than clocks drift since,
//!    it went wrong bit by bit, and what is of the beginning is moved less than what is of the end. It is done when the wall clock has jumped, and before any batch is sent.
//! 3. By a clock that is not trusted **no batch is sent**, for at most ten minutes from the first that would have been:
//!    a time server usually needs less, and a reading with a wrong time is better than none. Events and what somebody
//!    watches go at once, always.
//!
//! What the hub has got stays as it is: no message takes a reading back.
//!
//! The machine's word is the file that systemd-timesyncd touches. The kernel's own (adjtimex, which chrony sets too)
//! cannot be asked: the unit's sandbox keeps every call of that family away, and rightly. With chrony the hub is who
//! vouches.
//!
//! | file | what it does |
//! |---|---|
//! | `trust` | 1 and the ten minutes of 3, pure |
//! | `steps` | sees that the wall clock jumped, pure |
//! | `timekeeper` | 2 and 3: what the health task and the uplink call |

mod steps;
mod timekeeper;
mod trust;

pub use steps::Steps;
pub use timekeeper::Timekeeper;
pub use trust::is_synchronised;

#[cfg(test)]
mod tests;
