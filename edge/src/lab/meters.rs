//! Meters that are no Modbus devices: what those of one line say in DL/T 645, CJ/T 188, M-Bus and IEC 62056-21, and how a
//! broken one spoils it. Where several answer at once nobody is understood, as on a wire.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steward_protocols::far_end::{Answer, Heard, Station};
use steward_protocols::modbus::device::Spoilt;
use steward_protocols::question::Address;
use steward_protocols::scan::first_frame;
use steward_protocols::{cjt188, dlt645, iec62056, mbus};
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

use super::breaks::Fault;
use super::simulated::Simulated;

/// The acknowledgement of M-Bus, which is one byte.
const ACK: u8 = 0xE5;
const MBUS_ERROR: u8 = 0x70;

/// How long a meter takes before it answers when nothing is said: DL/T 645 allows 20 to 500 ms, IEC 62056-21 wants 200.
pub const fn turnaround(language: &Language) -> Duration {
    match language {
        Language::Modbus(_) => Duration::from_millis(8),
        Language::Bacnet(_) | Language::Mqtt(_) => Duration::from_millis(2),
        Language::Dlt645(_) | Language::Cjt188(_) | Language::Mbus(_) => Duration::from_millis(40),
        Language::Iec62056(_) => Duration::from_millis(200),
    }
}

/// Whether answers of a language can be broken so.
pub const fn can_break(language: &Language, fault: Fault) -> bool {
    match language {
        Language::Modbus(_) | Language::Dlt645(_) | Language::Cjt188(_) | Language::Mbus(_) => true,
        // Its answers bear neither an address nor a length, and it has no word for no.
        Language::Iec62056(_) => {
            !matches!(fault, Fault::Foreign | Fault::FalseCount | Fault::Exception(_) | Fault::Reboot)
        }
        // Its datagrams have no check sum: UDP has.
        Language::Bacnet(_) => !matches!(fault, Fault::WrongCrc | Fault::Foreign),
        // It is not asked.
        Language::Mqtt(_) => false,
    }
}

/// Whether it is a whole frame of one of the languages.
pub fn is_whole(frame: &[u8]) -> bool {
    first_frame(frame, dlt645::frame_at).is_some()
        || first_frame(frame, cjt188::frame_at).is_some()
        || first_frame(frame, mbus::frame_at).is_some()
        || mbus::short_frame(frame).is_some()
        || frame.ends_with(b"\r\n")
}

/// The meter behind an address: what of it does not live in its profile.
#[derive(Debug)]
enum Machine {
    Dlt645(dlt645::Address),
    Cjt188(cjt188::Address),
    Mbus(mbus::Meter<Arc<Profile>>),
    Iec62056(iec62056::Meter<Arc<Profile>>),
}

/// A simulated meter on a line.
#[derive(Debug)]
pub struct Metered {
    device: Arc<Simulated>,
    machine: Mutex<Machine>,
}

impl Metered {
    /// None where the address is not one of the profile's language. `identity` is what a meter of M-Bus says that it is.
    pub fn new(device: Arc<Simulated>, address: Address, identity: mbus::Identity) -> Option<Self> {
        let profile = device.shared_profile();
        let machine = match (address, &profile.language) {
            (Address::Dlt645(own), Language::Dlt645(_)) => Machine::Dlt645(own),
            (Address::Cjt188(own), Language::Cjt188(_)) => Machine::Cjt188(own),
            (Address::Mbus(own), Language::Mbus(_)) => {
                let number = if let mbus::Address::Primary(number) = own { number } else { 0 };
                Machine::Mbus(mbus::Meter::new(profile, number, identity)?)
            }
            (Address::Iec62056(own), Language::Iec62056(_)) => {
                Machine::Iec62056(iec62056::Meter::new(profile, own)?)
            }
            _ => return None,
        };
        Some(Self { device, machine: Mutex::new(machine) })
    }

    /// What it says, and how long after its usual time; a second time where it is broken so.
    fn says(&self, frame: &[u8]) -> Vec<(Vec<u8>, Duration)> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let show = |point: &PointDef| self.device.shows(point);
        let profile = self.device.profile();
        let whole = match &mut *machine {
            Machine::Dlt645(own) => answer(profile, Address::Dlt645(*own), frame, None, show),
            Machine::Cjt188(own) => answer(profile, Address::Cjt188(*own), frame, None, show),
            Machine::Mbus(meter) => meter.answer(frame, show),
            Machine::Iec62056(meter) => meter.answer(frame, show),
        };
        let Some(whole) = whole else { return Vec::new() };
        let turn = self.device.turn();
        if turn.silent {
            return Vec::new();
        }
        let said = match (&*machine, turn.refused) {
            (Machine::Dlt645(own), Some(code)) => {
                answer(profile, Address::Dlt645(*own), frame, Some(code), show)
            }
            (Machine::Cjt188(own), Some(code)) => {
                answer(profile, Address::Cjt188(*own), frame, Some(code), show)
            }
            (Machine::Mbus(_), Some(code)) => Some(mbus_error(&whole, code)),
            _ => Some(whole),
        };
        let Some(said) = said else { return Vec::new() };
        let said = match (&*machine, turn.spoilt) {
            (_, None) => said,
            (Machine::Dlt645(_) | Machine::Cjt188(_), how) => spoil(said, how),
            (Machine::Mbus(_), Some(how)) => spoil_mbus(said, how),
            (Machine::Iec62056(_), Some(how)) => spoil_text(said, how),
        };
        let again = turn.again.map(|after| (said.clone(), turn.late + after));
        std::iter::once((said, turn.late)).chain(again).collect()
    }
}

