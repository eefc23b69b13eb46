//! The way to the hub: QUIC, or TLS over TCP where UDP is blocked, one session at a time, begun again for as long as the program runs.
//! The supervisor starts [`run`]; the command line calls [`enrol`]. What is kept goes by batch and leaves the buffer
//! only after the hub's acknowledgement; what somebody watches goes by datagram, without a promise.
//!
//! | file | what it holds |
//! |---|---|
//! | `run` | the loop: dial, session, wait |
//! | `dial` | addresses, both roads, handshake |
//! | `network` | what carries packets: the machine's network, or one that is handed in |
//! | `address` | where the hub was last, on disk |
//! | `road` | a connection, by whichever road |
//! | `tcp` | the road over TCP |
//! | `session` | hello, welcome, and everything that then goes on side by side |
//! | `control` | health, catalogue, renewal; what the hub wishes to watch |
//! | `lane` | batches out, acknowledgements in |
//! | `live` | datagrams |
//! | `preference` | which road is tried first |
//! | `pulse` | a sign of life while something is owed |
//! | `frames` | frames on a stream |
//! | `identity` | key and certificates on disk |
//! | `enrol` | from a one-time code to an identity |
//! | `tls` | whom we trust, and how we show who we are |
//! | `backoff` | how long to wait before the next try |
//! | `error` | why a session could not begin or go on, in plain words |
//! | `state` | settings, and what others may know of the uplink |

mod address;
mod backoff;
mod control;
mod dial;
mod enrol;
mod error;
mod frames;
mod identity;
mod lane;
mod live;
mod network;
mod preference;
mod pulse;
mod road;
mod run;
mod session;
mod state;
mod tcp;
mod tls;

pub use enrol::{enrol, enrol_over};
pub use error::{EnrolError, IdentityError, UplinkError};
pub use identity::Identity;
pub use network::{MachineNetwork, Network};
pub use road::RoadKind;
pub use run::{Live, Means, run};
pub use state::{UplinkSettings, UplinkState};

#[cfg(test)]
pub(crate) mod tests;
