//! The ports at which modems dial in. One task a port, born when the first line wants it and ended with the last: it takes
//! connections, hears who they say they are, and brings each to its line's seat. The supervisor's lines enter and leave.
//!
//! Nobody can exhaust it: so many connections at most may be unknown at once, few of them from one address, each for a
//! short time; whoever comes from elsewhere than any line allows is turned away unheard. Whoever is turned away is counted
//! and named in the health of the lines of that port.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::dial::Dial;
use super::seat::Seat;
use crate::config::ListenConfig;
use crate::health::LineGauge;

/// Connections of a port that have not said yet who they are, and of these from one address.
const UNKNOWN: usize = 32;
const FROM_ONE: usize = 4;
/// A modem registers as soon as it is connected.
const SAYS_WITHIN: Duration = Duration::from_secs(10);
/// A port that is taken by another program, and connections that cannot be accepted, are tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// Who is turned away is warned of so often at most; the rest is counted.
const WARN_EVERY: Duration = Duration::from_mins(1);
/// So much of what a stranger said is shown.
const SHOWN: usize = 32;
/// A connection that says nothing is asked whether it is alive; one that takes nothing is dead after the whole time.
const ALIVE_AFTER: Duration = Duration::from_mins(1);
const ALIVE_EVERY: Duration = Duration::from_secs(10);
const ALIVE_TIMES: u32 = 3;

/// A line that somebody dials in for.
struct Guest {
    line: String,
    config: ListenConfig,
    seat: Arc<Seat>,
    gauge: Arc<LineGauge>,
}

/// What the lines of a port expect.
#[derive(Default)]
struct Guests(Mutex<Vec<Guest>>);

struct Port {
    guests: Arc<Guests>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

/// All ports at which modems dial in.
#[derive(Default)]
pub struct Gates(BTreeMap<SocketAddr, Port>);

impl Gates {
    /// A line begins: its modem is let in from now on. Like any wire it is dialled by its owner.
    pub fn enter(&mut self, line: &str, config: &ListenConfig, gauge: &Arc<LineGauge>) -> Arc<dyn Dial> {
        let seat = Arc::new(Seat::new(config.to_string()));
        let port = self.0.entry(config.listen).or_insert_with(|| Port::open(config.listen));
        let guest = Guest {
            line: line.to_owned(),
            config: config.clone(),
            seat: Arc::clone(&seat),
            gauge: Arc::clone(gauge),
        };
        let mut guests = port.guests.lock();
        guests.retain(|g| g.line != line);
        guests.push(guest);
        drop(guests);
        seat
    }

    /// A line has ended: nobody is let in for it any more.
    pub async fn leave(&mut self, line: &str) {
        self.0.values().for_each(|port| port.guests.lock().retain(|g| g.line != line));
        let empty = self.0.iter().filter(|(_, port)| port.guests.lock().is_empty());
        let empty: Vec<_> = empty.map(|(listen, _)| *listen).collect();
        for listen in empty {
            if let Some(mut port) = self.0.remove(&listen) {
                port.cancel.cancel();
                if timeout(TRY_AGAIN, &mut port.task).await.is_err() {
                    error!(%listen, "the port's task does not stop; it is abandoned");
                    port.task.abort();
                }
            }
        }
    }
}

impl Guests {
    fn lock(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody from there may be anybody.
    fn may_come(&self, from: IpAddr) -> bool {
        self.lock().iter().any(|guest| guest.config.lets_in(from))
    }

    fn turn_away(&self, why: &str) {
        self.lock().iter().for_each(|guest| guest.gauge.turned_away(why));
    }

    /// Who it is that said this: nobody, or nobody yet.
    fn who(&self, said: &[u8], from: IpAddr) -> Result<Option<Known>, String> {
        let guests = self.lock();
        if let Some(guest) = guests.iter().find(|guest| said.starts_with(&guest.config.register)) {
            if !guest.config.lets_in(from) {
                let why =
                    format!("{from} said it is the modem of {}, which does not come from there", guest.line);
                return Err(why);
            }
            return Ok(Some(Known {
                line: guest.line.clone(),
                seat: Arc::clone(&guest.seat),
                registration: guest.config.register.len(),
                ignored: guest.config.ignored(),
            }));
        }
        if guests.iter().any(|guest| guest.config.register.starts_with(said)) {
            return Ok(None);
        }
        let shown = said.get(..SHOWN).unwrap_or(said).escape_ascii();
        Err(format!("{from} registered as \"{shown}\", and no line expects that"))
    }
}

/// Whom a connection belongs to.
struct Known {
    line: String,
    seat: Arc<Seat>,
    registration: usize,
    ignored: Vec<Vec<u8>>,
}

impl Port {
    fn open(listen: SocketAddr) -> Self {
        let (guests, cancel) = (Arc::<Guests>::default(), CancellationToken::new());
        let (at_work, end) = (Arc::clone(&guests), cancel.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = serve(listen, &at_work) => {}
            }
        });
        Self { guests, cancel, task }
    }
}

