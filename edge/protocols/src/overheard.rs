//! Frames of meters among bytes that were overheard: whose language, who is asked, who answers. The sniffer takes apart by
//! it what is no Modbus, and a capture finds its questions. Only frames whose check holds count; the rest is noise.

use steward_shared::profile::Language;

use crate::scan::{At, WAKE_UP};
use crate::{cjt188, dlt645, iec62056, mbus};

/// A language of meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Dlt645,
    Cjt188,
    Mbus,
    Iec62056,
}

impl Tongue {
    pub const fn of(language: &Language) -> Option<Self> {
        match language {
            Language::Dlt645(_) => Some(Self::Dlt645),
            Language::Cjt188(_) => Some(Self::Cjt188),
            Language::Mbus(_) => Some(Self::Mbus),
            Language::Iec62056(_) => Some(Self::Iec62056),
            Language::Modbus(_) | Language::Bacnet(_) | Language::Mqtt(_) => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dlt645 => "DL/T 645",
            Self::Cjt188 => "CJ/T 188",
            Self::Mbus => "M-Bus",
            Self::Iec62056 => "IEC 62056-21",
        }
    }
}

/// What a frame says about the talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub tongue: Tongue,
    /// Whether it comes from whoever asks.
    pub is_question: bool,
    /// Whether a meter says no by it.
    pub refuses: bool,
    /// Whose, as it stands in a gateway's file; empty where the frame bears none.
    pub address: String,
}

/// Bytes that lie one behind the other: a frame with what woke its receiver, or what is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overheard {
    pub len: usize,
    pub spoken: Option<Spoken>,
}

/// Takes the bytes apart; the lengths add up to theirs.
pub fn overheard(bytes: &[u8]) -> Vec<Overheard> {
    let mut parts: Vec<Overheard> = Vec::new();
    let (mut from, mut place) = (0, 0);
    while let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
        let is_mbus = |spoken: &Spoken| spoken.tongue == Tongue::Mbus;
        // The question may have been taken before: then the next one follows, or nothing.
        let beside_mbus = || match parts.last() {
            Some(last) => place == from && last.spoken.as_ref().is_some_and(is_mbus),
            None => {
                place == 0
                    && rest
                        .get(1..)
                        .is_none_or(|next| next.is_empty() || frame(next).is_some_and(|(s, _)| is_mbus(&s)))
            }
        };
        let Some((spoken, len)) = frame(rest).or_else(|| acknowledged(rest).filter(|_| beside_mbus())) else {
            place += 1;
            continue;
        };
        let noise = bytes.get(from..place).unwrap_or_default();
        let awake = noise.iter().rev().take_while(|byte| matches!(**byte, WAKE_UP | 0)).count();
        if awake < noise.len() {
            parts.push(Overheard { len: noise.len() - awake, spoken: None });
        }
        parts.push(Overheard { len: awake + len, spoken: Some(spoken) });
        place += len;
        from = place;
    }
    if from < bytes.len() {
        parts.push(Overheard { len: bytes.len() - from, spoken: None });
    }
    parts
}

/// The language whose frames begin like the first of these bytes, where nothing of them is whole: a wrong rate, or damage.
pub fn resembles(bytes: &[u8]) -> Option<&'static str> {
    let awake: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == WAKE_UP).collect();
    let was_woken = awake.len() < bytes.len();
    match awake.as_slice() {
        [0x68, len, again, 0x68, ..] if len == again => Some(Tongue::Mbus.name()),
        [0x68, _, _, _, _, _, _, 0x68, ..] => Some(Tongue::Dlt645.name()),
        [0x68, ..] if was_woken => Some("DL/T 645 or CJ/T 188"),
        [0x10, _, _, _, 0x16, ..] => Some(Tongue::Mbus.name()),
        [b'/', ..] => Some(Tongue::Iec62056.name()),
        [b':', first, second, ..] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() => {
            Some("Modbus ASCII")
        }
        _ => None,
    }
}

