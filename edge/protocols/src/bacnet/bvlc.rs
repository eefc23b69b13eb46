//! BACnet/IP: what stands before every NPDU in a UDP datagram (ASHRAE 135, Annex J.2). Called by the client for each
//! datagram that comes or goes. The length in the frame must be the datagram's: no byte is read that the sender did
//! not count.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::tag::{Fault, Reader};

/// The port that is BACnet's, 0xBAC0.
pub const PORT: u16 = 47_808;

const BACNET_IP: u8 = 0x81;
const HEADER: usize = 4;

/// A frame of BACnet/IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bvlc<'a> {
    /// Answer to a request about the BBMD's tables: 0 is success.
    Result(u16),
    /// A broadcast that a BBMD passes on for somebody.
    Forwarded {
        originator: SocketAddrV4,
        npdu: &'a [u8],
    },
    /// Registers the sender with a BBMD for so many seconds.
    RegisterForeignDevice {
        ttl: u16,
    },
    /// A registered foreign device wants this to be broadcast.
    DistributeBroadcast(&'a [u8]),
    Unicast(&'a [u8]),
    Broadcast(&'a [u8]),
    /// A function that is between BBMDs, or none.
    Other(u8),
}

/// The result code of a registration that was refused (J.2.1.2).
pub const REGISTRATION_REFUSED: u16 = 0x0030;
/// The result code of a broadcast that was refused, for the sender is not registered (any more).
pub const DISTRIBUTION_REFUSED: u16 = 0x0060;

impl<'a> Bvlc<'a> {
    pub fn decode(datagram: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(datagram);
        let kind = reader.byte()?;
        if kind != BACNET_IP {
            return Err(Fault::Reserved(kind));
        }
        let function = reader.byte()?;
        let length = usize::from(reader.word()?);
        if length != datagram.len() {
            return Err(Fault::Length(length));
        }
        Ok(match function {
            0x00 => Self::Result(reader.word()?),
            0x04 => {
                let ip = <[u8; 4]>::try_from(reader.take(4)?).map_err(|_| Fault::Cut)?;
                let originator = SocketAddrV4::new(Ipv4Addr::from(ip), reader.word()?);
                Self::Forwarded { originator, npdu: reader.rest() }
            }
            0x05 => Self::RegisterForeignDevice { ttl: reader.word()? },
            0x09 => Self::DistributeBroadcast(reader.rest()),
            0x0A => Self::Unicast(reader.rest()),
            0x0B => Self::Broadcast(reader.rest()),
            other => Self::Other(other),
        })
    }

    pub fn encode(self) -> Vec<u8> {
        let mut out = vec![BACNET_IP, 0, 0, 0];
        let function = match self {
            Self::Result(code) => {
                out.extend(code.to_be_bytes());
                0x00
            }
            Self::Forwarded { originator, npdu } => {
                out.extend(originator.ip().octets());
                out.extend(originator.port().to_be_bytes());
                out.extend(npdu);
                0x04
            }
            Self::RegisterForeignDevice { ttl } => {
                out.extend(ttl.to_be_bytes());
                0x05
            }
            Self::DistributeBroadcast(npdu) => {
                out.extend(npdu);
                0x09
            }
            Self::Unicast(npdu) => {
                out.extend(npdu);
                0x0A
            }
            Self::Broadcast(npdu) => {
                out.extend(npdu);
                0x0B
            }
            Self::Other(function) => function,
        };
        let length = out.len() as u16;
        if let Some(head) = out.first_chunk_mut::<HEADER>() {
            let [high, low] = length.to_be_bytes();
            *head = [BACNET_IP, function, high, low];
        }
        out
    }
}
