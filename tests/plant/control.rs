//! The socket by which a running plant is broken and mended: one JSON line asked, one answered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_protocols::far_end::Counts;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::fault::{Break, Fault};
use super::files::{FileError, PlantFile};
use super::run::Running;

/// Who asks waits this long for the answer, and who is asked for the question.
const PATIENCE: Duration = Duration::from_secs(5);
/// A question longer than this is none.
const LONGEST: u64 = 64 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    Break {
        at: String,
        #[serde(flatten)]
        fault: Fault,
        for_ms: Option<u64>,
    },
    /// Mends one place, or all.
    Mend {
        at: Option<String>,
    },
    List,
    /// What every point shows now.
    Values,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// Why it was refused.
    pub error: Option<String>,
    /// What is broken now.
    #[serde(default)]
    pub breaks: Vec<Break>,
    /// What each serial line saw.
    #[serde(default)]
    pub lines: BTreeMap<String, Counts>,
    /// How often each device was asked.
    #[serde(default)]
    pub asked: BTreeMap<String, u64>,
    /// By device and point; only for `Values`.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the plant at {socket} does not answer; start it: steward-plant run --dir DIR")]
    Away { socket: PathBuf, source: std::io::Error },
    #[error("the plant's answer cannot be read")]
    Answer(#[source] serde_json::Error),
    #[error("{0}")]
    Refused(String),
}

/// Asks the plant that runs in `dir`.
pub fn ask(dir: &Path, question: &Ask) -> Result<Told, ControlError> {
    let file = PlantFile::read(dir)?;
    let away = |source| ControlError::Away { socket: file.control.clone(), source };
    let mut stream = UnixStream::connect(&file.control).map_err(away)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(away)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(away)?;
    let mut line = serde_json::to_string(question).expect("a question is plain data");
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(away)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(away)?;
    let told: Told = serde_json::from_str(&answer).map_err(ControlError::Answer)?;
    match told.error {
        Some(error) => Err(ControlError::Refused(error)),
        None => Ok(told),
    }
}

/// Answers on the socket until cancelled.
pub async fn serve(listener: UnixListener, plant: Arc<Running>, stop: CancellationToken) {
    loop {
        let (stream, _) = tokio::select! {
            // Losing an accept loses nothing: the connection stays in the backlog.
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a control connection failed");
                    continue;
                }
            },
            () = stop.cancelled() => return,
        };
        // One after the other: a question is answered in no time.
        let exchange = async {
            let (read, mut write) = stream.into_split();
            let mut line = String::new();
            tokio::io::BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
            let told = match serde_json::from_str(&line) {
                Ok(question) => plant.told(question),
                Err(e) => Told { error: Some(format!("this is no question: {e}")), ..Told::default() },
            };
            let mut answer = serde_json::to_string(&told).expect("an answer is plain data");
            answer.push('\n');
            write.write_all(answer.as_bytes()).await
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a control connection broke"),
            Err(_) => tracing::debug!("a control connection said nothing"),
        }
    }
}
