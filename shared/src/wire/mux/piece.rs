//! What travels: one byte of kind, one of stream, two of length (big-endian), and so many bytes. A close carries four
//! bytes of code and then its reason; room carries four bytes of how many more bytes the stream may send.

use super::closed::Breach;

/// The longest payload. What is more urgent waits for one of these at most.
pub const MAX_PIECE: usize = 8 << 10;
/// The most streams that a connection has: the control stream, four lanes, and room for the next protocol.
pub const STREAMS: usize = 8;
pub(super) const HEADER: usize = 4;
/// The longest reason of a close.
const MAX_REASON: usize = 1000;

const DATA: u8 = 0;
const END: u8 = 1;
const ROOM: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;
const DATAGRAM: u8 = 5;
const CLOSE: u8 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Data(u8, &'a [u8]),
    /// Nothing more comes on this stream.
    End(u8),
    /// The receiver of this stream takes so many bytes more.
    Room(u8, u32),
    Ping,
    Pong,
    /// Without a promise.
    Datagram(&'a [u8]),
    Close(u32, &'a [u8]),
}

impl<'a> Piece<'a> {
    /// The first piece of `bytes` and its length there, or none where it is not whole yet. What cannot become a piece is
    /// refused by its header.
    pub fn read(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Breach> {
        let Some((&[kind, stream, high, low], rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let is_right = match kind {
            DATA | DATAGRAM => (1..=MAX_PIECE).contains(&length),
            END | PING | PONG => length == 0,
            ROOM => length == 4,
            CLOSE => (4..=4 + MAX_REASON).contains(&length),
            _ => return Err(Breach::Kind(kind)),
        };
        if !is_right {
            return Err(Breach::Length(kind, length));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let number = |four: &[u8; 4]| u32::from_be_bytes(*four);
        let piece = match (kind, payload.split_first_chunk::<4>()) {
            (DATA, _) => Self::Data(stream, payload),
            (END, _) => Self::End(stream),
            (ROOM, Some((more, _))) => Self::Room(stream, number(more)),
            (PING, _) => Self::Ping,
            (PONG, _) => Self::Pong,
            (DATAGRAM, _) => Self::Datagram(payload),
            (CLOSE, Some((code, reason))) => Self::Close(number(code), reason),
            _ => return Err(Breach::Length(kind, length)),
        };
        Ok(Some((piece, HEADER + length)))
    }

    /// Appends it. A payload is cut to what a piece can carry: whoever has more makes several.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut put = |kind: u8, stream: u8, parts: [&[u8]; 2]| {
            let length = parts.iter().map(|p| p.len()).sum::<usize>() as u16;
            let [high, low] = length.to_be_bytes();
            out.extend_from_slice(&[kind, stream, high, low]);
            out.extend(parts.concat());
        };
        match self {
            Self::Data(stream, bytes) => put(DATA, stream, [cut(bytes, MAX_PIECE), &[]]),
            Self::End(stream) => put(END, stream, [&[], &[]]),
            Self::Room(stream, more) => put(ROOM, stream, [&more.to_be_bytes(), &[]]),
            Self::Ping => put(PING, 0, [&[], &[]]),
            Self::Pong => put(PONG, 0, [&[], &[]]),
            Self::Datagram(bytes) => put(DATAGRAM, 0, [cut(bytes, MAX_PIECE), &[]]),
            Self::Close(code, reason) => put(CLOSE, 0, [&code.to_be_bytes(), cut(reason, MAX_REASON)]),
        }
    }
}

fn cut(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}
