//! One readout of a meter: it is reset or selected, acknowledges, and sends telegram after telegram for as long as it
//! says that more follow. Every frame that asks for the next bears the other frame count bit, or the meter would send
//! its last once more. Several meters that answer at once are a fault, never a value.

use std::time::Duration;

use steward_shared::reading::Quality;

use super::address::{Address, Identity};
use super::fixed::as_records;
use super::frame::{
    ACD_DFC, ACK, FCB, Frame, LOOK, MAX_FRAME, REQ_UD2, RSP_UD, SELECTED, SND_NKE, SND_UD, frame_at, short,
};
use super::record::{HEADER, body};
use crate::exchange::{About, Exchange, Fault, Progress, Refusal};
use crate::scan::{At, Scan};

const SELECT: u8 = 0x52;
const VARIABLE: u8 = 0x72;
const FIXED: u8 = 0x73;
/// Bytes of data in the fixed structure.
const FIXED_LEN: usize = 16;
const APPLICATION_ERROR: u8 = 0x70;
/// As many stray bytes around an answer are noise of the line's turn-around.
const TURNAROUND_NOISE: usize = 2;
/// More than an acknowledgement, an echo and some noise can be.
const MOST_AROUND_ACK: usize = 32;
/// 22 bit times at 300 baud, and what a level converter buffers.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What a meter is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// All that it sends, in so many telegrams at most.
    Read { telegrams: u8 },
    /// Its first telegram, which says what it is.
    Identify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A meter of a primary address begins anew with its first telegram.
    Reset,
    Select,
    /// So many telegrams have come.
    Read(u8),
}

/// Makes the frames of one readout and collects what is answered. The contents are the header of the first telegram and
/// the records of all.
#[derive(Clone, Debug)]
pub struct Decoder {
    request: Request,
    address: Address,
    stage: Stage,
    sent: Vec<u8>,
    /// What came where one byte is wanted.
    around_ack: Vec<u8>,
    scan: Scan<Frame>,
    contents: Vec<u8>,
    trailing: usize,
    foreign: Option<Fault>,
}

impl Decoder {
    pub const fn new(request: Request, address: Address) -> Self {
        let stage = match address {
            Address::Primary(_) => Stage::Reset,
            Address::Secondary(_) => Stage::Select,
        };
        Self {
            request,
            address,
            stage,
            sent: Vec::new(),
            around_ack: Vec::new(),
            scan: Scan::new(LOOK),
            contents: Vec::new(),
            trailing: 0,
            foreign: None,
        }
    }

    /// What has come so far: of a meter that said that more follows.
    pub(super) fn contents(&self) -> Vec<u8> {
        self.contents.clone()
    }

    const fn number(&self) -> u8 {
        match self.address {
            Address::Primary(number) => number,
            Address::Secondary(_) => SELECTED,
        }
    }

    fn acknowledged(&mut self, bytes: &[u8]) -> Progress {
        self.around_ack.extend(bytes.iter().take(2 * MOST_AROUND_ACK));
        let came = self.without_echo();
        match came.iter().position(|byte| *byte == ACK) {
            Some(before) if before <= TURNAROUND_NOISE && came.len() - before - 1 <= TURNAROUND_NOISE => {
                self.stage = Stage::Read(0);
                Progress::Next
            }
            _ if came.len() > MOST_AROUND_ACK => Progress::Bad(Fault::Collision),
            _ => Progress::More,
        }
    }

    /// What came where an acknowledgement is wanted, without the request, which a level converter may give back.
    fn without_echo(&self) -> &[u8] {
        let came = self.around_ack.as_slice();
        match came.strip_prefix(self.sent.as_slice()) {
            Some(rest) => rest,
            None if self.sent.starts_with(came) => &[],
            None => came,
        }
    }

    /// What a whole frame means; nothing where it is none of a meter.
    fn judge(&mut self, frame: &Frame, telegrams: u8) -> Result<Option<Progress>, Fault> {
        if frame.control & !ACD_DFC != RSP_UD {
            return Ok(None);
        }
        if let Address::Primary(number) = self.address
            && frame.address != number
        {
            return Err(Fault::Unit { wanted: number, got: frame.address });
        }
        let (header, records, more) = match frame.information {
            VARIABLE => {
                let Some((header, records)) = frame.data.split_first_chunk::<HEADER>() else {
                    let got = frame.data.len();
                    return Ok(Some(Progress::Bad(Fault::Length { wanted: HEADER, got })));
                };
                let (records, more) = body(records);
                (*header, records.to_vec(), more)
            }
            FIXED => {
                let Some((header, records)) = as_records(&frame.data) else {
                    let got = frame.data.len();
                    return Ok(Some(Progress::Bad(Fault::Length { wanted: FIXED_LEN, got })));
                };
                (header, records, false)
            }
            APPLICATION_ERROR => return Ok(Some(Progress::Reply(Err(application_error(&frame.data))))),
            other => {
                let text = format!("it answers in a form (CI {other:02X}) that is not read here");
                let refusal = Refusal { quality: Quality::Refused(1), about: About::Other, text };
                return Ok(Some(Progress::Reply(Err(refusal))));
            }
        };
        if let Address::Secondary(mask) = self.address
            && !mask.means(identity(&header))
        {
            return Err(Fault::Device);
        }
        if telegrams == 0 {
            self.contents = header.to_vec();
        } else if self.contents.get(..8) != header.get(..8) {
            return Err(Fault::Device);
        }
        self.contents.extend(records);
        let most = match self.request {
            Request::Read { telegrams } => telegrams,
            Request::Identify => 1,
        };
        if more && telegrams + 1 < most {
            self.stage = Stage::Read(telegrams + 1);
            return Ok(Some(Progress::Next));
        }
        Ok(Some(Progress::Reply(Ok(std::mem::take(&mut self.contents)))))
    }

