//! One BACnet network behind one port: `udp` owns that of BACnet/IP, `mstp` a serial port with a line of MS/TP, each with
//! the protocol's machine; `desk` is what they have in common, `handle` what others ask through. Nobody else touches the
//! port.

mod desk;
mod handle;
mod mstp;
#[cfg(test)]
#[path = "mstp_tests.rs"]
mod mstp_tests;
mod troubles;
mod udp;
#[cfg(test)]
#[path = "udp_tests.rs"]
mod udp_tests;

pub use desk::Happening;
pub use handle::{Asked, Network, NoAnswer};
pub use mstp::{MstpLine, MstpPort};
pub use udp::{Port, UdpLine};
