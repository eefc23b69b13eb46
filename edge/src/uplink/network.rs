//! What carries a session's packets: this machine's network, or another one that is handed in, as a simulation does.
//! `dial` asks it for an endpoint for each try.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use quinn::Endpoint;

/// A network on which a hub can be reached.
pub trait Network: Send + Sync + fmt::Debug {
    /// For one connection by QUIC to this address. Within a runtime.
    fn endpoint(&self, to: SocketAddr) -> io::Result<Endpoint>;

    /// Whether TCP can be tried too.
    fn has_tcp(&self) -> bool;
}

/// The network of the machine that the program runs on.
#[derive(Clone, Copy, Debug)]
pub struct MachineNetwork;

impl Network for MachineNetwork {
    fn endpoint(&self, to: SocketAddr) -> io::Result<Endpoint> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Endpoint::client(any)
    }

    fn has_tcp(&self) -> bool {
        true
    }
}
