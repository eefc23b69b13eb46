//! What the owners of BACnet networks have in common, whatever their data link: questions that came through the handle,
//! their answers on the way back, and what happens. It never waits for anybody: a happening that nobody takes in time is
//! dropped and counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::{Client, Event, Reading, Ticket};
use steward_protocols::bacnet::{Answer, PropertyRef};
use steward_shared::id::Ids;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::super::Backoff;
use super::handle::{Asked, Network, NoAnswer};

/// Questions that wait for the owner; then their askers wait.
const QUESTIONS: usize = 256;
/// Happenings that wait for the listener; then they are dropped.
const HAPPENINGS: usize = 4096;
/// Longer nobody borrows a port.
const LONGEST_REST: Duration = Duration::from_mins(20);

/// What has happened without being asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The network can be used, here.
    Up(Arc<str>),
    /// The network cannot be used: nothing comes of anything until it is up.
    Down(Arc<str>),
    /// It is closed for somebody who has borrowed it.
    Resting,
    /// It can be used, and something about it is not as it should be: what it is, and the way out.
    Trouble(Arc<str>),
    /// What the machine tells; never the end of a question.
    Event(Event),
    /// So many happenings were dropped before this one, because nobody took them.
    Missed(u64),
}

/// Told that the port is closed, and when it may be opened again.
pub type Rest = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// What comes of serving a network that did not break.
pub enum Served {
    /// There is nobody to serve any more.
    Over,
    /// Somebody wants the port.
    Wanted(Rest),
}

type Answers<T> = HashMap<Ticket, oneshot::Sender<Result<T, NoAnswer>>>;

pub struct Desk {
    asked: mpsc::Receiver<Asked>,
    happenings: mpsc::Sender<Happening>,
    missed: u64,
    answers: Answers<Answer>,
    readings: Answers<Vec<(PropertyRef, Reading)>>,
}

impl Desk {
    /// The desk, the way to it, and what happens.
    pub fn new() -> (Self, Network, mpsc::Receiver<Happening>) {
        let (send, asked) = mpsc::channel(QUESTIONS);
        let (happenings, happened) = mpsc::channel(HAPPENINGS);
        let desk = Self { asked, happenings, missed: 0, answers: HashMap::new(), readings: HashMap::new() };
        (desk, Network { asked: send }, happened)
    }

    /// The next question; nothing when nobody can ask any more. One that is dropped has taken nothing.
    pub async fn asked(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }

    /// The network cannot be used: that is told, and nothing comes of what is under way.
    pub fn down(&mut self, why: &Arc<str>) {
        self.tell(Happening::Down(Arc::clone(why)));
        self.fail_all(why);
    }

    /// The same until it is tried again: whoever asks meanwhile is told so at once. Answers whether there is anybody left.
    pub async fn down_for_a_while(
        &mut self,
        why: String,
        backoff: &mut Backoff,
        ids: &dyn Ids,
        cancel: &CancellationToken,
    ) -> bool {
        let why: Arc<str> = why.into();
        if backoff.failures() == 0 {
            warn!(%why, "the BACnet network cannot be used; it is tried again");
        }
        self.down(&why);
        let until = Instant::now() + backoff.failed(ids);
        self.refuse_until(until, &why, cancel).await
    }

    async fn refuse_until(&mut self, until: Instant, why: &Arc<str>, cancel: &CancellationToken) -> bool {
        loop {
            let asked = tokio::select! {
                () = cancel.cancelled() => return false,
                () = sleep_until(until) => return true,
                // A receive that is dropped has taken nothing.
                asked = self.asked.recv() => asked,
            };
            let down = || NoAnswer::Down(Arc::clone(why));
            // Whoever does not wait for it any more is as well served.
            match asked {
                None => return false,
                Some(Asked::Ask(_, _, answer)) => drop(answer.send(Err(down()))),
                Some(Asked::Read(_, _, answer)) => drop(answer.send(Err(down()))),
                // It is closed already: so it stays until the borrower is gone.
                Some(Asked::Rest(closed, over)) => {
                    if closed.send(()).is_ok() {
                        tokio::select! {
                            () = cancel.cancelled() => return false,
                            _ = over => {}
                        }
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// The port, which is closed by now, stays so until the borrower is gone. Answers whether there is anybody left.
    pub async fn rest(&mut self, (closed, over): Rest, port: &str, cancel: &CancellationToken) -> bool {
        let why: Arc<str> = format!("{port} is lent to a tool").into();
        self.tell(Happening::Resting);
        self.fail_all(&why);
        if closed.send(()).is_err() {
            return true;
        }
        let far = Instant::now() + LONGEST_REST;
        tokio::select! {
            // Who has borrowed it is gone, however he ended.
            _ = over => true,
            left = self.refuse_until(far, &why, cancel) => left,
        }
    }

    /// Nothing comes of what is under way.
    fn fail_all(&mut self, why: &Arc<str>) {
        for (_, answer) in self.answers.drain() {
            let _ = answer.send(Err(NoAnswer::Down(Arc::clone(why))));
        }
        for (_, answer) in self.readings.drain() {
            let _ = answer.send(Err(NoAnswer::Down(Arc::clone(why))));
        }
    }

    /// Puts a question to the machine.
    pub fn take(&mut self, client: &mut Client, asked: Asked) {
        match asked {
            Asked::Ask(peer, request, answer) => {
                let ticket = client.ask(peer, request, now());
                self.answers.insert(ticket, answer);
            }
            Asked::Read(peer, targets, answer) => {
                let ticket = client.read(peer, targets, now());
                self.readings.insert(ticket, answer);
            }
            Asked::Subscribe(wanted, answer) => {
                let subscription = client.subscribe(wanted, now());
                // Its asker is gone: nobody would end it.
                if answer.send(subscription).is_err() {
                    client.unsubscribe(subscription, now());
                }
            }
            Asked::Unsubscribe(subscription) => client.unsubscribe(subscription, now()),
            Asked::WhoIs(range) => client.who_is(range),
            Asked::WhoIsAt(peer) => client.who_is_at(peer),
            Asked::WhoIsRouter(network) => client.who_is_router(network),
            Asked::Want(instance) => client.want(instance),
            Asked::Forget(instance) => client.forget(instance),
            Asked::Find(instance, answer) => {
                let found = client.device(instance).map(|d| (d.peer, d.introduction));
                let _ = answer.send(found);
            }
            // The owner has taken it: this one has no port.
            Asked::Rest(..) => {}
        }
    }

    /// Gives the machine's answers to whoever asked, and tells the rest.
    pub fn hand_on(&mut self, client: &mut Client) {
        while let Some(event) = client.event() {
            match event {
                // Whoever does not wait for it any more is as well served.
                Event::Answered { ticket, outcome } => {
                    if let Some(answer) = self.answers.remove(&ticket) {
                        let _ = answer.send(outcome.map_err(NoAnswer::Device));
                    }
                }
                Event::Read { ticket, readings } => {
                    if let Some(answer) = self.readings.remove(&ticket) {
                        let _ = answer.send(Ok(readings));
                    }
                }
                event => self.tell(Happening::Event(event)),
            }
        }
    }

    pub fn tell(&mut self, happening: Happening) {
        if self.missed > 0 && self.happenings.try_send(Happening::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || self.happenings.try_send(happening).is_err() {
            self.missed += 1;
        }
    }
}

/// The machine's clock: tokio's, so that tests can hold it still.
pub fn now() -> std::time::Instant {
    Instant::now().into_std()
}
