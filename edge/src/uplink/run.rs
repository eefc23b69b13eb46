//! The uplink's loop: load the identity, dial, hold a session, wait, again. It ends only when the program stops; whatever
//! goes wrong is told once in the log and in the state, with the way out, and polling never waits for it.

use std::sync::Arc;
use std::time::Duration;

use steward_shared::reading::Reading;
use steward_shared::wire::message::Health;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::dial::dial;
use super::error::UplinkError;
use super::identity::{self, Identity};
use super::session::Session;
use super::state::{UplinkSettings, UplinkState};
use super::tls;
use crate::buffer::Buffer;
use crate::clock::Timekeeper;

/// Every sample, as soon as it is polled.
pub type Live = broadcast::Sender<Arc<[Reading]>>;

/// How often a gateway that waits looks whether it was enrolled meanwhile.
const ENROLLED: Duration = Duration::from_secs(2);

/// Keeps up the way to the hub until cancelled; how it fares stands in `state`.
pub async fn run(
    settings: UplinkSettings,
    buffer: Buffer,
    live: Live,
    health: watch::Receiver<Health>,
    timekeeper: Timekeeper,
    cancel: CancellationToken,
    state: watch::Sender<UplinkState>,
) {
    let uplink = Uplink { settings, buffer, live, health, timekeeper, cancel, state };
    uplink.keep_up().await;
    uplink.disconnected(None);
}

struct Uplink {
    settings: UplinkSettings,
    buffer: Buffer,
    live: Live,
    health: watch::Receiver<Health>,
    timekeeper: Timekeeper,
    cancel: CancellationToken,
    state: watch::Sender<UplinkState>,
}

impl Uplink {
    async fn keep_up(&self) {
        let mut backoff = Backoff::default();
        let mut told = String::new();
        while !self.cancel.is_cancelled() {
            let (begun, tried) = (Instant::now(), identity::mark(&self.settings.state_dir).await);
            let Err(ended) = self.attempt(&mut told).await else { break };
            let words = chain(&ended);
            if words != told {
                tracing::warn!(hub = self.settings.hub, "{words}");
                told = words;
            }
            self.disconnected(Some(told.clone()));
            let wait = backoff.next(begun.elapsed(), ended.is_passing(), random());
            // Whichever comes first: the others are not needed any more.
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.enrolled_since(tried) => {}
            }
        }
    }

    /// Returns when another identity lies on the disk than the one that was tried: nobody who has just typed a code
    /// waits for the end of a long pause.
    async fn enrolled_since(&self, tried: Option<identity::Mark>) {
        loop {
            tokio::time::sleep(ENROLLED).await;
            if identity::mark(&self.settings.state_dir).await != tried {
                return;
            }
        }
    }

    /// One identity, one connection, one session. Ends well only because the program stops.
    async fn attempt(&self, told: &mut String) -> Result<(), UplinkError> {
        let dir = self.settings.state_dir.clone();
        let loaded = tokio::task::spawn_blocking(move || Identity::load(&dir)).await;
        let identity =
            loaded.map_err(|_| UplinkError::Protocol("loading the identity was interrupted"))??;
        let identity = Arc::new(identity.ok_or(UplinkError::NotEnrolled)?);
        self.state.send_modify(|s| {
            s.gateway = Some(identity.gateway);
            s.certificate_expires = Some(identity.expires);
        });
        let is_expired = self.timekeeper.clock().now() > identity.expires;
        let config = tls::session(&identity, self.timekeeper.clock())?;
        // A handshake that is given up leaves nothing behind.
        let dialled = tokio::select! {
            () = self.cancel.cancelled() => return Ok(()),
            dialled = dial(&self.settings.hub, config) => dialled?,
        };
        let session = Session {
            settings: &self.settings,
            buffer: &self.buffer,
            live: &self.live,
            health: &self.health,
            timekeeper: &self.timekeeper,
            identity: identity.clone(),
            state: &self.state,
        };
        let welcomed = || {
            told.clear();
            tracing::info!(hub = self.settings.hub, gateway = %identity.gateway, "connected to the hub");
            let since = Some(self.timekeeper.clock().now());
            self.state.send_modify(|s| (s.connected, s.since, s.last_error) = (true, since, None));
        };
        // Losing the session anywhere is harmless: what the hub did not acknowledge stays in the buffer.
        let ended = tokio::select! {
            () = self.cancel.cancelled() => {
                dialled.close("the gateway's program stops").await;
                return Ok(());
            }
            ended = session.hold(&dialled.connection, welcomed) => ended,
        };
        // Why the connection closed says more than what it did to a stream.
        let ended = match (ended, dialled.connection.close_reason()) {
            (Err(e), Some(reason)) if !matches!(e, UplinkError::Refused(_)) => Err(reason.into()),
            (ended, _) => ended,
        };
        dialled.close("ended").await;
        match ended {
            Err(UplinkError::CertificateRefused(_)) if is_expired => Err(UplinkError::CertificateExpired),
            ended => ended,
        }
    }

    fn disconnected(&self, error: Option<String>) {
        let now = self.timekeeper.clock().now();
        self.state.send_modify(|s| {
            if s.connected || s.since.is_none() {
                s.since = Some(now);
            }
            s.connected = false;
            s.last_error = error.or(s.last_error.take());
        });
    }
}

/// The error and what caused it, in one line.
fn chain(error: &UplinkError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(e) = source {
        let more = e.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        source = e.source();
    }
    words
}

/// Chance for the backoff; without a source of it every wait is the longest.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}
