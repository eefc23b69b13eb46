//! What systemd is told (sd_notify(3)): that the program works, that it still does, that it stops. Elsewhere nobody
//! listens, and nothing is said.

use std::ffi::OsString;
use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

pub const READY: &str = "READY=1";
/// Said every few seconds; when it is not said for `WatchdogSec`, systemd kills the program and starts it again.
pub const ALIVE: &str = "WATCHDOG=1";
pub const STOPPING: &str = "STOPPING=1";

#[derive(Debug, Default)]
pub struct Systemd(Option<Ear>);

/// Opened at the start: a program that has no file descriptor left still says that it works.
#[derive(Debug)]
struct Ear {
    socket: UnixDatagram,
    name: OsString,
}

impl Systemd {
    /// The one that started this process, if it did and listens.
    pub fn from_environment() -> Self {
        std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).map(Self::at).unwrap_or_default()
    }

    /// The one that listens at this socket: a path, or `@` and a name without a file.
    pub fn at(name: OsString) -> Self {
        Self(Ear::open(name).ok())
    }

    pub fn tell(&self, state: &str) {
        if let Some(ear) = &self.0 {
            // Where systemd is not there to hear it there is nobody else to tell.
            let _ = ear.tell(state);
        }
    }
}

impl Ear {
    fn open(name: OsString) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // One that does not read must not hold up who tells.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, name })
    }

    fn tell(&self, state: &str) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(name) = self.name.as_bytes().strip_prefix(b"@") {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return self.socket.send_to_addr(state.as_bytes(), &address).map(drop);
        }
        self.socket.send_to(state.as_bytes(), &self.name).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives_as_one_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let systemd = Systemd::at(path.into_os_string());
        systemd.tell(READY);
        let mut heard = [0; 64];
        let n = listener.recv(&mut heard).unwrap();
        assert_eq!(&heard[..n], READY.as_bytes());
        Systemd::default().tell(READY);
        Systemd::at("/nowhere/notify".into()).tell(READY);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_without_a_file_is_reached_too() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("steward-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        Systemd::at(format!("@{name}").into()).tell(ALIVE);
        let mut heard = [0; 64];
        let n = listener.recv(&mut heard).unwrap();
        assert_eq!(&heard[..n], ALIVE.as_bytes());
    }
}
