//! Reads what the gateway's file says of an MQTT broker, for a `[[line]]` of kind "mqtt" and for a `[[publish]]`, and under
//! which topic a device tells.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use steward_protocols::question::Address;
use steward_shared::document::Table;
use steward_shared::profile::mqtt::topic_fault;
use steward_shared::wire::catalogue::MAX_TEXT;

use super::read::{check_name, check_unique, duration_within};
use super::settings::{BrokerConfig, PublishConfig, PublishFormat};

const PLAIN: u16 = 1883;
const SECURE: u16 = 8883;
/// Where Debian and its relatives keep the authorities that the machine trusts.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Behind a host the hub is told the port and the device's topic.
const MAX_HOST: usize = MAX_TEXT - ":65535/".len() - 128;
/// The key that a device's address stands in.
pub(super) const TOPIC: &str = "topic";
/// What a topic for readings may be made of.
const WORDS: [&str; 5] = ["{gateway}", "{line}", "{device}", "{point}", "{place}"];

pub(super) fn read_broker(table: &Table<'_>) -> Option<BrokerConfig> {
    let host = table.required::<String>("host").filter(|host| {
        let fits = !host.is_empty() && !host.contains(['/', ' ']);
        if !fits {
            let way_out = "write a name or address, and the port into port";
            table.fault("host", format!("\"{host}\" is no host"), way_out);
        }
        fits && table.check_text("host", host, MAX_HOST)
    });
    let tls = table.or("tls", false);
    let ca = path(table, "ca");
    if table.has("ca") && !tls {
        table.fault("ca", "without TLS nothing is checked", "add tls = true, or remove ca");
    }
    let port = table.within_or("port", 1..=65_535_u16, if tls { SECURE } else { PLAIN });
    let user = table.optional::<String>("user");
    let password_file = path(table, "password_file");
    if table.has("password_file") && user.is_none() {
        table.fault("password_file", "a password belongs to a user", "add user = \"…\"");
    }
    let client_id = table.optional::<String>("client_id");
    if client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 64 || id.contains(char::is_control)) {
        table.fault("client_id", "a client id has 1 to 64 characters", "remove it: then one is made up");
    }
    let keep_alive = if table.has("keep_alive") {
        duration_within(table, "keep_alive", Duration::from_secs(5), Duration::from_hours(1))
    } else {
        Some(Duration::from_secs(30))
    };
    let ca = tls.then(|| ca.unwrap_or_else(|| PathBuf::from(SYSTEM_CA)));
    Some(BrokerConfig { host: host?, port, ca, user, password_file, client_id, keep_alive: keep_alive? })
}

/// The program may be started anywhere.
fn path(table: &Table<'_>, key: &str) -> Option<PathBuf> {
    let path = table.optional::<PathBuf>(key)?;
    if !path.is_absolute() {
        table.fault(key, format!("\"{}\" is no whole path", path.display()), "write it from / on");
    }
    Some(path)
}

pub(super) fn read_topic(table: &Table<'_>) -> Option<Address> {
    let text = table.required::<String>(TOPIC)?;
    let topic = text.parse();
    if let Err(fault) = &topic {
        let way_out = "write what the device's topics begin with, like \"zigbee2mqtt/chiller-room\"";
        table.fault(TOPIC, format!("\"{text}\" is no topic of a device: {fault}"), way_out);
    }
    topic.ok().map(Address::Mqtt)
}

pub(super) fn read_publish(table: &Table<'_>, names: &mut BTreeSet<String>) -> Option<PublishConfig> {
    let name = table.required::<String>("name");
    if let Some(name) = &name {
        check_name(table, name);
        check_unique(table, "name", "publisher", names, name);
    }
    let broker = read_broker(table);
    let timeout = if table.has("timeout") {
        duration_within(table, "timeout", Duration::from_millis(20), Duration::from_secs(30))
    } else {
        Some(Duration::from_secs(10))
    };
    let queue = table.within_or("queue", 100..=1_000_000_usize, 10_000);
    let format = match table.word("format", &[("json", false), ("sparkplug-b", true)]) {
        Some(false) => read_json(table),
        Some(true) => read_sparkplug(table),
        None => {
            // Without its format nobody knows which keys belong here.
            table.ignore_rest();
            None
        }
    };
    Some(PublishConfig { name: name?, broker: broker?, timeout: timeout?, queue, format: format? })
}

