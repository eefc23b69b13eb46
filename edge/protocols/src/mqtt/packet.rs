//! Control packets: those that a client sends are written, those that a server sends are read. A packet that a server must
//! not send is malformed, and nothing of it is believed.

/// What is sent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    pub client_id: String,
    pub user: Option<String>,
    pub password: Option<Vec<u8>>,
    /// Seconds; 0 for none.
    pub keep_alive: u16,
    pub will: Option<Will>,
}

/// What the server tells the others when this client is gone without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub at_least_once: bool,
    pub retained: bool,
}

/// An application message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    /// Received: it was kept by the server and is told to a new subscriber. Sent: the server shall keep it.
    pub retained: bool,
    pub duplicate: bool,
    /// The number to be acknowledged, of QoS 1.
    pub id: Option<u16>,
}

/// What comes from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// 0: accepted.
    ConnAck(u8),
    /// For each topic the granted QoS, or 0x80.
    SubAck {
        id: u16,
        codes: Vec<u8>,
    },
    Publish(Message),
    PubAck(u16),
    PingResp,
}

/// Bytes that are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server breaks the rules of MQTT: {0}")]
pub struct Malformed(pub &'static str);

pub(super) const PUBLISH: u8 = 3;

/// With the protocol's name and level 4, and a clean session: what was told while nobody was here is not of interest.
pub fn connect(connect: &Connect) -> Vec<u8> {
    let Connect { client_id, user, password, keep_alive, will } = connect;
    let mut flags = 0b10;
    let mut body = Vec::new();
    string(&mut body, client_id.as_bytes());
    if let Some(will) = will {
        flags |= 0b100 | u8::from(will.at_least_once) << 3 | u8::from(will.retained) << 5;
        string(&mut body, will.topic.as_bytes());
        string(&mut body, &will.payload);
    }
    if let Some(user) = user {
        flags |= 0b1000_0000;
        string(&mut body, user.as_bytes());
    }
    // A password without a user is not allowed (3.1.2.9).
    if let Some(password) = password.as_ref().filter(|_| user.is_some()) {
        flags |= 0b0100_0000;
        string(&mut body, password);
    }
    let mut head = Vec::from(*b"\x00\x04MQTT\x04");
    head.push(flags);
    head.extend(keep_alive.to_be_bytes());
    head.extend(body);
    packet(0x10, &head)
}

/// All at QoS 1, or at QoS 0.
pub fn subscribe<'t>(id: u16, topics: impl IntoIterator<Item = &'t str>) -> Vec<u8> {
    let mut body = Vec::from(id.to_be_bytes());
    for topic in topics {
        string(&mut body, topic.as_bytes());
        body.push(1);
    }
    packet(0x82, &body)
}

/// At QoS 1 where it has a number.
pub fn publish(message: &Message) -> Vec<u8> {
    let Message { topic, payload, retained, duplicate, id } = message;
    let first = 0x30 | u8::from(*duplicate) << 3 | u8::from(id.is_some()) << 1 | u8::from(*retained);
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
    string(&mut body, topic.as_bytes());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    body.extend(payload);
    packet(first, &body)
}

pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

pub fn pingreq() -> Vec<u8> {
    packet(0xC0, &[])
}

pub fn disconnect() -> Vec<u8> {
    packet(0xE0, &[])
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// Whoever writes more than 65535 bytes into one has not checked what comes from the gateway's file.
fn string(body: &mut Vec<u8>, text: &[u8]) {
    let text = text.get(..text.len().min(usize::from(u16::MAX))).unwrap_or_default();
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text);
}

/// The packet of a first byte and what follows its length.
pub fn read(first: u8, body: &[u8]) -> Result<Packet, Malformed> {
    match (first >> 4, first & 0x0F) {
        (2, 0) => match body {
            [_, code] => Ok(Packet::ConnAck(*code)),
            _ => Err(Malformed("an acknowledgement of a connection has two bytes")),
        },
        (PUBLISH, flags) => {
            let (mut message, payload) =
                split_publish(flags, body)?.ok_or(Malformed("a message is shorter than its topic"))?;
            message.payload = body.get(payload..).unwrap_or_default().to_vec();
            Ok(Packet::Publish(message))
        }
        (4, 0) => number(body)
            .filter(|_| body.len() == 2)
            .map(Packet::PubAck)
            .ok_or(Malformed("a number is missing")),
        (9, 0) => {
            let id = number(body).ok_or(Malformed("a number is missing"))?;
            Ok(Packet::SubAck { id, codes: body.get(2..).unwrap_or_default().to_vec() })
        }
        (13, 0) if body.is_empty() => Ok(Packet::PingResp),
        _ => Err(Malformed("this packet is none that a server sends to this client")),
    }
}

/// A message without its payload, and where that begins; nothing where the bytes end before.
pub(super) fn split_publish(flags: u8, body: &[u8]) -> Result<Option<(Message, usize)>, Malformed> {
    let qos = flags >> 1 & 0b11;
    if qos > 1 {
        return Err(Malformed("a message of QoS 2, which was not asked for"));
    }
    let Some(len) = number(body) else { return Ok(None) };
    let behind = 2 + usize::from(len);
    let Some(topic) = body.get(2..behind) else { return Ok(None) };
    let topic = std::str::from_utf8(topic).map_err(|_| Malformed("a topic that is no UTF-8"))?;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(Malformed("a message under a topic that is none"));
    }
    let (id, payload) = if qos == 1 {
        let Some(id) = body.get(behind..).and_then(number) else { return Ok(None) };
        if id == 0 {
            return Err(Malformed("a message of the number 0"));
        }
        (Some(id), behind + 2)
    } else {
        (None, behind)
    };
    let (retained, duplicate) = (flags & 1 == 1, flags & 8 == 8);
    Ok(Some((Message { topic: topic.to_owned(), payload: Vec::new(), retained, duplicate, id }, payload)))
}

fn number(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}
