//! The gateway's file as people write it, wrong on purpose.

use std::path::Path;
use std::time::Duration;

use steward_shared::document::listing;
use steward_shared::profile::Framing;

use super::*;

const PROFILE: &str = r#"
vendor = "Acme"
model = "M1"
title = { zh = "电表", en = "Meter" }
source = ["made for this test"]
[[point]]
key = "power"
title = { zh = "功率", en = "Power" }
table = "holding"
address = 0
type = "u16"
unit = "kW"
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("profiles/acme")).unwrap();
    std::fs::write(folder.path().join("profiles/acme/m1.toml"), PROFILE).unwrap();
    folder
}

fn read(text: &str) -> Result<Config, String> {
    let folder = folder();
    let text = format!("[profiles]\nfolders = [\"profiles\"]\n{text}");
    parse("edge.toml", &text, folder.path(), []).map_err(|f| listing(&f))
}

const GOOD: &str = r#"
[gateway]
name = "east-plant"
[[line]]
name = "chw-tcp"
kind = "tcp"
host = "127.0.0.1"
port = 15020
[[line.device]]
name = "main-meter"
title = { zh = "总表", en = "Main meter" }
profile = "acme/m1"
address = 1
place = "B1"
periods = { normal = "5s" }
[[line]]
name = "pumps"
kind = "serial"
port = "/dev/ttyUSB0"
baud = 19200
parity = "even"
gap = "4ms"
[[line.device]]
name = "pump-1"
profile = "acme/m1"
address = 1
"#;

#[test]
fn a_good_file_says_what_is_written_in_it_and_defaults_for_the_rest() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.buffer.flush, Duration::from_secs(10));
    assert_eq!(config.hub, None);
    assert_eq!(config.lines.len(), 2);
    let meter = &config.lines[0].devices[0];
    assert_eq!(meter.title.zh, "总表");
    assert_eq!((meter.periods.fast, meter.periods.normal), (Duration::from_secs(1), Duration::from_secs(5)));
    assert_eq!(config.lines[1].timeout, Duration::from_millis(500));
    assert_eq!(config.lines[1].devices[0].title.en, "pump-1", "the name stands in for a title");
}

/// `GOOD` with points that may be written, and this of its first device.
fn with_remote(remote: &str) -> Result<Config, String> {
    let folder = folder();
    let point = |key: &str, address: u16, write: &str| {
        format!(
            "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\ntable = \"holding\"\naddress = {address}\n\
             type = \"u16\"\nunit = \"kW\"\nwrite = {{ min = 0, max = 5{write} }}\n"
        )
    };
    let profile = PROFILE.to_owned()
        + &point("limit", 1, "")
        + &point("reset", 2, ", two_persons = true, time_boxed = true");
    std::fs::write(folder.path().join("profiles/acme/m1.toml"), profile).unwrap();
    let text = GOOD.replacen("place = \"B1\"", &format!("place = \"B1\"\n{remote}"), 1);
    let text = format!("[profiles]\nfolders = [\"profiles\"]\n{text}");
    parse("edge.toml", &text, folder.path(), []).map_err(|f| listing(&f))
}

#[test]
fn the_hub_writes_nothing_unless_the_file_says_so_and_only_what_it_names() {
    let keys = |remote: &str| {
        let config = with_remote(remote).unwrap();
        config.lines[0].devices[0].remote.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(""), [""; 0]);
    assert_eq!(keys("remote_write = {}"), ["limit", "reset"]);
    assert_eq!(keys("remote_write = { points = [\"limit\"] }"), ["limit"]);
    let config =
        with_remote("remote_write = { two_persons = [\"limit\"], priority = 10, per_minute = 2 }").unwrap();
    let remote = &config.lines[0].devices[0].remote;
    let limit = RemoteWrite { two_persons: true, time_boxed: false, priority: 10, per_minute: 2 };
    assert_eq!(remote["limit"], limit);
    assert!(remote["reset"].two_persons && remote["reset"].time_boxed, "as its profile says");
    assert!(config.lines[1].devices[0].remote.is_empty());
}

