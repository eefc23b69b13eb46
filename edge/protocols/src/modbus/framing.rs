//! The framings of Modbus: which bytes carry a request on which line, and the silence that separates RTU frames.

use std::time::Duration;

use steward_shared::profile::{Framing, Table};

use super::call::Call;
use super::{ascii, rtu, tcp, with_crc};
use crate::exchange::Exchange;

/// A function, to be put.
pub fn exchange<C: Call + 'static>(call: C, framing: Framing) -> Box<dyn Exchange> {
    match framing {
        Framing::Rtu => Box::new(rtu::Decoder::new(call)),
        Framing::Ascii => Box::new(ascii::Decoder::new(call)),
        Framing::Tcp => Box::new(tcp::Decoder::new(call, 0)),
    }
}

/// The frame in which a device answered a reading function with these contents, for people: an exchange keeps only the
/// contents. The number of a frame on TCP is 0 here. `None` for what no answer can hold.
pub fn answer_frame(unit: u8, table: Table, contents: &[u8], framing: Framing) -> Option<Vec<u8>> {
    let bytes = u8::try_from(contents.len()).ok()?;
    let body = [&[unit, table.function(), bytes], contents].concat();
    Some(match framing {
        Framing::Rtu => with_crc(body),
        Framing::Ascii => ascii::frame_of(body),
        Framing::Tcp => {
            let length = u16::try_from(body.len()).ok()?.to_be_bytes();
            [&[0, 0, 0, 0], length.as_slice(), &body].concat()
        }
    })
}

/// The silence between frames, t3.5: 38.5 bit times up to 19200 baud, 1.75 ms above
/// (MODBUS over Serial Line V1.02, 2.5.1.1; characters are of eleven bits there, whatever the parity).
pub fn frame_gap(baud: u32) -> Duration {
    if baud > 19_200 {
        return Duration::from_micros(1750);
    }
    Duration::from_nanos(38_500_000_000 / u64::from(baud.max(1)))
}
