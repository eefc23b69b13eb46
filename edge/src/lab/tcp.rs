//! A simulated device behind Modbus TCP: takes connections, answers each request in its turn, spoils what its device
//! has spoilt. It listens where it is told and nowhere else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::far_end::{Heard, Station};
use steward_protocols::modbus::device::tcp_frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// So many connections at once; the next one waits in the backlog.
const CONNECTIONS: usize = 16;
/// Whoever does not take his answer in this time is cut off.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// Serves until cancelled.
pub async fn serve(
    listener: TcpListener,
    devices: Arc<dyn Station>,
    stop: CancellationToken,
) -> io::Result<()> {
    accept(listener, stop, |stream| answer(stream, Arc::clone(&devices))).await
}

/// Takes connections until cancelled.
pub(super) async fn accept<F>(
    listener: TcpListener,
    stop: CancellationToken,
    answer: impl Fn(TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Losing an accept loses nothing: the connection stays in the backlog.
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                let (stream, peer) = accepted?;
                debug!(%peer, "connected");
                connections.spawn(answer(stream));
            }
            // A connection that ended is only counted.
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Ok(Err(error)) = ended {
                    debug!(%error, "a connection ended");
                }
            }
            () = stop.cancelled() => return Ok(()),
        }
    }
}

async fn answer(mut stream: TcpStream, devices: Arc<dyn Station>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = Vec::new();
    loop {
        while let Some(frame) = tcp_frame(&mut held).map_err(io::Error::other)? {
            let Heard::Answered(answers) = devices.hear(&frame) else { continue };
            let mut waited = Duration::ZERO;
            for answer in answers {
                sleep(answer.turnaround.saturating_sub(waited)).await;
                waited = waited.max(answer.turnaround);
                send(&mut stream, &answer.bytes).await?;
            }
        }
        let mut bytes = [0; 512];
        let n = stream.read(&mut bytes).await?;
        if n == 0 {
            return Ok(());
        }
        held.extend_from_slice(bytes.get(..n).unwrap_or_default());
    }
}

pub(super) async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    timeout(WRITE_DEADLINE, stream.write_all(bytes)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}
