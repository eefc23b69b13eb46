//! How a client behaves on its network, and whom it speaks to.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::fmt;
use std::time::Duration;

use crate::bacnet::apdu::MAX_APDU;
use crate::bacnet::bvlc::PORT;
use crate::bacnet::mstp;
use crate::bacnet::npdu::Station;

/// Where a station is on the network that we are on ourselves: its address on our data link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkAddress {
    Ip(SocketAddrV4),
    /// A station of a line of MS/TP.
    Mstp(u8),
}

impl From<SocketAddrV4> for LinkAddress {
    fn from(address: SocketAddrV4) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Mstp(mac) => write!(f, "station {mac}"),
        }
    }
}

/// Where a device is: an address on our data link, or a router's and the station behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    pub address: LinkAddress,
    pub station: Option<Station>,
}

impl Peer {
    pub fn direct(address: impl Into<LinkAddress>) -> Self {
        Self { address: address.into(), station: None }
    }

    pub fn behind(router: impl Into<LinkAddress>, station: Station) -> Self {
        Self { address: router.into(), station: Some(station) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.station {
            Some(station) => write!(f, "{station} behind {}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// The BBMD that we register with as a foreign device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub bbmd: SocketAddrV4,
    /// Seconds for which a registration lasts; it is renewed at half of them.
    pub ttl: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a device may take for its answer (clause 5.4.1, T_out).
    pub timeout: Duration,
    /// How often a request is repeated after that.
    pub retries: u8,
    /// How long the next segment of an answer may take; four times as long without any, and it has stalled (T_seg).
    pub segment_timeout: Duration,
    /// Requests under way to one device at once.
    pub in_flight: usize,
    /// The same for a device behind a router, for the line behind it is slow.
    pub in_flight_routed: usize,
    /// Requests under way through one router at once.
    pub in_flight_router: usize,
    /// From one request through a router to the next, at least.
    pub router_gap: Duration,
    /// Requests that wait for one device, at most.
    pub queue: usize,
    /// How long a request waits for its turn, at most.
    pub patience: Duration,
    /// Segments that a device may send before it is acknowledged.
    pub window: u8,
    /// The longest answer that is put together, in bytes.
    pub max_answer: usize,
    /// Devices that are remembered, at most.
    pub max_devices: usize,
    /// I-Am of strangers that are taken: so many at once, and so many a second.
    pub strangers: (u32, u32),
    /// The longest message that we take and send, in bytes: what the data link carries.
    pub max_apdu: u16,
    /// Where broadcasts go on this network.
    pub broadcast: LinkAddress,
    /// On BACnet/IP only.
    pub foreign: Option<Foreign>,
}

/// The longest message in a common frame of MS/TP.
const MSTP_APDU: u16 = 480;

impl Settings {
    /// On a line of MS/TP: one request to a device at a time, and no more in it than each of its stations takes.
    pub fn mstp() -> Self {
        Self {
            timeout: Duration::from_secs(6),
            in_flight: 1,
            max_apdu: MSTP_APDU,
            broadcast: LinkAddress::Mstp(mstp::BROADCAST),
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            retries: 3,
            segment_timeout: Duration::from_secs(2),
            in_flight: 4,
            in_flight_routed: 1,
            in_flight_router: 2,
            router_gap: Duration::from_millis(10),
            queue: 512,
            patience: Duration::from_mins(1),
            window: 16,
            max_answer: 256 * 1024,
            max_devices: 4096,
            strangers: (500, 100),
            max_apdu: MAX_APDU,
            broadcast: LinkAddress::Ip(SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT)),
            foreign: None,
        }
    }
}
