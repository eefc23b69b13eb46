//! Reads one `[[line]]` of the gateway's file, and what must be the only one of its kind: names and ports. Its devices
//! are read by `device.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use steward_shared::document::Table;
use steward_shared::profile::{Framing, Library};
use steward_shared::wire::catalogue::MAX_TEXT;

use super::bacnet::{read_line_of_mstp, read_network};
use super::device::{Carrier, OnLine, read_device};
use super::listen::{Guests, read_listen};
use super::mqtt::read_broker;
use super::read::{check_name, check_unique, duration_within};
use super::settings::{LineConfig, Periods, SerialConfig, WireConfig};

/// Behind a host or a path the hub is told the port and the device's address.
const MAX_WHERE: usize = MAX_TEXT - ":65535/AAAAAAAAAAAAAA".len();

/// What a port is set to where the file does not say.
pub(super) const USUAL: Character = Character::new(9600, 8, Parity::None, 1);
/// The same for Modbus ASCII: seven data bits and even parity are usual (serial line guide V1.02, 2.5.2).
pub(super) const ASCII: Character = Character::new(9600, 7, Parity::Even, 1);

const BAUDS: [u32; 13] =
    [300, 600, 1200, 2400, 4800, 9600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800];

/// What stands in the file so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    lines: BTreeSet<String>,
    ports: BTreeSet<String>,
    devices: BTreeSet<String>,
    guests: Guests,
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
    let kinds = [
        ("tcp", Kind::Tcp),
        ("listen", Kind::Listen),
        ("serial", Kind::Serial),
        ("bacnet-ip", Kind::Bacnet),
        ("bacnet-mstp", Kind::Mstp),
        ("mqtt", Kind::Mqtt),
    ];
    let (wire, carrier, timeout) = match table.word("kind", &kinds) {
        Some(Kind::Bacnet) => {
            let network = read_network(table);
            if let Some(network) = &network {
                check_unique(table, "kind", "UDP port", &mut seen.ports, &format!("udp {}", network.listen));
            }
            (network.map(WireConfig::Bacnet), Some(Carrier::BacnetIp), Duration::from_secs(3))
        }
        Some(Kind::Mstp) => {
            let path = read_port(table, seen);
            let line = read_line_of_mstp(table, path);
            let carrier = Carrier::BacnetMstp { gateway: line.as_ref().map(|line| line.mac) };
            (line.map(WireConfig::Mstp), Some(carrier), Duration::from_secs(6))
        }
        Some(Kind::Mqtt) => {
            let broker = read_broker(table).map(WireConfig::Mqtt);
            (broker, Some(Carrier::Broker), Duration::from_secs(10))
        }
        Some(Kind::Serial) => {
            let serial = read_serial(table, seen);
            let carrier =
                Carrier::Port { ascii: serial.as_ref().is_some_and(|s| s.framing == Framing::Ascii) };
            (serial.map(WireConfig::Serial), Some(carrier), Duration::from_millis(500))
        }
        Some(Kind::Tcp) => {
            let (wire, framing) = read_tcp(table, seen);
            (wire, Some(carrier_of(framing)), Duration::from_secs(1))
        }
        Some(Kind::Listen) => {
            let (listen, framing) = read_listen(table, name.as_deref().unwrap_or_default(), &mut seen.guests);
            (listen.map(WireConfig::Listen), Some(carrier_of(framing)), Duration::from_secs(3))
        }
        None => {
            // Without its kind nobody knows which keys belong here.
            table.ignore_rest();
            (None, None, Duration::from_secs(1))
        }
    };
    let timeout = if table.has("timeout") {
        duration_within(table, "timeout", Duration::from_millis(20), Duration::from_secs(30))
    } else {
        Some(timeout)
    };
    let is_dialled = !matches!(wire, Some(WireConfig::Listen(_)));
    let in_flight = match carrier {
        Some(Carrier::ModbusTcp) if is_dialled => usize::from(table.within_or("in_flight", 1..=16_u8, 1)),
        _ => 1,
    };
    if (!is_dialled || carrier.is_some_and(|c| c != Carrier::ModbusTcp))
        && table.optional::<u8>("in_flight").is_some()
    {
        let message =
            "only the frames of Modbus TCP tell which question they answer, and only a line that we dial";
        table.fault("in_flight", message, "remove the key");
    }
    let mut on_line = OnLine { carrier, periods, library, addresses: BTreeMap::new() };
    let devices: Vec<_> =
        table.tables("device").iter().map(|t| read_device(t, &mut on_line, &mut seen.devices)).collect();
    Some(LineConfig {
        name: name?,
        wire: wire?,
        timeout: timeout?,
        in_flight,
        devices: devices.into_iter().collect::<Option<_>>()?,
    })
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tcp,
    Listen,
    Serial,
    Bacnet,
    Mstp,
    Mqtt,
}

