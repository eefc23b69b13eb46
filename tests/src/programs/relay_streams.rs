//! The relay's other half: TCP on the same port. A cut line holds a stream up and does not break it; delay, loss and rate
//! are of datagrams alone. Two threads a stream, which end with it or with the relay.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use super::relay::Shared;

/// How often a thread looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// Takes streams until the relay is stopped.
pub fn pass(listener: &TcpListener, hub: SocketAddr, shared: &Arc<Shared>) {
    while !shared.is_stopped() {
        match listener.accept() {
            Ok((near, _)) if shared.passes_streams(true) => {
                // One that leads nowhere is closed at once: its other end sees that.
                if let Ok(far) = TcpStream::connect(hub) {
                    let _ = join(&near, &far, shared);
                }
            }
            _ => sleep(LOOK),
        }
    }
}

fn join(near: &TcpStream, far: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    for socket in [near, far] {
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LOOK))?;
        socket.set_write_timeout(Some(Duration::from_secs(10)))?;
    }
    for (from, to, up) in [(near, far, true), (far, near, false)] {
        let (from, to, shared) = (from.try_clone()?, to.try_clone()?, Arc::clone(shared));
        std::thread::Builder::new().name("relay stream".into()).spawn(move || copy(from, to, up, &shared))?;
    }
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, up: bool, shared: &Shared) {
    let mut piece = vec![0; 16 << 10];
    while !shared.is_stopped() {
        if !shared.passes_streams(up) {
            sleep(LOOK);
            continue;
        }
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                if to.write_all(&piece[..n]).is_err() {
                    break;
                }
                shared.streamed.fetch_add(n as u64, Ordering::Relaxed);
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    // Both may be closed already.
    let _ = to.shutdown(Shutdown::Write);
}
