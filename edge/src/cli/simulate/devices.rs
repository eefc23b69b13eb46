//! The devices that `simulate` is to be: their profiles, their addresses, their values. Those of one line may speak several
//! languages, and no two could answer to one question; a device of BACnet/IP is alone.

use std::sync::Arc;

use steward_protocols::mbus::{self, Identity, Mask};
use steward_protocols::modbus::device::Answers;
use steward_protocols::question::{Address, Node};
use steward_protocols::{cjt188, dlt645, iec62056};
use steward_shared::profile::{Language, Profile};
use steward_shared::time::SystemClock;

use super::super::profile;
use super::super::text::{Lang, simulate as text};
use super::words::SimulateWords;
use crate::lab::meters::{Metered, can_break};
use crate::lab::{Break, Only, Several, Simulated};

/// What M-Bus calls heat and water.
const HEAT: u8 = 0x04;
const WATER: u8 = 0x07;

/// One of them.
pub struct Device {
    pub name: String,
    pub simulated: Arc<Simulated>,
    /// None for a Modbus device that is alone and was given none.
    pub address: Option<Address>,
    /// What a meter of M-Bus says that it is.
    pub identity: Identity,
}

impl Device {
    /// What stands before an order that is meant for it.
    pub fn word(&self) -> String {
        self.address.map_or_else(String::new, |address| match address {
            Address::Bacnet(node) => node.instance.to_string(),
            address => address.to_string(),
        })
    }

    pub fn language(&self) -> &Language {
        &self.simulated.profile().language
    }

    pub fn break_by(&self, broken: Break, lang: Lang) -> Result<(), String> {
        if !can_break(self.language(), broken.fault) {
            return Err(text::cannot_break(lang, &broken.to_string(), self.language().name()));
        }
        self.simulated.break_by(broken);
        Ok(())
    }
}

/// The devices that are meant, with what is set and broken from the start.
pub fn find(words: &SimulateWords, lang: Lang) -> Result<Vec<Device>, String> {
    let mut devices: Vec<Device> = Vec::new();
    for (given, index) in words.devices.iter().zip(0_u64..) {
        let (name, own) = given.split_once('@').map_or((given.as_str(), None), |(n, a)| (n, Some(a)));
        let profile = profile::find(name, &words.profiles, lang)?;
        if matches!(profile.language, Language::Mqtt(_)) {
            return Err(text::tells_by_itself(lang, &profile.id));
        }
        let given_apart = words.address.as_deref().filter(|_| words.devices.len() == 1);
        let wanted = own.or(given_apart);
        if wanted.is_none() && index > 0 {
            return Err(text::address_missing(lang, name));
        }
        let address = match wanted {
            Some(wanted) => Some(address(&profile, wanted).ok_or_else(|| {
                text::no_address(lang, wanted, profile.language.name(), example(&profile.language))
            })?),
            // Alone on a serial line it has 1; on TCP it answers to any.
            None if matches!(profile.language, Language::Modbus(_)) && words.devices.len() == 1 => None,
            None => address(&profile, first(&profile.language)),
        };
        let clash = |other: &&Device| other.address.zip(address).is_some_and(|(a, b)| a.overlaps(b));
        if let Some(other) = devices.iter().find(clash) {
            return Err(text::same_address(lang, &other.name, name));
        }
        if let Some(other) = devices.first()
            && !alike(other.language(), &profile.language)
        {
            return Err(text::not_together(lang, other.language().name(), profile.language.name()));
        }
        devices.push(Device {
            name: profile.id.clone(),
            identity: identity(&profile, address, words.seed.wrapping_add(index)),
            simulated: Arc::new(Simulated::new(
                profile,
                words.seed.wrapping_add(index),
                Arc::new(SystemClock),
            )),
            address,
        });
    }
    if words.address.is_some() && words.devices.len() > 1 {
        return Err(text::one_address(lang));
    }
    for set in &words.set {
        let (which, rest) = match set.strip_prefix('@').and_then(|set| set.split_once(':')) {
            Some((which, rest)) => (Some(which), rest),
            None => (None, set.as_str()),
        };
        let (key, value) = rest.split_once('=').ok_or_else(|| text::set_how(lang, set))?;
        for device in meant(&devices, which, lang)? {
            device.simulated.set(key.trim(), value.trim()).map_err(|e| e.to_string())?;
        }
    }
    for broken in &words.broken {
        for device in &devices {
            device.break_by(*broken, lang)?;
        }
    }
    Ok(devices)
}

