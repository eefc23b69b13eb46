//! The uplink's loop: load the identity, dial, hold a session, wait, again. It ends only when the program stops; whatever
//! goes wrong is told once in the log and in the state, with the way out, and polling never waits for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::EventKind;
use steward_shared::id::GatewayId;
use steward_shared::reading::Reading;
use steward_shared::wire::message::Health;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address;
use super::backoff::Backoff;
use super::dial::{self, Dialled};
use super::error::UplinkError;
use super::identity::{self, Identity};
use super::network::Network;
use super::preference::Preference;
use super::road::{Road, RoadKind};
use super::session::Session;
use super::state::{UplinkSettings, UplinkState};
use super::tls::{self, Configs};
use crate::alarm::Alarms;
use crate::buffer::Buffer;
use crate::clock::Timekeeper;
use crate::command::Incoming;
use crate::configure;

/// Every sample, as soon as it is polled.
pub type Live = broadcast::Sender<Arc<[Reading]>>;

/// How often a gateway that waits looks whether it was enrolled meanwhile.
const ENROLLED: Duration = Duration::from_secs(2);

/// A session over TCP looks so often whether UDP comes through by now.
const LOOK: Duration = Duration::from_hours(1);

/// What the uplink works with.
pub struct Means {
    pub network: Arc<dyn Network>,
    pub buffer: Buffer,
    pub alarms: Alarms,
    pub live: Live,
    pub health: watch::Receiver<Health>,
    pub timekeeper: Timekeeper,
    /// Orders for devices go there.
    pub commands: mpsc::Sender<Incoming>,
    pub configuration: configure::Link,
}

/// Keeps up the way to the hub until cancelled; how it fares stands in `state`.
pub async fn run(
    settings: UplinkSettings,
    means: Means,
    cancel: CancellationToken,
    state: watch::Sender<UplinkState>,
) {
    let uplink = Uplink { settings, means, cancel, state };
    uplink.keep_up().await;
    uplink.disconnected(None);
}

struct Uplink {
    settings: UplinkSettings,
    means: Means,
    cancel: CancellationToken,
    state: watch::Sender<UplinkState>,
}

/// How a try ended well.
enum Ended {
    /// The program stops.
    Stopped,
    /// The session goes on over the other road.
    Moves,
}

impl Uplink {
    async fn keep_up(&self) {
        let mut backoff = Backoff::default();
        let mut preference = Preference::default();
        let mut told = String::new();
        while !self.cancel.is_cancelled() {
            let (begun, tried) = (Instant::now(), self.mark().await);
            let ended = match self.attempt(&mut preference, &mut told).await {
                Ok(Ended::Stopped) => break,
                Ok(Ended::Moves) => continue,
                Err(ended) => ended,
            };
            let words = chain(&ended);
            if matches!(ended, UplinkError::HubNotTrusted(_)) {
                self.means.alarms.tell(EventKind::HubUntrusted, None, None, true, words.as_str());
            }
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
            if self.mark().await != tried {
                return;
            }
        }
    }

    async fn mark(&self) -> Option<identity::Mark> {
        let dir = self.settings.state_dir.clone();
        self.means.buffer.aside(move || identity::mark(&dir)).await.flatten()
    }

