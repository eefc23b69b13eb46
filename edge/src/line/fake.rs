//! Wires that exist only in tests: a far end that answers as it is told, and can be dialled again and again.
//! Works in tokio's paused time and in real time.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steward_protocols::modbus::crc;
use steward_shared::time::{Clock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex};
use tokio::time::Instant;

use super::dial::{Dial, Dialling, Stream};

pub const BASE: Timestamp = Timestamp(1_700_000_000_000);

/// The wall clock, driven by tokio's paused one.
#[derive(Debug)]
pub struct PausedClock(pub Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        BASE.plus(self.0.elapsed())
    }
}

/// What a fake device does with a request to unit and address.
pub enum Act {
    /// Register `n` holds `n`, plus 1000 for each unit.
    Answer,
    Late(Duration),
    Silent,
    /// These bytes instead, as they are.
    Raw(Vec<u8>),
    Exception(u8),
    HangUp,
    /// The answer, and then the connection is closed.
    AnswerAndHangUp,
    /// Hangs up in the middle of the answer; so much later the rest of it is on the line.
    HalfAndHangUp(Duration),
    /// The answer, and once more after this time.
    Twice(Duration),
    /// Noise from now on, whether asked or not. What is sent into it is heard, and nothing comes of it.
    Babble,
}

pub type Device = dyn Fn(Duration, u8, u16) -> Act + Send + Sync;

/// The far end's way back; nothing once it has hung up.
type Back = Arc<tokio::sync::Mutex<Option<WriteHalf<DuplexStream>>>>;

/// A wire that can be dialled again and again; each time a new far end begins. Where the frames are RTU there is one
/// line behind all of them: whoever opened it last hears what is said on it, also to a question of before.
pub struct FakeWire {
    rtu: bool,
    start: Instant,
    device: Arc<Device>,
    /// Whether the wire can be opened at this time.
    opens: Box<dyn Fn(Duration) -> bool + Send + Sync>,
    pub dialled: Arc<Mutex<Vec<Duration>>>,
    line: Arc<Mutex<Back>>,
}

impl FakeWire {
    pub fn new(
        rtu: bool,
        start: Instant,
        opens: impl Fn(Duration) -> bool + Send + Sync + 'static,
        device: impl Fn(Duration, u8, u16) -> Act + Send + Sync + 'static,
    ) -> Self {
        let (device, opens) = (Arc::new(device), Box::new(opens));
        Self { rtu, start, device, opens, dialled: Arc::default(), line: Arc::default() }
    }
}

impl Dial for FakeWire {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let at = self.start.elapsed();
            self.dialled.lock().unwrap().push(at);
            if !(self.opens)(at) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = duplex(4096);
            let (read, write) = tokio::io::split(far);
            let back = Arc::new(tokio::sync::Mutex::new(Some(write)));
            let line = if self.rtu { Arc::clone(&self.line) } else { Arc::default() };
            *line.lock().unwrap() = Arc::clone(&back);
            let far_end =
                FarEnd { rtu: self.rtu, start: self.start, device: Arc::clone(&self.device), back, line };
            tokio::spawn(far_end.run(read));
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        "fake".to_owned()
    }
}

struct FarEnd {
    rtu: bool,
    start: Instant,
    device: Arc<Device>,
    back: Back,
    line: Arc<Mutex<Back>>,
}

impl FarEnd {
    async fn run(self, read: ReadHalf<DuplexStream>) {
        self.answer(read).await;
        *self.back.lock().await = None;
    }

    async fn answer(&self, mut read: ReadHalf<DuplexStream>) {
        let Self { rtu, start, device, back, line } = self;
        let rtu = *rtu;
        // Noise does not wait to be asked; unit 0 is nobody's.
        let mut babbling = matches!(device(start.elapsed(), 0, 0), Act::Babble);
        if babbling {
            tokio::spawn(babble(Arc::clone(back)));
        }
        loop {
            let mut frame = vec![0; if rtu { 8 } else { 12 }];
            if read.read_exact(&mut frame).await.is_err() {
                return;
            }
            let pdu = if rtu { frame[1..6].to_vec() } else { frame[7..12].to_vec() };
            let unit = if rtu { frame[0] } else { frame[6] };
            let (address, count) =
                (u16::from_be_bytes([pdu[1], pdu[2]]), u16::from_be_bytes([pdu[3], pdu[4]]));
            let mut answer = vec![pdu[0], (count * 2) as u8];
            for n in address..address + count {
                answer.extend((n + 1000 * u16::from(unit)).to_be_bytes());
            }
            let act = device(start.elapsed(), unit, address);
            if babbling {
                continue;
            }
            let mut again = None;
            let (delay, bytes) = match act {
                Act::Answer => (Duration::from_millis(5), framed(rtu, &frame, unit, &answer)),
                Act::Twice(after) => {
                    again = Some(after);
                    (Duration::from_millis(5), framed(rtu, &frame, unit, &answer))
                }
                Act::Late(delay) => (delay, framed(rtu, &frame, unit, &answer)),
                Act::Silent => continue,
                Act::Raw(bytes) => (Duration::from_millis(5), bytes),
                Act::Exception(code) => {
                    (Duration::from_millis(5), framed(rtu, &frame, unit, &[pdu[0] | 0x80, code]))
                }
                Act::HangUp => return,
                Act::HalfAndHangUp(after) => {
                    let whole = framed(rtu, &frame, unit, &answer);
                    let (half, rest) = whole.split_at(whole.len() / 2);
                    say(back, half).await;
                    let (line, rest) = (Arc::clone(line), rest.to_vec());
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        // Until somebody opens the port again.
                        while !say_on(&line, &rest).await {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    });
                    return;
                }
                Act::AnswerAndHangUp => {
                    say(back, &framed(rtu, &frame, unit, &answer)).await;
                    return;
                }
                Act::Babble => {
                    babbling = true;
                    tokio::spawn(babble(Arc::clone(back)));
                    continue;
                }
            };
            let line = Arc::clone(line);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                say_on(&line, &bytes).await;
                if let Some(after) = again {
                    tokio::time::sleep(after).await;
                    say_on(&line, &bytes).await;
                }
            });
        }
    }
}

async fn say_on(line: &Mutex<Back>, bytes: &[u8]) -> bool {
    let back = Arc::clone(&line.lock().unwrap());
    say(&back, bytes).await
}

/// Whether somebody hears it.
async fn say(back: &Back, bytes: &[u8]) -> bool {
    match back.lock().await.as_mut() {
        Some(write) => write.write_all(bytes).await.is_ok(),
        None => false,
    }
}

async fn babble(back: Back) {
    while say(&back, &[0x55; 8]).await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn framed(rtu: bool, request: &[u8], unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = if rtu { vec![unit] } else { [&request[..4], &[0, pdu.len() as u8 + 1, unit]].concat() };
    bytes.extend(pdu);
    if rtu {
        bytes.extend(crc(&bytes).to_le_bytes());
    }
    bytes
}
