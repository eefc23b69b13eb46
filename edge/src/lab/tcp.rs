//! A simulated device behind Modbus TCP: takes connections, answers each request in its turn, spoils what its device
//! has spoilt. It listens where it is told and nowhere else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::modbus::device::{Answers, from_tcp, to_tcp};
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

/// Serves until cancelled. `turnaround` is what the device takes before it answers.
pub async fn serve(
    listener: TcpListener,
    devices: Arc<dyn Answers>,
    turnaround: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Losing an accept loses nothing: the connection stays in the backlog.
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                let (stream, peer) = accepted?;
                debug!(%peer, "connected");
                connections.spawn(answer(stream, Arc::clone(&devices), turnaround));
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

async fn answer(mut stream: TcpStream, devices: Arc<dyn Answers>, turnaround: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = Vec::new();
    loop {
        while let Some(request) = from_tcp(&mut held).map_err(io::Error::other)? {
            let reply = devices.answer(request.asked);
            let again = reply.again;
            let Some(bytes) = to_tcp(request, &reply) else { continue };
            sleep(turnaround + reply.late).await;
            send(&mut stream, &bytes).await?;
            if let Some(after) = again {
                sleep(after).await;
                send(&mut stream, &bytes).await?;
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

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    timeout(WRITE_DEADLINE, stream.write_all(bytes)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}
