//! Free ports on loopback. A port in use is named, and the next free one is taken.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

#[derive(Clone, Copy)]
pub enum Kind {
    Tcp,
    Udp,
}

fn is_free(kind: Kind, port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    match kind {
        Kind::Tcp => TcpListener::bind(address).is_ok(),
        Kind::Udp => UdpSocket::bind(address).is_ok(),
    }
}

/// The wanted port, or the next free one after it; `what` is the sentence's subject: "the page".
pub fn free(kind: Kind, wanted: u16, what: &str) -> Result<u16, String> {
    let found = (wanted..=wanted.saturating_add(200)).find(|port| is_free(kind, *port));
    let found =
        found.ok_or_else(|| format!("no free port for {what} from {wanted} on; free one, or give --port"))?;
    if found != wanted {
        println!("  port {wanted} is in use; {what} takes {found}");
    }
    Ok(found)
}

/// Any free port, for a run that nobody looks at.
pub fn any(kind: Kind) -> Result<u16, String> {
    let address = (Ipv4Addr::LOCALHOST, 0);
    let port = match kind {
        Kind::Tcp => TcpListener::bind(address).and_then(|s| s.local_addr()),
        Kind::Udp => UdpSocket::bind(address).and_then(|s| s.local_addr()),
    };
    port.map(|a| a.port()).map_err(|e| format!("no free port on loopback: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free(Kind::Tcp, port, "the page").unwrap(), port);
    }
}
