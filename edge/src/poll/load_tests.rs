use std::path::Path;

use super::*;

fn parsed(text: &str, folder: &Path) -> LineConfig {
    crate::config::parse("edge.toml", text, folder, []).unwrap().lines.remove(0)
}

fn line(wire: &str, devices: usize, period: &str) -> LineConfig {
    let mut text = format!(
        "[gateway]\nname = \"east\"\n[periods]\nfast = \"{period}\"\nnormal = \"{period}\"\nslow = \"{period}\"\n\
         [[line]]\nname = \"COM2\"\n{wire}\n"
    );
    for unit in 1..=devices {
        let device =
            format!("[[line.device]]\nname = \"m{unit}\"\nprofile = \"eastron/sdm630\"\naddress = {unit}\n");
        text.push_str(&device);
    }
    parsed(&text, Path::new("/"))
}

fn serial(baud: u32) -> String {
    format!("kind = \"serial\"\nport = \"/dev/ttyS1\"\nbaud = {baud}\nparity = \"even\"")
}

fn plain(baud: u32) -> String {
    format!("kind = \"serial\"\nport = \"/dev/ttyS1\"\nbaud = {baud}\nparity = \"none\"")
}

const ALARM: &str = "alarm = true\n";
const NONE: [&str; 2] = [""; 2];

/// 121 registers that are asked for each second, and one that is asked for each 100 ms.
fn long_beside_quick(wire: &str, devices: u8, [long, quick]: [&str; 2]) -> LineConfig {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = String::from(
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"this test\"]\n",
    );
    let mut point = |key: &str, address: usize, class: &str, more: &str| {
        let point = format!(
            "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\ntable = \"holding\"\n\
             address = {address}\ntype = \"u16\"\nunit = \"1\"\nclass = \"{class}\"\n{more}"
        );
        profile.push_str(&point);
    };
    (0..121).for_each(|i| point(&format!("p{i}"), i, "normal", long));
    point("quick", 1000, "fast", quick);
    std::fs::create_dir(folder.path().join("acme")).unwrap();
    std::fs::write(folder.path().join("acme/m1.toml"), profile).unwrap();
    let mut text = format!(
        "[gateway]\nname = \"east\"\n[profiles]\nfolders = [\".\"]\n[periods]\nfast = \"100ms\"\nnormal = \"1s\"\n\
         [[line]]\nname = \"COM2\"\n{wire}\n"
    );
    for unit in 1..=devices {
        let device =
            format!("[[line.device]]\nname = \"m{unit}\"\nprofile = \"acme/m1\"\naddress = {unit}\n");
        text.push_str(&device);
    }
    parsed(&text, folder.path())
}

#[test]
fn a_line_with_room_names_nothing_late() {
    let load = load(&line(&serial(9600), 2, "10s"));
    assert!(load.least > 0.02 && load.least < load.usual && load.usual < 0.5, "{load:?}");
    assert_eq!((load.late.len(), load.baud, load.trouble()), (0, None, None));
}

#[test]
fn what_a_line_cannot_carry_is_told_with_the_rate_that_would_do() {
    let one = load(&line(&serial(9600), 1, "2s")).usual;
    let full = load(&line(&serial(9600), 10, "2s"));
    assert!((full.usual - 10.0 * one).abs() < 1e-9, "each device takes the same");
    assert!(full.least > 1.0 && full.usual > full.least, "{full:?}");
    assert!(!full.late.is_empty() && full.late.iter().all(|point| point.starts_with('m')));
    let baud = full.baud.unwrap();
    assert!(load(&line(&serial(baud), 10, "2s")).usual <= ROOM);
    assert!(baud == 19_200 || load(&line(&serial(19_200), 10, "2s")).usual > ROOM);
}

#[test]
fn over_tcp_only_the_devices_take_time() {
    let load = load(&line("kind = \"tcp\"\nhost = \"h\"\nport = 502", 10, "1s"));
    assert!(load.usual > 0.05, "{load:?}");
    assert_eq!((load.least.to_bits(), load.baud), (0.0_f64.to_bits(), None));
    let four = super::load(&line("kind = \"tcp\"\nhost = \"h\"\nport = 502\nin_flight = 4", 10, "1s"));
    assert!((four.usual - load.usual / 4.0).abs() < 1e-9, "four at once: {four:?}");
}

