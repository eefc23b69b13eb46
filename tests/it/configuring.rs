//! A person at the hub changes what a gateway runs, on the real programs: checked by the gateway, tried, kept; taken back
//! where the hub cannot be reached with it; the file on site has the last word; the power fails in the middle of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use steward_tests::programs::{HubOptions, PASSWORD, free_tcp_port, program};
use steward_tests::{Edge, Http, Hub, eventually};

const LONG: Duration = Duration::from_mins(2);

struct House {
    hub: Hub,
    edge: Edge,
    engineer: Http,
    path: String,
    _dir: tempfile::TempDir,
}

impl House {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let mut hub = Hub::new(&at.join("hub"), &HubOptions::default()).unwrap();
        hub.start().unwrap();
        let admin = hub.admin().unwrap();
        let user = json!({"user": "li", "name": "li", "role": "engineer", "password": PASSWORD});
        admin.post("/api/v1/users", &user).unwrap().ok().unwrap();
        let mut engineer = hub.stranger();
        engineer.log_in("/api/v1/session", &json!({"user": "li", "password": PASSWORD})).unwrap();
        let (id, code) = hub.add_gateway(&admin, "plant").unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let text = format!(
            "# Commissioned on site.\n[gateway]\nname = \"plant\"\ndata = \"data\"\n[hub]\naddress = \"{}\"\n\
             configure = true\ntrial = \"10s\"\n[http]\nlisten = \"{http}\"\n[[line]]\nname = \"chw\"\nkind = \"tcp\"\n\
             host = \"127.0.0.1\"\nport = {}\n[[line.device]]\nname = \"meter\"\nprofile = \"schneider/pm5350\"\naddress = 1\n",
            hub.gateways,
            free_tcp_port().unwrap()
        );
        std::fs::create_dir(at.join("data")).unwrap();
        std::fs::write(at.join("edge.toml"), text).unwrap();
        let mut edge = Edge::new(&at.join("edge.toml"), http);
        edge.enrol(&code).unwrap();
        edge.start().unwrap();
        let path = format!("/api/v1/gateways/{id}/configuration");
        let house = Self { hub, edge, engineer, path, _dir: dir };
        house.running("its configuration is told", |told| told["online"] == true);
        house
    }

    fn site(&self) -> String {
        std::fs::read_to_string(self.edge.config()).unwrap()
    }

    /// What the hub knows that the gateway runs, once it is so.
    fn running(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, LONG, || {
            let told = self.engineer.get(&self.path).ok()?.ok().ok()?;
            is_so(&told).then_some(told)
        })
    }

    fn send(&self, base: &Value, text: &str) -> Value {
        let body = json!({"base": base["digest"], "text": text, "why": "WO-2026-0417"});
        self.engineer.post(&format!("{}/versions", self.path), &body).unwrap().ok().unwrap()
    }

    fn until(&self, version: &Value, state: &str) -> Value {
        let path = format!("{}/versions/{}", self.path, version["version"]);
        eventually(&format!("version {} is {state}", version["version"]), LONG, || {
            let told = self.engineer.get(&path).ok()?.ok().ok()?;
            (told["version"]["state"] == state).then(|| told["version"].clone())
        })
    }

    /// What `steward-edge check` says at the gateway.
    fn checked(&self, lang: &str) -> String {
        let config = self.edge.config().display().to_string();
        let words = ["--lang", lang, "check", "--config", &config];
        let out =
            Command::new(program("steward-edge", "steward-edge").unwrap()).args(words).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    }
}

