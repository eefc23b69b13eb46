//! One BACnet network behind one port: `udp` owns that of BACnet/IP, `mstp` a serial port with a line of MS/TP, each with
//! the protocol's machine; `desk` is what they have in common, `handle` what others ask through, `open` opens either,
//! `locate` finds a device. Nobody else touches the port.

mod desk;
mod handle;
mod locate;
mod mstp;
#[cfg(test)]
#[path = "mstp_tests.rs"]
mod mstp_tests;
mod open;
mod troubles;
mod udp;
#[cfg(test)]
#[path = "udp_tests.rs"]
mod udp_tests;

pub use desk::Happening;
pub use handle::{Asked, Network, NoAnswer, Resting};
pub use locate::{NotFound, locate};
pub use mstp::{MstpLine, MstpPort};
pub use open::{Owner, open};
pub use udp::{Port, UdpLine};
