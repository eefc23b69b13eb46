//! Reads what a `[[line]]` of kind "bacnet-ip" or "bacnet-mstp" says of its network, and how its devices are found: by
//! their instance number, or at an address that was written down.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use steward_protocols::bacnet::bvlc::PORT;
use steward_protocols::bacnet::client::{Foreign, LinkAddress, Peer};
use steward_protocols::bacnet::npdu::Station;
use steward_protocols::question::{Address, Node};
use steward_shared::document::Table;

use super::read::duration_within;
use super::settings::{BacnetConfig, MstpConfig};

/// Instance 4194303 stands for "whichever".
const MAX_INSTANCE: u32 = 4_194_302;
const SHORTEST_TTL: Duration = Duration::from_secs(30);
const LONGEST_TTL: Duration = Duration::from_secs(65_535);
const USUAL_TTL: Duration = Duration::from_mins(5);
/// The rates of the standard (clause 9.2.3).
const MSTP_BAUDS: [u32; 6] = [9600, 19_200, 38_400, 57_600, 76_800, 115_200];
/// Masters have addresses up to this one; above are those that only answer.
const HIGHEST_MASTER: u8 = 127;
/// Requests under one token, where the file does not say: enough that a round of the token is not spent on one.
const USUAL_INFO_FRAMES: u8 = 5;

/// BACnet/IP of Annex J is IPv4.
fn v4(table: &Table<'_>, key: &str, given: SocketAddr) -> Option<SocketAddrV4> {
    match given {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => {
            table.fault(key, "BACnet/IP runs over IPv4", "write an address like \"192.168.1.20:47808\"");
            None
        }
    }
}

fn optional(table: &Table<'_>, key: &str) -> Option<SocketAddrV4> {
    v4(table, key, table.optional::<SocketAddr>(key)?)
}

pub(super) fn read_network(table: &Table<'_>) -> Option<BacnetConfig> {
    let listen = if table.has("listen") {
        optional(table, "listen")
    } else {
        Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT))
    };
    let broadcast = if table.has("broadcast") {
        optional(table, "broadcast")
    } else {
        listen.map(|listen| SocketAddrV4::new(Ipv4Addr::BROADCAST, listen.port()))
    };
    let retries = table.within_or("retries", 0..=10, 3_u8);
    let ttl = if table.has("ttl") {
        duration_within(table, "ttl", SHORTEST_TTL, LONGEST_TTL)
    } else {
        Some(USUAL_TTL)
    };
    let bbmd = optional(table, "bbmd");
    if table.has("ttl") && !table.has("bbmd") {
        table.fault("ttl", "only a registration with a BBMD has a life", "add bbmd, or remove ttl");
    }
    let foreign = bbmd.zip(ttl).map(|(bbmd, ttl)| Foreign { bbmd, ttl: ttl.as_secs() as u16 });
    Some(BacnetConfig { listen: listen?, broadcast: broadcast?, foreign, retries })
}

/// `path` has been read.
pub(super) fn read_line_of_mstp(table: &Table<'_>, path: Option<String>) -> Option<MstpConfig> {
    let baud = table.or("baud", 38_400_u32);
    if !MSTP_BAUDS.contains(&baud) {
        let known = MSTP_BAUDS.map(|b| b.to_string()).join(", ");
        table.fault("baud", format!("{baud} is no baud rate of MS/TP"), format!("take one of {known}"));
    }
    let mac = table.within("mac", 0..=HIGHEST_MASTER);
    let max_master = table.within_or("max_master", 1..=HIGHEST_MASTER, HIGHEST_MASTER);
    if let Some(mac) = mac
        && mac > max_master
    {
        let way_out = format!("write max_master = {mac} or more, or remove it: then it is {HIGHEST_MASTER}");
        table.fault("max_master", format!("the gateway itself is station {mac}"), way_out);
    }
    let max_info_frames = table.within_or("max_info_frames", 1..=100_u8, USUAL_INFO_FRAMES);
    let retries = table.within_or("retries", 0..=10, 3_u8);
    Some(MstpConfig { path: path?, baud, mac: mac?, max_master, max_info_frames, retries })
}

