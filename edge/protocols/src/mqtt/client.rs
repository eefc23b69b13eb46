//! A client's session: the connection is begun, kept alive, used and ended. The owner of the connection does the I/O: it
//! writes what is `outgoing`, hands in what came, asks for events until there are none, and calls `tick` when `deadline`
//! has come. A fault ends the session, and the next one is another client.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::inbox::{Inbox, Incoming};
use super::packet::{self, Connect, Malformed, Message, Packet};

#[derive(Clone, Debug)]
pub struct Options {
    pub connect: Connect,
    /// How long the server may take for an answer.
    pub patience: Duration,
    /// Most bytes of a payload.
    pub limit: usize,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Connected,
    /// The server gives no messages of these topics.
    Refused(Vec<String>),
    /// The server gives messages of the topics of one `subscribe`.
    Subscribed,
    Message(Message),
    /// A message of so many bytes, which was not kept.
    TooLarge(Message, usize),
    /// A message of ours has arrived.
    Acknowledged(u16),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the broker refuses the connection: {0}")]
    Refused(&'static str),
    #[error("the broker does not answer within {0:?}")]
    Silent(Duration),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

#[derive(Debug)]
pub struct Client {
    options: Options,
    inbox: Inbox,
    outgoing: Vec<u8>,
    accepted: bool,
    number: u16,
    /// Subscriptions that are not answered, with their topics.
    asked: Vec<(u16, Vec<String>)>,
    /// Messages of ours that are not acknowledged.
    unacknowledged: BTreeSet<u16>,
    last_sent: Instant,
    /// The server must have answered by then.
    answer_due: Option<Instant>,
}

impl Client {
    pub fn new(options: Options, now: Instant) -> Self {
        Self {
            inbox: Inbox::new(options.limit),
            outgoing: packet::connect(&options.connect),
            accepted: false,
            number: 0,
            asked: Vec::new(),
            unacknowledged: BTreeSet::new(),
            last_sent: now,
            answer_due: now.checked_add(options.patience),
            options,
        }
    }

    /// What is to be written to the connection.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// So many bytes of it have been.
    pub fn wrote(&mut self, bytes: usize, now: Instant) {
        self.outgoing.drain(..bytes.min(self.outgoing.len()));
        self.last_sent = now;
    }

    /// How many bytes may be handed in at once.
    pub fn room(&self) -> usize {
        self.inbox.room()
    }

    pub fn received(&mut self, bytes: &[u8]) {
        self.inbox.take(bytes);
    }

    pub fn event(&mut self) -> Result<Option<Event>, Fault> {
        while let Some(incoming) = self.inbox.next_packet()? {
            if let Some(event) = self.take(incoming)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn take(&mut self, incoming: Incoming) -> Result<Option<Event>, Fault> {
        let packet = match incoming {
            Incoming::TooLarge(message, bytes) if self.accepted => {
                self.acknowledge(&message);
                return Ok(Some(Event::TooLarge(message, bytes)));
            }
            Incoming::TooLarge(..) => {
                return Err(Malformed("a message before the connection was accepted").into());
            }
            Incoming::Packet(packet) => packet,
        };
        match packet {
            Packet::ConnAck(_) if self.accepted => Err(Malformed("the connection was accepted twice").into()),
            Packet::ConnAck(0) => {
                (self.accepted, self.answer_due) = (true, None);
                Ok(Some(Event::Connected))
            }
            Packet::ConnAck(code) => Err(Fault::Refused(refusal(code))),
            _ if !self.accepted => Err(Malformed("a packet before the connection was accepted").into()),
            Packet::Publish(message) => {
                self.acknowledge(&message);
                Ok(Some(Event::Message(message)))
            }
            Packet::SubAck { id, codes } => self.answered(id, &codes),
            Packet::PubAck(id) => {
                // One of an earlier session is of no interest.
                Ok(self.unacknowledged.remove(&id).then_some(Event::Acknowledged(id)))
            }
            Packet::PingResp => {
                self.answer_due = None;
                Ok(None)
            }
        }
    }

    fn acknowledge(&mut self, message: &Message) {
        if let Some(id) = message.id {
            self.outgoing.extend(packet::puback(id));
        }
    }

    fn answered(&mut self, id: u16, codes: &[u8]) -> Result<Option<Event>, Fault> {
        let Some(place) = self.asked.iter().position(|(asked, _)| *asked == id) else {
            return Err(Malformed("a subscription is answered that nobody asked for").into());
        };
        let (_, topics) = self.asked.swap_remove(place);
        if topics.len() != codes.len() {
            return Err(Malformed("a subscription is answered in part").into());
        }
        let refused: Vec<_> =
            topics.into_iter().zip(codes).filter(|(_, code)| **code > 2).map(|(topic, _)| topic).collect();
        Ok(Some(if refused.is_empty() { Event::Subscribed } else { Event::Refused(refused) }))
    }

    /// Asks for the messages of some topics, so few that they fit into one packet.
    pub fn subscribe(&mut self, topics: Vec<String>) {
        let id = self.next_number();
        self.outgoing.extend(packet::subscribe(id, topics.iter().map(String::as_str)));
        self.asked.push((id, topics));
    }

    /// Hands a message over. It has a number where it is to be acknowledged.
    pub fn publish(
        &mut self,
        topic: &str,
        payload: Vec<u8>,
        at_least_once: bool,
        retained: bool,
    ) -> Option<u16> {
        let id = at_least_once.then(|| self.next_number());
        self.unacknowledged.extend(id);
        let message = Message { topic: topic.to_owned(), payload, retained, duplicate: false, id };
        self.outgoing.extend(packet::publish(&message));
        id
    }

    /// Messages of ours that are under way.
    pub fn under_way(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Says goodbye: the server does not tell the will.
    pub fn disconnect(&mut self) {
        self.outgoing.extend(packet::disconnect());
    }

    fn next_number(&mut self) -> u16 {
        loop {
            self.number = self.number.checked_add(1).unwrap_or(1);
            let number = self.number;
            if !self.unacknowledged.contains(&number) && self.asked.iter().all(|(id, _)| *id != number) {
                return number;
            }
        }
    }

    /// When `tick` is due.
    pub fn deadline(&self) -> Option<Instant> {
        let ping = (self.accepted && self.options.connect.keep_alive > 0)
            .then(|| self.last_sent.checked_add(self.pause()))
            .flatten();
        [self.answer_due, ping].into_iter().flatten().min()
    }

    /// Some time before the server would give this client up.
    fn pause(&self) -> Duration {
        Duration::from_secs(u64::from(self.options.connect.keep_alive)).mul_f64(0.75)
    }

    pub fn tick(&mut self, now: Instant) -> Result<(), Fault> {
        if self.answer_due.is_some_and(|due| now >= due) {
            return Err(Fault::Silent(self.options.patience));
        }
        let quiet = now.saturating_duration_since(self.last_sent);
        if self.accepted && self.options.connect.keep_alive > 0 && quiet >= self.pause() {
            self.outgoing.extend(packet::pingreq());
            self.last_sent = now;
            self.answer_due = self.answer_due.or(now.checked_add(self.options.patience));
        }
        Ok(())
    }
}

/// 3.2.2.3.
const fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it does not speak MQTT 3.1.1",
        2 => "it does not allow this client_id",
        3 => "it is not available",
        4 => "user or password is wrong",
        5 => "this user may not connect",
        _ => "it does not say why",
    }
}