#[test]
fn a_question_that_takes_longer_than_a_short_period_makes_that_periods_points_late() {
    // 9600 8N1: (13 + 242) characters of 1.04 ms, 20 ms of the device and the silence are 290 ms of each second.
    let load = load(&long_beside_quick(&plain(9600), 1, NONE));
    assert!(load.usual < ROOM, "of the time alone there is enough: {load:?}");
    assert_eq!(load.late, ["m1/quick"]);
    let longest = load.longest.clone().unwrap();
    assert_eq!((longest.device.as_str(), longest.point.as_str()), ("m1", "p0"));
    assert!((280..300).contains(&longest.took_ms), "{longest:?}");
    let told = load.trouble().unwrap();
    assert!(told.contains("1 point would be late: m1/quick") && told.contains("m1/p0 on takes 2"), "{told}");
    // What would do does: at that rate, and with periods so much longer.
    let baud = load.baud.unwrap();
    assert!(super::load(&long_beside_quick(&plain(baud), 1, NONE)).late.is_empty(), "{baud}");
    assert!(load.longer > 2.9 && load.longer < 4.0, "290 ms and its own 30 ms in 100 ms: {load:?}");
}

#[test]
fn alarm_points_wait_for_one_question_and_the_others_for_all_alarm_points_too() {
    let late = |devices, alarms| load(&long_beside_quick(&plain(115_200), devices, alarms)).late;
    // 45 ms of the long question, 23 of the short one.
    for alarms in [NONE, [ALARM, ""], ["", ALARM]] {
        assert_eq!(late(1, alarms), [""; 0], "{alarms:?}");
    }
    // Two long ones come each second: whoever raises alarms waits for one at most, and goes before the others.
    assert_eq!(late(2, NONE), [""; 0]);
    assert_eq!(late(2, ["", ALARM]), [""; 0]);
    assert_eq!(late(2, [ALARM, ""]), ["m1/quick", "m2/quick"]);
}

#[test]
fn where_several_are_asked_at_once_one_long_question_holds_up_nobody() {
    let wire =
        |n: u32| format!("kind = \"tcp\"\nhost = \"h\"\nport = 502\nframing = \"tcp\"\nin_flight = {n}");
    let slow = |n: u32| measured(&long_beside_quick(&wire(n), 1, NONE), &[Some(Duration::from_millis(60))]);
    assert_eq!(slow(1).late, ["m1/quick"], "60 ms of its own and 60 ms of the other");
    assert_eq!(slow(2).late, [""; 0]);
}

#[test]
fn devices_with_settings_of_their_own_are_told_to_be_set_faster_where_that_helps() {
    let meter = |unit: u8, own: &str| {
        format!("[[line.device]]\nname = \"m{unit}\"\nprofile = \"eastron/sdm630\"\naddress = {unit}\n{own}")
    };
    let of = |devices: &[String]| {
        let periods = "[periods]\nfast = \"2s\"\nnormal = \"2s\"\nslow = \"2s\"\n";
        let text = format!(
            "[gateway]\nname = \"east\"\n{periods}[[line]]\nname = \"COM2\"\n{}\n{}",
            serial(9600),
            devices.concat()
        );
        load(&parsed(&text, Path::new("/")))
    };
    let own = "serial = { baud = 1200 }\n";
    let load = of(&[meter(1, own), meter(2, ""), meter(3, own)]);
    assert!(load.usual > 1.0, "{load:?}");
    assert_eq!(load.own, ["m1", "m3"], "the line's own rate is no trouble: {load:?}");
    let baud = load.baud.unwrap();
    let faster = format!("serial = {{ baud = {baud} }}\n");
    let then = of(&[meter(1, &faster), meter(2, ""), meter(3, &faster)]);
    assert!(then.usual <= ROOM, "{then:?}");
    assert!(load.way_out().contains(&format!("{baud} baud on m1, m3 would do")), "{}", load.way_out());
}
