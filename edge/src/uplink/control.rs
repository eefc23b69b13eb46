//! The control stream after the welcome. Up: the catalogue when it changes, health each ten seconds and when a line
//! or a device changes sides, a request for the next certificate when it is time. Down: what the hub wants to watch, the
//! next certificate, and commands.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use steward_shared::time::Clock;
use steward_shared::wire::config::{CheckedConfig, ConfigReport};
use steward_shared::wire::message::{Certificate, ControlDown, ControlUp, Health, Renew, Watch};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::error::UplinkError;
use super::frames::{self, FrameReader};
use super::identity::Identity;
use super::live::Wish;
use super::road::Outgoing;
use super::state::UplinkState;
use crate::buffer::{Buffer, BufferError};
use crate::command::Incoming;
use crate::configure;

const HEALTH: Duration = Duration::from_secs(10);
/// How often the certificate's age is looked at, and a request that got no answer is repeated.
const RENEWAL: Duration = Duration::from_hours(1);
/// A hub that forgets to end its wish is not served for ever.
const LONGEST_WISH: Duration = Duration::from_hours(1);
const STREAM: &str = "control";

pub(super) struct Up<'a> {
    pub stream: Outgoing,
    pub buffer: &'a Buffer,
    pub health: watch::Receiver<Health>,
    pub identity: watch::Receiver<Arc<Identity>>,
    pub clock: &'a Arc<dyn Clock>,
    /// Hash of the catalogue that the hub has.
    pub catalogue: Vec<u8>,
    /// What is in force; none where the hub does not want to know.
    pub configuration: Option<watch::Receiver<Arc<ConfigReport>>>,
    pub checked: mpsc::Receiver<CheckedConfig>,
}

/// What the control stream is to say next.
enum Due {
    Health,
    Renewal,
    Catalogue,
    Configuration(Arc<ConfigReport>),
    Checked(CheckedConfig),
}

impl Up<'_> {
    pub async fn send(mut self) -> Result<(), UplinkError> {
        let mut report = interval(HEALTH);
        let mut renewal = interval(RENEWAL);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heads, mut health) = (self.buffer.heads(), self.health.clone());
        let mut sides = Sides::default();
        if let Some(configuration) = &mut self.configuration {
            configuration.mark_changed();
        }
        loop {
            // All of these only wait for a state or a time; what is missed this time is seen the next time.
            let due = tokio::select! {
                _ = report.tick() => Due::Health,
                changed = health.wait_for(|h| sides_of(h) != sides) => match changed {
                    Ok(_) => Due::Health,
                    Err(_) => return Err(UplinkError::Protocol("nobody reports health any more")),
                },
                _ = renewal.tick() => Due::Renewal,
                Some(report) = next(&mut self.configuration) => Due::Configuration(report),
                Some(checked) = self.checked.recv() => Due::Checked(checked),
                changed = heads.wait_for(|h| h.catalogue != self.catalogue) => match changed {
                    Ok(_) => Due::Catalogue,
                    Err(_) => return Err(UplinkError::Buffer(BufferError::Closed)),
                },
            };
            match due {
                Due::Health => sides = self.report().await?,
                Due::Renewal => self.renew().await?,
                Due::Catalogue => self.catalogue().await?,
                Due::Configuration(report) => {
                    let report = ControlUp::Config((*report).clone());
                    frames::write(&mut self.stream, &report, STREAM).await?;
                }
                Due::Checked(checked) => {
                    frames::write(&mut self.stream, &ControlUp::Checked(checked), STREAM).await?;
                }
            }
        }
    }

    async fn report(&mut self) -> Result<Sides, UplinkError> {
        let mut health = self.health.borrow().clone();
        let stats = self.buffer.stats();
        health.certificate_expires = Some(self.identity.borrow().expires);
        health.buffer_bytes = stats.bytes;
        health.unacked = stats.unacked;
        health.oldest_unacked = stats.oldest_unacked;
        health.dropped = stats.dropped;
        let sides = sides_of(&health);
        frames::write(&mut self.stream, &ControlUp::Health(health), STREAM).await?;
        Ok(sides)
    }

    async fn renew(&mut self) -> Result<(), UplinkError> {
        let identity = self.identity.borrow().clone();
        if !identity.is_due(self.clock.now()) {
            return Ok(());
        }
        tracing::info!(expires = %identity.expires, "asking the hub for the next certificate");
        let renew = Renew { csr: identity.renewal_request()? };
        frames::write(&mut self.stream, &ControlUp::Renew(renew), STREAM).await
    }

    pub async fn catalogue(&mut self) -> Result<(), UplinkError> {
        let hash = self.buffer.state().await?.catalogue;
        let catalogue = self.buffer.catalogue().await?;
        frames::write(&mut self.stream, &ControlUp::Catalogue(catalogue), STREAM).await?;
        self.catalogue = hash;
        Ok(())
    }
}

