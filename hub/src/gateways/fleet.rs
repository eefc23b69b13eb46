//! The fleet as the hub holds it in memory: who is there, their last health, and the ends of their sessions. One for
//! the program, in the context; `link` tells it what happens, routes read it. What must not be lost is in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use steward_shared::id::{GatewayId, Ids};
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::catalogue::MAX_DEVICES;
use steward_shared::wire::message::Health;
use tokio_util::sync::CancellationToken;

use super::ca::{Ca, Identity};
use super::catalogue::set_devices_silent;
use super::commands::Orders;
use super::configs::Checks;
use super::happening::Happening;
use super::model::{Enrolment, NotAdmitted, RoadKind, admit, short, state_word};
use super::presence::Presence;
use super::store::{self, EventRow, NewEvent};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{Db, DbError, Tx};
use crate::kernel::events::Bus;

/// Health is kept in the database this often, besides the first one and the last; pages see each at once.
const KEEP_HEALTH_MS: i64 = 60_000;

pub struct Fleet {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) live: Bus,
    pub(super) ca: Arc<Ca>,
    pub(super) orders: Orders,
    pub(super) checks: Checks,
    pub(super) enrolment_valid: std::time::Duration,
    port: u16,
    seats: Mutex<HashMap<GatewayId, Seat>>,
}

struct Seat {
    presence: Presence,
    /// Whether it is stored and told to be silent.
    told_silent: bool,
    health: Option<Health>,
    /// Which devices it said to be silent, as far as that is stored.
    silent: Arc<HashMap<String, bool>>,
    seen: Option<Timestamp>,
    kept: Option<Timestamp>,
    version: String,
    address: String,
    road: Option<RoadKind>,
    /// Cancelled when the gateway is revoked: every session of it ends at once.
    out: CancellationToken,
}

impl Seat {
    fn new(presence: Presence) -> Self {
        Self {
            presence,
            told_silent: presence.is_silent(),
            health: None,
            silent: Arc::default(),
            seen: None,
            kept: None,
            version: String::new(),
            address: String::new(),
            road: None,
            out: CancellationToken::new(),
        }
    }

    fn is_online(&self) -> bool {
        !self.presence.is_silent() && self.seen.is_some()
    }
}

/// What the hub holds of a gateway besides its row.
#[derive(Clone, Debug)]
pub struct Sight {
    pub online: bool,
    /// By which road it came last; nothing is said of one that is away.
    pub road: Option<RoadKind>,
    pub health: Option<Health>,
    pub seen: Option<Timestamp>,
}

impl Fleet {
    pub fn new(ctx: &Ctx, ca: Arc<Ca>) -> Self {
        Self {
            db: ctx.db.clone(),
            clock: ctx.clock.clone(),
            ids: ctx.ids.clone(),
            live: ctx.live.clone(),
            ca,
            orders: Orders::default(),
            checks: Checks::default(),
            enrolment_valid: ctx.settings.enrolment_valid,
            port: ctx.settings.gateways_port(),
            seats: Mutex::default(),
        }
    }

    /// After a start: whoever is enrolled is expected, and has the off-delay's time to come.
    pub async fn expect_all(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        let enrolled = store::enrolled(&self.db).await?;
        let mut seats = self.seats();
        for (gateway, silent) in enrolled {
            let presence = if silent { Presence::Silent } else { Presence::Lingering(now) };
            seats.entry(gateway).or_insert_with(|| Seat::new(presence));
        }
        Ok(())
    }

    /// At which gateways reach the hub.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn ca(&self) -> &Arc<Ca> {
        &self.ca
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<GatewayId, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the hub lets this certificate in. The handshake has checked its signature and dates.
    pub async fn admit(&self, identity: &Identity) -> Result<Result<(), NotAdmitted>, DbError> {
        let row = store::gateway(&self.db, identity.gateway).await?;
        Ok(row.map_or(Err(NotAdmitted::Unknown), |r| admit(r.state, r.enrolled_at, identity.enrolled)))
    }