/// The meters of one line.
#[derive(Debug)]
pub struct Meters {
    pub meters: Vec<Metered>,
    pub turnaround: Duration,
}

impl Station for Meters {
    fn hear(&self, frame: &[u8]) -> Heard {
        if !is_whole(frame) {
            return Heard::Broken;
        }
        let mut said: Vec<(Vec<u8>, Duration)> = self.meters.iter().flat_map(|m| m.says(frame)).collect();
        said.sort_by_key(|(_, late)| *late);
        let mut answers: Vec<Answer> = Vec::new();
        for (bytes, late) in said {
            let turnaround = self.turnaround + late;
            match answers.iter_mut().find(|answer| answer.turnaround == turnaround) {
                Some(first) => first.bytes = together(&first.bytes, &bytes),
                None => answers.push(Answer { bytes, turnaround }),
            }
        }
        if answers.is_empty() { Heard::Nobody } else { Heard::Answered(answers) }
    }

    /// A meter of IEC 62056-21 changes its rate while it speaks.
    fn has_own_rates(&self) -> bool {
        self.meters.iter().any(|meter| {
            matches!(*meter.machine.lock().unwrap_or_else(PoisonError::into_inner), Machine::Iec62056(_))
        })
    }
}

/// What is heard of two who speak at once: the wire is low where one of them pulls it down. Who say the same are heard.
fn together(a: &[u8], b: &[u8]) -> Vec<u8> {
    let idle = |bytes: &[u8], i: usize| bytes.get(i).copied().unwrap_or(0xFF);
    (0..a.len().max(b.len())).map(|i| idle(a, i) & idle(b, i)).collect()
}

/// What a meter of DL/T 645 or CJ/T 188 says; where it is broken so, its refusal.
pub fn answer(
    profile: &Profile,
    own: Address,
    frame: &[u8],
    refused: Option<u8>,
    show: impl FnMut(&PointDef) -> Option<Value>,
) -> Option<Vec<u8>> {
    match (own, refused) {
        (Address::Dlt645(own), None) => dlt645::Meter::new(profile, own)?.answer(frame, show),
        (Address::Cjt188(own), None) => cjt188::Meter::new(profile, own)?.answer(frame, show),
        (Address::Dlt645(address), Some(code)) => {
            let asked = first_frame(frame, dlt645::frame_at)?;
            Some(dlt645::Frame { address, control: asked.control | 0xC0, data: vec![code] }.bytes())
        }
        (Address::Cjt188(address), Some(code)) => {
            let asked = first_frame(frame, cjt188::frame_at)?;
            let data = vec![asked.data.last().copied().unwrap_or_default(), code, 0];
            Some(cjt188::Frame { address, control: asked.control | 0xC0, data, ..asked }.bytes())
        }
        _ => None,
    }
}

/// The report of an application error in place of a telegram; an acknowledgement is no answer that could be one.
fn mbus_error(whole: &[u8], code: u8) -> Vec<u8> {
    match first_frame(whole, mbus::frame_at) {
        Some(frame) => mbus::Frame { information: MBUS_ERROR, data: vec![code], ..frame }.bytes(),
        None => whole.to_vec(),
    }
}

fn spoil_one(how: Spoilt) -> Vec<u8> {
    match how {
        Spoilt::Short => Vec::new(),
        _ => vec![ACK ^ 0x40],
    }
}

/// A long frame: 68 L L 68, control, address, information, data, sum, 16.
fn spoil_mbus(mut bytes: Vec<u8>, how: Spoilt) -> Vec<u8> {
    if bytes == [ACK] {
        return spoil_one(how);
    }
    let sum = bytes.len().saturating_sub(2);
    let places: &[usize] = match how {
        Spoilt::CheckSum => &[sum],
        Spoilt::Foreign => &[5, sum],
        Spoilt::Count => &[1, 2],
        Spoilt::Short => &[],
    };
    raise(&mut bytes, places);
    if how == Spoilt::Short {
        bytes.truncate(bytes.len().saturating_sub(3));
    }
    bytes
}

/// What IEC 62056-21 says: text, and behind a block its check character.
fn spoil_text(mut bytes: Vec<u8>, how: Spoilt) -> Vec<u8> {
    match how {
        Spoilt::CheckSum => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 0x11;
            }
        }
        Spoilt::Short => bytes.truncate(bytes.len().saturating_sub(3)),
        Spoilt::Foreign | Spoilt::Count => {}
    }
    bytes
}

/// Spoils an answer of DL/T 645 or CJ/T 188 in one way.
pub fn spoil(mut bytes: Vec<u8>, how: Option<Spoilt>) -> Vec<u8> {
    let Some(how) = how else { return bytes };
    let start = bytes.iter().position(|b| *b == 0x68).unwrap_or(0);
    let last = bytes.len().saturating_sub(2);
    let length = start + if bytes.get(start + 7) == Some(&0x68) { 9 } else { 10 };
    match how {
        // A byte of the address that both languages have. The sum is of all bytes before it: it holds again.
        Spoilt::Foreign => raise(&mut bytes, &[start + 3, last]),
        // The length: in the tenth byte of one language and the eleventh of the other; then the end is missed.
        Spoilt::Count => raise(&mut bytes, &[length, last]),
        Spoilt::CheckSum => raise(&mut bytes, &[last]),
        Spoilt::Short => bytes.truncate(bytes.len().saturating_sub(3)),
    }
    bytes
}

fn raise(bytes: &mut [u8], places: &[usize]) {
    for place in places {
        if let Some(byte) = bytes.get_mut(*place) {
            *byte = byte.wrapping_add(1);
        }
    }
}