fn frame(bytes: &[u8]) -> Option<(Spoken, usize)> {
    let spoken =
        |tongue, is_question, refuses, address: String| Spoken { tongue, is_question, refuses, address };
    if let At::Frame(frame, len) = dlt645::frame_at(bytes) {
        let says = (frame.control & 0x80 == 0, frame.control & 0xC0 == 0xC0);
        return Some((spoken(Tongue::Dlt645, says.0, says.1, frame.address.to_string()), len));
    }
    if let At::Frame(frame, len) = mbus::frame_at(bytes) {
        // Bit 6 of the control field: from whoever asks (EN 13757-2). Application error 70.
        let says = (frame.control & 0x40 != 0, frame.information == 0x70);
        return Some((spoken(Tongue::Mbus, says.0, says.1, frame.address.to_string()), len));
    }
    if let At::Frame(frame, len) = cjt188::frame_at(bytes) {
        let says = (frame.control & 0x80 == 0, frame.control & 0xC0 == 0xC0);
        return Some((spoken(Tongue::Cjt188, says.0, says.1, frame.address.to_string()), len));
    }
    if let Some((control, address)) = bytes.first_chunk::<5>().and_then(|five| mbus::short_frame(five))
        && control & 0x40 != 0
    {
        return Some((spoken(Tongue::Mbus, true, false, address.to_string()), 5));
    }
    let (said, len) = iec62056::message_at(bytes)?;
    let (is_question, address) = match said {
        iec62056::Message::SignOn(address) => (true, address),
        iec62056::Message::Acknowledgement => (true, String::new()),
        iec62056::Message::Identification | iec62056::Message::Block => (false, String::new()),
    };
    Some((spoken(Tongue::Iec62056, is_question, false, address), len))
}

/// The single character E5 of M-Bus, which means nothing where nobody has spoken M-Bus before it.
fn acknowledged(bytes: &[u8]) -> Option<(Spoken, usize)> {
    let spoken = Spoken { tongue: Tongue::Mbus, is_question: false, refuses: false, address: String::new() };
    bytes.first().filter(|byte| **byte == mbus::ACK).map(|_| (spoken, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::parse;

    const DLT645: &str = include_str!("../frames/dlt645.txt");
    const CJT188: &str = include_str!("../frames/cjt188.txt");
    const MBUS: &str = include_str!("../frames/mbus.txt");

    fn marked(file: &'static str, mark: &'static str) -> impl Iterator<Item = Vec<u8>> {
        file.lines().filter_map(move |line| line.strip_prefix(mark)).map(|line| parse(line).unwrap())
    }

    #[test]
    fn each_golden_frame_is_told_apart_by_language_and_side() {
        for (file, tongue) in [(DLT645, Tongue::Dlt645), (CJT188, Tongue::Cjt188), (MBUS, Tongue::Mbus)] {
            for (mark, is_question) in [("> ", true), ("< ", false)] {
                for frame in marked(file, mark) {
                    let parts = overheard(&frame);
                    let spoken = parts.first().and_then(|part| part.spoken.as_ref());
                    let spoken = spoken.unwrap_or_else(|| panic!("{tongue:?}: {frame:02X?}"));
                    assert_eq!((spoken.tongue, spoken.is_question), (tongue, is_question), "{frame:02X?}");
                    assert_eq!(parts.iter().map(|part| part.len).sum::<usize>(), frame.len());
                }
            }
        }
    }

    #[test]
    fn what_lies_between_frames_is_noise_and_a_damaged_frame_is_none() {
        let [request, answer] = ["> ", "< "].map(|mark| marked(DLT645, mark).next().unwrap());
        let line = [&[0xFE; 4][..], &request, &[0x12, 0x34, 0xFE], &answer].concat();
        let lens: Vec<(usize, bool)> =
            overheard(&line).iter().map(|part| (part.len, part.spoken.is_some())).collect();
        assert_eq!(lens, [(4 + request.len(), true), (2, false), (1 + answer.len(), true)]);
        let mut damaged = answer.clone();
        damaged[10] ^= 1;
        assert!(overheard(&damaged).iter().all(|part| part.spoken.is_none()));
        assert_eq!(resembles(&damaged), Some("DL/T 645"));
        assert_eq!(resembles(&[0x11, 3, 0, 0x6B]), None);
    }

    #[test]
    fn the_messages_of_mode_c_and_the_acknowledgement_of_m_bus_are_seen() {
        // IEC 62056-21, 6.3: sign-on, identification, acknowledgement; a block of one data set and its check character.
        let block = b"\x02!\r\n\x03";
        let check = iec62056::check_character(&block[1..]);
        let talk =
            [b"/?0013!\r\n".as_slice(), b"/LGZ4ZMF100AC.M26\r\n", b"\x06040\r\n", block, &[check]].concat();
        let sides: Vec<_> = overheard(&talk).into_iter().map(|p| p.spoken.map(|s| s.is_question)).collect();
        assert_eq!(sides, [Some(true), Some(false), Some(true), Some(false)]);
        // EN 13757-2: SND_NKE to meter 5 and its single character.
        let reset = overheard(&[0x10, 0x40, 5, 0x45, 0x16, 0xE5]);
        assert!(reset.len() == 2 && reset.iter().all(|part| part.spoken.is_some()), "{reset:?}");
        let late = overheard(&[0xE5, 0x10, 0x7B, 5, 0x80, 0x16]);
        assert!(late.len() == 2 && late.iter().all(|part| part.spoken.is_some()), "{late:?}");
        assert!(overheard(&[0xE5, 0x11]).iter().all(|part| part.spoken.is_none()), "nobody spoke M-Bus");
    }
}
