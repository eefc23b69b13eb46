//! Reads one `[[line]]` of the gateway's file with its devices, and what must be the only one of its kind:
//! names, ports, addresses on a line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use steward_protocols::question::Address;
use steward_shared::document::{Table, nearest};
use steward_shared::profile::{Framing, Library, Profile, Rules};
use steward_shared::wire::catalogue::MAX_TEXT;

use super::read::{check_name, check_unique, duration_within, read_periods, read_title};
use super::settings::{DeviceConfig, LineConfig, Periods, SerialConfig, WireConfig};

/// Behind a host or a path the hub is told the port and the device's address.
const MAX_WHERE: usize = MAX_TEXT - ":65535/255".len();

const BAUDS: [u32; 11] = [1200, 2400, 4800, 9600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800];

/// What stands in the file so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    lines: BTreeSet<String>,
    ports: BTreeSet<String>,
    devices: BTreeSet<String>,
}

pub(super) fn read_line(
    table: &Table<'_>,
    periods: Option<&Periods>,
    library: Option<&Library>,
    seen: &mut Seen,
) -> Option<LineConfig> {
    let name = table.required::<String>("name");
    if let Some(name) = &name {
        check_name(table, name);
        check_unique(table, "name", "line", &mut seen.lines, name);
    }
    let serial = table.word("kind", &[("tcp", false), ("serial", true)]);
    let (wire, addresses, timeout) = match serial {
        Some(true) => {
            let wire = read_serial(table, seen).map(WireConfig::Serial);
            (wire, Addresses::Bus, Duration::from_millis(500))
        }
        Some(false) => {
            let (wire, framing) = read_tcp(table, seen);
            let addresses = if framing == Framing::Tcp { Addresses::Units } else { Addresses::Bus };
            (wire, addresses, Duration::from_secs(1))
        }
        None => {
            // Without its kind nobody knows which keys belong here.
            table.ignore_rest();
            (None, Addresses::Units, Duration::from_secs(1))
        }
    };
    let timeout = if table.has("timeout") {
        duration_within(table, "timeout", Duration::from_millis(20), Duration::from_secs(30))
    } else {
        Some(timeout)
    };
    let mut on_line = BTreeMap::new();
    let devices: Vec<_> = table
        .tables("device")
        .iter()
        .map(|t| read_device(t, periods, library, addresses, &mut seen.devices, &mut on_line))
        .collect();
    Some(LineConfig {
        name: name?,
        wire: wire?,
        timeout: timeout?,
        devices: devices.into_iter().collect::<Option<_>>()?,
    })
}

/// What a device's address may be.
#[derive(Clone, Copy, Debug)]
enum Addresses {
    /// On a serial line or behind a converter: 0 is for all, 248 to 255 are reserved (serial line guide V1.02, 2.2).
    Bus,
    /// In MODBUS TCP 0 and 255 mean the device at the other end itself (implementation guide V1.0b, 4.4.2.1).
    Units,
}

fn read_address(table: &Table<'_>, addresses: Addresses) -> Option<Address> {
    let given = table.required::<u16>("address")?;
    let (fits, way_out) = match addresses {
        Addresses::Bus => (matches!(given, 1..=247), "write a value from 1 to 247"),
        Addresses::Units => (
            matches!(given, 0..=247 | 255),
            "write a value from 0 to 247, or 255 where one device alone is behind the connection",
        ),
    };
    if !fits {
        table.fault("address", format!("{given} is no address of a device"), way_out);
    }
    u8::try_from(given).ok().filter(|_| fits).map(Address::Modbus)
}

fn read_tcp(table: &Table<'_>, seen: &mut Seen) -> (Option<WireConfig>, Framing) {
    let host = table.required::<String>("host");
    let port = table.within("port", 1..=65_535_u16);
    let framings = [("tcp", Framing::Tcp), ("rtu", Framing::Rtu), ("ascii", Framing::Ascii)];
    let framing = table.word_or("framing", &framings, Framing::Tcp);
    let host = host.filter(|host| {
        let fits = !host.is_empty() && !host.contains(['/', ' ']);
        if !fits {
            let way_out = "write a name or address, and the port into port";
            table.fault("host", format!("\"{host}\" is no host"), way_out);
        }
        fits && table.check_text("host", host, MAX_WHERE)
    });
    let wire = host.zip(port).map(|(host, port)| {
        check_unique(table, "port", "connection", &mut seen.ports, &format!("{host}:{port}"));
        WireConfig::Tcp { host, port, framing }
    });
    (wire, framing)
}

