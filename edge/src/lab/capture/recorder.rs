//! A wire that writes down what passes on it: it stands between the owner of a line and the port, and changes nothing.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use steward_protocols::character::Character;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::file::{What, line_of};
use crate::line::{Dial, Dialling, Stream};

/// Where a capture is written to, line by line.
pub struct Log {
    began: Instant,
    sink: Mutex<Sink>,
}

struct Sink {
    file: Box<dyn Write + Send>,
    events: u64,
    /// Why nothing is written any more.
    broken: Option<io::Error>,
}

impl Log {
    pub fn new(file: Box<dyn Write + Send>) -> Self {
        Self { began: Instant::now(), sink: Mutex::new(Sink { file, events: 0, broken: None }) }
    }

    pub fn write(&self, what: &What) {
        let line = line_of(self.began.elapsed(), what);
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink.broken.is_none() {
            sink.events += 1;
            let written = writeln!(sink.file, "{line}");
            sink.broken = written.err();
        }
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).events
    }

    /// Whether everything has found its way into the file.
    pub fn finish(&self) -> io::Result<()> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.broken.take().map_or(Ok(()), Err)?;
        sink.file.flush()
    }
}

pub struct RecordedDial {
    pub inner: Arc<dyn Dial>,
    pub log: Arc<Log>,
}

impl Dial for RecordedDial {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let dialled = self.inner.dial().await;
            self.log.write(&What::Note(match &dialled {
                Ok(_) => "opened".to_owned(),
                Err(error) => format!("cannot be opened: {error}"),
            }));
            Ok(Box::new(Recorded { inner: dialled?, log: Arc::clone(&self.log) }) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        self.inner.target()
    }
}

struct Recorded {
    inner: Box<dyn Stream>,
    log: Arc<Log>,
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.log.write(&What::Note("closed".to_owned()));
    }
}

impl Stream for Recorded {
    fn set(&mut self, character: Character) -> io::Result<()> {
        self.log.write(&What::Note(format!("set {character}")));
        self.inner.set(character)
    }
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            self.log.write(&What::Received(read.to_vec()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.log.write(&What::Sent(buf.get(..written).unwrap_or_default().to_vec()));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