    /// A session of the gateway began. The token ends it when the gateway is revoked. After an error it did not begin.
    pub async fn arrived(
        &self,
        gateway: GatewayId,
        version: &str,
        address: &str,
        road: RoadKind,
    ) -> Result<CancellationToken, DbError> {
        let now = self.clock.now();
        self.db.tx(async |tx| store::set_seen(&tx, gateway, now, version, address, None).await).await?;
        let out = {
            let mut seats = self.seats();
            let seat = seats.entry(gateway).or_insert_with(|| Seat::new(Presence::Lingering(now)));
            seat.presence = seat.presence.link_up();
            seat.seen = Some(now);
            // What its events said since is not what its last health said, and the last of them may be lost.
            seat.silent = Arc::default();
            version.clone_into(&mut seat.version);
            address.clone_into(&mut seat.address);
            seat.road = Some(road);
            seat.out.clone()
        };
        if let Err(e) = self.tell_silence(gateway).await {
            tracing::warn!(%gateway, error = %e, "the return of a gateway could not be stored; it is tried again");
        }
        self.tell_state(gateway);
        Ok(out)
    }

    /// A session of the gateway ended.
    pub async fn left(&self, gateway: GatewayId) -> Result<(), DbError> {
        let now = self.clock.now();
        if let Some(seat) = self.seats().get_mut(&gateway) {
            seat.presence = seat.presence.link_lost(now);
            seat.seen = Some(now);
        }
        self.keep_seen(gateway).await
    }

    /// What the gateway says of itself.
    pub async fn heard(&self, gateway: GatewayId, health: Health) -> Result<(), DbError> {
        let now = self.clock.now();
        let health = tidy(health);
        let silent: HashMap<String, bool> =
            health.devices.iter().map(|d| (d.key.clone(), d.silent)).collect();
        let (keep, before, is_news) = {
            let mut seats = self.seats();
            let Some(seat) = seats.get_mut(&gateway) else { return Ok(()) };
            let keep = seat.kept.is_none_or(|k| now.as_millis() - k.as_millis() >= KEEP_HEALTH_MS);
            seat.seen = Some(now);
            let is_news = seat.health.as_ref().map(verdict) != Some(verdict(&health));
            seat.health = Some(health);
            (keep, seat.silent.clone(), is_news)
        };
        if is_news {
            self.tell_state(gateway);
        }
        let changed: Vec<(String, bool)> = silent
            .iter()
            .filter(|(device, silent)| before.get(*device) != Some(silent))
            .map(|(device, silent)| (device.clone(), *silent))
            .collect();
        if !changed.is_empty() {
            self.db.tx(async |tx| set_devices_silent(&tx, gateway, &changed).await).await?;
        }
        if keep {
            self.keep_seen(gateway).await?;
        }
        // What could not be stored is tried again with the next one.
        if let Some(seat) = self.seats().get_mut(&gateway) {
            seat.silent = Arc::new(silent);
            if keep {
                seat.kept = Some(now);
            }
        }
        Ok(())
    }

    async fn keep_seen(&self, gateway: GatewayId) -> Result<(), DbError> {
        let (at, version, address, health) = {
            let seats = self.seats();
            let Some(seat) = seats.get(&gateway) else { return Ok(()) };
            let health = seat.health.as_ref().and_then(|h| serde_json::to_string(h).ok());
            (seat.seen, seat.version.clone(), seat.address.clone(), health)
        };
        let at = at.unwrap_or_else(|| self.clock.now());
        self.db
            .tx(async |tx| store::set_seen(&tx, gateway, at, &version, &address, health.clone()).await)
            .await
    }

    /// Called every few seconds: who has been away for too long. What could not be stored is tried again in the next
    /// round, and holds up nobody else.
    pub async fn look_round(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        let untold: Vec<GatewayId> = {
            let mut seats = self.seats();
            for seat in seats.values_mut() {
                seat.presence = seat.presence.tick(now);
            }
            let untold = seats.iter().filter(|(_, s)| s.presence.is_silent() != s.told_silent);
            untold.map(|(gateway, _)| *gateway).collect()
        };
        let mut result = Ok(());
        for gateway in untold {
            match self.tell_silence(gateway).await {
                Ok(()) => self.tell_state(gateway),
                Err(e) => result = Err(e),
            }
        }
        result
    }

    /// Stores and tells that the gateway fell silent or came back, if that is not told yet.
    async fn tell_silence(&self, gateway: GatewayId) -> Result<(), DbError> {
        let silent = {
            let mut seats = self.seats();
            let Some(seat) = seats.get_mut(&gateway) else { return Ok(()) };
            let silent = seat.presence.is_silent();
            if silent == seat.told_silent {
                return Ok(());
            }
            // At once, so that nobody else tells it too.
            seat.told_silent = silent;
            silent
        };
        let said = self
            .db
            .tx(async |tx| {
                store::set_silent(&tx, gateway, silent).await?;
                let what = if silent { Happening::FellSilent {} } else { Happening::CameBack {} };
                self.note_in(&tx, gateway, &what).await
            })
            .await;
        match said {
            Ok(event) => {
                self.tell_event(event.as_ref());
                Ok(())
            }
            Err(e) => {
                if let Some(seat) = self.seats().get_mut(&gateway) {
                    seat.told_silent = !silent;
                }
                Err(e)
            }
        }
    }

