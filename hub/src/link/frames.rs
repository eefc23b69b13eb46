//! Frames on a stream, read without trusting what they announce and with a deadline on every one.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_shared::wire::frame::{self, FrameError, HEADER, MAX_FRAME};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::road::{Incoming, Outgoing};

/// For a whole frame once it has begun, and for the peer to take one: a slow mobile link carries the largest one in
/// this time.
pub const FRAME_DEADLINE: Duration = if cfg!(test) { Duration::from_secs(5) } else { Duration::from_mins(1) };
/// For what must come at once.
pub const PROMPT: Duration = Duration::from_secs(10);
const CHUNK: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the peer broke the protocol")]
    Frame(#[from] FrameError),
    #[error("a frame of {0} bytes is too long here")]
    TooLong(usize),
    #[error("the peer was too slow")]
    Slow,
    #[error("the stream ended in the middle of a frame")]
    Cut,
    #[error("the stream broke")]
    Broke(#[from] io::Error),
}

impl StreamError {
    /// Whether the peer did what no correct peer does.
    pub fn is_breach(&self) -> bool {
        matches!(self, Self::Frame(_) | Self::TooLong(_) | Self::Slow | Self::Cut)
    }
}

/// The next message, or none when the peer has finished the stream between two. It may be long in beginning: an idle
/// peer is the business of the connection's idle time.
pub async fn next<T: DeserializeOwned>(recv: &mut Incoming) -> Result<Option<T>, StreamError> {
    next_of(MAX_FRAME, recv).await
}

async fn next_of<T: DeserializeOwned>(most: usize, recv: &mut Incoming) -> Result<Option<T>, StreamError> {
    let mut header = [0; HEADER];
    if recv.read(header.split_at_mut(1).0).await? == 0 {
        return Ok(None);
    }
    let whole = tokio::time::timeout(FRAME_DEADLINE, async {
        fill(recv, header.split_at_mut(1).1).await?;
        let length = frame::length(header)?;
        if length > most {
            return Err(StreamError::TooLong(length));
        }
        body(recv, length).await
    });
    let body = whole.await.map_err(|_| StreamError::Slow)??;
    Ok(Some(frame::from_cbor(&body)?))
}

/// The next message, which must come promptly.
pub async fn prompt<T: DeserializeOwned>(recv: &mut Incoming) -> Result<T, StreamError> {
    prompt_of(MAX_FRAME, recv).await
}

/// The same of so many bytes at most.
pub async fn prompt_of<T: DeserializeOwned>(most: usize, recv: &mut Incoming) -> Result<T, StreamError> {
    let message =
        tokio::time::timeout(PROMPT, next_of(most, recv)).await.map_err(|_| StreamError::Slow)??;
    message.ok_or(StreamError::Cut)
}

async fn fill(recv: &mut Incoming, into: &mut [u8]) -> Result<(), StreamError> {
    match recv.read_exact(into).await {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(StreamError::Cut),
        read => Ok(read.map(drop)?),
    }
}

/// Grows with what really comes.
async fn body(recv: &mut Incoming, length: usize) -> Result<Vec<u8>, StreamError> {
    let mut out = Vec::with_capacity(CHUNK.min(length));
    let mut rest = recv.take(length as u64);
    while out.len() < length {
        if rest.read_buf(&mut out).await? == 0 {
            return Err(StreamError::Cut);
        }
    }
    Ok(out)
}

pub async fn send<T: Serialize>(send: &mut Outgoing, message: &T) -> Result<(), StreamError> {
    let bytes = frame::encode(message)?;
    let written = tokio::time::timeout(FRAME_DEADLINE, send.write_all(&bytes)).await;
    Ok(written.map_err(|_| StreamError::Slow)??)
}

/// The last word of a stream; waits a little for the peer to have it.
pub async fn send_last<T: Serialize>(stream: &mut Outgoing, message: &T) {
    if send(stream, message).await.is_ok() {
        // Whether it arrived makes no difference to us: the connection is closed next.
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.end()).await;
    }
}
