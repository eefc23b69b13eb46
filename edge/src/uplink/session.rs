//! One session: hello and welcome, then lanes, control stream and datagrams side by side in one task, until one of
//! them fails or the program stops. Nothing outlives it; the next session begins from what the hub says it has.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::reading::Reading;
use steward_shared::wire::message::{ControlDown, ControlUp, Health, Hello, Lane, PROTOCOL, Welcome};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::timeout;

use super::control::{Down, Up};
use super::error::UplinkError;
use super::frames::{self, FrameReader};
use super::identity::Identity;
use super::road::Road;
use super::run::Live;
use super::state::{UplinkSettings, UplinkState};
use super::{lane, live, pulse};
use crate::buffer::{Buffer, BufferError, BufferState};
use crate::clock::Timekeeper;
use crate::command::Incoming;
use crate::configure;

const GREETING: Duration = Duration::from_secs(20);
const STREAM: &str = "control";
/// Answers to checks of configurations that may wait to be sent.
const CHECKS: usize = 4;
/// Below alarms, above readings.
const PRIORITY: i32 = 10;

/// What a session works with; the loop holds it.
pub(super) struct Session<'a> {
    pub settings: &'a UplinkSettings,
    pub buffer: &'a Buffer,
    pub live: &'a Live,
    pub health: &'a watch::Receiver<Health>,
    pub timekeeper: &'a Timekeeper,
    pub identity: Arc<Identity>,
    pub state: &'a watch::Sender<UplinkState>,
    pub commands: &'a mpsc::Sender<Incoming>,
    pub configuration: &'a configure::Link,
}

impl Session<'_> {
    /// Until the connection breaks, always with why; `welcomed` is called when the hub has let this gateway in.
    pub async fn hold(&self, road: &Road, welcomed: impl FnOnce()) -> Result<Infallible, UplinkError> {
        let opened = timeout(GREETING, road.open(PRIORITY)).await;
        let (mut up, down) = opened.map_err(|_| UplinkError::Deadline(STREAM))??;
        let mut down = FrameReader::new(down, STREAM);
        let state = self.buffer.state().await?;
        frames::write(&mut up, &ControlUp::Hello(self.hello(&state)), STREAM).await?;
        let welcome: Welcome = match down.next_within(GREETING).await? {
            ControlDown::Welcome(welcome) => welcome,
            ControlDown::Refused(refusal) => return Err(UplinkError::Refused(refusal)),
            _ => return Err(UplinkError::Protocol("no welcome")),
        };
        let held = |lane| state.lanes.iter().find(|l| l.lane == lane).map_or(0, |l| l.last);
        if welcome.watermarks.iter().any(|w| w.seq > held(w.lane)) {
            // What comes next would pass for known, and be lost.
            return Err(UplinkError::Protocol("a watermark beyond what this gateway has"));
        }
        if !self.knows(&welcome).await? {
            tracing::warn!(
                "the buffer was restored from a copy and written to since; it begins anew at the hub"
            );
            self.buffer.begin_anew().await?;
            return Err(UplinkError::BufferReplaced);
        }
        self.timekeeper.greeted(welcome.now);
        if welcome.epoch != state.epoch {
            tracing::info!(epoch = welcome.epoch, before = state.epoch, "the hub began a new epoch");
        }
        self.buffer.welcome(welcome.epoch, welcome.watermarks.clone()).await?;

        let (identities, identity) = watch::channel(self.identity.clone());
        let wish = watch::Sender::new(None);
        let (answers, checked) = mpsc::channel(CHECKS);
        let mut control = Up {
            stream: up,
            buffer: self.buffer,
            health: self.health.clone(),
            identity,
            clock: self.timekeeper.clock(),
            catalogue: state.catalogue.clone(),
            // An older hub would not know what this is.
            configuration: welcome.config_wanted.then(|| self.configuration.report.clone()),
            checked,
        };
        if welcome.catalogue_wanted {
            control.catalogue().await?;
        }
        welcomed();
        let replies = Down {
            heard: down,
            wish: &wish,
            identity: &identities,
            state_dir: &self.settings.state_dir,
            state: self.state,
            commands: self.commands,
            configuration: &self.configuration.inbox,
            answers,
        };
        let send = |lane| {
            let from = welcome.watermarks.iter().find(|w| w.lane == lane).map_or(0, |w| w.seq);
            lane::send(road, self.buffer, self.timekeeper, lane, welcome.epoch, from)
        };
        let takes_reports = welcome.watermarks.iter().any(|w| w.lane == Lane::Command);
        let reports = async {
            // An older hub has no such lane.
            if takes_reports { send(Lane::Command).await } else { std::future::pending().await }
        };
        // Each runs until it fails, and then all end: the next session takes up from what the hub has.
        tokio::try_join!(
            send(Lane::Alarm),
            reports,
            control.send(),
            replies.take(),
            send(Lane::Live),
            send(Lane::Backfill),
            live::send(road, self.samples(), wish.subscribe()),
            pulse::beat(road, self.buffer),
            self.same_buffer(&state),
        )?;
        Err(UplinkError::Protocol("everything ended at once"))
    }

    /// Whether what the hub has at its watermarks is what this buffer has there, as far as both remember it. If it is not,
    /// what comes next would pass for known, and be lost.
    async fn knows(&self, welcome: &Welcome) -> Result<bool, UplinkError> {
        for known in &welcome.known {
            let mark = welcome.watermarks.iter().find(|w| w.lane == known.lane).map_or(0, |w| w.seq);
            let Some(before) = mark.checked_sub(1) else { continue };
            let stored = self.buffer.after(known.lane, before).await?;
            if stored.is_some_and(|s| s.seq == mark && !s.hash.starts_with(&known.hash)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn hello(&self, state: &BufferState) -> Hello {
        Hello {
            protocol: PROTOCOL,
            gateway: self.identity.gateway,
            version: self.settings.version.clone(),
            buffer: state.id,
            epoch: state.epoch,
            lanes: state.lanes.iter().filter(|held| held.lane.is_first()).copied().collect(),
            catalogue: state.catalogue.clone(),
            boot: self.buffer.boot(),
            now: self.timekeeper.clock().now(),
            more_lanes: state.lanes.iter().filter(|held| !held.lane.is_first()).copied().collect(),
        }
    }

    fn samples(&self) -> broadcast::Receiver<Arc<[Reading]>> {
        self.live.subscribe()
    }

    /// A damaged database was replaced: the sequences begin anew, and only a new hello can say so.
    async fn same_buffer(&self, state: &BufferState) -> Result<(), UplinkError> {
        let mut heads = self.buffer.heads();
        match heads.wait_for(|h| h.buffer.is_some_and(|id| id != state.id)).await {
            Ok(_) => Err(UplinkError::BufferReplaced),
            Err(_) => Err(UplinkError::Buffer(BufferError::Closed)),
        }
    }
}
