//! The engineer's bench: simulated devices made of profiles, on a pseudo-terminal, a serial, TCP or UDP port, with
//! values that move and faults on command. The command line calls it, and the simulated plant of the tests uses its lines.

mod bacnet;
mod breaks;
mod bus;
pub mod capture;
mod course;
pub mod meters;
pub mod noise;
mod orders;
mod pty;
mod room;
mod simulated;
mod tcp;
mod transparent;

pub use bacnet::{Behind, serve_bacnet};
pub(crate) use breaks::duration;
pub use breaks::{Break, BreakFault, Fault, WORDS};
pub use bus::Bus;
pub use course::{Course, counter_end, range, rate, usual_value};
pub use orders::{Order, OrderFault};
pub use pty::{Orders, Serial, SerialError};
pub use simulated::{Only, SetFault, Several, Simulated, Turn};
pub use tcp::serve;
pub use transparent::serve_transparent;
