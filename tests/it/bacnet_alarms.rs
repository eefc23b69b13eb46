//! Alarms that BACnet devices find themselves, and numbers that two of them claim, from bacpypes3 through the edge to the
//! hub: told, listed, ended, each once, also across a restart.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use steward_tests::programs::{Http, Hub, HubOptions, Peer, free_tcp_port, free_udp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_secs(40);

struct Bed {
    peer: Peer,
    hub: Hub,
    edge: Edge,
    admin: Http,
    gateway: String,
    _folder: tempfile::TempDir,
}

/// Nothing where peers are not wanted.
fn bed() -> Option<Bed> {
    if !Peer::wanted("bacpypes3") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, own) = (free_udp_port().unwrap(), free_udp_port().unwrap());
    let peer =
        Peer::start("bacnet_alarms.py", folder.path(), &[&port.to_string(), &format!("127.0.0.1:{own}")])
            .unwrap();
    let mut hub = Hub::new(&folder.path().join("hub"), &HubOptions::default()).unwrap();
    hub.start().unwrap();
    let admin = hub.admin().unwrap();
    let (gateway, code) = hub.add_gateway(&admin, "bms").unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let file = gateway_file(folder.path(), hub.gateways, http, (port, own));
    let mut edge = Edge::new(&file, http);
    edge.enrol(&code).unwrap();
    edge.start().unwrap();
    Some(Bed { peer, hub, edge, admin, gateway, _folder: folder })
}

fn gateway_file(dir: &Path, hub: SocketAddr, http: SocketAddr, (port, own): (u16, u16)) -> PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let device = |name: &str, instance| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"bacpypes3/alarms\"\ninstance = {instance}\n")
    };
    let text = format!(
        "[gateway]\nname = \"bms\"\ndata = \"{}\"\n[hub]\naddress = \"{hub}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nnormal = \"1s\"\n[profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:{own}\"\n\
         broadcast = \"127.255.255.255:{port}\"\ntimeout = \"1s\"\nretries = 1\n{}{}",
        dir.join("edge").display(),
        profiles.display(),
        device("ahu", 1010),
        device("twin", 1020),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

impl Bed {
    /// What the hub was told of this kind, the oldest first.
    fn events(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/v1/gateways/{}/events", self.gateway);
        let all = self.hub.list(&self.admin, &path).unwrap();
        let mut found: Vec<Value> = all.into_iter().filter(|e| e["kind"] == kind).collect();
        found.reverse();
        found
    }

    /// Waits until the hub was told of so many alarms of devices, and gives those after `before`.
    fn alarms(&self, before: usize, count: usize) -> Vec<Value> {
        eventually(&format!("{count} alarms"), LONG, || {
            let all = self.events("device_alarm");
            assert!(all.len() <= before + count, "more than there is to tell: {all:#?}");
            (all.len() == before + count).then(|| all[before..].to_vec())
        })
    }
}

#[test]
fn a_devices_own_alarms_are_at_the_hub_once_each_and_end_there_too() {
    let Some(mut bed) = bed() else { return };
    // They began before the gateway did: it has them from the device's list, which comes in two parts.
    let mut listed: Vec<(String, bool, Value)> = bed.alarms(0, 3).iter().map(short).collect();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    let fact = |object: &str, state: &str| json!({"object": object, "state": state});
    assert_eq!(
        listed,
        [
            ("analog-input 2".to_owned(), true, fact("analog-input 2", "low-limit")),
            ("analog-input 3".to_owned(), true, fact("analog-input 3", "high-limit")),
            ("supply (analog-input 1)".to_owned(), true, fact("supply (analog-input 1)", "high-limit")),
        ]
    );
    // What changes the device tells, with the text that it has.
    bed.peer.tell("set 1 20").unwrap();
    let ended = bed.alarms(3, 1).remove(0);
    assert_eq!(ended["device"], "ahu");
    assert_eq!(
        (&ended["active"], &ended["facts"]),
        (&json!(false), &json!({"object": "supply (analog-input 1)", "state": "normal", "text": "ok"}))
    );
    bed.peer.tell("confirmed").unwrap();
    bed.peer.tell("set 1 99").unwrap();
    let began = bed.alarms(4, 1).remove(0);
    assert_eq!(
        (&began["active"], &began["facts"]["state"], &began["facts"]["text"]),
        (&json!(true), &json!("high-limit"), &json!("送风温度超限"))
    );
    // It ends while nobody is told: the list does not name it any more. What goes on is not told again.
    bed.peer.tell("quiet").unwrap();
    bed.edge.stop().unwrap();
    bed.peer.tell("set 2 20").unwrap();
    bed.edge.start().unwrap();
    let (object, active, facts) = short(&bed.alarms(5, 1)[0]);
    assert_eq!((object.as_str(), active), ("analog-input 2", false));
    assert_eq!(facts, fact("analog-input 2", "normal"));
    eventually("the device is read on", LONG, || {
        let status = bed.edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        values.iter().any(|v| v["device"] == "ahu" && v["quality"] == "good").then_some(())
    });
    assert_eq!(bed.events("device_alarm").len(), 6);
}

fn short(event: &Value) -> (String, bool, Value) {
    let object = event["facts"]["object"].as_str().unwrap_or_default().to_owned();
    (object, event["active"].as_bool().unwrap(), event["facts"].clone())
}

#[test]
fn fault_b10_two_devices_that_claim_one_number_are_told_of() {
    let Some(bed) = bed() else { return };
    let told = eventually("the conflict is at the hub", LONG, || bed.events("number_conflict").pop());
    let facts = &told["facts"];
    assert_eq!(
        (&told["device"], &facts["what"], &facts["number"]),
        (&json!("twin"), &json!("device"), &json!("1020"))
    );
    let mut between = [facts["known"].as_str().unwrap(), facts["other"].as_str().unwrap()];
    between.sort_unstable();
    assert!(between[0].starts_with("127.0.0.14:") && between[1].starts_with("127.0.0.15:"), "{between:?}");
    let line = eventually("the gateway shows it", LONG, || {
        let status = bed.edge.status().ok()?;
        let line = status["health"]["lines"].get(0)?.clone();
        (line["troubles"][0]["what"] == "number_twice").then_some(line)
    });
    assert_eq!(line["troubles"][0]["count"], 1);
    assert!(line["last_error"].as_str().unwrap().contains("two devices have the instance number 1020"));
}
