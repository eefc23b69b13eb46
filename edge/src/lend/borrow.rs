//! The tool's end of the socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::SOCKET;
use super::serve::{Lent, Wanted};

/// The daemon answers by itself before.
const PATIENCE: Duration = Duration::from_mins(1);

/// A borrowed line: given back when it is dropped.
#[derive(Debug)]
pub struct Borrowed {
    _connection: BufReader<UnixStream>,
    /// For how long from the loan on an answer to the daemon may still come.
    pub rest: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum BorrowError {
    /// The daemon runs under another user.
    #[error("the daemon's socket may not be used")]
    Forbidden,
    #[error("the daemon runs with another file: it knows no line of this name")]
    NoSuchLine,
    #[error("the line is lent already, or does not become free")]
    Busy,
    #[error("the daemon cannot be asked for the line")]
    Broken(#[source] io::Error),
}

/// Borrows a line from the daemon that has its data in `data`. None when no daemon runs.
pub async fn borrow(data: &Path, line: &str) -> Result<Option<Borrowed>, BorrowError> {
    let stream = match UnixStream::connect(data.join(SOCKET)).await {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(BorrowError::Forbidden),
        Err(e) => return Err(BorrowError::Broken(e)),
    };
    let mut stream = BufReader::new(stream);
    let asked = async {
        let wanted = serde_json::to_string(&Wanted { line: line.to_owned(), ask: None })? + "\n";
        stream.write_all(wanted.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        Ok::<Lent, io::Error>(serde_json::from_str(&answer)?)
    };
    let lent = timeout(PATIENCE, asked).await.map_err(|e| BorrowError::Broken(e.into()))?;
    match lent.map_err(BorrowError::Broken)? {
        Lent::Free { rest_ms } => {
            Ok(Some(Borrowed { _connection: stream, rest: Duration::from_millis(rest_ms) }))
        }
        Lent::NoSuchLine => Err(BorrowError::NoSuchLine),
        Lent::Busy => Err(BorrowError::Busy),
        Lent::Said { .. } | Lent::Failed { .. } => {
            Err(BorrowError::Broken(io::Error::other("it answered what was not asked")))
        }
    }
}