    fn telegram(&mut self, bytes: &[u8], telegrams: u8) -> Progress {
        let without_room = self.scan.push(bytes);
        while let Some(frame) = self.scan.next_frame() {
            match self.judge(&frame, telegrams) {
                Ok(None) => {}
                Ok(Some(progress)) => {
                    self.trailing = self.scan.held().len() + without_room;
                    return if self.trailing > TURNAROUND_NOISE {
                        Progress::Bad(Fault::Trailing { bytes: self.trailing })
                    } else {
                        progress
                    };
                }
                Err(fault) => self.foreign = Some(fault),
            }
        }
        if without_room > 0 {
            return Progress::Bad(Fault::Noise { bytes: self.scan.held().len() + without_room });
        }
        Progress::More
    }
}

pub(super) fn identity(header: &[u8; HEADER]) -> Identity {
    header.first_chunk().map_or(Identity::from_wire([0; 8]), |bytes| Identity::from_wire(*bytes))
}

/// Whether the last of these telegrams says that another one follows.
pub fn announces_more(telegrams: &[u8]) -> bool {
    let (mut rest, mut announced) = (telegrams, false);
    while let At::Frame(frame, len) = frame_at(rest) {
        let records = frame.data.split_first_chunk::<HEADER>().map(|(_, records)| records);
        announced = frame.information == VARIABLE && records.is_some_and(|records| body(records).1);
        rest = rest.get(len..).unwrap_or_default();
    }
    announced
}

/// EN 13757-3, report of application errors.
fn application_error(data: &[u8]) -> Refusal {
    let text = match data.first() {
        None | Some(0) => "an error that it does not explain".to_owned(),
        Some(1) => "error 1 (it does not know this kind of request)".to_owned(),
        Some(2) => "error 2 (its buffer is too small)".to_owned(),
        Some(3) => "error 3 (too many records)".to_owned(),
        Some(4) => "error 4 (the record ends too early)".to_owned(),
        Some(5) => "error 5 (more than ten extensions of a record's data information)".to_owned(),
        Some(6) => "error 6 (more than ten extensions of a record's value information)".to_owned(),
        Some(8) => "error 8 (it is busy; its readout takes longer)".to_owned(),
        Some(9) => "error 9 (it was read too often; it saves its battery)".to_owned(),
        Some(other) => format!("error {other}"),
    };
    let code = data.first().copied().unwrap_or_default().clamp(1, 0xEF);
    Refusal { quality: Quality::Refused(code), about: About::Other, text }
}

impl Exchange for Decoder {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.scan.clear();
        self.around_ack.clear();
        let number = self.number();
        self.sent = match (self.stage, self.address) {
            (Stage::Select, Address::Secondary(mask)) => {
                let data = mask.wire().to_vec();
                Frame { control: SND_UD, address: number, information: SELECT, data }.bytes()
            }
            (Stage::Read(telegrams), _) => {
                let fcb = if telegrams % 2 == 0 { FCB } else { 0 };
                short(REQ_UD2 | fcb, number)
            }
            _ => short(SND_NKE, number),
        };
        self.sent.clone()
    }

    fn answer_len(&self) -> Option<usize> {
        Some(match self.stage {
            Stage::Reset | Stage::Select => 1,
            Stage::Read(_) => MAX_FRAME,
        })
    }

    fn longest_pause(&self) -> Duration {
        LONGEST_PAUSE
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        match self.stage {
            Stage::Reset | Stage::Select => self.acknowledged(bytes),
            Stage::Read(telegrams) => {
                // The short frame that asked may come back as an echo.
                self.telegram(bytes, telegrams)
            }
        }
    }

    fn held(&self) -> usize {
        match self.stage {
            Stage::Reset | Stage::Select => self.without_echo().len(),
            Stage::Read(_) if self.sent.starts_with(self.scan.held()) => 0,
            Stage::Read(_) => self.scan.held().len(),
        }
    }

    fn verdict(&self) -> Option<Fault> {
        match self.stage {
            Stage::Reset | Stage::Select => (self.held() > 0).then_some(Fault::Collision),
            Stage::Read(_) if self.held() == 0 => self.foreign,
            Stage::Read(_) => self.scan.verdict().or(self.foreign),
        }
    }

    fn began_like_the_answer(&self) -> bool {
        matches!(self.stage, Stage::Read(_))
            && matches!(self.verdict(), Some(Fault::CheckSum | Fault::Short { .. }))
    }

    fn trailing(&self) -> usize {
        self.trailing
    }
}
