//! Our simulated BACnet device asked by bacpypes3, which we did not write; and the engineer's tools on a network of two
//! such devices, with and without a daemon on it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use steward_tests::programs::{Peer, free_tcp_port, free_udp_port, program};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

/// A simulated device that runs until it is dropped.
struct Device {
    child: Child,
    /// Whoever closes it ends the program.
    _told: BufReader<ChildStdout>,
}

impl Device {
    fn start(dir: &Path, profile: &str, host: u8, port: u16) -> Self {
        let listen = format!("127.0.0.{host}:{port}");
        let mut child = edge(dir, &["simulate", profile, "--listen", &listen, "--profiles", "profiles"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut first, mut told) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        told.read_line(&mut first).unwrap();
        assert!(first.contains("answers BACnet/IP at"), "{first}");
        Self { child, _told: told }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn edge(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program("steward-edge", "steward-edge").unwrap());
    command.args(["--lang", "en"]).args(words).current_dir(dir).stdin(Stdio::null());
    command
}

/// What a command said, and whether it went well.
fn said(dir: &Path, words: &[&str]) -> (bool, String) {
    let output = edge(dir, words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// A folder with a profile whose outputs may be written.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = "vendor = \"Acme\"\nmodel = \"AHU7\"\ntitle = { zh = \"空调箱\", en = \"Air handler\" }\nsource = [\"made up\"]\n[bacnet]\n\
        [[point]]\nkey = \"supply\"\ntitle = { zh = \"送风\", en = \"Supply\" }\nobject = \"analog-input\"\ninstance = 1\nunit = \"Cel\"\n\
        [[point]]\nkey = \"fan\"\ntitle = { zh = \"风机\", en = \"Fan\" }\nobject = \"analog-output\"\ninstance = 1\nunit = \"%\"\nwrite = { min = 0, max = 100 }\n\
        [[point]]\nkey = \"run\"\ntitle = { zh = \"启停\", en = \"Run\" }\nobject = \"binary-output\"\ninstance = 1\nwrite = {}\n";
    std::fs::create_dir_all(dir.path().join("profiles/acme")).unwrap();
    std::fs::write(dir.path().join("profiles/acme/ahu7.toml"), text).unwrap();
    dir
}

#[test]
fn bacpypes3_finds_reads_commands_and_subscribes_to_a_simulated_device() {
    if !Peer::wanted("bacpypes3") {
        return;
    }
    let dir = folder();
    let port = free_udp_port().unwrap();
    let _device = Device::start(dir.path(), "flexit/nordic@1001", 10, port);
    let own = free_udp_port().unwrap().to_string();
    let peer = Peer::start("bacnet_client.py", dir.path(), &[&port.to_string(), "1001", &own]).unwrap();
    let told = &peer.ready;
    let host = format!("127.0.0.10:{port}");
    assert_eq!(told["i_am"], json!([["device,1001", 1476, "no-segmentation", 0, host]]));
    assert_eq!(told["nobody"], 0, "the range does not mean it");
    let read = &told["read"];
    assert_eq!((&read["vendor-name"], &read["model-name"]), (&json!("Flexit"), &json!("Nordic")));
    assert_eq!(
        (&read["system-status"], &read["segmentation-supported"]),
        (&json!("operational"), &json!("no-segmentation"))
    );
    let services: Vec<usize> = bits(&read["protocol-services-supported"]);
    // ASHRAE 135, BACnetServicesSupported: subscribeCOV, readProperty, readPropertyMultiple, writeProperty, i-Am,
    // confirmed and unconfirmed notices, who-Is.
    for bit in [1, 5, 12, 14, 15, 26, 28, 34] {
        assert!(services.contains(&bit), "{bit} in {services:?}");
    }
    let list = told["list"].as_array().unwrap();
    assert_eq!(told["length"].as_str().unwrap(), list.len().to_string());
    assert_eq!((&told["second"], &list[0]), (&list[1], &json!("device,1001")));
    assert_eq!(told["whichever"], "device,1001");
    let multiple = told["multiple"].as_array().unwrap();
    let property = |object: &str, property: &str| {
        let found = multiple.iter().find(|m| m[0] == object && m[1] == property);
        found.map_or_else(|| panic!("no {property} of {object} in {multiple:?}"), |m| m[2].clone())
    };
    assert!(property("analog-input,4", "present-value").is_number());
    assert_eq!(property("analog-input,4", "units"), "degrees-celsius");
    assert_eq!(property("analog-input,4", "status-flags"), json!(["0", "0", "0", "0"]));
    assert_eq!(property("analog-output,3", "units"), "percent");
    assert_eq!(property("analog-output,3", "priority-array"), json!(vec!["null"; 16]));
    assert_eq!(property("analog-input,999", "present-value"), "object: unknown-object");
    let errors = &told["errors"];
    assert_eq!(errors["object"], "! object: unknown-object");
    assert_eq!(errors["property"], "! property: unknown-property");
    assert_eq!(errors["index"], "! property: invalid-array-index");
    assert_eq!(errors["array"], "! property: property-is-not-an-array");
    let written = &told["written"];
    assert_eq!(
        (&written["low"], &written["high"], &written["value"]),
        (&json!("ok"), &json!("ok"), &json!(77.5))
    );
    let array = written["array"].as_array().unwrap();
    assert_eq!(
        (array.len(), &array[7], &array[11], &array[0]),
        (16, &json!(77.5), &json!(40.0), &json!("null"))
    );
    assert_eq!(written["then"], 40.0, "the next lower command holds");
    assert_eq!(
        (&written["denied"], &written["name"]),
        (&json!("! property: write-access-denied"), &json!("! property: write-access-denied"))
    );
    let changes = told["changes"].as_array().unwrap();
    assert_eq!(
        (&changes[0]["then"], &changes[1]["then"]),
        (&json!(12.0), &json!(11.0)),
        "unconfirmed and confirmed"
    );
}

fn bits(value: &Value) -> Vec<usize> {
    let bits = value.as_array().unwrap().iter().enumerate();
    bits.filter(|(_, bit)| **bit == "1").map(|(i, _)| i).collect()
}

#[test]
fn a_network_is_scanned_and_its_devices_are_read_and_commanded_beside_a_daemon() {
    let dir = folder();
    let at = dir.path();
    let port = free_udp_port().unwrap();
    let _devices = [
        Device::start(at, "flexit/nordic@2001", 10, port),
        Device::start(at, "acme/ahu7@2002", 11, port),
        Device::start(at, "acme/ahu7@2001", 12, port),
    ];
    let broadcast = format!("127.255.255.255:{port}");
    let scan = [
        "scan",
        "--bacnet",
        "127.0.0.1:0",
        "--broadcast",
        &broadcast,
        "--wait",
        "1500ms",
        "--profiles",
        "profiles",
    ];
    let (good, told) = said(at, &scan);
    assert!(good && told.contains("two devices have the instance number 2001"), "{told}");
    assert!(told.contains("profile = \"acme/ahu7\"\ninstance = 2002"), "{told}");
    let (_, ranged) = said(at, &[&scan[..], &["--range", "2002", "--json"]].concat());
    let found: Vec<Value> = ranged.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!((found.len(), &found[0]["address"]), (1, &json!(2002)), "{ranged}");
    assert_eq!(found[0]["proposals"][0]["profile"], "acme/ahu7");
    assert_eq!(found[0]["identity"]["vendor-name"], "Acme");

    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let text = format!(
        "[gateway]\nname = \"bms\"\ndata = \"data\"\n[http]\nlisten = \"{http}\"\n[periods]\nnormal = \"1s\"\n\
         [profiles]\nfolders = [\"profiles\"]\n[[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\n\
         broadcast = \"{broadcast}\"\ntimeout = \"500ms\"\n[[line.device]]\nname = \"ahu\"\nprofile = \"acme/ahu7\"\ninstance = 2002\n"
    );
    std::fs::create_dir(at.join("data")).unwrap();
    std::fs::write(at.join("edge.toml"), text).unwrap();
    let fan = || {
        let (_, told) = said(at, &["read", "ahu/fan", "--json"]);
        serde_json::from_str::<Value>(&told).unwrap_or_else(|e| panic!("{e}: {told}"))["value"]
            .as_f64()
            .unwrap()
    };
    let mut daemon = Edge::new(&at.join("edge.toml"), http);
    for with_daemon in [false, true] {
        if with_daemon {
            daemon.start().unwrap();
            eventually("the daemon reads the device", LONG, || {
                let status = daemon.status().ok()?;
                status["values"].as_array()?.iter().any(|v| v["quality"] == "good").then_some(())
            });
        }
        let (good, dry) = said(at, &["write", "ahu/fan", "55", "--dry-run", "--priority", "9"]);
        // WriteProperty of analog-output 1, present-value, real 55, priority 9, by ASHRAE 135, clauses 15.9 and 20.
        assert!(good && dry.contains("0F 0C 00 40 00 01 19 55 3E 44 42 5C 00 00 3F 49 09"), "{dry}");
        let (good, told) = said(at, &["write", "ahu/fan", "55", "--yes", "--priority", "9"]);
        assert!(good && told.contains("is 55.00 %, read back"), "{told}");
        assert!((fan() - 55.0).abs() < 1e-6);
        let (good, told) = said(at, &["write", "ahu/fan", "33", "--yes", "--for", "1s"]);
        assert!(good && told.contains("is what it was before"), "{told}");
        assert!((fan() - 55.0).abs() < 1e-6, "by the command that is left");
        let (good, told) = said(at, &["write", "ahu/fan", "--relinquish", "--priority", "9", "--yes"]);
        assert!(good && told.contains("given up"), "{told}");
        assert!((fan() - 55.0).abs() > 1e-6);
        let (good, told) = said(at, &["write", "ahu/run", "on", "--yes"]);
        assert!(good, "{told}");
        let (good, told) = said(at, &["write", "ahu/supply", "20", "--yes"]);
        assert!(!good && told.contains("does not allow"), "{told}");
    }
    let (good, sheet) = said(at, &["sheet"]);
    assert!(good && sheet.contains("pass") && sheet.contains("3/3"), "{sheet}");
    let (good, doctor) = said(at, &["doctor"]);
    assert!(good && doctor.contains("ahu") && doctor.contains("nothing is wrong"), "{doctor}");
    assert!(!doctor.contains("bms: 0 questions"), "{doctor}");
    // A tool that was killed leaves its hold to the daemon.
    let mut tool =
        edge(at, &["write", "ahu/fan", "77", "--yes", "--for", "4s"]).stdout(Stdio::null()).spawn().unwrap();
    eventually("it is commanded", LONG, || ((fan() - 77.0).abs() < 1e-6).then_some(()));
    tool.kill().unwrap();
    tool.wait().unwrap();
    eventually("the daemon gives the command up", LONG, || ((fan() - 77.0).abs() > 1e-6).then_some(()));
    assert_eq!(std::fs::read_dir(at.join("data/holds")).unwrap().count(), 0);
    daemon.stop().unwrap();
}
