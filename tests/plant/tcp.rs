//! Modbus TCP as a gateway with several devices behind one port. The framing is tokio-modbus' server, which
//! the edge does not use: two independent readings of the standard meet here. A spoilt answer is spoilt
//! between that server and the socket.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use steward_protocols::modbus::device::{Answers, Asked, Outcome, Spoilt, spoil_tcp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request as ModbusRequest, Response, SlaveRequest};
use tokio_util::sync::CancellationToken;

/// Serves until cancelled. While `plugged` is false the port is closed and every connection with it.
pub async fn serve(
    mut listener: Option<TcpListener>,
    address: SocketAddr,
    devices: Arc<dyn Answers>,
    mut plugged: watch::Receiver<bool>,
    stop: CancellationToken,
) -> io::Result<()> {
    loop {
        tokio::select! {
            // Losing this wait loses nothing: the watch keeps its latest value.
            changed = plugged.wait_for(|p| *p) => if changed.is_err() { return Ok(()) },
            () = stop.cancelled() => return Ok(()),
        }
        let listener = match listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(address).await?,
        };
        let mut watched = plugged.clone();
        let stopped = stop.clone();
        let end = async move {
            tokio::select! {
                _ = watched.wait_for(|p| !*p) => {}
                () = stopped.cancelled() => {}
            }
        };
        let devices = devices.clone();
        let connected = |stream: TcpStream, _: SocketAddr| {
            let devices = devices.clone();
            async move {
                stream.set_nodelay(true)?;
                let spoilt = Arc::new(Mutex::new(None));
                Ok(Some((Gateway { devices, spoilt: spoilt.clone() }, Spoiler::new(stream, spoilt))))
            }
        };
        let failed = |error: io::Error| tracing::debug!(%error, "a connection ended");
        serve_until(Server::new(listener), connected, failed, end).await?;
    }
}

/// `Server::serve_until` wants its signal to be `Sync`; dropping `serve` ends its connections just as well.
async fn serve_until<C, F, E>(
    server: Server,
    connected: C,
    failed: E,
    end: impl Future<Output = ()>,
) -> io::Result<()>
where
    C: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = io::Result<Option<(Gateway, Spoiler)>>>,
    E: FnOnce(io::Error) + Clone + Send + 'static,
{
    tokio::select! {
        end_of_service = server.serve(&connected, failed) => end_of_service,
        () = end => Ok(()),
    }
}

struct Gateway {
    devices: Arc<dyn Answers>,
    spoilt: Arc<Mutex<Option<Spoilt>>>,
}

impl Service for Gateway {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Option<Response>, ExceptionCode>> + Send>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        let (function, address, count) = match asked.request {
            ModbusRequest::ReadCoils(a, n) => (1, a, n),
            ModbusRequest::ReadDiscreteInputs(a, n) => (2, a, n),
            ModbusRequest::ReadHoldingRegisters(a, n) => (3, a, n),
            ModbusRequest::ReadInputRegisters(a, n) => (4, a, n),
            _ => return Box::pin(std::future::ready(Err(ExceptionCode::IllegalFunction))),
        };
        let reply = self.devices.answer(Asked { unit: asked.slave, function, address, count });
        *self.spoilt.lock().unwrap_or_else(PoisonError::into_inner) = reply.spoilt;
        Box::pin(async move {
            if !reply.late.is_zero() {
                tokio::time::sleep(reply.late).await;
            }
            Ok(Some(match reply.outcome {
                Outcome::Nothing | Outcome::Done => return Ok(None),
                Outcome::Refused(code) => return Err(ExceptionCode::new(code)),
                Outcome::Bits(bits) if function == 1 => Response::ReadCoils(bits),
                Outcome::Bits(bits) => Response::ReadDiscreteInputs(bits),
                Outcome::Registers(words) if function == 3 => Response::ReadHoldingRegisters(words),
                Outcome::Registers(words) => Response::ReadInputRegisters(words),
            }))
        })
    }
}

/// A connection whose next answer may be spoilt.
struct Spoiler {
    stream: TcpStream,
    spoilt: Arc<Mutex<Option<Spoilt>>>,
    pending: Vec<u8>,
}

impl Spoiler {
    fn new(stream: TcpStream, spoilt: Arc<Mutex<Option<Spoilt>>>) -> Self {
        Self { stream, spoilt, pending: Vec::new() }
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            self.pending.drain(..n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Spoiler {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Spoiler {
    /// The server answers one request at a time, so what it writes at once is one whole answer.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.drain(cx))?;
        let how = self.spoilt.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.pending = how.map_or_else(|| buf.to_vec(), |how| spoil_tcp(buf, how));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
