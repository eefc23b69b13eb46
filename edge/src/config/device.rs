//! Reads one `[[line.device]]` of the gateway's file: who it is, what it speaks and where it is found. Two devices that
//! could both answer to one address never stand on one line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steward_protocols::character::{Character, Parity};
use steward_protocols::question::Address;
use steward_protocols::{iec62056, mbus};
use steward_shared::document::{FromNode, Kind, Node, Table, Wrong, nearest};
use steward_shared::profile::{Language, Library, Profile, Rules};
use steward_shared::wire::catalogue::MAX_TEXT;

use super::bacnet::{INSTANCE, read_node, read_station};
use super::line::{ASCII, USUAL, read_character};
use super::mqtt::{TOPIC, read_topic};
use super::read::{check_name, check_unique, read_periods, read_title};
use super::remote::read_remote;
use super::settings::{DeviceConfig, Periods};

/// What carries a line's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A serial port of this machine, on which Modbus speaks RTU or ASCII.
    Port {
        ascii: bool,
    },
    /// A connection to a transparent converter, with such a line behind it.
    Converter {
        ascii: bool,
    },
    ModbusTcp,
    BacnetIp,
    /// A line on which this gateway is a station too.
    BacnetMstp {
        gateway: Option<u8>,
    },
    /// A broker of MQTT, to which devices tell.
    Broker,
}

/// What the devices of one line have in common.
pub(super) struct OnLine<'a> {
    /// Nothing where the line's kind is not known.
    pub carrier: Option<Carrier>,
    pub periods: Option<&'a Periods>,
    pub library: Option<&'a Library>,
    /// Those of the devices that stand in the file so far, with their names.
    pub addresses: BTreeMap<Address, String>,
}

/// How meters are set where nobody says otherwise, for what a device's own settings leave out (DL/T 645-2007,
/// CJ/T 188-2004 and EN 13757-2: 2400 baud, even parity).
const METER: Character = Character::new(2400, 8, Parity::Even, 1);

pub(super) fn read_device(
    table: &Table<'_>,
    line: &mut OnLine<'_>,
    names: &mut BTreeSet<String>,
) -> Option<DeviceConfig> {
    let name = table.required::<String>("name");
    if let Some(name) = &name {
        check_name(table, name);
        check_unique(table, "name", "device", names, name);
    }
    let title = read_title(table, name.as_deref().unwrap_or_default());
    let profile = read_profile(table, line.library);
    let language = profile.as_ref().map(|profile| &profile.language);
    if let Some(language) = language {
        check_carrier(table, language, line.carrier);
    }
    let address = read_address(table, language, line.carrier);
    if let Some(address) = address {
        check_alone(table, address, name.as_deref().unwrap_or_default(), &mut line.addresses);
    }
    let character = read_port(table, language, line.carrier);
    let place = table.or("place", String::new());
    table.check_text("place", &place, MAX_TEXT);
    let own = match table.optional_table("periods") {
        Some(own) if line.periods.is_some() => read_periods(&own, line.periods),
        Some(own) => {
            own.ignore_rest();
            None
        }
        None => line.periods.copied(),
    };
    let rules = read_rules(table, profile.as_deref());
    let remote = read_remote(table, profile.as_deref());
    let (name, profile, address) = (name?, profile?, address?);
    Some(DeviceConfig { name, title, profile, address, character, place, periods: own?, rules, remote })
}

fn check_carrier(table: &Table<'_>, language: &Language, carrier: Option<Carrier>) {
    let Some(carrier) = carrier else { return };
    let (what, way_out) = match (carrier, language) {
        (Carrier::BacnetIp | Carrier::BacnetMstp { .. }, Language::Bacnet(_))
        | (Carrier::Broker, Language::Mqtt(_)) => return,
        (Carrier::BacnetIp | Carrier::BacnetMstp { .. }, _) => {
            ("BACnet", "take a profile with [bacnet], or put the device on a line of another kind")
        }
        (_, Language::Bacnet(_)) => (
            "no BACnet",
            "put the device on a line of kind = \"bacnet-ip\" or \"bacnet-mstp\", or take another profile",
        ),
        (Carrier::Broker, _) => (
            "what devices tell by MQTT",
            "take a profile with [mqtt], or put the device on a line of another kind",
        ),
        (_, Language::Mqtt(_)) => {
            ("nothing that devices tell by MQTT", "put it on a line of kind = \"mqtt\"")
        }
        (Carrier::ModbusTcp, Language::Modbus(_)) | (Carrier::Port { .. } | Carrier::Converter { .. }, _) => {
            return;
        }
        (Carrier::ModbusTcp, _) => (
            "Modbus TCP",
            "write framing = \"transparent\" where a converter stands before a serial line, or put the \
             device on a line of kind = \"serial\"",
        ),
    };
    let message = format!("this device speaks {}, and the line carries {what}", language.name());
    table.fault("profile", message, way_out);
}