/// The next report of the configuration; none where there will be none.
async fn next(configuration: &mut Option<watch::Receiver<Arc<ConfigReport>>>) -> Option<Arc<ConfigReport>> {
    let configuration = configuration.as_mut()?;
    configuration.changed().await.ok()?;
    Some(Arc::clone(&configuration.borrow_and_update()))
}

type Sides = (Vec<bool>, Vec<bool>);

/// Which lines are up and which devices silent: a change of these is news.
fn sides_of(h: &Health) -> Sides {
    (h.lines.iter().map(|l| l.up).collect(), h.devices.iter().map(|d| d.silent).collect())
}

pub(super) struct Down<'a> {
    pub heard: FrameReader,
    pub wish: &'a watch::Sender<Option<Wish>>,
    pub identity: &'a watch::Sender<Arc<Identity>>,
    pub state_dir: &'a Path,
    pub state: &'a watch::Sender<UplinkState>,
    pub commands: &'a mpsc::Sender<Incoming>,
    pub configuration: &'a mpsc::Sender<configure::Incoming>,
    /// What is found out of a text that is to be checked goes there.
    pub answers: mpsc::Sender<CheckedConfig>,
}

impl Down<'_> {
    pub async fn take(mut self) -> Result<(), UplinkError> {
        loop {
            match self.heard.next().await? {
                ControlDown::Watch(Watch { points, for_ms }) => {
                    let until = Instant::now() + Duration::from_millis(for_ms).min(LONGEST_WISH);
                    self.wish.send_replace(Some(Wish { points: points.into_iter().collect(), until }));
                }
                ControlDown::Certificate(Certificate { certificate }) => self.renewed(certificate).await?,
                ControlDown::Refused(refusal) => return Err(UplinkError::Refused(refusal)),
                ControlDown::Command(signed) => {
                    let identity = self.identity.borrow().clone();
                    let incoming = Incoming { signed, ca: identity.ca.clone(), gateway: identity.gateway };
                    // Each is only taken down there: it waits for no device.
                    if self.commands.send(incoming).await.is_err() {
                        return Err(UplinkError::Protocol("nobody takes commands any more"));
                    }
                }
                ControlDown::Config(signed) => {
                    let identity = self.identity.borrow().clone();
                    let (ca, gateway) = (identity.ca.clone(), identity.gateway);
                    self.configure(configure::Incoming::New { signed, ca, gateway }).await?;
                }
                ControlDown::Check(check) => {
                    let answers = self.answers.clone();
                    self.configure(configure::Incoming::Check { check, answers }).await?;
                }
                ControlDown::Welcome(_) => return Err(UplinkError::Protocol("a second welcome")),
            }
        }
    }

    async fn configure(&self, incoming: configure::Incoming) -> Result<(), UplinkError> {
        let sent = self.configuration.send(incoming).await;
        sent.map_err(|_| UplinkError::Protocol("nobody takes configurations any more"))
    }

    /// The next session uses it; this one goes on as it is.
    async fn renewed(&self, certificate: Vec<u8>) -> Result<(), UplinkError> {
        let present = self.identity.borrow().clone();
        let next = match present.renewed(CertificateDer::from(certificate)) {
            Ok(next) => Arc::new(next),
            Err(e) => {
                tracing::error!(
                    error = &e as &dyn std::error::Error,
                    "the hub's new certificate is not for this gateway"
                );
                return Ok(());
            }
        };
        let (saved, dir) = (next.clone(), self.state_dir.to_owned());
        let saved = tokio::task::spawn_blocking(move || saved.save(&dir)).await;
        saved.map_err(|_| UplinkError::Protocol("the renewal was interrupted"))??;
        tracing::info!(expires = %next.expires, "the certificate is renewed");
        self.state.send_modify(|s| s.certificate_expires = Some(next.expires));
        self.identity.send_replace(next);
        Ok(())
    }
}
