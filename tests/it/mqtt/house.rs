//! A broker, somebody who talks and listens there, and an edge; each in a folder of the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use steward_tests::programs::{Mosquitto, Peer, free_tcp_port, program};
use steward_tests::{Edge, eventually};
use tempfile::TempDir;

pub const LONG: Duration = Duration::from_mins(1);

pub struct House {
    pub edge: Edge,
    pub talker: Talker,
    pub broker: Mosquitto,
    dir: TempDir,
}

/// paho-mqtt, told what to do.
pub struct Talker {
    control: TcpStream,
    answers: BufReader<TcpStream>,
    _peer: Peer,
}

impl Talker {
    pub fn start(folder: &Path, port: u16, ca: Option<&Path>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut args = vec![port.to_string()];
        args.extend(ca.map(|ca| ca.display().to_string()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let peer = Peer::start("mqtt.py", folder, &args).unwrap();
        let port = peer.ready["control"].as_u64().unwrap() as u16;
        let control = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let answers = BufReader::new(control.try_clone().unwrap());
        Self { control, answers, _peer: peer }
    }

    pub fn ask(&mut self, what: &Value) -> Value {
        writeln!(self.control, "{what}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn tell(&mut self, topic: &str, payload: &str) {
        self.ask(&json!({ "publish": topic, "payload": payload }));
    }

    pub fn tell_kept(&mut self, topic: &str, payload: &str) {
        self.ask(&json!({ "publish": topic, "payload": payload, "retain": true }));
    }

    pub fn heard(&mut self) -> Vec<Value> {
        self.ask(&json!({ "heard": true })).as_array().unwrap().clone()
    }

    pub fn sparkplug(&mut self) -> Vec<Value> {
        self.ask(&json!({ "sparkplug": true })).as_array().unwrap().clone()
    }
}

/// Whether all is there that these tests need.
pub fn wanted() -> bool {
    Mosquitto::wanted() && Peer::wanted("PyPI paho-mqtt")
}

/// The devices of most tests.
pub const DEVICES: &str = "\
[[line.device]]\nname = \"archive\"\nprofile = \"aqara/wsdcgq11lm\"\ntopic = \"zigbee2mqtt/archive\"\n\
[[line.device]]\nname = \"incomer\"\nprofile = \"shelly/pro-3em\"\ntopic = \"shellypro3em\"\n\
[[line.device]]\nname = \"pump\"\nprofile = \"tasmota/energy-plug\"\ntopic = \"pump\"\n";

impl House {
    /// With a line of these keys and devices, and what stands behind it in the file. `{port}` and `{dir}` are filled in.
    pub fn start(line: &str, devices: &str, rest: &str) -> Self {
        Self::with_broker("", line, devices, rest)
    }

    pub fn with_broker(settings: &str, line: &str, devices: &str, rest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_tcp_port().unwrap();
        let mut broker = Mosquitto::new(&dir.path().join("broker"), port, settings).unwrap();
        broker.start().unwrap();
        let talker = Talker::start(&dir.path().join("talker"), port, None);
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let file = dir.path().join("edge.toml");
        let text = format!(
            "[gateway]\nname = \"east\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[buffer]\nflush = \"1s\"\n\
             [periods]\nnormal = \"2s\"\n[[line]]\nname = \"mqtt\"\nkind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             {line}\n{devices}\n{}",
            dir.path().join("edge").display(),
            rest.replace("{port}", &port.to_string()).replace("{dir}", &dir.path().display().to_string()),
        );
        std::fs::write(&file, text).unwrap();
        let mut edge = Edge::new(&file, http);
        edge.start().unwrap();
        let mut house = Self { edge, talker, broker, dir };
        house.until_up(1);
        house
    }

    /// Waits until the broker gives the line its topics, for the time of this number.
    pub fn until_up(&mut self, times: usize) {
        eventually("the line is up", LONG, || self.line()["up"].as_bool()?.then_some(()));
        eventually("the subscriptions stand", LONG, || {
            (self.edge.log().matches("topics subscribed").count() >= times).then_some(())
        });
    }

    /// Where the gateway's file lies.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// What a tool of the engineer says beside the daemon.
    pub fn tool(&self, words: &[&str]) -> String {
        let mut command = Command::new(program("steward-edge", "steward-edge").unwrap());
        let output =
            command.args(["--lang", "en"]).args(words).current_dir(self.dir.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    pub fn status(&self) -> Value {
        self.edge.status().unwrap()
    }

    pub fn line(&self) -> Value {
        self.edge.status().map_or(Value::Null, |status| status["health"]["lines"][0].clone())
    }

    pub fn device(&self, key: &str) -> Value {
        let status = self.status();
        let devices = status["health"]["devices"].as_array().unwrap();
        devices.iter().find(|d| d["key"] == key).unwrap().clone()
    }

    pub fn point(&self, device: &str, point: &str) -> Value {
        let status = self.status();
        let values = status["values"].as_array().unwrap();
        values.iter().find(|v| v["device"] == device && v["point"] == point).unwrap().clone()
    }

    /// Waits until a point shows a value as good.
    pub fn shows(&self, device: &str, point: &str, value: f64) {
        let what = format!("{device} {point} is {value}");
        eventually(&what, LONG, || {
            let shown = self.point(device, point);
            let is_it = shown["value"].as_f64().is_some_and(|v| (v - value).abs() < 1e-9);
            (is_it && shown["quality"] == "good").then_some(())
        });
    }

    /// Waits until a point has this quality.
    pub fn shows_quality(&self, device: &str, point: &str, quality: &str) {
        let what = format!("{device} {point} is {quality}");
        eventually(&what, LONG, || (self.point(device, point)["quality"] == quality).then_some(()));
    }
}