async fn serve(listen: SocketAddr, guests: &Arc<Guests>) {
    loop {
        match TcpListener::bind(listen).await {
            Ok(listener) => {
                info!(%listen, "modems may dial in");
                guests.lock().iter().for_each(|guest| guest.seat.is_closed(None));
                take_in(&listener, guests).await;
            }
            Err(error) => {
                let why = format!("nobody can dial in, for {listen} cannot be listened on: {error}");
                guests.lock().iter().for_each(|guest| guest.seat.is_closed(Some(why.clone())));
                debug!("{why}");
            }
        }
        sleep(TRY_AGAIN).await;
    }
}

/// Takes connections until that fails.
async fn take_in(listener: &TcpListener, guests: &Arc<Guests>) {
    let mut unknown = JoinSet::new();
    let mut from_there: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut warned: Option<Instant> = None;
    let mut turn_away = |why: &str| {
        guests.turn_away(why);
        if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            warned = Some(Instant::now());
            warn!("turned away: {why}");
        } else {
            debug!("turned away: {why}");
        }
    };
    loop {
        tokio::select! {
            // A connection that is not taken now waits at the port.
            taken = listener.accept(), if unknown.len() < UNKNOWN => {
                let (stream, from) = match taken {
                    Ok((stream, from)) => (stream, from.ip().to_canonical()),
                    Err(error) => {
                        warn!(%error, "a connection could not be taken");
                        return;
                    }
                };
                let places = from_there.entry(from).or_default();
                if !guests.may_come(from) {
                    turn_away(&format!("{from} is in no network that is allowed"));
                } else if *places >= FROM_ONE {
                    turn_away(&format!("{from} has too many connections that do not say who they are"));
                } else {
                    *places += 1;
                    let guests = Arc::clone(guests);
                    unknown.spawn(async move { (from, hear(stream, from, &guests).await) });
                }
                from_there.retain(|_, places| *places > 0);
            }
            Some(heard) = unknown.join_next() => {
                let Ok((from, heard)) = heard else { continue };
                if let Some(places) = from_there.get_mut(&from) {
                    *places = places.saturating_sub(1);
                }
                from_there.retain(|_, places| *places > 0);
                if let Err(why) = heard {
                    turn_away(&why);
                }
            }
        }
    }
}

/// Hears who somebody is, and brings the connection to its seat.
async fn hear(mut stream: TcpStream, from: IpAddr, guests: &Guests) -> Result<(), String> {
    let mut said = Vec::new();
    let known = timeout(SAYS_WITHIN, async {
        loop {
            // Where one line has the port for itself, nothing need be said.
            if let Some(known) = guests.who(&said, from)? {
                return Ok(known);
            }
            let mut some = [0; 64];
            match stream.read(&mut some).await {
                Ok(0) => return Err(format!("{from} went before it had said who it is")),
                Ok(n) => said.extend_from_slice(some.get(..n).unwrap_or_default()),
                Err(error) => return Err(format!("{from} was lost before it had said who it is: {error}")),
            }
        }
    })
    .await
    .unwrap_or_else(|_| Err(format!("{from} did not say who it is")))?;
    if let Err(error) = keep_alive(&stream) {
        debug!(%error, "a connection whose other end dies will not be noticed");
    }
    let rest = said.split_off(known.registration.min(said.len()));
    if known.seat.come(stream, known.ignored, rest) {
        warn!(line = known.line, %from, "a newer connection takes the place of the old");
    } else {
        info!(line = known.line, %from, "its modem has dialled in");
    }
    Ok(())
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    let alive = socket2::TcpKeepalive::new().with_time(ALIVE_AFTER).with_interval(ALIVE_EVERY);
    socket.set_tcp_keepalive(&alive.with_retries(ALIVE_TIMES))?;
    socket.set_tcp_user_timeout(Some(ALIVE_AFTER + ALIVE_EVERY * ALIVE_TIMES))
}

/// A seat for one line without a gate, for a tool that has the port to itself: it lets in the first who is the line's.
pub struct Doorstep(pub ListenConfig);

impl Dial for Doorstep {
    fn dial(&self) -> super::dial::Dialling<'_> {
        Box::pin(async move {
            let (seat, guests) = (Arc::new(Seat::new(self.0.to_string())), Guests::default());
            let (line, gauge) = (self.0.to_string(), Arc::new(LineGauge::new("", [])));
            guests.lock().push(Guest { line, config: self.0.clone(), seat: Arc::clone(&seat), gauge });
            let listener = TcpListener::bind(self.0.listen).await?;
            let come = async {
                loop {
                    let (stream, from) = listener.accept().await?;
                    let from = from.ip().to_canonical();
                    if guests.may_come(from) && hear(stream, from, &guests).await.is_ok() {
                        return Ok::<_, io::Error>(());
                    }
                }
            };
            let nobody =
                |_| io::Error::new(io::ErrorKind::TimedOut, format!("nobody has dialled in on {}", self.0));
            timeout(ALIVE_AFTER, come).await.map_err(nobody)??;
            seat.dial().await
        })
    }

    fn target(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
