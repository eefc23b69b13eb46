//! One gateway's connection, from its hello to its end: the control stream, the lanes, the live samples, and the wish
//! for live samples. Identity is the certificate's; the hello must only agree with it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::id::{BufferId, CommandId, GatewayId, PointNo};
use steward_shared::wire::config::{CheckConfig, CheckedConfig, ConfigFault};
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{
    Certificate, ControlDown, ControlUp, Hello, LiveSamples, PROTOCOL, Refusal, RefusalReason, Watch, Welcome,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::endpoint::Door;
use super::frames::{self, PROMPT, StreamError};
use super::lane::{self, LaneError, Lanes};
use super::road::{Incoming, Outgoing, Road, code};
use super::seats::Taken;
use crate::gateways::{
    Beginning, CatalogueError, Happening, Identity, NotAdmitted, PointMap, Question, Questions, RenewError,
    tidy_faults,
};
use crate::kernel::db::DbError;

/// A wish for live samples holds so long, and is renewed well before.
const WATCH_FOR: Duration = Duration::from_secs(30);
const WATCH_AGAIN: Duration = Duration::from_secs(10);
/// A certificate expires, and is void after the gateway was enrolled anew.
const ADMIT_AGAIN: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(30) };
/// Clocks that differ by less agree: a hello is under way for a moment.
const CLOCKS_AGREE: Duration = Duration::from_mins(1);
const RENEW_AGAIN: Duration = Duration::from_mins(1);
/// Control messages that wait while one is worked on; then the stream's flow control stops the peer.
const WAITING: usize = 8;

