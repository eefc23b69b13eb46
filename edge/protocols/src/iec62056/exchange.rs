//! One readout: the meter is asked at 300 baud, says what it is and how fast it can, and sends its data at that rate. The
//! port follows it. A block whose check character is wrong is never taken.

use std::time::Duration;

use steward_shared::profile::iec62056::Iec62056;

use super::address::Address;
use super::frame::{
    Block, END, Identification, LONGEST_IDENTIFICATION, Mode, acknowledgement, block, sign_on,
};
use crate::character::{Character, Parity};
use crate::exchange::{Exchange, Fault, Progress};

const FIRST_BAUD: u32 = 300;
/// Between two characters of a message (6.3.14).
const LONGEST_PAUSE: Duration = Duration::from_millis(1500);
/// As many stray bytes behind a block are noise of the change of rates.
const NOISE: usize = 2;

/// How a meter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub wake_up: u8,
    pub max_baud: u32,
    pub bytes: u16,
}

impl From<&Iec62056> for Dialect {
    fn from(limits: &Iec62056) -> Self {
        let Iec62056 { wake_up, max_baud, bytes } = *limits;
        Self { wake_up, max_baud, bytes }
    }
}

/// Makes the messages of one readout and collects what is answered. The contents are the identification, an end of line,
/// and the data sets.
#[derive(Clone, Debug)]
pub struct Decoder {
    dialect: Dialect,
    address: Address,
    sent: Vec<u8>,
    identified: Option<Identification>,
    acknowledged: bool,
    came: Vec<u8>,
    trailing: usize,
}

impl Decoder {
    pub const fn new(address: Address, dialect: Dialect) -> Self {
        Self {
            dialect,
            address,
            sent: Vec::new(),
            identified: None,
            acknowledged: false,
            came: Vec::new(),
            trailing: 0,
        }
    }

    /// The rate of the data and its code in the acknowledgement.
    fn rate(&self, offered: u32, code: u8) -> (u32, u8) {
        if offered <= self.dialect.max_baud { (offered, code) } else { (FIRST_BAUD, b'0') }
    }

    /// Bytes that came, without an echo of what was sent.
    fn without_echo(&self) -> &[u8] {
        let came = self.came.as_slice();
        match came.strip_prefix(self.sent.as_slice()) {
            Some(rest) => rest,
            None if self.sent.starts_with(came) => &[],
            None => came,
        }
    }

    /// The data behind the identification.
    fn data(&mut self) -> Progress {
        match block(&self.came) {
            Block::Whole(data, end) => {
                self.trailing = self.came.len() - end;
                if self.trailing > NOISE {
                    return Progress::Bad(Fault::Trailing { bytes: self.trailing });
                }
                let text = self.identified.as_ref().map(|it| it.text.as_bytes()).unwrap_or_default();
                Progress::Reply(Ok([text, END, data].concat()))
            }
            Block::Begins | Block::Nothing | Block::Damaged => Progress::More,
        }
    }
}

const fn at(baud: u32) -> Character {
    Character::new(baud, 7, Parity::Even, 1)
}

impl Exchange for Decoder {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.came.clear();
        self.sent = match &self.identified {
            Some(Identification { mode: Mode::C { offered, code }, .. }) => {
                let (_, code) = self.rate(*offered, *code);
                self.acknowledged = true;
                acknowledgement(code)
            }
            _ => sign_on(&self.address, self.dialect.wake_up),
        };
        self.sent.clone()
    }

    fn character(&self) -> Option<Character> {
        Some(at(FIRST_BAUD))
    }

    fn answer_character(&self) -> Option<Character> {
        match self.identified.as_ref().map(|it| it.mode) {
            Some(Mode::B { baud }) => Some(at(baud)),
            Some(Mode::C { offered, code }) if self.acknowledged => Some(at(self.rate(offered, code).0)),
            _ => None,
        }
    }

    fn answer_len(&self) -> Option<usize> {
        let data = match self.identified.as_ref().map(|it| it.mode) {
            None => false,
            Some(Mode::C { .. }) => self.acknowledged,
            Some(Mode::A | Mode::B { .. }) => true,
        };
        Some(if data { usize::from(self.dialect.bytes) } else { LONGEST_IDENTIFICATION })
    }

    fn longest_pause(&self) -> Duration {
        LONGEST_PAUSE
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        let most = usize::from(self.dialect.bytes) + 2 * LONGEST_IDENTIFICATION + self.sent.len();
        let room = most.saturating_sub(self.came.len());
        // The parity bit, where a converter hands it on.
        self.came.extend(bytes.iter().take(room).map(|byte| byte & 0x7F));
        if self.identified.is_none() {
            let Some((identification, end)) = Identification::find(&self.came) else {
                return if bytes.len() > room {
                    Progress::Bad(Fault::Noise { bytes: most + bytes.len() - room })
                } else {
                    Progress::More
                };
            };
            let mode = identification.mode;
            self.identified = Some(identification);
            self.came.drain(..end.min(self.came.len()));
            if let Mode::C { .. } = mode {
                return Progress::Next;
            }
        }
        match self.data() {
            Progress::More if bytes.len() > room => {
                Progress::Bad(Fault::Length { wanted: usize::from(self.dialect.bytes), got: most })
            }
            progress => progress,
        }
    }

    fn held(&self) -> usize {
        self.without_echo().len()
    }

    fn verdict(&self) -> Option<Fault> {
        let bytes = self.held();
        match block(&self.came) {
            _ if bytes == 0 => None,
            Block::Damaged => Some(Fault::CheckSum),
            Block::Begins => Some(Fault::Short { bytes }),
            Block::Nothing | Block::Whole(..) => Some(Fault::Noise { bytes }),
        }
    }

    fn began_like_the_answer(&self) -> bool {
        matches!(self.verdict(), Some(Fault::CheckSum | Fault::Short { .. }))
    }

    fn trailing(&self) -> usize {
        self.trailing
    }
}
