//! The daemon's side of the socket. One connection at a time and each with a deadline: whoever says nothing keeps nobody
//! else waiting for long.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::ask::NAME;
use super::redecode::Redecoder;
use super::words::{Answer, Asked, Request};
use crate::command::accounts;

const MOST_BYTES: u64 = 4096;
const DEADLINE: Duration = Duration::from_secs(10);
/// Days of answers that are read anew take minutes.
const LONGEST: Duration = Duration::from_mins(10);

/// Takes the socket in the folder. One that a former run left behind gives way: the buffer's lock says that there is no
/// other.
pub fn bind(folder: &Path) -> io::Result<UnixListener> {
    let path = folder.join(NAME);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `cancel`; a question under way is dropped then, and whoever asked is told by the end of the connection.
pub async fn serve(
    listener: UnixListener,
    asked: mpsc::Sender<Asked>,
    redecoder: Redecoder,
    cancel: CancellationToken,
) {
    loop {
        // Losing either branch is harmless: accepting is cancel safe.
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = cancel.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        tokio::select! {
            talked = timeout(LONGEST, talk(stream, &asked, &redecoder)) => {
                if !matches!(talked, Ok(Ok(()))) {
                    debug!("a question at the control socket came to nothing");
                }
            }
            () = cancel.cancelled() => return,
        }
    }
}

async fn talk(stream: UnixStream, asked: &mpsc::Sender<Asked>, redecoder: &Redecoder) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    timeout(DEADLINE, BufReader::new(read.take(MOST_BYTES)).read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(Request::Redecode { since }) => match redecoder.redecode(since).await {
            Ok(counts) => Answer::Redecoded(counts),
            Err(why) => Answer::Failed(why),
        },
        Ok(Request::Commands { most }) => match accounts(&redecoder.buffer, most).await {
            Ok(commands) => Answer::Commands(commands),
            Err(e) => Answer::Failed(e.to_string()),
        },
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            let ended = || Answer::Failed("the daemon is stopping".to_owned());
            match asked.send(Asked { request, reply }).await {
                Ok(()) => answer.await.unwrap_or_else(|_| ended()),
                Err(_) => ended(),
            }
        }
        Err(e) => Answer::Failed(format!("this is no question: {e}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    write.shutdown().await
}