/// How a session ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("refused: {0:?}")]
    Refused(RefusalReason, String),
    #[error("the gateway broke the protocol: {0}")]
    Breach(String),
    #[error("a newer connection of the gateway has come")]
    Overtaken,
    #[error("the gateway is revoked")]
    Revoked,
    #[error("the certificate of this connection has expired")]
    Expired,
    #[error("{0}")]
    Clock(String),
    #[error("a lane of the gateway is paused")]
    Paused,
    #[error("the hub stops")]
    Stopping,
    #[error("the hub's database does not answer")]
    Db(#[from] DbError),
    #[error("the control stream ended")]
    Stream(#[from] StreamError),
    #[error("the connection ended")]
    Over,
}

impl From<LaneError> for End {
    fn from(e: LaneError) -> Self {
        match e {
            LaneError::Stream(e) if !e.is_breach() => Self::Over,
            LaneError::Stream(e) => Self::Stream(e),
            LaneError::Breach(why) => Self::Breach(why),
            LaneError::Unavailable => Self::Db(DbError::Busy),
            LaneError::Clock(why) => Self::Clock(why),
            LaneError::Paused => Self::Paused,
        }
    }
}

pub async fn serve(door: &Arc<Door>, road: &Road, identity: Identity, stop: CancellationToken) {
    let accepted = tokio::time::timeout(PROMPT, road.accept()).await;
    let Ok(Some((mut send, mut recv))) = accepted else {
        road.close(code::PROTOCOL, b"a session begins with the control stream");
        return;
    };
    let end = match run(door, road, identity, &mut send, &mut recv, stop).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    let gateway = identity.gateway;
    match end {
        End::Refused(reason, detail) => {
            tracing::warn!(%gateway, ?reason, detail, "gateway refused");
            let refusal = Refusal { reason, detail };
            frames::send_last(&mut send, &ControlDown::Refused(refusal)).await;
            road.close(code::REFUSED, b"refused");
        }
        End::Breach(why) => {
            tracing::warn!(%gateway, why, "gateway broke the protocol");
            road.close(code::PROTOCOL, why.as_bytes());
        }
        End::Stream(e) if e.is_breach() => {
            tracing::warn!(%gateway, error = %e, cause = ?e, "gateway broke the protocol");
            road.close(code::PROTOCOL, e.to_string().as_bytes());
        }
        End::Overtaken => road.close(code::REPLACED, b"overtaken by a newer connection"),
        End::Revoked => road.close(code::REVOKED, b"revoked"),
        End::Expired => {
            tracing::info!(%gateway, "the certificate of a gateway's connection has expired");
            road.close(
                code::BUSY,
                b"the certificate of this connection has expired; come with the renewed one",
            );
        }
        End::Clock(why) => {
            tracing::warn!(%gateway, why, "readings of a gateway are not taken");
            road.close(code::CLOCK, format!("readings are not taken: {why}").as_bytes());
        }
        End::Paused => {
            tracing::debug!(%gateway, "a lane of the gateway is paused");
            road.close(
                code::PAUSED,
                b"a lane is paused: what came last could not be used; see the gateway's events",
            );
        }
        End::Stopping => road.close(code::BUSY, b"the hub stops"),
        End::Db(e) => {
            tracing::error!(%gateway, error = %e, "a gateway's session ended for want of the database");
            road.close(code::BUSY, b"the hub cannot store at present");
        }
        End::Stream(_) | End::Over => {
            tracing::info!(%gateway, reason = ?road.close_reason(), "gateway gone");
            road.close(code::DONE, b"");
        }
    }
}

async fn run(
    door: &Arc<Door>,
    road: &Road,
    identity: Identity,
    send: &mut Outgoing,
    recv: &mut Incoming,
    stop: CancellationToken,
) -> Result<Infallible, End> {
    let ControlUp::Hello(hello) = frames::prompt::<ControlUp>(recv).await? else {
        return Err(End::Breach("a session begins with a hello".into()));
    };
    let ahead = hello.now.as_millis().saturating_sub(door.clock.now().as_millis());
    check(door, &hello, &identity).await?;
    let gateway = identity.gateway;
    let _seat = match door.seats.take(gateway, road, code::REPLACED).await {
        Taken::Seat(seat) => seat,
        Taken::Overtaken => return Err(End::Overtaken),
        Taken::ByAnother => {
            let address = road.remote_address().to_string();
            door.tell_once(gateway, &Happening::ClonedGateway { address }).await;
            let detail = "another connection with this identity is alive".into();
            return Err(End::Refused(RefusalReason::Duplicate, detail));
        }
    };
    let address = road.remote_address().ip().to_string();
    let beginning = door.fleet.begin(&hello).await?;
    let version: String = hello.version.chars().filter(|c| !c.is_control()).take(100).collect();
    let out = door.fleet.arrived(gateway, &version, &address, road.kind()).await?;
    tracing::info!(%gateway, version, address, road = road.kind().word(), epoch = beginning.epoch, "gateway connected");
    note_clock(door, gateway, ahead).await;
    let mut session = Session {
        door,
        road,
        identity,
        gateway,
        buffer: beginning.buffer,
        map: watch::channel(None).0,
        ahead: watch::channel(ahead).0,
        renewed: None,
        wished: Vec::new(),
        takes_commands: hello.takes_commands(),
        ordered: HashSet::new(),
        questions: None,
        asked: HashMap::new(),
        asked_last: 0,
        configured: None,
    };
    let end = session.go_on(&beginning, send, recv, &out, &stop).await;
    if let Err(e) = door.fleet.left(gateway).await {
        tracing::warn!(%gateway, error = %e, "the end of a session could not be stored");
    }
    end
}

async fn note_clock(door: &Door, gateway: GatewayId, ahead_ms: i64) {
    if ahead_ms.unsigned_abs() > CLOCKS_AGREE.as_millis() as u64 {
        door.tell_once(gateway, &Happening::ClockDiffers { ahead_ms }).await;
    }
}

async fn check(door: &Door, hello: &Hello, identity: &Identity) -> Result<(), End> {
    if hello.gateway != identity.gateway {
        door.tell_once(identity.gateway, &Happening::IdentityMismatch { claimed: hello.gateway }).await;
        let detail = "the certificate belongs to another gateway".into();
        return Err(End::Refused(RefusalReason::IdentityMismatch, detail));
    }
    if hello.protocol != PROTOCOL {
        let detail = format!("this hub speaks protocol {PROTOCOL}; update the older side");
        return Err(End::Refused(RefusalReason::Protocol, detail));
    }
    let Err(why) = door.fleet.admit(identity).await? else { return Ok(()) };
    if why != NotAdmitted::Unknown {
        door.tell_once(identity.gateway, &Happening::RefusedCertificate { why }).await;
    }
    Err(End::Refused(RefusalReason::Unknown, why.to_string()))
}

struct Session<'a> {
    door: &'a Arc<Door>,
    road: &'a Road,
    identity: Identity,
    gateway: GatewayId,
    buffer: BufferId,
    /// What the numbers on the lanes mean; none until the hub has the catalogue that the batches refer to.
    map: watch::Sender<Option<Arc<PointMap>>>,
    /// By how many milliseconds its clock is ahead of ours, as it said last.
    ahead: watch::Sender<i64>,
    renewed: Option<Instant>,
    wished: Vec<PointNo>,
    /// A gateway that does not know them is not told of any.
    takes_commands: bool,
    /// What went out in this session: of which command, and whether to give it up.
    ordered: HashSet<(CommandId, bool)>,
    /// Texts that people want to know about; none until the gateway has told its configuration.
    questions: Option<Questions<'a>>,
    /// Who waits for an answer, by the number of the question.
    asked: HashMap<u64, oneshot::Sender<Vec<ConfigFault>>>,
    asked_last: u64,
    /// The version that went out in this session.
    configured: Option<u64>,
}