fn read_serial(table: &Table<'_>, seen: &mut Seen) -> Option<SerialConfig> {
    let path = table.required::<String>("port");
    if let Some(path) = &path {
        if !path.starts_with('/') {
            table.fault("port", format!("\"{path}\" is no path"), "write it whole, like \"/dev/ttyUSB0\"");
        }
        table.check_text("port", path, MAX_WHERE);
        check_unique(table, "port", "port", &mut seen.ports, path);
    }
    let baud = table.or("baud", 9600_u32);
    if !BAUDS.contains(&baud) {
        let known = BAUDS.map(|b| b.to_string()).join(", ");
        table.fault("baud", format!("{baud} is no baud rate"), format!("take one of {known}"));
    }
    let framing = table.word_or("framing", &[("rtu", Framing::Rtu), ("ascii", Framing::Ascii)], Framing::Rtu);
    // Seven is usual for ASCII (serial line guide V1.02, 2.5.2); RTU has eight and no other.
    let least = if framing == Framing::Ascii { 7 } else { 8 };
    let data_bits = table.or("data_bits", least);
    if !(least..=8).contains(&data_bits) {
        let (message, way_out) = match framing {
            Framing::Ascii => ("Modbus ASCII has seven or eight data bits", "write 7 or 8"),
            _ => ("Modbus RTU has eight data bits", "write 8 or remove the key"),
        };
        table.fault("data_bits", message, way_out);
    }
    let parities = [("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];
    let usual = if framing == Framing::Ascii { Parity::Even } else { Parity::None };
    let parity = table.word_or("parity", &parities, usual);
    let stop_bits = table.within_or("stop_bits", 1..=2_u8, 1);
    let gap = table.optional::<Duration>("gap");
    if gap.is_some_and(|g| g > Duration::from_secs(1)) {
        table.fault(
            "gap",
            "this is no silence between two frames",
            "write at most \"1s\", or remove the key",
        );
    }
    let character = Character::new(baud, data_bits, parity, stop_bits);
    Some(SerialConfig { path: path?, character, framing, gap })
}

fn read_device(
    table: &Table<'_>,
    periods: Option<&Periods>,
    library: Option<&Library>,
    addresses: Addresses,
    names: &mut BTreeSet<String>,
    on_line: &mut BTreeMap<Address, String>,
) -> Option<DeviceConfig> {
    let name = table.required::<String>("name");
    if let Some(name) = &name {
        check_name(table, name);
        check_unique(table, "name", "device", names, name);
    }
    let title = read_title(table, name.as_deref().unwrap_or_default());
    let profile = read_profile(table, library);
    let address = read_address(table, addresses);
    if let Some(address) = address
        && let Some(first) = on_line.insert(address, name.clone().unwrap_or_default())
    {
        let way_out = "two devices with one address spoil each other's answers: give each its own";
        table.fault("address", format!("{address} is the address of \"{first}\" on this line too"), way_out);
    }
    let place = table.or("place", String::new());
    table.check_text("place", &place, MAX_TEXT);
    let own = match table.optional_table("periods") {
        Some(own) if periods.is_some() => read_periods(&own, periods),
        Some(own) => {
            own.ignore_rest();
            None
        }
        None => periods.copied(),
    };
    let rules = read_rules(table, profile.as_deref());
    let (name, profile, address) = (name?, profile?, address?);
    Some(DeviceConfig { name, title, profile, address, place, periods: own?, rules })
}

/// The rules of the profile's points, with what `points = { key = { … } }` says otherwise for this device.
fn read_rules(table: &Table<'_>, profile: Option<&Profile>) -> Vec<Rules> {
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
        own.map_or_else(|| point.rules.clone(), |own| Rules::read(&own, &point.rules, point.kind))
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