#[test]
fn fault_y14_what_cuts_the_network_comes_back_by_itself_and_what_is_good_stands_through_kills() {
    let mut house = House::start();
    let site = house.site();
    let told = house.running("it runs the file on site", |told| told["text"] == site.as_str());

    // The gateway itself says what it would not take.
    let text = site.replace("port =", "prt =");
    let check =
        house.engineer.post(&format!("{}/check", house.path), &json!({"text": text})).unwrap().ok().unwrap();
    let fault =
        &check["faults"].as_array().unwrap().iter().find(|f| f["path"] == "line[0].prt").cloned().unwrap();
    assert_eq!(
        (&fault["message"]["zh"], &fault["way_out"]["en"]),
        (&json!("没有这个键"), &json!("did you mean port?"))
    );

    // A good one stands, also through a kill in the middle of its trial.
    let good = site.replace("[http]", "[periods]\nnormal = \"5s\"\n[http]");
    let version = house.send(&told, &good);
    house.until(&version, "trying");
    house.edge.kill().unwrap();
    house.edge.start().unwrap();
    house.until(&version, "kept");
    let told = house.running("it runs the new one", |told| told["text"] == good.as_str());
    assert_eq!(told["version"], 1);
    assert_eq!(house.site(), site, "the file on site is left alone");
    house.edge.kill().unwrap();
    house.edge.start().unwrap();
    house.running("it does so after a restart", |told| {
        told["text"] == good.as_str() && told["online"] == true
    });
    let said = house.checked("en");
    assert!(said.contains("version 1 of the configuration, from the hub (li), is in force"), "{said}");
    assert!(house.checked("zh").contains("第 1 版（li）"));
    let status = house.edge.status().unwrap();
    assert_eq!(
        (&status["configuration"]["version"], &status["configuration"]["state"]),
        (&json!(1), &json!("kept"))
    );

    // One with which nobody reaches the hub any more.
    let nowhere = format!("127.0.0.1:{}", free_tcp_port().unwrap());
    let version = house.send(&told, &good.replace(&house.hub.gateways.to_string(), &nowhere));
    let ended = house.until(&version, "taken_back");
    assert_eq!(ended["reason"], "hub_not_reached", "{ended}");
    house.running("it runs what it ran", |told| told["text"] == good.as_str() && told["online"] == true);

    // What was made for the former one is nobody's wish any more, once the file is changed on site.
    std::fs::write(house.edge.config(), site.replace("normal", "slow") + "# moved\n").unwrap();
    let own = house.running("the file on site wins", |told| told["version"].is_null());
    let body = json!({"base": told["digest"], "text": site, "why": "WO-2026-0417"});
    let stale = house.engineer.post(&format!("{}/versions", house.path), &body).unwrap();
    assert_eq!(
        (stale.status, stale.json().unwrap()["params"]["digest"].clone()),
        (409, own["digest"].clone())
    );
    house.edge.stop().unwrap();
}

#[test]
fn fault_y13_a_gateway_of_which_the_hub_forgot_its_versions_is_configured_all_the_same() {
    let mut house = House::start();
    let site = house.site();
    let told = house.running("it runs the file on site", |told| told["text"] == site.as_str());
    house.edge.stop().unwrap();
    // It waits for the gateway, and is known to do so.
    let version = house.send(&told, &(site.clone() + "# first\n"));
    assert_eq!(version["state"], "queued");
    house.edge.start().unwrap();
    house.until(&version, "kept");
    let database = rusqlite::Connection::open(house.hub.dir().join("steward.db")).unwrap();
    database.busy_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(database.execute("delete from config_version", []).unwrap(), 1);
    let told = house.running("it runs the new one", |told| told["version"] == 1);
    let version = house.send(&told, &(site + "# second\n"));
    assert_eq!(version["version"], 2, "the gateway said that it had taken one");
    house.until(&version, "kept");
    house.edge.stop().unwrap();
}

/// The unit is broken; another one comes in its place, with nothing but the way to the hub in its file.
#[test]
fn fault_y5_a_gateway_in_place_of_another_goes_on_with_its_configuration_and_its_points() {
    let mut house = House::start();
    let site = house.site();
    house.running("it runs the file on site", |told| told["text"] == site.as_str());
    let points = |house: &House| {
        let mut all: Vec<i64> = eventually("the hub knows the points", LONG, || {
            let points = house.hub.list(&house.engineer, "/api/v1/points").ok()?;
            (!points.is_empty()).then(|| points.iter().map(|p| p["id"].as_i64().unwrap()).collect())
        });
        all.sort_unstable();
        all
    };
    let before = points(&house);
    house.edge.kill().unwrap();
    let folder = house.edge.config().parent().unwrap().to_owned();
    std::fs::remove_dir_all(folder.join("data")).unwrap();
    std::fs::create_dir(folder.join("data")).unwrap();
    let small: String = site.split("[[line]]").next().unwrap().to_owned();
    std::fs::write(house.edge.config(), &small).unwrap();
    let gateway = house.path.trim_end_matches("/configuration").to_owned();
    let code = house.engineer.post(&format!("{gateway}/code"), &json!({})).unwrap().ok().unwrap();
    house.edge.enrol(code["code"].as_str().unwrap()).unwrap();
    house.edge.start().unwrap();
    let told = house.running("the new one tells its own", |told| {
        told["text"] == small.as_str() && told["online"] == true
    });
    let past = house.engineer.get(&format!("{}/past", house.path)).unwrap().ok().unwrap();
    let digest = past[0]["digest"].as_str().unwrap();
    let former = house.engineer.get(&format!("{}/past/{digest}", house.path)).unwrap().ok().unwrap();
    assert_eq!(former["text"], site.as_str());
    let version = house.send(&told, former["text"].as_str().unwrap());
    house.until(&version, "kept");
    assert_eq!(points(&house), before, "the same points, with their history");
    house.edge.stop().unwrap();
}
