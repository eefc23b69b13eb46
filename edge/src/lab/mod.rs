//! The engineer's bench: a simulated device made of any profile, on a pseudo-terminal or a TCP port, with values that
//! move and faults on command. The command line calls it, and the simulated plant of the tests uses its lines.

mod breaks;
pub mod capture;
mod course;
pub mod noise;
mod orders;
mod pty;
mod simulated;
mod tcp;

pub(crate) use breaks::duration;
pub use breaks::{Break, BreakFault, WORDS};
pub use course::{Course, counter_end, range, rate, usual_value};
pub use orders::{Order, OrderFault};
pub use pty::{Orders, Serial, SerialError};
pub use simulated::{Only, SetFault, Simulated};
pub use tcp::serve;