#[test]
fn a_point_that_cannot_be_written_is_not_opened_to_the_hub() {
    for (remote, told) in [
        ("remote_write = { points = [\"limmit\"] }", "did you mean limit?"),
        ("remote_write = { points = [\"power\"] }", "acme/m1 does not let power be written"),
        ("remote_write = { two_persons = [\"power\"] }", "acme/m1 does not let power be written"),
        ("remote_write = { points = [] }", "has no point that is written, or none is named"),
        ("remote_write = { priority = 6 }", "write a value from 7 to 16"),
        ("remote_write = { pionts = [] }", "pionts"),
    ] {
        let faults = with_remote(remote).unwrap_err();
        assert!(faults.contains(told), "{remote}: {faults}");
    }
}

#[test]
fn the_defaults_alone_lack_only_the_gateways_name() {
    let told = parse("edge.toml", "", Path::new("/"), []).map(|_| ()).map_err(|f| listing(&f)).unwrap_err();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("gateway.name: this key is missing"), "{told}");
}

#[test]
fn every_fault_is_told_at_once_with_its_place_and_the_way_out() {
    let told = read(
        r#"[gateway]
name = "east"
[http]
listen = "localhost"
[periods]
fast = "1 hour"
[[line]]
name = "a line"
kind = "tcp"
host = "127.0.0.1"
port = 0
timout = "1s"
[[line.device]]
name = "m"
profile = "acme/m2"
address = 300
[[line]]
name = "pumps"
kind = "serial"
port = "COM3"
baud = 9601
[[line.device]]
name = "m"
profile = "acme/m1"
address = 0
"#,
    )
    .unwrap_err();
    for (place, words) in [
        ("edge.toml:6:10: http.listen", "is no address to listen on"),
        ("edge.toml:8:8: periods.fast", "no duration"),
        ("edge.toml:10:8: line[0].name", "cannot be a name"),
        ("edge.toml:13:8: line[0].port", "out of range"),
        ("edge.toml:14:1: line[0].timout", "did you mean timeout?"),
        ("edge.toml:17:11: line[0].device[0].profile", "did you mean \"acme/m1\"?"),
        (
            "edge.toml:18:11: line[0].device[0].address",
            "300 is no address of a device; write a value from 0 to 247",
        ),
        ("edge.toml:22:8: line[1].port", "write it whole"),
        ("edge.toml:23:8: line[1].baud", "take one of 300, 600, 1200"),
        ("edge.toml:25:8: line[1].device[0].name", "a second time"),
        ("edge.toml:27:11: line[1].device[0].address", "from 1 to 247"),
    ] {
        assert!(
            told.lines().any(|l| l.starts_with(place) && l.contains(words)),
            "{place} … {words} is missing in\n{told}"
        );
    }
    assert_eq!(told.lines().count(), 11, "{told}");
}

#[test]
fn folders_that_are_not_named_from_the_root_start_where_the_file_is() {
    let data = |line: &str| {
        let text = GOOD.replace("name = \"east-plant\"", &format!("name = \"east-plant\"\n{line}"));
        let folder = folder();
        let text = format!("[profiles]\nfolders = [\"profiles\"]\n{text}");
        let config = parse("edge.toml", &text, folder.path(), []).unwrap();
        config.data.strip_prefix(folder.path()).map_or(config.data.clone(), Path::to_owned)
    };
    assert_eq!(data("data = \"kept\""), Path::new("kept"));
    assert_eq!(data("data = \"/srv/steward\""), Path::new("/srv/steward"));
    assert_eq!(data(""), Path::new("/var/lib/steward-edge"));
}

#[test]
fn one_address_twice_on_a_line_is_a_fault_and_on_two_lines_it_is_not() {
    let twice = GOOD.to_owned() + "[[line.device]]\nname = \"pump-2\"\nprofile = \"acme/m1\"\naddress = 1\n";
    let told = read(&twice).unwrap_err();
    assert!(told.contains("1 is the address of \"pump-1\" on this line too"), "{told}");
}

#[test]
fn an_address_that_no_device_can_have_is_a_fault() {
    let told = |framing: &str, address: u16| {
        let text = GOOD.replacen("port = 15020", &format!("port = 15020\nframing = \"{framing}\""), 1);
        read(&text.replacen("address = 1", &format!("address = {address}"), 1)).err()
    };
    for address in [0, 1, 247, 255] {
        assert_eq!(told("tcp", address), None);
    }
    for address in [248, 254, 256] {
        assert!(told("tcp", address).unwrap().contains("or 255 where one device alone"));
    }
    assert_eq!((told("rtu", 1), told("rtu", 247)), (None, None));
    for address in [0, 248, 255] {
        assert!(told("rtu", address).unwrap().contains("write a value from 1 to 247"));
    }
}