    /// An event of the hub's own about a gateway, told once it is stored.
    pub async fn note(&self, gateway: GatewayId, what: &Happening) -> Result<(), DbError> {
        if what.is_security() {
            tracing::warn!(%gateway, kind = what.kind(), detail = %what, "security event");
        }
        let said = self.db.tx(async |tx| self.note_in(&tx, gateway, what).await).await?;
        self.tell_event(said.as_ref());
        Ok(())
    }

    /// The same within a transaction; the caller tells it after the commit.
    pub async fn note_in(
        &self,
        tx: &Tx,
        gateway: GatewayId,
        what: &Happening,
    ) -> Result<Option<EventRow>, DbError> {
        let now = self.clock.now();
        let event = NewEvent {
            event: self.ids.new_uuid().to_string(),
            gateway,
            at: now,
            received_at: now,
            kind: what.kind(),
            active: what.is_active(),
            line: None,
            device: None,
            detail: &what.to_string(),
            facts: &what.facts(),
            security: what.is_security(),
        };
        store::insert_event(tx, &event).await
    }

    pub(super) fn tell_event(&self, event: Option<&EventRow>) {
        if let Some(e) = event {
            self.live.tell("event", None, e);
        }
    }

    /// Ends every session of the gateway, now.
    pub(super) fn throw_out(&self, gateway: GatewayId) {
        if let Some(seat) = self.seats().remove(&gateway) {
            seat.out.cancel();
        }
    }

    pub(super) fn expect(&self, gateway: GatewayId) {
        let now = self.clock.now();
        self.seats().entry(gateway).or_insert_with(|| Seat::new(Presence::Lingering(now)));
    }

    /// Of one that is enrolled. Only what is news: every page that is open asks for the fleet again.
    pub(super) fn tell_state(&self, gateway: GatewayId) {
        self.tell_word(gateway, state_word(Enrolment::Enrolled, self.is_online(gateway)));
    }

    pub(super) fn tell_word(&self, gateway: GatewayId, state: &'static str) {
        self.live.tell("gateway", None, &json!({ "id": gateway, "state": state }));
    }

    pub fn is_online(&self, gateway: GatewayId) -> bool {
        self.seats().get(&gateway).is_some_and(Seat::is_online)
    }

    pub fn sight(&self, gateway: GatewayId) -> Sight {
        let seats = self.seats();
        let seat = seats.get(&gateway);
        Sight {
            online: seat.is_some_and(Seat::is_online),
            road: seat.filter(|s| s.is_online()).and_then(|s| s.road),
            health: seat.and_then(|s| s.health.clone()),
            seen: seat.and_then(|s| s.seen),
        }
    }
}

/// What of a report is news when it changes: which lines are up, which devices silent.
fn verdict(h: &Health) -> Vec<(&str, bool)> {
    let lines = h.lines.iter().map(|l| (l.name.as_str(), l.up));
    lines.chain(h.devices.iter().map(|d| (d.key.as_str(), d.silent))).collect()
}

/// Troubles of one line: what is beyond is the same ones again.
const MAX_TROUBLES: usize = 32;

/// Points that a trouble names.
const MAX_POINTS: usize = 16;

/// A report of bounded size, whatever the gateway put into it.
fn tidy(mut health: Health) -> Health {
    let short = |t: &mut String| *t = short(t);
    health.devices.truncate(MAX_DEVICES);
    health.lines.truncate(MAX_DEVICES);
    for d in &mut health.devices {
        short(&mut d.key);
        d.last_error.as_mut().map(short);
    }
    for l in &mut health.lines {
        short(&mut l.name);
        l.last_error.as_mut().map(short);
        l.troubles.truncate(MAX_TROUBLES);
        for t in &mut l.troubles {
            short(&mut t.what);
            t.device.as_mut().map(short);
            t.points.truncate(MAX_POINTS);
            t.points.iter_mut().for_each(short);
        }
    }
    health
}