/// A station of the line that was written down. One above 127 must be: it never introduces itself.
pub(super) fn read_station(table: &Table<'_>, gateway: Option<u8>) -> Option<Address> {
    let instance = table.within(INSTANCE, 0..=MAX_INSTANCE);
    let at = if table.has("mac") {
        let mac = table.within("mac", 0..=254_u8)?;
        if gateway == Some(mac) {
            let way_out = "write the device's own, or give the line another mac";
            table.fault("mac", format!("{mac} is the gateway's own station on this line"), way_out);
        }
        Some(Peer::direct(LinkAddress::Mstp(mac)))
    } else {
        None
    };
    Some(Address::Bacnet(Node { instance: instance?, at }))
}

/// The key that a device's address stands in.
pub(super) const INSTANCE: &str = "instance";

pub(super) fn read_node(table: &Table<'_>) -> Option<Address> {
    let instance = table.within(INSTANCE, 0..=MAX_INSTANCE);
    let host = optional(table, "host");
    let network = if table.has("network") { table.within("network", 1..=65_534_u16) } else { None };
    let mac = table.optional::<String>("mac");
    if (network.is_some() || mac.is_some()) && !(host.is_some() && network.is_some() && mac.is_some()) {
        table.fault_here(
            "a device behind a router has the router's host, its network and its mac",
            "write all three, or none: then the device is found by its instance number",
        );
        return None;
    }
    let at = match (host, network.zip(mac)) {
        (None, _) => None,
        (Some(host), None) => Some(Peer::direct(host)),
        (Some(router), Some((network, mac))) => {
            let station = bytes(&mac).and_then(|mac| Station::new(network, &mac));
            if station.is_none() {
                let way_out = "write its bytes in hexadecimal: \"11\" is station 17 of an MS/TP line";
                table.fault("mac", format!("\"{mac}\" is no address of a station"), way_out);
            }
            Some(Peer::behind(router, station?))
        }
    };
    Some(Address::Bacnet(Node { instance: instance?, at }))
}