#[test]
fn a_sample_frame_that_does_not_give_its_value_is_a_fault_of_its_profile() {
    let sample = r#"[[frame]]
source = "made for this test"
framing = "rtu"
request = "01 03 00 00 00 01 84 0A"
response = "01 03 02 03 E8 B8 FA"
values = { power = 1000 }
"#;
    let told = |sample: &str| {
        let folder = folder();
        let path = folder.path().join("profiles/acme/m1.toml");
        std::fs::write(path, format!("{PROFILE}{sample}")).unwrap();
        let text = format!("[profiles]\nfolders = [\"profiles\"]\n{GOOD}");
        parse("edge.toml", &text, folder.path(), []).err().map(|f| listing(&f)).unwrap_or_default()
    };
    assert_eq!(told(sample), "");
    let wrong = told(&sample.replace("power = 1000", "power = 1001"));
    assert!(wrong.contains("acme/m1.toml:13:1: frame[0]: power reads as"), "{wrong}");
    let damaged = told(&sample.replace("B8 FA", "B8 FB"));
    assert!(damaged.contains("acme/m1.toml:13:1: frame[0]: the response is not whole"), "{damaged}");
    assert!(damaged.contains("correct the frame"), "{damaged}");
}

#[test]
fn an_ascii_line_has_seven_bits_and_even_parity_unless_it_says_otherwise() {
    let character = |more: &str| {
        let text = GOOD.replace("baud = 19200\nparity = \"even\"", &format!("framing = \"ascii\"\n{more}"));
        let config = read(&text)?;
        let WireConfig::Serial(serial) = config.lines[1].wire.clone() else { panic!() };
        assert_eq!(config.lines[1].wire.framing(), Framing::Ascii);
        Ok::<_, String>(serial.character.to_string())
    };
    assert_eq!(character("").unwrap(), "9600 7E1");
    assert_eq!(character("data_bits = 8\nparity = \"none\"").unwrap(), "9600 8N1");
    assert!(character("data_bits = 6").unwrap_err().contains("seven or eight data bits; write 7 or 8"));
    let rtu = read(&GOOD.replace("baud = 19200", "data_bits = 7")).unwrap_err();
    assert!(rtu.contains("Modbus RTU has eight data bits"), "{rtu}");
    let tcp = read(&GOOD.replace("port = 15020", "port = 15020\nframing = \"ascii\"")).unwrap();
    assert_eq!(tcp.lines[0].wire.framing(), Framing::Ascii);
}

#[test]
fn several_questions_may_be_under_way_on_modbus_tcp_alone() {
    let with = |more: &str| read(&GOOD.replace("port = 15020", &format!("port = 15020\n{more}")));
    assert_eq!(with("").unwrap().lines[0].in_flight, 1);
    assert_eq!(with("in_flight = 4").unwrap().lines[0].in_flight, 4);
    assert!(with("in_flight = 17").unwrap_err().contains("in_flight"));
    let rtu = with("framing = \"transparent\"\nin_flight = 4").unwrap_err();
    assert!(rtu.contains("only the frames of Modbus TCP tell which question they answer"), "{rtu}");
    let serial = read(&GOOD.replace("baud = 19200", "in_flight = 4")).unwrap_err();
    assert!(serial.contains("only the frames of Modbus TCP"), "{serial}");
}

#[test]
fn one_port_twice_is_a_fault() {
    let twice =
        GOOD.to_owned() + "[[line]]\nname = \"more\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = 15020\n";
    let told = read(&twice).unwrap_err();
    assert!(told.contains("the connection \"127.0.0.1:15020\" stands here a second time"), "{told}");
}

#[test]
fn keys_of_the_other_kind_of_line_are_not_known() {
    let mixed = GOOD.replace("port = 15020", "port = 15020\nbaud = 9600");
    let told = read(&mixed).unwrap_err();
    assert!(told.contains("line[0].baud: this key is not known"), "{told}");
}