const fn carrier_of(framing: Framing) -> Carrier {
    match framing {
        Framing::Tcp => Carrier::ModbusTcp,
        Framing::Rtu => Carrier::Converter { ascii: false },
        Framing::Ascii => Carrier::Converter { ascii: true },
    }
}

fn read_tcp(table: &Table<'_>, seen: &mut Seen) -> (Option<WireConfig>, Framing) {
    let host = table.required::<String>("host");
    let port = table.within("port", 1..=65_535_u16);
    let framing = read_framing(table, Framing::Tcp);
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

/// A transparent converter carries any language; "rtu" is what it was called when there was only Modbus.
pub(super) fn read_framing(table: &Table<'_>, usual: Framing) -> Framing {
    let framings = [
        ("tcp", Framing::Tcp),
        ("transparent", Framing::Rtu),
        ("rtu", Framing::Rtu),
        ("ascii", Framing::Ascii),
    ];
    table.word_or("framing", &framings, usual)
}

/// The path of a serial port.
fn read_port(table: &Table<'_>, seen: &mut Seen) -> Option<String> {
    let path = table.required::<String>("port");
    if let Some(path) = &path {
        if !path.starts_with('/') {
            table.fault("port", format!("\"{path}\" is no path"), "write it whole, like \"/dev/ttyUSB0\"");
        }
        table.check_text("port", path, MAX_WHERE);
        check_unique(table, "port", "port", &mut seen.ports, path);
    }
    path
}

fn read_serial(table: &Table<'_>, seen: &mut Seen) -> Option<SerialConfig> {
    let path = read_port(table, seen);
    let framing = table.word_or("framing", &[("rtu", Framing::Rtu), ("ascii", Framing::Ascii)], Framing::Rtu);
    let character = read_character(table, if framing == Framing::Ascii { ASCII } else { USUAL });
    let gap = table.optional::<Duration>("gap");
    if gap.is_some_and(|g| g > Duration::from_secs(1)) {
        table.fault(
            "gap",
            "this is no silence between two frames",
            "write at most \"1s\", or remove the key",
        );
    }
    Some(SerialConfig { path: path?, character, framing, gap })
}

/// How characters stand on the wire; what is not said is as `usual`. Where seven data bits are usual eight are allowed
/// as well; where eight are there is no other.
pub(super) fn read_character(table: &Table<'_>, usual: Character) -> Character {
    let baud = table.or("baud", usual.baud);
    if !BAUDS.contains(&baud) {
        let known = BAUDS.map(|b| b.to_string()).join(", ");
        table.fault("baud", format!("{baud} is no baud rate"), format!("take one of {known}"));
    }
    let least = usual.data_bits;
    let data_bits = table.or("data_bits", least);
    if !(least..=8).contains(&data_bits) {
        let (message, way_out) = match least {
            7 => ("Modbus ASCII has seven or eight data bits", "write 7 or 8"),
            _ => ("Modbus RTU has eight data bits, and so have meters", "write 8 or remove the key"),
        };
        table.fault("data_bits", message, way_out);
    }
    let parities = [("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];
    let parity = table.word_or("parity", &parities, usual.parity);
    let stop_bits = table.within_or("stop_bits", 1..=2_u8, usual.stop_bits);
    Character::new(baud, data_bits, parity, stop_bits)
}
