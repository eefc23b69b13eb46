//! Frames on streams. Reading may be given up and taken up again at any await: what came stays here.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_shared::wire::frame::{self, HEADER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::error::UplinkError;
use super::road::{Incoming, Outgoing};

/// A frame must be gone by then, on the slowest link that is still of use.
const WRITE: Duration = Duration::from_mins(1);
const PIECE: usize = 4 << 10;

/// Where the connection broke, its own reason says more than what is told here.
pub(super) async fn write<T: Serialize>(
    stream: &mut Outgoing,
    message: &T,
    name: &'static str,
) -> Result<(), UplinkError> {
    let bytes = frame::encode(message)?;
    match timeout(WRITE, stream.write_all(&bytes)).await {
        Err(_) => Err(UplinkError::Deadline(name)),
        Ok(Err(_)) => Err(UplinkError::StreamEnded(name)),
        Ok(Ok(())) => Ok(()),
    }
}

/// One stream's incoming frames.
pub(super) struct FrameReader {
    stream: Incoming,
    held: Vec<u8>,
    name: &'static str,
}

impl FrameReader {
    pub fn new(stream: Incoming, name: &'static str) -> Self {
        Self { stream, held: Vec::new(), name }
    }

    /// The next message. Safe to drop while it waits: nothing that was received is lost.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, UplinkError> {
        loop {
            if let Some(body) = self.take()? {
                return Ok(frame::from_cbor(&body)?);
            }
            self.held.reserve(PIECE);
            match self.stream.read_buf(&mut self.held).await {
                Ok(n) if n > 0 => {}
                Ok(_) | Err(_) => return Err(UplinkError::StreamEnded(self.name)),
            }
        }
    }

    /// As [`FrameReader::next`], but not for ever.
    pub async fn next_within<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T, UplinkError> {
        timeout(limit, self.next()).await.map_err(|_| UplinkError::Deadline(self.name))?
    }

    fn take(&mut self) -> Result<Option<Vec<u8>>, UplinkError> {
        let Some(header) = self.held.first_chunk::<HEADER>() else { return Ok(None) };
        let end = HEADER + frame::length(*header)?;
        if self.held.len() < end {
            return Ok(None);
        }
        let rest = self.held.split_off(end);
        let whole = std::mem::replace(&mut self.held, rest);
        Ok(whole.get(HEADER..).map(<[u8]>::to_vec))
    }
}