#[test]
fn a_broken_profile_is_told_with_its_own_place_beside_the_faults_of_the_file() {
    let folder = folder();
    std::fs::write(folder.path().join("profiles/acme/m1.toml"), PROFILE.replace("u16", "u17")).unwrap();
    let text = format!("[profiles]\nfolders = [\"profiles\"]\n{}", GOOD.replace("19200", "19201"));
    let told = listing(&parse("edge.toml", &text, folder.path(), []).unwrap_err());
    assert!(told.contains("m1.toml:11:8"), "{told}");
    assert!(told.contains("19201 is no baud rate"), "{told}");
    assert!(!told.contains("there is no profile"), "what follows from the first fault is not told: {told}");
}

#[test]
fn the_environment_overrides_the_file() {
    let folder = folder();
    let text = format!("[profiles]\nfolders = [\"profiles\"]\n{GOOD}");
    let variables = [("STEWARD_EDGE__HTTP__LISTEN".to_owned(), "127.0.0.1:9999".to_owned())];
    let config = parse("edge.toml", &text, folder.path(), variables).unwrap();
    assert_eq!(config.http.port(), 9999);
}

#[test]
fn texts_that_a_hub_would_not_take_are_told_where_they_stand() {
    let wanted = [
        ("\"B1\"", "line[0].device[0].place", 256),
        ("\"Main meter\"", "line[0].device[0].title.en", 256),
        ("\"127.0.0.1\"", "line[0].host", 235),
        ("\"/dev/ttyUSB0\"", "line[1].port", 235),
    ];
    for (text, place, most) in wanted {
        let with = |bytes: usize| {
            let first = &text[..2];
            read(&GOOD.replace(text, &format!("{first}{}\"", "x".repeat(bytes - 1))))
        };
        assert!(with(most).is_ok(), "{place}");
        let told = with(most + 1).unwrap_err();
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains(&format!("{place}: this text has {} bytes", most + 1)), "{told}");
    }
    let told = read(&GOOD.replace("\"B1\"", "\"B\\u0000\"")).unwrap_err();
    assert!(told.contains("place: this text holds the character of code 0"), "{told}");
}

#[test]
fn a_device_may_say_otherwise_what_is_done_with_a_points_values() {
    let with = |points: &str| read(&GOOD.replacen("place = \"B1\"", &format!("place = \"B1\"\n{points}"), 1));
    let key = read(GOOD).unwrap().lines[0].devices[0].profile.points[0].key.clone();
    let config = with(&format!("points = {{ {key} = {{ max = 250, max_silence = \"5min\" }} }}")).unwrap();
    let (first, second) = (&config.lines[0].devices[0], &read(GOOD).unwrap().lines[0].devices[0]);
    assert_eq!((first.rules[0].max, second.rules[0].max), (Some(250.0), None));
    assert!(first.polls_like(second), "its line need not begin anew");
    let told = with(&format!("points = {{ {key}x = {{ max = 250 }} }}")).unwrap_err();
    assert!(told.contains(&format!("has no point {key}x; did you mean {key}?")), "{told}");
    let told = with(&format!("points = {{ {key} = {{ mx = 250 }} }}")).unwrap_err();
    assert!(told.contains("did you mean max?"), "{told}");
}

#[test]
fn meters_of_several_languages_share_one_line_each_with_its_own_port_settings() {
    let text = r#"
[gateway]
name = "east"
[[line]]
name = "rs485"
kind = "serial"
port = "/dev/ttyUSB0"
[[line.device]]
name = "pump"
profile = "acme/m1"
address = 1
[[line.device]]
name = "electricity"
profile = "dlt645/three-phase"
address = "000000000161"
serial = { baud = 2400 }
[[line]]
name = "converter"
kind = "tcp"
host = "10.0.0.9"
port = 26
framing = "transparent"
[[line.device]]
name = "second"
profile = "dlt645/single-phase"
address = "AAAAAAAAAAAA"
"#;
    let config = read(text).unwrap();
    let [pump, electricity] = config.lines[0].devices.as_slice() else { panic!() };
    assert_eq!(pump.character, None);
    assert_eq!(
        electricity.character.unwrap().to_string(),
        "2400 8E1",
        "as meters are set, where it is not said"
    );
    assert_eq!(electricity.address.to_string(), "000000000161");
    let old = read(&text.replace("\"transparent\"", "\"rtu\"")).unwrap();
    assert_eq!(old.lines[1].wire, config.lines[1].wire, "what it was called before still means the same");

    let told = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        read(&text.replace(from, to)).unwrap_err()
    };
    for (from, to, words) in [
        ("\"000000000161\"", "161", "a text is wanted here"),
        ("\"000000000161\"", "\"161\"", "\"161\" is none: a meter's address has twelve digits"),
        ("framing = \"transparent\"\n", "", "speaks DL/T 645, and the line carries Modbus TCP"),
        (
            "address = \"AAAAAAAAAAAA\"",
            "address = \"000000000161\"\nserial = { baud = 2400 }",
            "a converter is set by its own pages",
        ),
        ("{ baud = 2400 }", "{ baud = 2401 }", "2401 is no baud rate"),
        ("{ baud = 2400 }", "{ bauds = 2400 }", "did you mean baud?"),
        ("{ baud = 2400 }", "{ data_bits = 7 }", "eight data bits, and so have meters"),
        (
            "profile = \"acme/m1\"\naddress = 1",
            "profile = \"dlt645/single-phase\"\naddress = \"AAAAAAAA0161\"",
            "may both answer",
        ),
    ] {
        let told = told(from, to);
        assert!(told.lines().count() == 1 && told.contains(words), "{words}\n{told}");
    }
}