/// Pairs of hexadecimal digits; at least one.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let fits = rest.is_empty() && !pairs.is_empty();
    fits.then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steward_shared::document::listing;

    use super::super::{Config, WireConfig, parse};
    use super::*;

    fn read(line: &str, device: &str) -> Result<Config, String> {
        let text = format!(
            "[gateway]\nname = \"east\"\n[[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\n{line}\n\
             [[line.device]]\nname = \"ahu\"\n{device}\n"
        );
        parse("edge.toml", &text, Path::new("/"), []).map_err(|faults| listing(&faults))
    }

    const AHU: &str = "profile = \"flexit/nordic\"\ninstance = 1001";

    fn on_line(line: &str, device: &str) -> Result<Config, String> {
        let text = format!(
            "[gateway]\nname = \"east\"\n[[line]]\nname = \"bms\"\nkind = \"bacnet-mstp\"\n{line}\n\
             [[line.device]]\nname = \"ahu\"\n{device}\n"
        );
        parse("edge.toml", &text, Path::new("/"), []).map_err(|faults| listing(&faults))
    }

    const PORT_AND_MAC: &str = "port = \"/dev/ttyUSB0\"\nmac = 5";

    fn node(device: &str) -> Node {
        let config = read("", &format!("{AHU}\n{device}")).unwrap();
        match config.lines[0].devices[0].address {
            Address::Bacnet(node) => node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_network_says_little_and_means_the_usual() {
        let config = read("", AHU).unwrap();
        let WireConfig::Bacnet(network) = &config.lines[0].wire else { panic!("a network") };
        assert_eq!(network.listen, "0.0.0.0:47808".parse().unwrap());
        assert_eq!(network.broadcast, "255.255.255.255:47808".parse().unwrap());
        assert_eq!((network.foreign, network.retries), (None, 3));
        let config = read("bbmd = \"10.0.5.2:47808\"\nttl = \"10min\"", AHU).unwrap();
        let WireConfig::Bacnet(network) = &config.lines[0].wire else { panic!("a network") };
        assert_eq!(network.foreign.map(|f| f.ttl), Some(600));
    }

    #[test]
    fn a_device_is_found_by_its_number_or_asked_where_it_was_written_down() {
        assert_eq!(node(""), Node { instance: 1001, at: None });
        let host: SocketAddrV4 = "10.0.0.7:47808".parse().unwrap();
        assert_eq!(node("host = \"10.0.0.7:47808\"").at, Some(Peer::direct(host)));
        let routed = node("host = \"10.0.0.7:47808\"\nnetwork = 2001\nmac = \"11\"").at;
        assert_eq!(routed, Station::new(2001, &[17]).map(|station| Peer::behind(host, station)));
    }

    #[test]
    fn what_cannot_be_is_told_with_the_way_out() {
        let told = |line: &str, device: &str| read(line, device).unwrap_err();
        assert!(told("listen = \"[::1]:47808\"", AHU).contains("BACnet/IP runs over IPv4"));
        assert!(told("ttl = \"5min\"", AHU).contains("add bbmd, or remove ttl"));
        assert!(told("", "profile = \"flexit/nordic\"\ninstance = 4194303").contains("instance"));
        assert!(told("", &format!("{AHU}\nmac = \"11\"")).contains("write all three, or none"));
        let routed = format!("{AHU}\nhost = \"10.0.0.7:47808\"\nnetwork = 5\nmac = \"1\"");
        assert!(told("", &routed).contains("\"1\" is no address of a station"));
        let twice = format!("{AHU}\n[[line.device]]\nname = \"b\"\n{AHU}\nhost = \"10.0.0.7:47808\"");
        assert!(told("", &twice).contains("1001 is the address of \"ahu\" on this line too"));
        let modbus = told("", "profile = \"eastron/sdm630\"\ninstance = 1");
        assert!(modbus.contains("speaks Modbus, and the line carries BACnet"), "{modbus}");
    }
    #[test]
    fn a_line_of_mstp_says_its_port_and_its_station() {
        let config = on_line(PORT_AND_MAC, AHU).unwrap();
        let WireConfig::Mstp(line) = &config.lines[0].wire else { panic!("a line of MS/TP") };
        assert_eq!((line.path.as_str(), line.baud, line.mac), ("/dev/ttyUSB0", 38_400, 5));
        assert_eq!((line.max_master, line.max_info_frames, line.retries), (127, 5, 3));
        assert_eq!(config.lines[0].timeout, Duration::from_secs(6));
        let config = on_line(PORT_AND_MAC, &format!("{AHU}\nmac = 130")).unwrap();
        let at = Some(Peer::direct(LinkAddress::Mstp(130)));
        assert_eq!(config.lines[0].devices[0].address, Address::Bacnet(Node { instance: 1001, at }));
    }

    #[test]
    fn what_cannot_be_on_a_line_of_mstp_is_told_with_the_way_out() {
        let told = |line: &str, device: &str| on_line(line, device).unwrap_err();
        let with = |more: &str| format!("{PORT_AND_MAC}\n{more}");
        assert!(told("port = \"/dev/ttyUSB0\"", AHU).contains("mac"));
        assert!(told("port = \"/dev/ttyUSB0\"\nmac = 128", AHU).contains("127"));
        assert!(told(&with("baud = 14400"), AHU).contains("14400 is no baud rate of MS/TP"));
        assert!(told(&with("max_master = 4"), AHU).contains("the gateway itself is station 5"));
        assert!(told(&with("parity = \"even\""), AHU).contains("parity"));
        assert!(told(PORT_AND_MAC, &format!("{AHU}\nmac = 5")).contains("5 is the gateway's own station"));
        assert!(told(PORT_AND_MAC, &format!("{AHU}\nmac = 255")).contains("254"));
        let modbus = told(PORT_AND_MAC, "profile = \"eastron/sdm630\"\ninstance = 1");
        assert!(modbus.contains("speaks Modbus, and the line carries BACnet"), "{modbus}");
        let twice = format!("{AHU}\nmac = 7\n[[line.device]]\nname = \"b\"\n{AHU}");
        assert!(told(PORT_AND_MAC, &twice).contains("is the address of \"ahu\" on this line too"));
    }
}
