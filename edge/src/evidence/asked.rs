//! Who was asked, and in which framing, as it is kept beside an answer: by it the frames of then are shown whatever the
//! gateway's file says now. The owners of lines call this with what they hear.

use std::sync::Arc;

use steward_protocols::question::Address;
use steward_shared::profile::{Framing, Language};
use steward_shared::time::Timestamp;

use super::decode::fingerprint;
use super::keeper::Evidence;
use super::runs::Heard;
use crate::config::DeviceConfig;

const FRAMINGS: [(&str, Framing); 3] =
    [("rtu", Framing::Rtu), ("ascii", Framing::Ascii), ("tcp", Framing::Tcp)];

/// Where the answers of a line's devices go, and what stands beside those of each.
#[derive(Debug)]
pub struct Witnesses {
    evidence: Evidence,
    devices: Vec<Witness>,
}

impl Witnesses {
    pub fn of(evidence: Evidence, devices: &[DeviceConfig], framing: Framing) -> Self {
        Self { evidence, devices: devices.iter().map(|device| Witness::of(device, framing)).collect() }
    }

    /// What a device said, and to what, in words; both are made only where answers are kept.
    pub fn heard(&self, device: usize, at: Timestamp, said: impl FnOnce() -> (String, Vec<u8>)) {
        if let Some(witness) = self.devices.get(device)
            && self.evidence.is_kept()
        {
            let (span, contents) = said();
            self.evidence.heard(witness.heard(span, at, contents));
        }
    }
}

/// Of one device on its line: what stands beside each of its answers.
#[derive(Clone, Debug)]
pub struct Witness {
    device: Arc<str>,
    /// What tells its profile from others.
    profile: Arc<str>,
    asked: Arc<str>,
}

impl Witness {
    pub fn of(device: &DeviceConfig, framing: Framing) -> Self {
        Self {
            device: device.name.as_str().into(),
            profile: fingerprint(&device.profile).into(),
            asked: asked(device.address, framing).into(),
        }
    }

    pub fn heard(&self, span: String, at: Timestamp, contents: Vec<u8>) -> Heard {
        let Self { device, profile, asked } = self.clone();
        Heard { device, profile, span, asked, at, contents }
    }
}

/// In words: `rtu 1`, `000000000161`, `device 1001`; of a device that tells its topic.
fn asked(address: Address, framing: Framing) -> String {
    match address {
        Address::Modbus(unit) => {
            let word = FRAMINGS.iter().find(|(_, known)| *known == framing).map_or("", |(word, _)| word);
            format!("{word} {unit}")
        }
        Address::Dlt645(address) => address.to_string(),
        Address::Cjt188(address) => address.to_string(),
        Address::Mbus(address) => address.to_string(),
        Address::Iec62056(address) => address.to_string(),
        Address::Bacnet(node) => format!("device {}", node.instance),
        Address::Mqtt(topic) => topic.to_string(),
    }
}

/// What the words say of a device of this language that is asked in frames.
pub(super) fn understood(words: &str, language: &Language) -> Option<(Address, Framing)> {
    let meter = |address: Address| Some((address, Framing::Rtu));
    match language {
        Language::Modbus(_) => {
            let (word, unit) = words.split_once(' ')?;
            let (_, framing) = FRAMINGS.into_iter().find(|(known, _)| *known == word)?;
            Some((Address::Modbus(unit.parse().ok()?), framing))
        }
        Language::Dlt645(_) => meter(Address::Dlt645(words.parse().ok()?)),
        Language::Cjt188(_) => meter(Address::Cjt188(words.parse().ok()?)),
        Language::Mbus(_) => meter(Address::Mbus(words.parse().ok()?)),
        // A meter that is alone is asked without an address.
        Language::Iec62056(_) if words == "-" => meter(Address::Iec62056("".parse().ok()?)),
        Language::Iec62056(_) => meter(Address::Iec62056(words.parse().ok()?)),
        Language::Bacnet(_) | Language::Mqtt(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    #[test]
    fn what_was_asked_is_understood_again() {
        let library = Library::compiled_in().unwrap();
        let of = |id: &str| &library.iter().find(|p| p.id == id).unwrap().language;
        let addresses = [
            ("eastron/sdm630", Address::Modbus(17)),
            ("dlt645/three-phase", Address::Dlt645("000000000161".parse().unwrap())),
            ("cjt188/water-901f", Address::Cjt188("11110000000001".parse().unwrap())),
            ("kamstrup/multical-601", Address::Mbus("06855817-KAM-08-04".parse().unwrap())),
            ("logarex/lk13", Address::Iec62056("".parse().unwrap())),
        ];
        for (profile, address) in addresses {
            let framing = Framing::Rtu;
            let words = asked(address, framing);
            assert_eq!(understood(&words, of(profile)), Some((address, framing)), "{words}");
        }
        let (ascii, tcp) =
            (asked(Address::Modbus(1), Framing::Ascii), asked(Address::Modbus(1), Framing::Tcp));
        assert_eq!((ascii.as_str(), tcp.as_str()), ("ascii 1", "tcp 1"));
        assert_eq!(understood("", of("eastron/sdm630")), None);
    }
}