fn read_json(table: &Table<'_>) -> Option<PublishFormat> {
    let topic = table.or("topic", "steward/{gateway}/{line}/{device}/{point}".to_owned());
    let rest = WORDS.iter().fold(topic.clone(), |rest, word| rest.replace(word, ""));
    let fault = match topic_fault(&rest) {
        None if topic.is_empty() => Some("a topic has at least one character"),
        None if rest.contains(['{', '}']) => {
            Some("a topic for readings is made of what stands in braces below")
        }
        None if !(topic.contains("{device}") && topic.contains("{point}")) => {
            Some("readings of different points cannot be told apart")
        }
        other => other,
    };
    if let Some(fault) = fault {
        table.fault("topic", fault, format!("write {} and between them what you like", WORDS.join(", ")));
    }
    let status = table.or("status", "steward/{gateway}/status".to_owned());
    let status_fault = topic_fault(&status.replace("{gateway}", ""))
        .or(status.is_empty().then_some("a topic has a character"));
    if let Some(fault) = status_fault {
        table.fault("status", fault, "write a topic; {gateway} stands for the gateway's name");
    }
    let retained = table.or("retained", false);
    let at_least_once = table.within_or("qos", 0..=1_u8, 1) == 1;
    fault.is_none().then_some(PublishFormat::Json { topic, status, retained, at_least_once })
}

