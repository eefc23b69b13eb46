//! First packets of QUIC (RFC 9000, 17.2.2; RFC 9001, 5) made by hand, so that they can be wrong, and what a hub answers
//! to one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::ServerName;
use rustls::quic::{ClientConnection, Keys, Version};
use steward_shared::wire::message::HUB_SERVER_NAME;
use tokio::net::UdpSocket;

/// Of a datagram with a first packet, at least.
const WHOLE: usize = 1200;
const SCID: [u8; 8] = *b"by hand.";
const PACKET_NUMBER: usize = 4;
const TAG: usize = 16;
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(200);

/// Our ids for a connection and the keys that follow from them.
pub struct Attempt {
    dcid: [u8; 8],
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It goes on with the handshake.
    Hello,
    /// It has ended the connection, with this code of the transport (RFC 9000, 20.1).
    Closed(u64),
    /// First show that you receive at your address.
    Retry,
}

impl Attempt {
    pub fn new(number: u64) -> Self {
        let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { panic!("no TLS 1.3") };
        let dcid = number.to_be_bytes();
        let quic = suite.quic.expect("a suite for QUIC");
        Self { dcid, keys: Keys::initial(Version::V1, suite, quic, &dcid, rustls::Side::Client) }
    }

    /// A datagram with a client's hello that bears these bytes as the transport's parameters.
    pub fn hello(&self, tls: &Arc<rustls::ClientConfig>, parameters: Vec<u8>) -> Vec<u8> {
        let name = ServerName::try_from(HUB_SERVER_NAME).unwrap();
        let mut client = ClientConnection::new(tls.clone(), Version::V1, name, parameters).unwrap();
        let mut hello = Vec::new();
        assert!(client.write_hs(&mut hello).is_none(), "a hello is not encrypted by TLS");
        // A CRYPTO frame (RFC 9000, 19.6) from the beginning of the stream.
        let mut frames = vec![0x06, 0];
        frames.extend((0x4000 | hello.len() as u16).to_be_bytes());
        frames.extend(hello);
        self.packet(0, frames)
    }

    /// A datagram that ends the connection (RFC 9000, 19.19).
    pub fn goodbye(&self) -> Vec<u8> {
        self.packet(1, vec![0x1c, 0, 0, 0])
    }

    fn packet(&self, number: u32, mut frames: Vec<u8>) -> Vec<u8> {
        let mut packet = vec![0xc0 | (PACKET_NUMBER as u8 - 1), 0, 0, 0, 1];
        for id in [self.dcid, SCID] {
            packet.push(id.len() as u8);
            packet.extend(id);
        }
        packet.push(0);
        frames.resize(WHOLE - packet.len() - 2 - PACKET_NUMBER - TAG, 0);
        packet.extend((0x4000 | (PACKET_NUMBER + frames.len() + TAG) as u16).to_be_bytes());
        let at = packet.len();
        packet.extend(number.to_be_bytes());
        let tag = self.keys.local.packet.encrypt_in_place(number.into(), &packet, &mut frames).unwrap();
        packet.extend(frames);
        packet.extend(tag.as_ref());
        let (header, payload) = packet.split_at_mut(at + PACKET_NUMBER);
        let (first, number) = header.split_at_mut(at);
        self.keys.local.header.encrypt_in_place(&payload[..16], &mut first[0], number).unwrap();
        packet
    }

    /// What a datagram of the hub says; none of one that is not for this attempt.
    fn read(&self, datagram: &[u8]) -> Option<Said> {
        let mut bytes = datagram.to_vec();
        if bytes.len() < 15 || bytes[5] as usize != SCID.len() || bytes[6..14] != SCID {
            return None;
        }
        match bytes[0] & 0xf0 {
            0xc0 => {}
            0xf0 => return Some(Said::Retry),
            _ => return None,
        }
        let mut at = 14 + 1 + bytes[14] as usize;
        let token = varint(&bytes, &mut at) as usize;
        at += token;
        let length = varint(&bytes, &mut at) as usize;
        let (header, payload) = bytes.split_at_mut(at + PACKET_NUMBER);
        let (first, number) = header.split_at_mut(at);
        self.keys.remote.header.decrypt_in_place(&payload[..16], &mut first[0], number).ok()?;
        let long = (first[0] & 3) as usize + 1;
        let number = number[..long].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let (header, payload) = bytes.split_at_mut(at + long);
        let frames =
            self.keys.remote.packet.decrypt_in_place(number, header, &mut payload[..length - long]).ok()?;
        let mut at = 0;
        while at < frames.len() {
            match varint(frames, &mut at) {
                0x00 => {}
                0x02 => {
                    let (_largest, _delay) = (varint(frames, &mut at), varint(frames, &mut at));
                    for _ in 0..=2 * varint(frames, &mut at) {
                        varint(frames, &mut at);
                    }
                }
                0x06 => return Some(Said::Hello),
                0x1c => return Some(Said::Closed(varint(frames, &mut at))),
                other => panic!("a frame {other:#x} in a first packet"),
            }
        }
        None
    }
}

/// RFC 9000, 16.
fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let first = bytes[*at];
    let more = (1 << (first >> 6)) - 1;
    let value =
        bytes[*at + 1..=*at + more].iter().fold(u64::from(first & 0x3f), |v, b| v << 8 | u64::from(*b));
    *at += 1 + more;
    value
}

/// A parameter of the transport as it is written (RFC 9000, 18): an id and bytes.
pub fn parameter(id: u8, value: &[u8]) -> Vec<u8> {
    [&[id, value.len() as u8][..], value].concat()
}

/// The parameters of a client that does everything right.
pub fn good_parameters() -> Vec<Vec<u8>> {
    vec![
        parameter(0x01, &[0x80, 0, 0x75, 0x30]),
        parameter(0x03, &[0x45, 0xc0]),
        parameter(0x04, &[0x80, 0x10, 0, 0]),
        parameter(0x05, &[0x80, 0x10, 0, 0]),
        parameter(0x08, &[0x08]),
        parameter(0x0a, &[0x03]),
        parameter(0x0b, &[0x19]),
        parameter(0x0e, &[0x05]),
        parameter(0x0f, &SCID),
    ]
}

/// A socket towards a hub.
pub struct Stranger(UdpSocket);

impl Stranger {
    pub async fn to(hub: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(hub).await.unwrap();
        Self(socket)
    }

    pub async fn send(&self, datagram: &[u8]) {
        self.0.send(datagram).await.unwrap();
    }

    /// Whether anything comes within a moment.
    pub async fn has_heard(&self) -> bool {
        tokio::time::timeout(MOMENT, self.0.recv(&mut [0; 2048])).await.is_ok_and(|heard| heard.is_ok())
    }

    /// Sends, and gives the first answer to it.
    pub async fn ask(&self, attempt: &Attempt, datagram: &[u8]) -> Said {
        self.send(datagram).await;
        let mut heard = [0; 2048];
        loop {
            let n = tokio::time::timeout(PATIENCE, self.0.recv(&mut heard))
                .await
                .expect("the hub answers")
                .unwrap();
            if let Some(said) = attempt.read(&heard[..n]) {
                return said;
            }
        }
    }
}
