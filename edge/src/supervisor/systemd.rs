//! What systemd is told (sd_notify(3)): that the gateway works, that it still does, that it stops. Elsewhere nobody
//! listens, and nothing is said.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

use tracing::debug;

pub const READY: &str = "READY=1";
/// Said each tick; when it is not said for `WatchdogSec`, systemd kills the program and starts it again.
pub const ALIVE: &str = "WATCHDOG=1";
pub const STOPPING: &str = "STOPPING=1";

#[derive(Debug, Default)]
pub struct Systemd {
    socket: Option<OsString>,
}

impl Systemd {
    /// The one that started this process, if it did and listens.
    pub fn from_environment() -> Self {
        Self { socket: std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) }
    }

    pub fn tell(&self, state: &str) {
        let Some(name) = &self.socket else { return };
        if let Err(e) = send(name, state) {
            debug!(state, "systemd could not be told: {e}");
        }
    }
}

fn send(name: &OsStr, state: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // One that does not read must not hold up the supervisor.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(state.as_bytes(), &address).map(drop);
    }
    socket.send_to(state.as_bytes(), name).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives_as_one_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let systemd = Systemd { socket: Some(path.into_os_string()) };
        systemd.tell(READY);
        let mut heard = [0; 64];
        let n = listener.recv(&mut heard).unwrap();
        assert_eq!(&heard[..n], READY.as_bytes());
        Systemd::default().tell(READY);
        Systemd { socket: Some("/nowhere/notify".into()) }.tell(READY);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_without_a_file_is_reached_too() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("steward-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        Systemd { socket: Some(format!("@{name}").into()) }.tell(ALIVE);
        let mut heard = [0; 64];
        let n = listener.recv(&mut heard).unwrap();
        assert_eq!(&heard[..n], ALIVE.as_bytes());
    }
}
