//! The network layer's header (ASHRAE 135, clause 6.2) and the messages of routers that a client understands
//! (clause 6.4). A header that claims more than is there is refused.

use std::fmt;

use super::tag::{Fault, Reader};

const VERSION: u8 = 1;
const NETWORK_MESSAGE: u8 = 0x80;
const DESTINATION: u8 = 0x20;
const SOURCE: u8 = 0x08;
const EXPECTING_REPLY: u8 = 0x04;
const HOPS: u8 = 255;
/// Every network.
const GLOBAL: u16 = 0xFFFF;
/// The longest address of a data link that there is (ZigBee and LonTalk have less).
const MAX_MAC: usize = 18;

const WHO_IS_ROUTER: u8 = 0;
const I_AM_ROUTER: u8 = 1;
const REJECT_MESSAGE: u8 = 3;
const ROUTER_BUSY: u8 = 4;
const ROUTER_AVAILABLE: u8 = 5;

/// A station's address on its data link: one byte on MS/TP, six on BACnet/IP. Small, so that it is copied freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac {
    bytes: [u8; MAX_MAC],
    len: u8,
}

impl Mac {
    /// Nothing where it is longer than any data link has it.
    pub fn new(mac: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_MAC];
        bytes.get_mut(..mac.len())?.copy_from_slice(mac);
        Some(Self { bytes, len: mac.len() as u8 })
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A station behind a router. Without an address it is every station of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Station {
    pub network: u16,
    pub mac: Mac,
}

impl Station {
    pub fn new(network: u16, mac: &[u8]) -> Option<Self> {
        Some(Self { network, mac: Mac::new(mac)? })
    }

    /// Every station of every network.
    pub const EVERYBODY: Self = Self { network: GLOBAL, mac: Mac { bytes: [0; MAX_MAC], len: 0 } };

    /// Every station of one network.
    pub const fn all_of(network: u16) -> Self {
        Self { network, ..Self::EVERYBODY }
    }
}

impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.network)?;
        match self.mac.bytes() {
            [one] => write!(f, "{one}"),
            more => more.iter().try_for_each(|b| write!(f, "{b:02X}")),
        }
    }
}

/// What follows the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    Apdu(&'a [u8]),
    WhoIsRouter(Option<u16>),
    IAmRouter(Vec<u16>),
    /// A router could not pass something on to this network (6.4.4).
    Rejected {
        reason: u8,
        network: u16,
    },
    /// Routers busy (or available again) for these networks; none means all that it leads to.
    Busy {
        busy: bool,
        networks: Vec<u16>,
    },
    /// A message between routers.
    Other(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Npdu<'a> {
    pub destination: Option<Station>,
    /// Who sent it, where a router passed it on.
    pub source: Option<Station>,
    pub expecting_reply: bool,
    pub body: Body<'a>,
}

fn station(reader: &mut Reader<'_>) -> Result<Station, Fault> {
    let network = reader.word()?;
    let len = usize::from(reader.byte()?);
    Station::new(network, reader.take(len)?).ok_or(Fault::Length(len))
}

fn networks(reader: &mut Reader<'_>) -> Result<Vec<u16>, Fault> {
    let mut networks = Vec::with_capacity(reader.rest().len() / 2);
    while !reader.is_empty() {
        networks.push(reader.word()?);
    }
    Ok(networks)
}

impl<'a> Npdu<'a> {
    pub const fn to(destination: Option<Station>, expecting_reply: bool, apdu: &'a [u8]) -> Self {
        Self { destination, source: None, expecting_reply, body: Body::Apdu(apdu) }
    }

    pub const fn message(body: Body<'a>) -> Self {
        Self { destination: None, source: None, expecting_reply: false, body }
    }

    pub fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(Fault::Reserved(version));
        }
        let control = reader.byte()?;
        let destination = if control & DESTINATION != 0 { Some(station(&mut reader)?) } else { None };
        let source = if control & SOURCE != 0 { Some(station(&mut reader)?) } else { None };
        // The source is one station of one network (6.2.2).
        if source.is_some_and(|s| s.network == GLOBAL || s.network == 0 || s.mac.bytes().is_empty()) {
            return Err(Fault::Reserved(SOURCE));
        }
        if destination.is_some() {
            reader.byte()?;
        }
        let expecting_reply = control & EXPECTING_REPLY != 0;
        let body = if control & NETWORK_MESSAGE == 0 {
            Body::Apdu(reader.rest())
        } else {
            Self::network_message(&mut reader)?
        };
        Ok(Self { destination, source, expecting_reply, body })
    }

    fn network_message(reader: &mut Reader<'a>) -> Result<Body<'a>, Fault> {
        Ok(match reader.byte()? {
            WHO_IS_ROUTER if reader.is_empty() => Body::WhoIsRouter(None),
            WHO_IS_ROUTER => Body::WhoIsRouter(Some(reader.word()?)),
            I_AM_ROUTER => Body::IAmRouter(networks(reader)?),
            REJECT_MESSAGE => Body::Rejected { reason: reader.byte()?, network: reader.word()? },
            ROUTER_BUSY => Body::Busy { busy: true, networks: networks(reader)? },
            ROUTER_AVAILABLE => Body::Busy { busy: false, networks: networks(reader)? },
            other => Body::Other(other),
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut control = 0;
        let mut addresses = Vec::new();
        let mut put = |bit: u8, station: Option<Station>| {
            if let Some(station) = station {
                control |= bit;
                addresses.extend(station.network.to_be_bytes());
                addresses.push(station.mac.len);
                addresses.extend(station.mac.bytes());
            }
        };
        put(DESTINATION, self.destination);
        put(SOURCE, self.source);
        if self.destination.is_some() {
            addresses.push(HOPS);
        }
        if self.expecting_reply {
            control |= EXPECTING_REPLY;
        }
        let mut body = Vec::new();
        let mut message = |kind: u8, networks: &[u16]| {
            control |= NETWORK_MESSAGE;
            body.push(kind);
            for network in networks {
                body.extend(network.to_be_bytes());
            }
        };
        match &self.body {
            Body::Apdu(apdu) => body.extend(*apdu),
            Body::WhoIsRouter(network) => message(WHO_IS_ROUTER, network.as_slice()),
            Body::IAmRouter(networks) => message(I_AM_ROUTER, networks),
            Body::Rejected { reason, network } => {
                message(REJECT_MESSAGE, &[]);
                body.push(*reason);
                body.extend(network.to_be_bytes());
            }
            Body::Busy { busy, networks } => {
                message(if *busy { ROUTER_BUSY } else { ROUTER_AVAILABLE }, networks);
            }
            Body::Other(kind) => message(*kind, &[]),
        }
        [vec![VERSION, control], addresses, body].concat()
    }
}
