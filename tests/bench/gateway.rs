//! A gateway as the hub's wire sees one: enrols, says hello, sends batches that were made before, with some under way at a
//! time. It holds no buffer and polls nothing, so that what is measured is the hub.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, BufferId, GatewayId, RandomIds};
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::code::Code;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::frame;
use steward_shared::wire::message::{
    ALPN, ALPN_ENROL, Batch, ControlDown, ControlUp, Enrol, EnrolAnswer, EnrolRefusal, HUB_SERVER_NAME,
    Hello, Lane, LaneDown, LaneState, LaneUp, PROTOCOL,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::workload;

/// Batches under way at a time.
const WINDOW: usize = 8;
const PATIENCE: Duration = Duration::from_mins(1);

/// A batch that only lacks its number.
pub struct Prepared {
    pub count: u32,
    hash: Vec<u8>,
    body: Vec<u8>,
}

impl Prepared {
    pub fn of(readings: &[Reading]) -> anyhow::Result<Self> {
        let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: SystemClock.now() };
        let body = columns::encode(readings, &header)?;
        Ok(Self { count: readings.len() as u32, hash: Sha256::digest(&body).to_vec(), body })
    }
}

pub struct Gateway {
    connection: Connection,
    epoch: u32,
    /// Open as long as the session is.
    _control: (SendStream, RecvStream),
}

/// What an enrolled gateway keeps.
pub struct Papers {
    gateway: GatewayId,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// Who may be trusted, and how to reach it.
pub struct Door {
    pub hub: SocketAddr,
    ca: CertificateDer<'static>,
}

impl Door {
    pub fn of(hub: SocketAddr, data: &Path) -> anyhow::Result<Self> {
        let ca = std::fs::read(data.join("ca/gateway-ca.der")).context("the hub's CA cannot be read")?;
        Ok(Self { hub, ca: ca.into() })
    }

    async fn dial(
        &self,
        alpn: &[u8],
        own: Option<(CertificateDer<'static>, &KeyPair)>,
    ) -> anyhow::Result<Connection> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.ca.clone())?;
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots);
        let mut tls = match own {
            None => tls.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                tls.with_client_auth_cert(vec![certificate], key)?
            }
        };
        tls.alpn_protocols = vec![alpn.to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        let endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(timeout(PATIENCE, endpoint.connect_with(config, self.hub, HUB_SERVER_NAME)?).await??)
    }

    /// Redeems a code. The hub takes so many codes a minute from one address.
    pub async fn redeem(&self, code: &str) -> anyhow::Result<Papers> {
        let code: Code = code.parse()?;
        let key = KeyPair::generate()?;
        let enrolled = loop {
            match self.enrol(&code, &key).await? {
                EnrolAnswer::Accepted(enrolled) => break enrolled,
                EnrolAnswer::Refused(EnrolRefusal::SlowDown) => {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
                EnrolAnswer::Refused(why) => bail!("the hub refused the code: {why:?}"),
            }
        };
        Ok(Papers { gateway: enrolled.gateway, certificate: enrolled.certificate.into(), key })
    }

    /// Opens a session.
    pub async fn enter(&self, papers: &Papers) -> anyhow::Result<Gateway> {
        let connection = self.dial(ALPN, Some((papers.certificate.clone(), &papers.key))).await?;
        Gateway::greet(connection, papers.gateway).await
    }

    async fn enrol(&self, code: &Code, key: &KeyPair) -> anyhow::Result<EnrolAnswer> {
        let connection = self.dial(ALPN_ENROL, None).await?;
        let (mut send, mut recv) = connection.open_bi().await?;
        let csr = CertificateParams::new(Vec::new())?.serialize_request(key)?.der().to_vec();
        let ask = Enrol { code: code.secret.to_vec(), csr, version: "bench".into(), host: "bench".into() };
        say(&mut send, &ask).await?;
        let answer = hear(&mut recv).await?;
        connection.close(0_u8.into(), b"enrolled");
        Ok(answer)
    }
}

impl Gateway {
    async fn greet(connection: Connection, gateway: GatewayId) -> anyhow::Result<Self> {
        let (mut send, mut recv) = connection.open_bi().await?;
        let catalogue = workload::catalogue();
        let hello = Hello {
            protocol: PROTOCOL,
            gateway,
            version: "bench".into(),
            buffer: BufferId::new(&RandomIds),
            epoch: 0,
            lanes: Lane::ALL.map(|lane| LaneState { lane, first: 1, last: 0, acked: 0 }).to_vec(),
            catalogue: Sha256::digest(frame::to_cbor(&catalogue)?).to_vec(),
            boot: BootId::new(&RandomIds),
            now: SystemClock.now(),
            more_lanes: vec![],
        };
        say(&mut send, &ControlUp::Hello(hello)).await?;
        let ControlDown::Welcome(welcome) = hear(&mut recv).await? else {
            bail!("the hub did not welcome us")
        };
        if welcome.catalogue_wanted {
            say(&mut send, &ControlUp::Catalogue(catalogue)).await?;
        }
        Ok(Self { connection, epoch: welcome.epoch, _control: (send, recv) })
    }

    /// Sends the batches in order until they or the time are over; gives the readings that the hub has made durable.
    pub async fn send(&self, lane: Lane, batches: &[Prepared], until: Instant) -> anyhow::Result<u64> {
        let (mut up, mut down) = self.connection.open_bi().await?;
        say(&mut up, &LaneUp::Open(lane)).await?;
        let room = Arc::new(Semaphore::new(WINDOW));
        let freed = Arc::clone(&room);
        let acks = tokio::spawn(async move {
            let mut acked = 0;
            loop {
                match hear(&mut down).await {
                    Ok(LaneDown::Ack(seq)) => {
                        freed.add_permits((seq - acked) as usize);
                        acked = seq;
                    }
                    Ok(other) => bail!("the hub answered {other:?}"),
                    // The stream's end.
                    Err(_) => return Ok(acked),
                }
            }
        });
        for (batch, seq) in batches.iter().zip(1..) {
            timeout(PATIENCE, room.acquire()).await.context("no ack in a minute")??.forget();
            if Instant::now() >= until {
                break;
            }
            let (count, hash, body) = (batch.count, batch.hash.clone(), batch.body.clone());
            say(&mut up, &LaneUp::Batch(Batch { lane, epoch: self.epoch, seq, count, hash, body })).await?;
        }
        up.finish()?;
        let acked = timeout(PATIENCE, acks).await.context("the hub did not end the lane")???;
        Ok(batches.iter().take(acked as usize).map(|b| u64::from(b.count)).sum())
    }
}

async fn say<T: Serialize>(send: &mut SendStream, message: &T) -> anyhow::Result<()> {
    Ok(send.write_all(&frame::encode(message)?).await?)
}

async fn hear<T: DeserializeOwned>(recv: &mut RecvStream) -> anyhow::Result<T> {
    let mut header = [0; frame::HEADER];
    recv.read_exact(&mut header).await?;
    let length = frame::length(header)?;
    ensure!(length <= frame::MAX_FRAME, "a frame of {length} bytes");
    let mut body = vec![0; length];
    recv.read_exact(&mut body).await?;
    Ok(frame::from_cbor(&body)?)
}