#[test]
fn meters_of_mbus_and_iec_62056_21_are_named_by_number_by_digits_or_not_at_all() {
    let text = r#"
[gateway]
name = "east"
[[line]]
name = "bus"
kind = "serial"
port = "/dev/ttyUSB0"
baud = 2400
parity = "even"
[[line.device]]
name = "first"
profile = "kamstrup/multical-601"
address = 5
[[line.device]]
name = "second"
profile = "kamstrup/multical-601"
address = "06855817-KAM"
serial = { baud = 300 }
[[line]]
name = "head"
kind = "serial"
port = "/dev/ttyUSB1"
[[line.device]]
name = "alone"
profile = "landis-gyr/e350"
"#;
    let config = read(text).unwrap();
    let devices = config.lines.iter().flat_map(|line| &line.devices);
    let shown: Vec<String> = devices.map(|device| device.address.to_string()).collect();
    assert_eq!(shown, ["5", "06855817-KAM", "-"]);
    assert_eq!(config.lines[0].devices[1].character.unwrap().to_string(), "300 8E1");

    let told = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        read(&text.replace(from, to)).unwrap_err()
    };
    for (from, to, words) in [
        ("address = 5", "address = 251", "\"251\" is none: a meter is asked by its primary number from 0"),
        ("address = 5", "address = \"0685\"", "\"0685\" is none"),
        ("address = 5", "", "this key is missing"),
        ("address = 5", "address = \"0685FFFF\"", "may both answer"),
        (
            "profile = \"landis-gyr/e350\"",
            "profile = \"landis-gyr/e350\"\nserial = { baud = 300 }",
            "says itself how the port is to be set",
        ),
        (
            "profile = \"landis-gyr/e350\"",
            "profile = \"landis-gyr/e350\"\naddress = \"1/2\"",
            "\"1/2\" is none",
        ),
        (
            "profile = \"landis-gyr/e350\"",
            "profile = \"landis-gyr/e350\"\n[[line.device]]\nname = \"b\"\nprofile = \"logarex/lk13\"\naddress = \"7\"",
            "may both answer",
        ),
    ] {
        let told = told(from, to);
        assert!(told.lines().count() == 1 && told.contains(words), "{words}\n{told}");
    }
}

#[test]
fn fault_b1_a_damaged_gateway_file_is_refused_with_reasons_or_read_but_never_panics() {
    let (folder, whole) = (folder(), format!("[profiles]\nfolders = [\"profiles\"]\n{GOOD}"));
    let words =
        ["", "\"", "= ", "[[", "]", "\n", "99999999999999999999", "-1", "true", "{ a = 1 }", "\u{0}", "号"];
    let ends: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
    for (n, word) in (0..).zip(words.iter().cycle()).take(240) {
        let from = ends[n * 7919 % ends.len()];
        let to = ends[(n * 7919 + n % 9) % ends.len()].max(from);
        let damaged = format!("{}{word}{}", &whole[..from], &whole[to..]);
        if let Err(faults) = parse("edge.toml", &damaged, folder.path(), []) {
            assert!(!listing(&faults).is_empty(), "{damaged}");
        }
    }
}
