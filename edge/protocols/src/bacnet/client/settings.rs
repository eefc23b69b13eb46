//! How a client behaves on its network, and whom it speaks to.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::fmt;
use std::time::Duration;

use crate::bacnet::bvlc::PORT;
use crate::bacnet::npdu::Station;

/// Where a device is: an address of BACnet/IP, or a router's and the station behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    pub address: SocketAddrV4,
    pub station: Option<Station>,
}

impl Peer {
    pub const fn direct(address: SocketAddrV4) -> Self {
        Self { address, station: None }
    }

    pub const fn behind(router: SocketAddrV4, station: Station) -> Self {
        Self { address: router, station: Some(station) }
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
    /// Where broadcasts go on this network.
    pub broadcast: SocketAddrV4,
    pub foreign: Option<Foreign>,
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
            broadcast: SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT),
            foreign: None,
        }
    }
}
