//! Reads a `[[line]]` of kind "listen": a modem or serial server that dials in, how it says who it is, and from where it
//! may come.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use steward_protocols::hex;
use steward_shared::document::Table;
use steward_shared::profile::Framing;

use super::line::read_framing;
use super::settings::{ListenConfig, Network};

/// A registration or a heartbeat has at most so many bytes.
const LONGEST: usize = 64;

/// What the lines that stand in the file so far expect on each port.
pub(super) type Guests = BTreeMap<SocketAddr, Vec<(String, Vec<u8>)>>;

pub(super) fn read_listen(
    table: &Table<'_>,
    line: &str,
    guests: &mut Guests,
) -> (Option<ListenConfig>, Framing) {
    let listen = table.required::<SocketAddr>("listen");
    let register = read_bytes(table, "register", "register_hex");
    let heartbeat = read_bytes(table, "heartbeat", "heartbeat_hex");
    let given = table.optional::<Vec<String>>("allow").unwrap_or_default();
    let allow: Vec<Network> = given.iter().filter_map(|text| read_network(table, text)).collect();
    let framing = read_framing(table, Framing::Rtu);
    let key = if table.has("register_hex") { "register_hex" } else { "register" };
    if register.is_empty() && given.is_empty() {
        let message = "whoever connects would be taken for this line";
        table.fault(key, message, "write what the modem says first, or allow = [\"10.8.0.0/16\"], or both");
    }
    if let Some(listen) = listen {
        let others = guests.entry(listen).or_default();
        let clash =
            others.iter().find(|(_, other)| other.starts_with(&register) || register.starts_with(other));
        if let Some((other, _)) = clash {
            let message =
                format!("a modem of \"{other}\" on {listen} could not be told from one of this line");
            table.fault(
                key,
                message,
                "give each its own registration, none of which begins another, or its own port",
            );
        }
        others.push((line.to_owned(), register.clone()));
    }
    let config = listen.map(|listen| ListenConfig { listen, register, heartbeat, allow, framing });
    (config, framing)
}

/// A text, or bytes in hexadecimal.
fn read_bytes(table: &Table<'_>, text: &str, in_hex: &str) -> Vec<u8> {
    let (key, bytes) = match (table.optional::<String>(text), table.optional::<String>(in_hex)) {
        (Some(_), Some(_)) => {
            table.fault(in_hex, format!("{text} says it already"), "remove one of the two");
            return Vec::new();
        }
        (Some(given), None) => (text, given.into_bytes()),
        (None, Some(given)) => {
            let Some(bytes) = hex::parse(&given) else {
                let way_out = "write pairs of hexadecimal digits, like \"7E 01 0D\"";
                table.fault(in_hex, format!("\"{given}\" is no row of bytes"), way_out);
                return Vec::new();
            };
            (in_hex, bytes)
        }
        (None, None) => return Vec::new(),
    };
    if bytes.is_empty() || bytes.len() > LONGEST {
        table.fault(
            key,
            format!("it has 1 to {LONGEST} bytes"),
            "shorten it, in the modem too, or remove the key",
        );
    }
    bytes
}

/// `10.8.0.0/16`, or one address.
fn read_network(table: &Table<'_>, text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let network = address.parse::<IpAddr>().ok().and_then(|address| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|bits| *bits <= most)?;
        Some(Network { address, bits })
    });
    if network.is_none() {
        table.fault(
            "allow",
            format!("\"{text}\" is no network"),
            "write one like \"10.8.0.0/16\" or \"192.168.1.20\"",
        );
    }
    network
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steward_shared::document::listing;

    use super::*;
    use crate::config::{Config, WireConfig, parse};

    fn read(lines: &[&str]) -> Result<Config, String> {
        let mut text = String::from("[gateway]\nname = \"east\"\n");
        for (n, line) in lines.iter().enumerate() {
            let line =
                format!("[[line]]\nname = \"l{n}\"\nkind = \"listen\"\nlisten = \"0.0.0.0:5020\"\n{line}\n");
            text.push_str(&line);
        }
        parse("edge.toml", &text, Path::new("/"), []).map_err(|faults| listing(&faults))
    }

    fn first(config: &Config) -> &ListenConfig {
        let WireConfig::Listen(listen) = &config.lines[0].wire else { panic!("it listens") };
        listen
    }

    #[test]
    fn a_modem_is_known_by_what_it_says_and_where_it_comes_from() {
        let config =
            read(&["register_hex = \"7E 01\"\nheartbeat = \"ping\"\nallow = [\"10.8.0.0/16\", \"fd00::1\"]"])
                .unwrap();
        let listen = first(&config);
        assert_eq!((listen.register.as_slice(), listen.heartbeat.as_slice()), (&[0x7e, 1][..], &b"ping"[..]));
        assert_eq!(
            config.lines[0].wire.framing(),
            Framing::Rtu,
            "a modem is transparent unless it says otherwise"
        );
        let may = |from: &str| listen.allow.iter().any(|network| network.holds(from.parse().unwrap()));
        assert!(may("10.8.255.1") && may("fd00::1") && may("::ffff:10.8.0.1"));
        assert!(!may("10.9.0.1") && !may("fd00::2") && !may("127.0.0.1"));
    }

    #[test]
    fn a_line_that_anybody_could_take_is_a_fault() {
        let told = read(&[""]).unwrap_err();
        assert!(told.contains("whoever connects would be taken for this line"), "{told}");
        assert!(read(&["allow = [\"192.168.1.20\"]"]).is_ok());
    }

    #[test]
    fn lines_of_one_port_are_told_apart_by_their_registrations() {
        assert!(read(&["register = \"EAST\"", "register = \"WEST\""]).is_ok());
        for others in [
            ["register = \"EAST\"", "register = \"EAST-2\""],
            ["register = \"EAST\"", "allow = [\"10.0.0.1\"]"],
        ] {
            let told = read(&others).unwrap_err();
            assert!(told.contains("could not be told from one of this line"), "{told}");
        }
    }

    #[test]
    fn what_is_written_wrong_is_told_with_the_way_out() {
        for (line, wanted) in [
            ("register = \"a\"\nregister_hex = \"61\"", "register says it already"),
            ("register_hex = \"7E0\"", "is no row of bytes"),
            ("register = \"\"", "it has 1 to 64 bytes"),
            ("register = \"a\"\nallow = [\"10.0.0.0/33\"]", "is no network"),
            ("register = \"a\"\nallow = [\"plant\"]", "is no network"),
            ("register = \"a\"\nin_flight = 4", "only the frames of Modbus TCP"),
        ] {
            let told = read(&[line]).unwrap_err();
            assert!(told.contains(wanted), "{line}: {told}");
        }
    }
}
