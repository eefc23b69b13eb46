//! The owner of a serial port with a line of MS/TP on it: hands octets, questions and instants to the two machines, the
//! master node and the client above it, and does what they say. Born in the supervisor. The token comes and goes in
//! milliseconds: what it waits for is only the port.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_protocols::bacnet::client::{Client, LinkAddress, Settings};
use steward_protocols::bacnet::mstp::{self, Node};
use steward_shared::id::Ids;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::desk::{Desk, Happening, Served, now};
use super::handle::{Asked, Network};
use super::troubles::Troubles;
use crate::line::timer::Timer;
use crate::line::{Backoff, Dial, Stream};

/// What the kernel hands over at once.
const CHUNK: usize = 1024;
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// Beyond its time on the wire the port may take so long for a frame.
const WRITE: Duration = Duration::from_secs(1);
/// How often it is looked how the line does.
const LOOK: Duration = Duration::from_secs(5);
/// A master that is not given the token for so long is no part of the ring.
const SHUT_OUT: Duration = Duration::from_secs(20);

/// Where the line is, and what we are on it.
#[derive(Clone)]
pub struct MstpPort {
    pub dial: Arc<dyn Dial>,
    pub node: mstp::Settings,
}

pub struct MstpLine {
    port: MstpPort,
    settings: Settings,
    ids: Arc<dyn Ids>,
    desk: Desk,
}

/// The port is open.
struct Open {
    client: Client,
    node: Node,
    stream: Box<dyn Stream>,
    troubles: Troubles,
    /// Since when we have been without our turn; nothing while the token comes to us.
    waiting_since: Option<Instant>,
    up: bool,
    look: Instant,
}

impl MstpLine {
    /// The owner, the way to it, and what happens.
    pub fn new(
        port: MstpPort,
        settings: Settings,
        ids: Arc<dyn Ids>,
    ) -> (Self, Network, mpsc::Receiver<Happening>) {
        let (desk, network, happened) = Desk::new();
        (Self { port, settings, ids, desk }, network, happened)
    }

    /// Serves the line until `cancel`, or until nobody can ask any more.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut backoff = Backoff::new(TRY_AGAIN);
        let target = self.port.dial.target();
        while !cancel.is_cancelled() {
            let why = match self.port.dial.dial().await {
                Ok(stream) => {
                    info!(port = target, mac = self.port.node.mac, "MS/TP port is open");
                    backoff.succeeded();
                    match self.serve(stream, &cancel).await {
                        Ok(Served::Over) => return,
                        // The stream is closed with the machines that had it.
                        Ok(Served::Wanted(rest)) => {
                            if !self.desk.rest(rest, &target, &cancel).await {
                                return;
                            }
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let why = format!("{target}: {why}");
            if !self.desk.down_for_a_while(why, &mut backoff, self.ids.as_ref(), &cancel).await {
                return;
            }
        }
    }

    /// Until the port breaks (`Err`), somebody wants it, or there is nobody to serve.
    async fn serve(&mut self, stream: Box<dyn Stream>, cancel: &CancellationToken) -> io::Result<Served> {
        let begun = now();
        let mut open = Open {
            client: Client::new(self.settings),
            node: Node::new(self.port.node, begun),
            stream,
            troubles: Troubles::new(self.port.node.mac),
            waiting_since: Some(begun),
            up: false,
            look: begun + LOOK,
        };
        let timer = Timer::new()?;
        let mut chunk = [0; CHUNK];
        loop {
            self.work(&mut open).await?;
            let due = open.client.deadline().into_iter().chain([open.node.deadline(), open.look]);
            let due = due.min().unwrap_or(open.look);
            tokio::select! {
                // What has arrived comes first: the node would take the line for silent.
                biased;
                () = cancel.cancelled() => return Ok(Served::Over),
                // A read that is dropped has taken nothing.
                read = open.stream.read(&mut chunk) => match read? {
                    0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the port was closed")),
                    len => open.node.received(chunk.get(..len).unwrap_or_default(), now()),
                },
                // It is set anew each time.
                waited = timer.wait(due, now()) => waited?,
                // A receive that is dropped has taken nothing.
                asked = self.desk.asked() => match asked {
                    Some(Asked::Rest(closed, over)) => return Ok(Served::Wanted((closed, over))),
                    Some(asked) => self.desk.take(&mut open.client, asked),
                    None => return Ok(Served::Over),
                },
            }
        }
    }

    /// Carries messages between the machines, and octets out, until neither has any.
    async fn work(&mut self, open: &mut Open) -> io::Result<()> {
        loop {
            let now = now();
            open.node.poll(now);
            while let Some(npdu) = open.node.npdu() {
                let from = LinkAddress::Mstp(npdu.source);
                if npdu.to_all {
                    open.client.received_by_all(from, &npdu.octets, now);
                } else {
                    open.client.received(from, &npdu.octets, now);
                }
            }
            open.client.poll(now);
            self.desk.hand_on(&mut open.client);
            while let Some(datagram) = open.client.datagram() {
                // Of BACnet/IP there is nobody here.
                let LinkAddress::Mstp(to) = datagram.to else { continue };
                if let Err(error) = open.node.queue(to, datagram.bytes, now) {
                    debug!(to, %error, "message lost");
                }
            }
            open.node.poll(now);
            self.hear(open, now);
            if open.look <= now {
                open.look = now + LOOK;
                self.look(open, now);
            }
            let Some(octets) = open.node.transmit(now) else { return Ok(()) };
            let most = open.node.settings().octets(octets.len()) + WRITE;
            let written = timeout(most, open.stream.write_all(&octets)).await;
            written.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the port takes no octets"))??;
        }
    }

    fn hear(&mut self, open: &mut Open, now: Instant) {
        while let Some(event) = open.node.event() {
            match event {
                mstp::Event::Sent { to } => open.client.sent(LinkAddress::Mstp(to), now),
                mstp::Event::Joined { alone } => {
                    open.waiting_since = None;
                    if !std::mem::replace(&mut open.up, true) {
                        let target = self.port.dial.target();
                        info!(port = target, alone, "the token has come: the MS/TP line can be used");
                        self.desk.tell(Happening::Up(target.into()));
                    }
                }
                mstp::Event::TokenLost => open.waiting_since = Some(now),
                mstp::Event::SuccessorLost { mac } => {
                    debug!(mac, "the next master does not take the token; another is looked for");
                }
                mstp::Event::Duplicate => {}
            }
        }
    }

    /// How the line does.
    fn look(&mut self, open: &mut Open, now: Instant) {
        let counts = open.node.counts();
        for trouble in open.troubles.look(counts, now) {
            self.desk.tell(Happening::Trouble(trouble.into()));
        }
        if open.waiting_since.is_some_and(|since| now.saturating_duration_since(since) >= SHUT_OUT) {
            open.waiting_since = Some(now);
            open.up = false;
            // Nobody knows who is still there: whoever is asked is looked for again.
            open.client = Client::new(self.settings);
            let why = format!("{}: {}", self.port.dial.target(), open.troubles.shut_out(counts));
            self.desk.down(&why.into());
        }
    }
}
