//! Where gateways come in: one address and port, by UDP for QUIC and by TCP for TLS. Both are bound while the program is
//! put together: a port that is taken ends the start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, Runtime, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::endpoint::LinkError;
use super::tcp::IDLE;

/// The control stream, four lanes, and room for the next protocol.
const STREAMS: u32 = 8;
const STREAM_WINDOW: u32 = 1 << 20;
/// For all streams, as long as it is not known who it is.
const STRANGERS_WINDOW: u32 = 16 << 10;
const DATAGRAMS: usize = 256 << 10;
/// Connections that wait to be taken.
const BACKLOG: i32 = 1024;
/// How often another port is tried where any will do: the one that UDP got may be taken in TCP.
const TRIES: usize = 16;

pub struct Ports {
    pub quic: Endpoint,
    /// None where gateways come by QUIC alone.
    pub tcp: Option<TcpListener>,
    pub tls: TlsAcceptor,
}

impl Ports {
    /// Within a runtime.
    pub fn bind(address: SocketAddr, tls: rustls::ServerConfig) -> Result<Self, LinkError> {
        let config = config(&tls)?;
        let udp_fault = |source| LinkError::Bind { address, kind: "UDP", source };
        let mut tries = 0;
        loop {
            tries += 1;
            let quic = Endpoint::server(config.clone(), address).map_err(udp_fault)?;
            match listen(quic.local_addr().map_err(udp_fault)?) {
                Ok(tcp) => return Ok(Self { quic, tcp: Some(tcp), tls: TlsAcceptor::from(Arc::new(tls)) }),
                Err(_) if address.port() == 0 && tries < TRIES => {}
                Err(source) => return Err(LinkError::Bind { address, kind: "TCP", source }),
            }
        }
    }

    /// On a socket that is handed in, as a simulation does. Within a runtime.
    pub fn over(
        socket: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        tls: rustls::ServerConfig,
    ) -> Result<Self, LinkError> {
        let config = Some(config(&tls)?);
        let quic = Endpoint::new_with_abstract_socket(EndpointConfig::default(), config, socket, runtime);
        Ok(Self { quic: quic.map_err(LinkError::Socket)?, tcp: None, tls: TlsAcceptor::from(Arc::new(tls)) })
    }

    /// The next connection by TCP.
    pub async fn accept(tcp: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
        match tcp {
            Some(tcp) => tcp.accept().await,
            None => std::future::pending().await,
        }
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.quic.local_addr()
    }
}

fn config(tls: &rustls::ServerConfig) -> Result<quinn::ServerConfig, LinkError> {
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls.clone())?));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // After a restart connections of before may linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn transport() -> TransportConfig {
    let mut t = TransportConfig::default();
    t.max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(STRANGERS_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .max_idle_timeout(IDLE.try_into().ok());
    t
}
