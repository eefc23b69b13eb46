//! Free ports on loopback. A port in use is named, and the next free one is taken.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::report::say;

#[derive(Clone, Copy)]
pub enum Kind {
    Tcp,
    /// Both, as gateways come.
    Both,
}

fn try_out(kind: Kind, port: u16) -> io::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, port);
    match kind {
        Kind::Tcp => TcpListener::bind(address).map(drop),
        Kind::Both => UdpSocket::bind(address).and_then(|_| TcpListener::bind(address).map(drop)),
    }
}

/// The wanted port, or the next free one after it that is not `taken` by us already; `what` is the sentence's
/// subject: "the page".
pub fn free(kind: Kind, wanted: u16, what: &str, taken: &[u16]) -> Result<u16, String> {
    if try_out(kind, wanted).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied) {
        return Err(format!("port {wanted} for {what} is for root alone; give another with --port"));
    }
    let free = |port: &u16| !taken.contains(port) && try_out(kind, *port).is_ok();
    let found = (wanted..=wanted.saturating_add(200)).find(free);
    let found =
        found.ok_or_else(|| format!("no free port for {what} from {wanted} on; free one, or give --port"))?;
    if found != wanted {
        say!("  port {wanted} is in use; {what} takes {found}");
    }
    Ok(found)
}

/// Any free port, for a run that nobody looks at.
pub fn any(kind: Kind) -> Result<u16, String> {
    let address = (Ipv4Addr::LOCALHOST, 0);
    let port = || match kind {
        Kind::Tcp => TcpListener::bind(address)?.local_addr(),
        Kind::Both => TcpListener::bind(UdpSocket::bind(address)?.local_addr()?)?.local_addr(),
    };
    // What UDP got may be taken in TCP; another one will do.
    let port = (0..16).find_map(|_| port().ok()).map_or_else(port, Ok);
    port.map(|a| a.port()).map_err(|e| format!("no free port on loopback: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let first = free(Kind::Tcp, port, "the page", &[]).unwrap();
        assert_ne!(first, port);
        assert_ne!(free(Kind::Tcp, port, "the edge", &[first]).unwrap(), first);
    }
}
