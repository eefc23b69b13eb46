//! A gateway's end of either road, for a test: no more than a socket, TLS, and streams on it.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::ServerName;
use steward_shared::wire::message::HUB_SERVER_NAME;
use steward_shared::wire::mux::{Closed, Link, STREAMS, Side, Trust};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::road::{Incoming, Outgoing};
use super::super::tcp::{self, In, Out};

/// By which road the gateway of a test comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Quic,
    Tcp,
}

/// Runs each of these once by either road, as `<name>::over_quic` and `<name>::over_tcp`.
macro_rules! over_both_roads {
    ($($name:ident),* $(,)?) => {
        $(
            mod $name {
                use super::super::wire::Way;

                #[tokio::test]
                async fn over_quic() {
                    super::$name(Way::Quic).await;
                }

                #[tokio::test]
                async fn over_tcp() {
                    super::$name(Way::Tcp).await;
                }
            }
        )*
    };
}
pub(super) use over_both_roads;

/// Over when the last clone is gone.
#[derive(Clone)]
pub enum Connection {
    Quic(quinn::Connection),
    Tcp(Arc<Held>),
}

pub struct Held(Link);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.close(0, b"");
    }
}

pub async fn dial(
    way: Way,
    hub: SocketAddr,
    tls: rustls::ClientConfig,
    transport: quinn::TransportConfig,
) -> Result<Connection, String> {
    match way {
        Way::Quic => {
            let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
            config.transport_config(Arc::new(transport));
            let endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
            let connecting = endpoint.connect_with(config, hub, HUB_SERVER_NAME).unwrap();
            connecting.await.map(Connection::Quic).map_err(|e| e.to_string())
        }
        Way::Tcp => {
            let socket = TcpStream::connect(hub).await.map_err(|e| e.to_string())?;
            let name = ServerName::try_from(HUB_SERVER_NAME).unwrap();
            let stream = TlsConnector::from(Arc::new(tls)).connect(name, socket).await;
            let stream = stream.map_err(|e| e.to_string())?;
            let link = Link::new(Side::Gateway, Trust { streams: STREAMS, window: 64 << 10 });
            let driven = link.clone();
            tokio::spawn(async move { tcp::drive(stream, &driven).await });
            Ok(Connection::Tcp(Arc::new(Held(link))))
        }
    }
}

impl Connection {
    pub async fn open_bi(&self) -> Option<(Outgoing, Incoming)> {
        match self {
            Self::Quic(connection) => {
                let (send, recv) = connection.open_bi().await.ok()?;
                Some((Outgoing::Quic(send), Incoming::Quic(recv)))
            }
            Self::Tcp(held) => {
                let (writer, reader) = held.0.open(0)?;
                Some((Outgoing::Tcp(Out(writer)), Incoming::Tcp(In(reader))))
            }
        }
    }

    pub fn send_datagram(&self, bytes: Vec<u8>) {
        match self {
            Self::Quic(connection) => connection.send_datagram(bytes.into()).unwrap(),
            Self::Tcp(held) => held.0.send_datagram(bytes),
        }
    }

    pub fn close(&self) {
        match self {
            Self::Quic(connection) => connection.close(0_u32.into(), b""),
            Self::Tcp(held) => held.0.close(0, b""),
        }
    }

    pub fn is_open(&self) -> bool {
        match self {
            Self::Quic(connection) => connection.close_reason().is_none(),
            Self::Tcp(held) => held.0.closed().is_none(),
        }
    }

    /// The code with which the hub closed it, where it did, and why it ended at all.
    pub async fn ended(&self) -> (Option<u32>, String) {
        match self {
            Self::Quic(connection) => match connection.closed().await {
                quinn::ConnectionError::ApplicationClosed(c) => {
                    (u32::try_from(c.error_code.into_inner()).ok(), c.to_string())
                }
                other => (None, other.to_string()),
            },
            Self::Tcp(held) => match poll_fn(|cx| held.0.poll_closed(cx)).await {
                Closed::Peer { code, reason } => (Some(code), reason),
                Closed::Lost(e) => (None, e.to_string()),
                other => (None, other.to_string()),
            },
        }
    }
}