/// What it must be follows from the language. Where that is not known a number is taken for a Modbus unit, and a text
/// for a meter's number, which nobody judges.
fn read_address(table: &Table<'_>, language: Option<&Language>, carrier: Option<Carrier>) -> Option<Address> {
    if let Some(Carrier::BacnetMstp { gateway }) = carrier {
        return read_station(table, gateway);
    }
    match language {
        // Its topic is an address for a profile that is not known or of another language.
        _ if carrier == Some(Carrier::Broker) => read_topic(table),
        _ if carrier == Some(Carrier::BacnetIp) => read_node(table),
        Some(Language::Bacnet(_)) => read_node(table),
        None if table.has("address") && table.optional::<Given>("address") == Some(Given::Text) => None,
        None | Some(Language::Modbus(_)) => read_unit(table, carrier).map(Address::Modbus),
        Some(Language::Dlt645(_)) => read_number(table).map(Address::Dlt645),
        Some(Language::Cjt188(_)) => read_number(table).map(Address::Cjt188),
        Some(Language::Mbus(_)) => read_mbus(table).map(Address::Mbus),
        Some(Language::Iec62056(_)) => read_iec62056(table).map(Address::Iec62056),
        Some(Language::Mqtt(_)) => read_topic(table),
    }
}

/// What stands in the file for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Text,
    Other,
}

impl FromNode for Given {
    const EXAMPLE: &'static str = "1";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        Ok(if matches!(node.kind, Kind::Text(_)) { Self::Text } else { Self::Other })
    }
}

/// On a serial line or behind a converter 0 is for all, and 248 to 255 are reserved (serial line guide V1.02, 2.2). In
/// MODBUS TCP 0 and 255 mean the device at the other end itself (implementation guide V1.0b, 4.4.2.1).
fn read_unit(table: &Table<'_>, carrier: Option<Carrier>) -> Option<u8> {
    let given = table.required::<u16>("address")?;
    let (fits, way_out) = match carrier {
        Some(Carrier::Port { .. } | Carrier::Converter { .. }) => {
            (matches!(given, 1..=247), "write a value from 1 to 247")
        }
        Some(Carrier::ModbusTcp | Carrier::BacnetIp | Carrier::BacnetMstp { .. } | Carrier::Broker)
        | None => (
            matches!(given, 0..=247 | 255),
            "write a value from 0 to 247, or 255 where one device alone is behind the connection",
        ),
    };
    if !fits {
        table.fault("address", format!("{given} is no address of a device"), way_out);
    }
    u8::try_from(given).ok().filter(|_| fits)
}

/// A meter's number, as it is printed on it.
fn read_number<A: std::str::FromStr<Err: std::fmt::Display>>(table: &Table<'_>) -> Option<A> {
    let given = table.required::<String>("address")?;
    match given.parse() {
        Ok(address) => Some(address),
        Err(fault) => {
            let way_out = "write all digits of the meter's communication address, with the zeros, in quotes";
            table.fault("address", format!("\"{given}\" is none: {fault}"), way_out);
            None
        }
    }
}

/// A primary number, or a secondary address in quotes.
fn read_mbus(table: &Table<'_>) -> Option<mbus::Address> {
    let text = match table.optional::<Given>("address") {
        Some(Given::Text) | None => table.required::<String>("address")?,
        Some(Given::Other) => table.required::<u16>("address")?.to_string(),
    };
    let address = text.parse();
    if let Err(fault) = &address {
        let way_out = "write address = 5, or address = \"12345678\" with the digits that stand on the meter";
        table.fault("address", format!("\"{text}\" is none: {fault}"), way_out);
    }
    address.ok()
}

