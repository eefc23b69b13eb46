//! A hub's end of either road, for a test: streams and datagrams of one connection.

use std::future::poll_fn;

use rustls_pki_types::CertificateDer;
use steward_shared::wire::mux::Link;

use crate::uplink::error::UplinkError;
use crate::uplink::road::{Incoming, Outgoing};
use crate::uplink::tcp::{In, Out};

/// By which road the hub of a test can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Quic,
    Tcp,
    Both,
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

#[derive(Clone)]
pub enum Connection {
    Quic(quinn::Connection),
    Tcp(Link),
}

impl Connection {
    pub async fn accept(&self) -> Result<(Outgoing, Incoming), UplinkError> {
        match self {
            Self::Quic(connection) => {
                let (send, recv) = connection.accept_bi().await?;
                Ok((Outgoing::Quic(send), Incoming::Quic(recv)))
            }
            Self::Tcp(link) => {
                let (writer, reader) = poll_fn(|cx| link.poll_accept(cx)).await?;
                Ok((Outgoing::Tcp(Out(writer)), Incoming::Tcp(In(reader))))
            }
        }
    }

    pub async fn datagram(&self) -> Option<Vec<u8>> {
        match self {
            Self::Quic(connection) => connection.read_datagram().await.ok().map(|bytes| bytes.to_vec()),
            Self::Tcp(link) => poll_fn(|cx| link.poll_datagram(cx)).await.ok(),
        }
    }

    pub fn close(&self, reason: &[u8]) {
        match self {
            Self::Quic(connection) => connection.close(0u32.into(), reason),
            Self::Tcp(link) => link.close(0, reason),
        }
    }
}

/// What a connection began with.
pub struct Handshake {
    pub connection: Connection,
    pub protocol: Option<Vec<u8>>,
    pub certificate: Option<CertificateDer<'static>>,
}

impl Handshake {
    pub fn of_quic(connection: quinn::Connection) -> Self {
        let data = connection.handshake_data().unwrap();
        let data = data.downcast::<quinn::crypto::rustls::HandshakeData>().unwrap();
        let chain =
            connection.peer_identity().and_then(|c| c.downcast::<Vec<CertificateDer<'static>>>().ok());
        Self {
            protocol: data.protocol,
            certificate: chain.and_then(|chain| chain.first().cloned()),
            connection: Connection::Quic(connection),
        }
    }

    pub fn of_tls(tls: &rustls::ServerConnection, link: Link) -> Self {
        let chain = tls.peer_certificates().unwrap_or_default();
        Self {
            protocol: tls.alpn_protocol().map(<[u8]>::to_vec),
            certificate: chain.first().map(|c| c.clone().into_owned()),
            connection: Connection::Tcp(link),
        }
    }
}