impl Session<'_> {
    async fn go_on(
        &mut self,
        beginning: &Beginning,
        send: &mut Outgoing,
        recv: &mut Incoming,
        out: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<Infallible, End> {
        if !beginning.catalogue_wanted {
            let map = self.door.fleet.point_map_of(self.gateway, self.buffer).await?;
            self.map.send_replace(Some(map));
        }
        let welcome = Welcome {
            epoch: beginning.epoch,
            watermarks: beginning.watermarks.clone(),
            catalogue_wanted: beginning.catalogue_wanted,
            now: self.door.clock.now(),
            config_wanted: true,
            known: beginning.known.clone(),
        };
        frames::send(send, &ControlDown::Welcome(welcome)).await?;

        let lanes = Lanes::new(
            self.door,
            self.gateway,
            beginning.epoch,
            self.map.subscribe(),
            self.ahead.subscribe(),
        );
        // Dropped with this function, which ends them.
        let mut open_lanes = JoinSet::new();
        let (said, mut control) = mpsc::channel(WAITING);
        let mut wishes = self.door.readings.wishes();
        let mut map_changed = self.map.subscribe();
        let mut again = tokio::time::interval(WATCH_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut admit_again = tokio::time::interval_at(Instant::now() + ADMIT_AGAIN, ADMIT_AGAIN);
        let mut orders = self.door.fleet.orders(self.gateway);
        orders.mark_changed();
        let hearing = hear(recv, said);
        tokio::pin!(hearing);
        loop {
            // Every branch may be lost without harm: channels, watches, intervals, tokens and a road's accept
            // and datagram are cancel safe, and `hearing` lives across turns.
            tokio::select! {
                end = &mut hearing => return Err(end),
                Some(message) = control.recv() => self.control(message, send).await?,
                stream = self.road.accept() => {
                    let Some((lane_send, lane_recv)) = stream else { return Err(End::Over) };
                    open_lanes.spawn(lane::serve(lanes.clone(), lane_send, lane_recv));
                }
                Some(ended) = open_lanes.join_next() => {
                    if let Ok(Err(e)) = ended {
                        return Err(e.into());
                    }
                }
                datagram = self.road.datagram() => match datagram {
                    Some(bytes) => self.live(&bytes),
                    None => return Err(End::Over),
                },
                _ = wishes.changed() => self.wish(send, false).await?,
                _ = map_changed.changed() => self.wish(send, false).await?,
                _ = orders.changed() => {
                    self.order(send).await?;
                    self.configure(send).await?;
                }
                Some(question) = next(&mut self.questions) => self.ask(question, send).await?,
                _ = again.tick() => self.wish(send, true).await?,
                _ = admit_again.tick() => self.admit_again().await?,
                () = out.cancelled() => return Err(End::Revoked),
                () = stop.cancelled() => return Err(End::Stopping),
            }
        }
    }

    async fn control(&mut self, message: ControlUp, send: &mut Outgoing) -> Result<(), End> {
        match message {
            ControlUp::Hello(_) => Err(End::Breach("a second hello".into())),
            ControlUp::Health(health) => {
                let now = self.door.clock.now();
                let ahead = health.at.as_millis().saturating_sub(now.as_millis());
                self.ahead.send_replace(ahead);
                note_clock(self.door, self.gateway, ahead).await;
                if let Err(e) = self.door.fleet.heard(self.gateway, health).await {
                    // The next one comes in ten seconds.
                    tracing::warn!(gateway = %self.gateway, error = %e, "a gateway's health could not be stored");
                }
                Ok(())
            }
            ControlUp::Catalogue(catalogue) => {
                // The lanes wait for it, however long the database takes.
                self.map.send_replace(None);
                match self.door.fleet.apply_catalogue(self.gateway, self.buffer, &catalogue).await {
                    Ok(map) => {
                        self.map.send_replace(Some(map));
                        Ok(())
                    }
                    Err(CatalogueError::Db(e)) => Err(End::Db(e)),
                    Err(e) => Err(End::Breach(e.to_string())),
                }
            }
            ControlUp::Renew(renew) => {
                if self.renewed.is_some_and(|at| at.elapsed() < RENEW_AGAIN) {
                    return Err(End::Breach("certificates are renewed once a minute at most".into()));
                }
                self.renewed = Some(Instant::now());
                let issued = match self.door.fleet.renew(&self.identity, &renew.csr).await {
                    Ok(issued) => issued,
                    Err(e @ RenewError::NotDue) => {
                        // Its clock is ahead. It asks again within the hour.
                        tracing::info!(gateway = %self.gateway, reason = %e, "a certificate is not renewed");
                        return Ok(());
                    }
                    Err(RenewError::Void) => return Err(End::Revoked),
                    Err(RenewError::Db(e)) => return Err(End::Db(e)),
                    Err(e) => return Err(End::Breach(e.to_string())),
                };
                let certificate = Certificate { certificate: issued.certificate.to_vec() };
                Ok(frames::send(send, &ControlDown::Certificate(certificate)).await?)
            }
            ControlUp::Config(report) => {
                // One that came while another was tried was passed over.
                if self.configured.is_some_and(|version| version > report.taken) {
                    self.configured = None;
                }
                self.door.fleet.heard_config(self.gateway, report).await?;
                if self.questions.is_none() {
                    self.questions = Some(self.door.fleet.questions(self.gateway));
                }
                self.configure(send).await
            }
            ControlUp::Checked(CheckedConfig { id, faults }) => {
                if let Some(answer) = self.asked.remove(&id) {
                    // Whoever asked may have gone.
                    let _ = answer.send(tidy_faults(faults));
                }
                Ok(())
            }
        }
    }

    /// Samples that somebody watches; what cannot be read is left, as a lost datagram would be.
    fn live(&self, datagram: &[u8]) {
        let Some(map) = self.map.borrow().clone() else { return };
        if let Ok(LiveSamples { samples }) = from_cbor(datagram) {
            self.door.readings.take_live(&map, samples);
        }
    }

    /// Tells the gateway what is watched, when that changed and now and then for as long as anything is.
    async fn wish(&mut self, send: &mut Outgoing, again: bool) -> Result<(), End> {
        let Some(map) = self.map.borrow().clone() else { return Ok(()) };
        let watched = self.door.readings.watched_of(&map);
        let mut numbers: Vec<PointNo> = watched.into_iter().filter_map(|p| map.number(p)).collect();
        numbers.sort_unstable();
        if numbers == self.wished && (!again || numbers.is_empty()) {
            return Ok(());
        }
        self.wished.clone_from(&numbers);
        let watch = Watch { points: numbers, for_ms: WATCH_FOR.as_millis() as u64 };
        Ok(frames::send(send, &ControlDown::Watch(watch)).await?)
    }

    /// Sends what people want written or given up and did not go out in this session.
    async fn order(&mut self, send: &mut Outgoing) -> Result<(), End> {
        if !self.takes_commands {
            return Ok(());
        }
        for order in self.door.fleet.due_orders(self.gateway).await? {
            let key = (order.command, order.gives_up);
            if self.ordered.contains(&key) || !self.door.fleet.sending(&order).await? {
                continue;
            }
            self.ordered.insert(key);
            frames::send(send, &ControlDown::Command(order.signed)).await?;
        }
        Ok(())
    }

    /// Sends the configuration that people want and did not go out in this session.
    async fn configure(&mut self, send: &mut Outgoing) -> Result<(), End> {
        // A gateway that has not told its own would not know what this is.
        if self.questions.is_none() {
            return Ok(());
        }
        let fleet = &self.door.fleet;
        let Some(due) = fleet.due_config(self.gateway).await? else { return Ok(()) };
        if self.configured == Some(due.version) || !fleet.sending_config(self.gateway, due.version).await? {
            return Ok(());
        }
        self.configured = Some(due.version);
        Ok(frames::send(send, &ControlDown::Config(due.signed)).await?)
    }

    async fn ask(&mut self, question: Question, send: &mut Outgoing) -> Result<(), End> {
        self.asked.retain(|_, answer| !answer.is_closed());
        self.asked_last += 1;
        let id = self.asked_last;
        self.asked.insert(id, question.answer);
        Ok(frames::send(send, &ControlDown::Check(CheckConfig { id, text: question.text })).await?)
    }

    async fn admit_again(&self) -> Result<(), End> {
        if self.identity.expires <= self.door.clock.now() {
            return Err(End::Expired);
        }
        match self.door.fleet.admit(&self.identity).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Revoked),
            Err(e) => {
                tracing::warn!(gateway = %self.gateway, error = %e, "whether a gateway is still let in could not be asked");
                Ok(())
            }
        }
    }
}

/// The next question of a person; none from a gateway that cannot be asked.
async fn next(questions: &mut Option<Questions<'_>>) -> Option<Question> {
    questions.as_mut()?.inbox.recv().await
}

/// Reads the control stream to its end.
async fn hear(recv: &mut Incoming, said: mpsc::Sender<ControlUp>) -> End {
    loop {
        match frames::next::<ControlUp>(recv).await {
            Ok(Some(message)) => {
                if said.send(message).await.is_err() {
                    return End::Over;
                }
            }
            Ok(None) => return End::Over,
            Err(e) => return End::Stream(e),
        }
    }
}