/// What is printed on the meter; without it whichever meter is there is asked.
fn read_iec62056(table: &Table<'_>) -> Option<iec62056::Address> {
    let text = table.or("address", String::new());
    let address = text.parse();
    if let Err(fault) = &address {
        let way_out = "write it in quotes, or remove the key where the meter is alone";
        table.fault("address", format!("\"{text}\" is none: {fault}"), way_out);
    }
    address.ok()
}

fn check_alone(table: &Table<'_>, address: Address, name: &str, others: &mut BTreeMap<Address, String>) {
    let first = others.iter().find(|(other, _)| address.overlaps(**other));
    if let Some((other, first)) = first {
        let way_out = "two devices with one address spoil each other's answers: give each its own";
        let message = if *other == address || matches!(address, Address::Bacnet(_)) {
            format!("{address} is the address of \"{first}\" on this line too")
        } else {
            format!("\"{first}\" with {other} and this one with {address} may both answer")
        };
        let key = match address {
            Address::Bacnet(_) => INSTANCE,
            Address::Mqtt(_) => TOPIC,
            _ => "address",
        };
        table.fault(key, message, way_out);
    }
    others.insert(address, name.to_owned());
}

/// How this device wants the port, where the others on its line want it otherwise.
fn read_port(table: &Table<'_>, language: Option<&Language>, carrier: Option<Carrier>) -> Option<Character> {
    let own = table.optional_table("serial")?;
    if carrier.is_some_and(|c| !matches!(c, Carrier::Port { .. })) {
        let message = "only a port of this machine can be set anew for each device";
        table.fault("serial", message, "remove it; a converter is set by its own pages");
        own.ignore_rest();
        return None;
    }
    if let Some(Language::Iec62056(_)) = language {
        let message = "such a meter says itself how the port is to be set";
        table.fault("serial", message, "remove it; max_baud of its profile keeps it slow");
        own.ignore_rest();
        return None;
    }
    let usual = match (language, carrier) {
        (Some(Language::Dlt645(_) | Language::Cjt188(_) | Language::Mbus(_)), _) => METER,
        (_, Some(Carrier::Port { ascii: true })) => ASCII,
        _ => USUAL,
    };
    Some(read_character(&own, usual))
}

/// The rules of the profile's points, with what `points = { key = { … } }` says otherwise for this device.
fn read_rules(table: &Table<'_>, profile: Option<&Profile>) -> Vec<Arc<Rules>> {
    let own = table.optional_table("points");
    let Some(profile) = profile else {
        // Which points there are is not known: none is told.
        own.iter().for_each(Table::ignore_rest);
        return Vec::new();
    };
    if let Some(own) = &own {
        for key in own.keys().iter().filter(|key| profile.point(key).is_none()) {
            let way_out = nearest(key, profile.points.iter().map(|p| p.key.as_str())).map_or_else(
                || "name a point of the profile".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            own.fault(key, format!("{} has no point {key}", profile.id), way_out);
        }
        own.ignore_rest();
    }
    let rules = profile.points.iter().map(|point| {
        let own = own.as_ref().and_then(|own| own.optional_table(&point.key));
        let Some(own) = own else { return Arc::clone(&point.rules) };
        if own.has("max_age") && point.told().is_none() {
            let way_out = "remove it: a device that is asked and does not answer is known at once";
            own.fault("max_age", "only a value that comes by itself has a greatest age", way_out);
        }
        Arc::new(Rules::read(&own, &point.rules, point.kind))
    });
    rules.collect()
}

fn read_profile(table: &Table<'_>, library: Option<&Library>) -> Option<Arc<Profile>> {
    let id = table.required::<String>("profile")?;
    // A library with faults has told them; which profiles it would have is not known.
    let library = library?;
    let profile = library.get(&id);
    if profile.is_none() {
        let way_out = match library.nearest(&id) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "write vendor/model, and name the folder of your own profiles in [profiles] folders"
                .to_owned(),
        };
        table.fault("profile", format!("there is no profile \"{id}\""), way_out);
    }
    profile
}
