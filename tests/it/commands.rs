//! A person at the hub writes setpoints of a plant, on the real programs: a Modbus register and a BACnet object, read back
//! in the plant by frames of this test's own, given up on time while the hub is gone, told when it is back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use steward_shared::time::{Clock, SystemClock};
use steward_tests::programs::{HubOptions, PASSWORD, free_tcp_port, free_udp_port, program};
use steward_tests::{Edge, Http, Hub, eventually};

const LONG: Duration = Duration::from_mins(2);
const PATIENCE: Duration = Duration::from_secs(5);

const AHU: &str = r#"
vendor = "Acme"
model = "AHU7"
title = { zh = "空调箱", en = "Air handler" }
source = ["made up"]
[bacnet]
[[point]]
key = "fan"
title = { zh = "风机", en = "Fan" }
object = "analog-output"
instance = 1
unit = "%"
write = { min = 0, max = 100 }
"#;

const BOILER: &str = r#"
vendor = "Acme"
model = "B1"
title = { zh = "锅炉", en = "Boiler" }
source = ["made up"]
[[point]]
key = "setpoint"
title = { zh = "设定", en = "Setpoint" }
table = "holding"
address = 10
type = "i16"
scale = 0.1
unit = "Cel"
write = { min = 30, max = 80, time_boxed = true }
"#;

/// A simulated device, until it is dropped.
struct Device {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Device {
    fn start(dir: &Path, profile: &str, listen: SocketAddr) -> Self {
        let listen = listen.to_string();
        let mut child = Command::new(program("steward-edge", "steward-edge").unwrap())
            .args(["--lang", "en", "simulate", profile, "--listen", &listen, "--profiles", "profiles"])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut device = Self { child, orders, told };
        assert!(device.line().contains("answers"));
        device
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// MODBUS Application Protocol V1.1b3, 6.3: the holding register 10 of unit 1.
fn register(at: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 10, 0, 1]).unwrap();
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).unwrap();
    f64::from(i16::from_be_bytes([answer[9], answer[10]])) / 10.0
}

/// ASHRAE 135, clause 15.5: ReadProperty of analog-output 1; the present value, or a slot of the priority array.
fn object(at: SocketAddr, slot: Option<u8>) -> Option<f32> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut question =
        vec![0x81, 0x0a, 0, 0, 0x01, 0x04, 0x00, 0x05, 0x01, 0x0c, 0x0c, 0x00, 0x40, 0x00, 0x01];
    match slot {
        None => question.extend([0x19, 85]),
        Some(slot) => question.extend([0x19, 87, 0x29, slot]),
    }
    question[3] = question.len() as u8;
    socket.send_to(&question, at).unwrap();
    let mut answer = [0; 64];
    let (length, _) = socket.recv_from(&mut answer).unwrap();
    let answer = &answer[..length];
    let from = answer.iter().position(|byte| *byte == 0x3e).unwrap() + 1;
    match answer[from] {
        0x00 => None,
        0x44 => Some(f32::from_be_bytes(answer[from + 1..from + 5].try_into().unwrap())),
        other => panic!("{other:02x} in {answer:02x?}"),
    }
}

struct House {
    hub: Hub,
    edge: Edge,
    /// Two persons who may command.
    li: Http,
    wang: Http,
    boiler: SocketAddr,
    ahu: SocketAddr,
    devices: Vec<Device>,
    dir: tempfile::TempDir,
}

impl House {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        std::fs::create_dir_all(at.join("profiles/acme")).unwrap();
        std::fs::write(at.join("profiles/acme/ahu7.toml"), AHU).unwrap();
        std::fs::write(at.join("profiles/acme/b1.toml"), BOILER).unwrap();
        let boiler = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let ahu = SocketAddr::from(([127, 0, 0, 10], free_udp_port().unwrap()));
        let mut devices =
            vec![Device::start(at, "acme/b1", boiler), Device::start(at, "acme/ahu7@1001", ahu)];
        devices[0].order("set setpoint=55");
        let mut hub = Hub::new(&at.join("hub"), &HubOptions::default()).unwrap();
        hub.start().unwrap();
        let mut admin = hub.admin().unwrap();
        for name in ["li", "wang"] {
            let user =
                json!({"user": name, "name": name, "role": "viewer", "commands": true, "password": PASSWORD});
            admin.post("/api/v1/users", &user).unwrap().ok().unwrap();
        }
        let log_in = |name: &str| {
            let mut http = hub.stranger();
            http.log_in("/api/v1/session", &json!({"user": name, "password": PASSWORD})).unwrap();
            http
        };
        let (li, wang) = (log_in("li"), log_in("wang"));
        let (_, code) = hub.add_gateway(&admin, "plant").unwrap();
        admin.log_out();
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let text = format!(
            "[gateway]\nname = \"plant\"\ndata = \"data\"\n[hub]\naddress = \"{}\"\n[http]\nlisten = \"{http}\"\n\
             [periods]\nnormal = \"1s\"\n[buffer]\nflush = \"1s\"\n[profiles]\nfolders = [\"profiles\"]\n\
             [[line]]\nname = \"boilers\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\n\
             [[line.device]]\nname = \"boiler\"\nprofile = \"acme/b1\"\naddress = 1\nremote_write = {{}}\n\
             [[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\nbroadcast = \"127.255.255.255:{}\"\n\
             timeout = \"500ms\"\n[[line.device]]\nname = \"ahu\"\nprofile = \"acme/ahu7\"\ninstance = 1001\n\
             remote_write = {{ two_persons = [\"fan\"], priority = 9 }}\n",
            hub.gateways,
            boiler.port(),
            ahu.port()
        );
        std::fs::create_dir(at.join("data")).unwrap();
        std::fs::write(at.join("edge.toml"), text).unwrap();
        let mut edge = Edge::new(&at.join("edge.toml"), http);
        edge.enrol(&code).unwrap();
        edge.start().unwrap();
        Self { hub, edge, li, wang, boiler, ahu, devices, dir }
    }

    /// A point with a value that may be written.
    fn point(&self, key: &str) -> i64 {
        eventually(&format!("the hub knows {key} and its value"), LONG, || {
            let points = self.hub.list(&self.li, "/api/v1/points").ok()?;
            let point = points.into_iter().find(|p| p["key"] == key)?;
            (point["write"].is_object() && point["latest"]["quality"] == "good")
                .then(|| point["id"].as_i64())?
        })
    }

    fn story(&self, id: &str) -> Value {
        self.li.get(&format!("/api/v1/commands/{id}")).unwrap().ok().unwrap()
    }

    fn until(&self, id: &str, state: &str) -> Value {
        eventually(&format!("{id} is {state}: {}", self.story(id)), LONG, || {
            let story = self.li.get(&format!("/api/v1/commands/{id}")).ok()?.ok().ok()?;
            (story["command"]["state"] == state).then_some(story)
        })
    }

    /// What `steward-edge commands` says at the gateway.
    fn listed(&self, lang: &str) -> String {
        let config = self.edge.config().display().to_string();
        let words = ["--lang", lang, "commands", "--config", &config];
        let out =
            Command::new(program("steward-edge", "steward-edge").unwrap()).args(words).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn id(answer: &Value) -> String {
        answer["id"].as_str().unwrap().to_owned()
    }
}