fn read_sparkplug(table: &Table<'_>) -> Option<PublishFormat> {
    let word = |key: &str, usual: &str| {
        let text = table.or(key, usual.to_owned());
        // tck-id-topic-structure-namespace-valid-group-id and -valid-edge-node-id.
        let fits = !text.contains(['/', '+', '#']) && !text.contains(char::is_control) && text.len() <= 64;
        if !fits {
            let way_out = "write at most 64 bytes without /, + and #";
            table.fault(key, format!("\"{text}\" is no word of a topic"), way_out);
        }
        fits.then_some(text)
    };
    let (group, node) = (word("group", "steward"), word("node", ""));
    Some(PublishFormat::Sparkplug { group: group?, node: node.map(|n| (!n.is_empty()).then_some(n))? })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steward_shared::document::listing;

    use super::super::{Config, WireConfig, parse};
    use super::*;

    fn read(line: &str, device: &str, rest: &str) -> Result<Config, String> {
        let text = format!(
            "[gateway]\nname = \"east\"\n[[line]]\nname = \"cloud\"\nkind = \"mqtt\"\nhost = \"broker\"\n{line}\n\
             [[line.device]]\nname = \"room\"\n{device}\n{rest}"
        );
        parse("edge.toml", &text, Path::new("/"), []).map_err(|faults| listing(&faults))
    }

    const ROOM: &str = "profile = \"aqara/wsdcgq11lm\"\ntopic = \"zigbee2mqtt/room\"";

    #[test]
    fn a_broker_says_little_and_means_the_usual() {
        let config = read("", ROOM, "").unwrap();
        let WireConfig::Mqtt(broker) = &config.lines[0].wire else { panic!("a broker") };
        assert_eq!((broker.port, &broker.ca, broker.keep_alive.as_secs()), (1883, &None, 30));
        assert_eq!(config.lines[0].timeout, Duration::from_secs(10));
        assert_eq!(config.lines[0].devices[0].address.to_string(), "zigbee2mqtt/room");
        let config = read("tls = true\nuser = \"s\"\npassword_file = \"/etc/steward/p\"", ROOM, "").unwrap();
        let WireConfig::Mqtt(broker) = &config.lines[0].wire else { panic!("a broker") };
        assert_eq!((broker.port, broker.ca.as_deref()), (8883, Some(Path::new(SYSTEM_CA))));
    }

    #[test]
    fn the_greatest_age_of_a_value_can_be_said_of_a_device() {
        let device = format!("{ROOM}\npoints = {{ temperature = {{ max_age = \"30min\" }} }}");
        let config = read("", &device, "").unwrap();
        let device = &config.lines[0].devices[0];
        let (point, rules) = device.points().find(|(point, _)| point.key == "temperature").unwrap();
        assert_eq!(
            (device.max_age(point, rules), device.period(point, rules)),
            (Some(Duration::from_mins(30)), Duration::from_mins(10))
        );
        let modbus = "[[line]]\nname = \"m\"\nkind = \"tcp\"\nhost = \"h\"\nport = 502\n[[line.device]]\nname = \"m\"\n\
                      profile = \"omron/e5cc\"\naddress = 1\npoints = { process-value = { max_age = \"1h\" } }";
        assert!(read("", ROOM, modbus).unwrap_err().contains("only a value that comes by itself"));
    }

    #[test]
    fn what_is_published_where_is_read_with_all_faults() {
        let publish = |keys: &str| {
            let text = format!("[[publish]]\nname = \"bms\"\nhost = \"h\"\n{keys}");
            read("", ROOM, &text).map(|config| config.publish[0].format.clone())
        };
        let json = publish("format = \"json\"").unwrap();
        let topic = "steward/{gateway}/{line}/{device}/{point}".to_owned();
        let status = "steward/{gateway}/status".to_owned();
        assert_eq!(json, PublishFormat::Json { topic, status, retained: false, at_least_once: true });
        let sparkplug = publish("format = \"sparkplug-b\"\ngroup = \"Hospital\"").unwrap();
        assert_eq!(sparkplug, PublishFormat::Sparkplug { group: "Hospital".to_owned(), node: None });
        let told = |keys: &str| publish(keys).unwrap_err();
        assert!(told("format = \"json\"\ntopic = \"a/{device}\"").contains("cannot be told apart"));
        assert!(
            told("format = \"json\"\ntopic = \"a/{device}/{point}/{floor}\"").contains("{gateway}, {line}")
        );
        assert!(told("format = \"json\"\ntopic = \"a/#/{device}/{point}\"").contains("+ and #"));
        assert!(told("format = \"sparkplug-b\"\ngroup = \"a/b\"").contains("no word of a topic"));
        assert!(told("format = \"csv\"").contains("\"sparkplug-b\""));
    }

    #[test]
    fn what_cannot_be_is_told_with_the_way_out() {
        let told = |line: &str, device: &str| read(line, device, "").unwrap_err();
        assert!(told("ca = \"/ca.pem\"", ROOM).contains("add tls = true, or remove ca"));
        assert!(told("tls = true\nca = \"ca.pem\"", ROOM).contains("no whole path"));
        assert!(told("password_file = \"/p\"", ROOM).contains("a password belongs to a user"));
        assert!(told("client_id = \"\"", ROOM).contains("1 to 64 characters"));
        let wild = "profile = \"aqara/wsdcgq11lm\"\ntopic = \"zigbee2mqtt/#\"";
        assert!(told("", wild).contains("is no topic of a device"));
        let twice = format!("{ROOM}\n[[line.device]]\nname = \"b\"\n{ROOM}");
        assert!(told("", &twice).contains("zigbee2mqtt/room is the address of \"room\" on this line too"));
        let modbus = told("", "profile = \"omron/e5cc\"\ntopic = \"a\"");
        assert!(modbus.contains("speaks Modbus, and the line carries what devices tell by MQTT"), "{modbus}");
    }
}