    /// One identity, one connection, one session. Ends well only because the program stops or the session moves.
    async fn attempt(&self, preference: &mut Preference, told: &mut String) -> Result<Ended, UplinkError> {
        let dir = self.settings.state_dir.clone();
        let loaded = self.means.buffer.aside(move || Identity::load(&dir)).await;
        let identity = loaded.ok_or(UplinkError::Protocol("loading the identity was interrupted"))??;
        let identity = Arc::new(identity.ok_or(UplinkError::NotEnrolled)?);
        self.state.send_modify(|s| {
            s.gateway = Some(identity.gateway);
            s.certificate_expires = Some(identity.expires);
        });
        let is_expired = self.means.timekeeper.clock().now() > identity.expires;
        let configs = tls::session(&identity, self.means.timekeeper.clock())?;
        let order = preference.order(Instant::now());
        // A handshake that is given up leaves nothing behind.
        let Dialled { road, address } = tokio::select! {
            () = self.cancel.cancelled() => return Ok(Ended::Stopped),
            dialled = dial::dial(self.network(), &self.settings.hub, &self.settings.state_dir, &configs, order) => {
                dialled?
            }
        };
        let begun = Instant::now();
        preference.connected(road.kind(), begun);
        let session = Session {
            settings: &self.settings,
            buffer: &self.means.buffer,
            live: &self.means.live,
            health: &self.means.health,
            timekeeper: &self.means.timekeeper,
            identity: identity.clone(),
            state: &self.state,
            commands: &self.means.commands,
            configuration: &self.means.configuration,
        };
        let welcomed = || {
            told.clear();
            self.connected(&road, address, identity.gateway);
        };
        // Losing the session anywhere is harmless: what the hub did not acknowledge stays in the buffer.
        let ended = tokio::select! {
            () = self.cancel.cancelled() => {
                road.close("the gateway's program stops").await;
                return Ok(Ended::Stopped);
            }
            ended = session.hold(&road, welcomed) => ended,
            () = self.quic_works(&road, address, &configs) => {
                tracing::info!(hub = self.settings.hub, "UDP comes through by now; going on over QUIC");
                road.close("going on over QUIC").await;
                preference.quic_works();
                return Ok(Ended::Moves);
            }
        };
        preference.ended(road.kind(), road.fell_silent(), begun.elapsed(), Instant::now());
        let ended = ended.map_err(|e| road.why(e));
        road.close("ended").await;
        match ended {
            Ok(never) => match never {},
            Err(UplinkError::CertificateRefused(_)) if is_expired => Err(UplinkError::CertificateExpired),
            Err(ended) => Err(ended),
        }
    }

    fn network(&self) -> &dyn Network {
        self.means.network.as_ref()
    }

    /// The hub has let this gateway in.
    fn connected(&self, road: &Road, address: SocketAddr, gateway: GatewayId) {
        let by = road.kind();
        tracing::info!(hub = self.settings.hub, %gateway, road = by.word(), "connected to the hub");
        self.means.alarms.tell(EventKind::HubUntrusted, None, None, false, "the hub is the right one again");
        let since = Some(self.means.timekeeper.clock().now());
        self.state.send_modify(|s| {
            (s.connected, s.road, s.port) = (true, Some(by), Some(address.port()));
            (s.since, s.last_error) = (since, None);
        });
        if let Some(advice) = self.state.borrow().advice() {
            tracing::warn!("{}", advice.en);
        }
        if !address::is_by_name(&self.settings.hub) {
            return;
        }
        let (dir, hub) = (self.settings.state_dir.clone(), self.settings.hub.clone());
        // Nobody waits for it: it is of use after the next start at the earliest.
        drop(tokio::task::spawn_blocking(move || address::keep(&dir, &hub, address)));
    }

    /// Returns when a session over TCP could go on over QUIC. It only looks, and leaves the session as it is.
    async fn quic_works(&self, road: &Road, address: SocketAddr, configs: &Configs) {
        if road.kind() == RoadKind::Quic {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LOOK).await;
            match dial::quic(self.network(), &self.settings.hub, address, configs).await {
                Ok(road) => return road.close("only to see whether UDP comes through").await,
                Err(e) => tracing::debug!(error = %e, "UDP does not come through yet"),
            }
        }
    }

    fn disconnected(&self, error: Option<String>) {
        let now = self.means.timekeeper.clock().now();
        self.state.send_modify(|s| {
            if s.connected || s.since.is_none() {
                s.since = Some(now);
            }
            (s.connected, s.road) = (false, None);
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