fn steps(story: &Value) -> Vec<&str> {
    story["steps"].as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect()
}

#[test]
fn fault_w4_control_58_setpoints_from_the_hub_stand_are_read_back_and_given_up_on_time_without_it() {
    let mut house = House::start();
    let (setpoint, fan) = (house.point("setpoint"), house.point("fan"));
    assert!((register(house.boiler) - 55.0).abs() < 0.01);

    // Sixty seconds from now: after the second look, and after the hub has gone.
    let until = SystemClock.now().plus(Duration::from_mins(1));
    let wish = |point: i64, value: f64, more: Value| {
        let mut body = json!({"point": point, "value": value, "why": "WO-2026-0417", "relinquish_at": until});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let post = |body: &Value| house.li.post("/api/v1/commands", body).unwrap();
    let endless = post(&json!({"point": setpoint, "value": 60, "why": "WO-1"}));
    assert_eq!(endless.status, 422, "{}", endless.text());
    let boiler = House::id(&post(&wish(setpoint, 61.5, json!({"expected": 55}))).ok().unwrap());
    let ahu = House::id(&post(&wish(fan, 77.5, json!({}))).ok().unwrap());
    assert_eq!(house.story(&ahu)["command"]["state"], "awaiting_approval");
    let own = house.li.post(&format!("/api/v1/commands/{ahu}/approve"), &json!({})).unwrap();
    assert_eq!(own.status, 409, "{}", own.text());
    house.wang.post(&format!("/api/v1/commands/{ahu}/approve"), &json!({})).unwrap().ok().unwrap();

    let story = house.until(&boiler, "confirmed");
    assert_eq!(story["command"]["before"], 55.0);
    assert!((story["command"]["now"].as_f64().unwrap() - 61.5).abs() < 0.01, "{story}");
    assert_eq!(steps(&story), ["requested", "queued", "sent", "received", "written", "written", "confirmed"]);
    assert!((register(house.boiler) - 61.5).abs() < 0.01);
    let story = house.until(&ahu, "confirmed");
    let slots = &story["steps"].as_array().unwrap().last().unwrap()["facts"]["slots"];
    assert_eq!((slots[8].as_f64(), slots[7].as_f64()), (Some(77.5), None), "priority 9 of the file: {slots}");
    assert_eq!((object(house.ahu, None), object(house.ahu, Some(9))), (Some(77.5), Some(77.5)));
    assert_eq!(object(house.ahu, Some(8)), None);

    // The hub dies; the plant stays as it is until the time is over, and then goes back by itself.
    house.hub.kill().unwrap();
    assert!((register(house.boiler) - 61.5).abs() < 0.01);
    eventually("the register is what it was", LONG, || {
        ((register(house.boiler) - 55.0).abs() < 0.01).then_some(())
    });
    eventually("the slot is given up", LONG, || object(house.ahu, Some(9)).is_none().then_some(()));
    assert!(SystemClock.now() >= until, "not before its time");
    assert!(SystemClock.now() < until.plus(Duration::from_secs(15)), "on time");

    house.hub.start().unwrap();
    for id in [&boiler, &ahu] {
        let story = house.until(id, "relinquished");
        assert_eq!(story["command"]["reason"], "restored", "{story}");
    }
    assert_eq!(std::fs::read_dir(house.dir.path().join("data/holds")).unwrap().count(), 0);
    assert_eq!(house.listed("en").matches("what stood before stands again").count(), 2);
    let zh = house.listed("zh");
    assert!(zh.contains("li + wang") && zh.contains("原值已恢复") && zh.contains("WO-2026-0417"), "{zh}");
    house.edge.stop().unwrap();
    assert_eq!(house.devices.len(), 2);
}
