//! One BACnet/IP network behind one UDP port: `task` owns the socket and the protocol's machine, `handle` is what others
//! ask through. Nobody else touches the socket.

mod handle;
mod task;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;

pub use handle::{Asked, Network, NoAnswer};
pub use task::{Happening, Port, UdpLine};
