//! A session with an MQTT broker: opened over TCP or TLS, kept alive, closed. A line and a publisher of readings each own
//! one. What a session has to write is bounded by whoever hands it messages; what it reads, by the broker waiting while
//! nobody asks for events.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use steward_protocols::mqtt::{Client, Connect, Event, Fault, Options, Will};
use steward_shared::id::Ids;
use steward_shared::time::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dial::{Dial, Stream};
use crate::config::BrokerConfig;

/// Most bytes of a payload that are taken.
pub const MAX_PAYLOAD: usize = 256 << 10;
const READ: usize = 16 << 10;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum BrokerFault {
    #[error("{0}")]
    Dial(#[source] io::Error),
    #[error("the authorities in {} cannot be read: {why}; name a file in PEM by ca", path.display())]
    Authorities { path: PathBuf, why: String },
    #[error("no TLS with the broker: {0}")]
    Tls(String),
    #[error("the password in {} cannot be read: {why}", path.display())]
    Password { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Session(#[from] Fault),
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    #[error("the broker closed the connection")]
    Closed,
}

/// A client id for whoever was given none: as long as every broker takes (3.1.3.1: 23 characters), and of chance alone. A
/// broker ends the session of the first of two that have the same.
pub fn made_up_id(ids: &dyn Ids) -> String {
    // The end of an id is chance, its beginning the time: two that are made at once begin alike.
    format!("steward-{:015x}", ids.new_uuid().as_u128() & ((1 << 60) - 1))
}

/// How sessions are opened.
pub struct Broker {
    pub config: BrokerConfig,
    pub client_id: String,
    pub timeout: Duration,
    pub dial: Arc<dyn Dial>,
    pub clock: Arc<dyn Clock>,
}

impl Broker {
    /// Opens a session and waits until the broker has accepted it.
    pub async fn open(&self, will: Option<Will>) -> Result<Session, BrokerFault> {
        let password = match &self.config.password_file {
            Some(path) => Some(password(path).await?),
            None => None,
        };
        let stream = self.dial.dial().await.map_err(BrokerFault::Dial)?;
        let stream = match &self.config.ca {
            Some(ca) => self.secure(ca, stream).await?,
            None => stream,
        };
        let connect = Connect {
            client_id: self.client_id.clone(),
            user: self.config.user.clone(),
            password,
            keep_alive: self.config.keep_alive.as_secs().min(u64::from(u16::MAX)) as u16,
            will,
        };
        let options = Options { connect, patience: self.timeout, limit: MAX_PAYLOAD };
        let (read, write) = split(stream);
        let client = Client::new(options, now());
        let mut session = Session { read, write, client, buffer: vec![0; READ], unflushed: false };
        match session.next().await? {
            Event::Connected => Ok(session),
            _ => Err(BrokerFault::Closed),
        }
    }

    async fn secure(&self, ca: &Path, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, BrokerFault> {
        let (path, clock) = (ca.to_owned(), Arc::clone(&self.clock));
        let unreadable = |why| BrokerFault::Authorities { path: ca.to_owned(), why };
        let config = tokio::task::spawn_blocking(move || trusting(&path, clock))
            .await
            .map_err(|e| unreadable(e.to_string()))?
            .map_err(unreadable)?;
        let name =
            ServerName::try_from(self.config.host.clone()).map_err(|e| BrokerFault::Tls(e.to_string()))?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let secured = timeout(self.timeout, connecting).await;
        let secured =
            secured.map_err(|_| BrokerFault::Tls(format!("nothing came within {:?}", self.timeout)))?;
        Ok(Box::new(secured.map_err(|e| BrokerFault::Tls(e.to_string()))?))
    }
}

/// The first line of a file.
async fn password(path: &Path) -> Result<Vec<u8>, BrokerFault> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|why| BrokerFault::Password { path: path.to_owned(), why })?;
    Ok(text.lines().next().unwrap_or_default().as_bytes().to_vec())
}

fn trusting(ca: &Path, clock: Arc<dyn Clock>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| e.to_string())? {
        // A system's file may hold one that is not understood here; the others count all the same.
        let _ = roots.add(certificate.map_err(|e| e.to_string())?);
    }
    if roots.is_empty() {
        return Err("no authority stands in it".to_owned());
    }
    ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(HandedIn(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
}

/// The product's clock for rustls.
#[derive(Debug)]
struct HandedIn(Arc<dyn Clock>);

impl TimeProvider for HandedIn {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

impl Stream for TlsStream<Box<dyn Stream>> {}

/// A session that the broker has accepted.
pub struct Session {
    read: ReadHalf<Box<dyn Stream>>,
    write: WriteHalf<Box<dyn Stream>>,
    client: Client,
    buffer: Vec<u8>,
    unflushed: bool,
}

impl Session {
    /// The machine below, to subscribe and to publish: what that gives to write is written by `next`.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The next thing that happens. It writes, reads and pings meanwhile; one that is dropped has lost nothing.
    pub async fn next(&mut self) -> Result<Event, BrokerFault> {
        loop {
            if let Some(event) = self.client.event()? {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    /// Writes all that is to be written.
    pub async fn flush(&mut self) -> Result<(), BrokerFault> {
        while !self.client.outgoing().is_empty() {
            let written = self.write.write(self.client.outgoing()).await.map_err(BrokerFault::Broken)?;
            if written == 0 {
                return Err(BrokerFault::Closed);
            }
            self.client.wrote(written, now());
        }
        self.write.flush().await.map_err(BrokerFault::Broken)
    }

    async fn turn(&mut self) -> Result<(), BrokerFault> {
        let room = self.client.room().min(self.buffer.len());
        let (deadline, is_writing) = (self.client.deadline(), !self.client.outgoing().is_empty());
        let due = async {
            match deadline {
                Some(at) => sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        let (write, outgoing) = (&mut self.write, self.client.outgoing());
        let sending = async move {
            if is_writing {
                write.write(outgoing).await.map(Some)
            } else {
                write.flush().await.map(|()| None)
            }
        };
        let into = self.buffer.get_mut(..room).unwrap_or_default();
        // A read that is dropped has taken nothing, a write that is dropped has given nothing, and a deadline comes again.
        tokio::select! {
            read = self.read.read(into) => {
                let count = read.map_err(BrokerFault::Broken)?;
                if count == 0 {
                    return Err(BrokerFault::Closed);
                }
                self.client.received(self.buffer.get(..count).unwrap_or_default());
            }
            sent = sending, if is_writing || self.unflushed => match sent.map_err(BrokerFault::Broken)? {
                Some(0) => return Err(BrokerFault::Closed),
                Some(count) => {
                    self.client.wrote(count, now());
                    self.unflushed = true;
                }
                None => self.unflushed = false,
            },
            () = due => self.client.tick(now())?,
        }
        Ok(())
    }

    /// Says goodbye, so that the broker does not tell the will. It does not matter much whether that arrives.
    pub async fn close(mut self) {
        self.client.disconnect();
        let goodbye = async {
            if self.flush().await.is_ok() {
                let _ = self.write.shutdown().await;
            }
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use steward_shared::id::RandomIds;

    use super::*;

    #[test]
    fn ids_that_are_made_up_at_once_differ_and_every_broker_takes_them() {
        let made: BTreeSet<String> = (0..1000).map(|_| made_up_id(&RandomIds)).collect();
        assert_eq!(made.len(), 1000);
        assert!(made.iter().all(|id| id.len() == 23), "{made:?}");
    }
}