/// Those that an order is for: the one of this address, or all.
pub fn meant<'d>(devices: &'d [Device], which: Option<&str>, lang: Lang) -> Result<Vec<&'d Device>, String> {
    let Some(which) = which else { return Ok(devices.iter().collect()) };
    let found: Vec<_> = devices.iter().filter(|device| device.word() == which).collect();
    if found.is_empty() {
        let all: Vec<String> = devices.iter().map(|d| format!("@{}", d.word())).collect();
        return Err(text::nobody_there(lang, which, &all.join(" ")));
    }
    Ok(found)
}

/// Whether devices of both languages can be on what `simulate` opens at once. Two devices of BACnet would need two
/// addresses of the network.
const fn alike(a: &Language, b: &Language) -> bool {
    !matches!(a, Language::Bacnet(_)) && !matches!(b, Language::Bacnet(_))
}

const fn first(language: &Language) -> &'static str {
    match language {
        Language::Modbus(_) | Language::Mbus(_) | Language::Bacnet(_) => "1",
        Language::Dlt645(_) => "000000000001",
        Language::Cjt188(_) => "00000000000001",
        Language::Iec62056(_) | Language::Mqtt(_) => "",
    }
}

const fn example(language: &Language) -> &'static str {
    match language {
        Language::Modbus(_) => "1 … 247",
        Language::Bacnet(_) => "0 … 4194302",
        Language::Dlt645(_) => "190018180502",
        Language::Cjt188(_) => "78330011223344",
        Language::Mbus(_) => "5, 12345678-KAM-1B-04",
        Language::Iec62056(_) => "0042",
        Language::Mqtt(_) => "",
    }
}

fn address(profile: &Profile, text: &str) -> Option<Address> {
    Some(match profile.language {
        Language::Modbus(_) => Address::Modbus(text.parse().ok().filter(|unit| (1..=247).contains(unit))?),
        Language::Bacnet(_) => {
            let instance = text.parse().ok().filter(|instance| *instance <= 4_194_302)?;
            Address::Bacnet(Node { instance, at: None })
        }
        Language::Dlt645(_) => Address::Dlt645(text.parse::<dlt645::Address>().ok()?),
        Language::Cjt188(_) => Address::Cjt188(text.parse::<cjt188::Address>().ok()?),
        Language::Mbus(_) => Address::Mbus(text.parse::<mbus::Address>().ok()?),
        Language::Iec62056(_) => Address::Iec62056(text.parse::<iec62056::Address>().ok()?),
        Language::Mqtt(_) => return None,
    })
}

/// What a meter of M-Bus says that it is: as its secondary address has it, the rest made up.
fn identity(profile: &Profile, address: Option<Address>, seed: u64) -> Identity {
    let digits = format!("{:08}", 10_000_000 + (seed.wrapping_mul(7_654_321)) % 80_000_000);
    let has = |unit: &str| profile.points.iter().any(|point| point.unit == unit);
    let is_water = has("m3") && !has("MW.h") && !has("kW.h") && !has("GJ");
    let made_up = format!("{digits}-STW-01-{:02X}", if is_water { WATER } else { HEAT });
    let made_up = made_up.parse().map_or(Mask::OPEN, |mask: Mask| mask);
    let given = match address {
        Some(Address::Mbus(mbus::Address::Secondary(mask))) => mask,
        _ => Mask::OPEN,
    };
    let mut wire = given.wire();
    let (digits, rest) = wire.split_at_mut(4);
    let made = made_up.wire();
    for (byte, made) in digits.iter_mut().zip(made) {
        let nibble = |given: u8, made: u8| if given == 0xF { made } else { given };
        *byte = nibble(*byte >> 4, made >> 4) << 4 | nibble(*byte & 0xF, made & 0xF);
    }
    for (byte, made) in rest.iter_mut().zip(made.into_iter().skip(4)) {
        if *byte == 0xFF {
            *byte = made;
        }
    }
    Identity::from_wire(wire)
}

/// Modbus devices: each at its unit, one alone at any where nothing is said.
pub fn units(devices: &[Device], usual: Option<u8>) -> impl Answers + use<> {
    let only = |device: &Device| {
        let unit = match device.address {
            Some(Address::Modbus(unit)) => Some(unit),
            _ => usual,
        };
        Only { unit, devices: Arc::clone(&device.simulated) }
    };
    let is_modbus = |device: &&Device| matches!(device.language(), Language::Modbus(_));
    Several(devices.iter().filter(is_modbus).map(only).collect())
}

/// Meters, each at its address.
pub fn meters(devices: &[Device]) -> Vec<Metered> {
    let one = |d: &Device| Metered::new(Arc::clone(&d.simulated), d.address?, d.identity);
    devices.iter().filter_map(one).collect()
}
