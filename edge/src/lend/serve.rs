//! The daemon's end of the socket: one line of JSON asks for a line of the plant, one answers; the loan lasts as long as
//! the connection. With `ask` in it, it asks for one answer of a device instead, and polling goes on. The supervisor starts
//! it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_protocols::hex::hex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::SOCKET;
use super::errand::{Class, Errand, ForErrand, What};
use super::loan::{Door, Doors, Loan};

/// As many tools at once as there are engineers in a plant room.
const MOST: usize = 8;
/// A question that is under way, and a line that is opened anew, take at most so long.
const FREE_WITHIN: Duration = Duration::from_secs(45);
const ASKED_WITHIN: Duration = Duration::from_secs(5);
const LONGEST_QUESTION: u64 = 1024;

/// What a tool asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub line: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Asked>,
}

/// One question to a device, to be put between two of polling.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub device: String,
    /// A part of its profile, in the words of the evidence: `holding 0 2`.
    pub span: String,
    pub within_ms: u64,
}

/// What it gets.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lent {
    /// The wire is closed; an answer to somebody else may come for so long.
    Free {
        rest_ms: u64,
    },
    NoSuchLine,
    Busy,
    /// What the device said, in hexadecimal.
    Said {
        contents: String,
    },
    Failed {
        why: String,
    },
}

/// Serves until `cancel`. A socket that a killed program left behind is replaced: the buffer's lock keeps a second program
/// out of the folder.
pub async fn serve(data: &Path, doors: Arc<Doors>, cancel: CancellationToken) {
    let path = data.join(SOCKET);
    let listener = match listen(&path) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(%error, path = %path.display(), "lines cannot be lent to read, write and scan");
            return cancel.cancelled().await;
        }
    };
    let mut borrowers = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            // A connection that is not taken in this turn waits in the socket.
            Ok((stream, _)) = listener.accept(), if borrowers.len() < MOST => {
                let doors = Arc::clone(&doors);
                borrowers.spawn(async move {
                    if let Err(error) = lend(stream, &doors).await {
                        debug!(%error, "a borrower has gone");
                    }
                });
            }
            Some(_) = borrowers.join_next() => {}
        }
    }
    let _ = std::fs::remove_file(&path);
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn lend(stream: UnixStream, doors: &Doors) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    timeout(ASKED_WITHIN, (&mut stream).take(LONGEST_QUESTION).read_line(&mut question)).await??;
    let wanted: Wanted = serde_json::from_str(&question)?;
    let Some(door) = doors.find(&wanted.line) else { return answer(&mut stream, &Lent::NoSuchLine).await };
    if let Some(asked) = wanted.ask {
        let said = ask(&door, asked).await;
        return answer(&mut stream, &said).await;
    }
    let (loan, ready, _end) = Loan::new();
    // Behind those who came before.
    let free = async {
        door.loans.send(loan).await.ok()?;
        ready.await.ok()
    };
    match timeout(FREE_WITHIN, free).await {
        Ok(Some(rest)) => {
            let rest_ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
            answer(&mut stream, &Lent::Free { rest_ms }).await?;
        }
        Ok(None) | Err(_) => return answer(&mut stream, &Lent::Busy).await,
    }
    // Nothing more is said: the end of the connection is the end of the loan.
    stream.read(&mut [0]).await.map(|_| ())
}

async fn ask(door: &Door, asked: Asked) -> Lent {
    let (tell, told) = oneshot::channel();
    let within = Duration::from_millis(asked.within_ms).min(FREE_WITHIN);
    let errand = Errand {
        device: asked.device,
        what: What::Span(asked.span),
        class: Class::Question,
        deadline: Instant::now() + within,
        answer: ForErrand(tell),
    };
    if door.errands.try_send(errand).is_err() {
        return Lent::Busy;
    }
    let failed = |why: String| Lent::Failed { why };
    // The question itself takes its device's time on top.
    match timeout(within + FREE_WITHIN, told).await {
        Ok(Ok(Ok(Ok(contents)))) => Lent::Said { contents: hex(&contents) },
        Ok(Ok(Ok(Err(refusal)))) => failed(refusal.to_string()),
        Ok(Ok(Err(failure))) => failed(failure.to_string()),
        Ok(Err(_)) | Err(_) => Lent::Busy,
    }
}

async fn answer(stream: &mut BufReader<UnixStream>, lent: &Lent) -> io::Result<()> {
    let line = serde_json::to_string(lent)? + "\n";
    timeout(ASKED_WITHIN, stream.write_all(line.as_bytes())).await?
}
