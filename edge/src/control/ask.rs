//! The command line's side of the socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::words::{Answer, Request};

/// The socket's name in the data folder.
pub(super) const NAME: &str = "control.sock";
const DEADLINE: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_mins(11);

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no steward-edge answers at {0}; is it running, and may you write into its data folder?")]
    Nobody(PathBuf, #[source] io::Error),
    #[error("the answer is not one; are the program that runs and this one of the same version?")]
    Garbled(#[source] serde_json::Error),
}

/// Puts a question to the daemon whose data folder this is.
pub fn ask(folder: &Path, request: &Request) -> Result<Answer, AskError> {
    let path = folder.join(NAME);
    let text = said(&path, request).map_err(|e| AskError::Nobody(path, e))?;
    serde_json::from_str(&text).map_err(AskError::Garbled)
}

fn said(path: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    let patience = if matches!(request, Request::Redecode { .. }) { LONGEST } else { DEADLINE };
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.shutdown(Shutdown::Write)?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
