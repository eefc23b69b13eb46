//! Configurations from the hub, over HTTP, on both databases; the gateway is this test.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::config::{
    ConfigFault, ConfigOutcome, ConfigReport, ConfigStage, NewConfig, SignedConfig, reason,
};
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::Names;

use crate::gateways::Fleet;
use crate::gateways::tests::enrolled;
use crate::kernel::caller::Role;
use crate::testing::{Client, Hub, on_each_database};

const SITE: &str = "[gateway]\nname = \"east\"\n[hub]\naddress = \"h:7443\"\nconfigure = true\n";

fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

fn report(text: &str) -> ConfigReport {
    ConfigReport { is_open: true, text: Some(text.into()), digest: digest(text), ..ConfigReport::default() }
}

fn outcome(version: u64, stage: ConfigStage, why: Option<&str>) -> ConfigOutcome {
    let reason = why.map(str::to_owned);
    ConfigOutcome { version, at: Timestamp(5), stage, reason, detail: "d".into(), faults: vec![] }
}

struct House {
    fleet: Arc<Fleet>,
    gateway: GatewayId,
    engineer: Client,
    path: String,
}

impl House {
    /// A gateway that runs the file on site.
    async fn new(hub: &Hub) -> Self {
        let gateway = enrolled(hub, "east").await;
        let fleet = hub.ctx.part::<Fleet>();
        fleet.heard_config(gateway, report(SITE)).await.unwrap();
        let engineer = hub.logged_in_as(Role::Engineer).await;
        let path = format!("/api/v1/gateways/{gateway}/configuration");
        Self { fleet, gateway, engineer, path }
    }

    async fn wish(&mut self, base: &str, text: &str) -> (StatusCode, Value) {
        let body = json!({ "base": digest(base), "text": text, "why": "read more often" });
        let answer = self.engineer.post(&format!("{}/versions", self.path), body.clone()).await;
        (answer.status, answer.json)
    }

    async fn state(&mut self, version: u64) -> String {
        let answer = self.engineer.get(&format!("{}/versions/{version}", self.path)).await;
        answer.json["version"]["state"].as_str().unwrap().to_owned()
    }

    /// Goes out, as the gateway's session has it do.
    async fn sent(&self) -> Option<(NewConfig, SignedConfig)> {
        let due = self.fleet.due_config(self.gateway).await.unwrap()?;
        if !self.fleet.sending_config(self.gateway, due.version).await.unwrap() {
            return None;
        }
        Some((from_cbor(&due.signed.config).unwrap(), due.signed))
    }
}

#[tokio::test]
async fn a_version_goes_from_the_wish_to_where_it_stands_and_every_step_is_in_the_trail() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        let told = house.engineer.get(&house.path).await.json;
        assert_eq!(
            (&told["text"], &told["open"], &told["online"]),
            (&SITE.into(), &true.into(), &false.into())
        );
        let text = SITE.replace("\"east\"", "\"west\"");
        let (status, version) = house.wish(SITE, &text).await;
        assert_eq!(
            (status, &version["version"], &version["state"]),
            (StatusCode::CREATED, &1.into(), &"queued".into())
        );
        let content = house.engineer.get(&format!("{}/versions/1", house.path)).await.json;
        let change = json!([{ "path": "gateway.name", "before": "\"east\"", "after": "\"west\"" }]);
        assert_eq!(
            (&content["changes"], &content["base"], &content["text"]),
            (&change, &SITE.into(), &text.as_str().into())
        );

        let (new, _) = house.sent().await.unwrap();
        assert_eq!(
            (new.gateway, new.version, new.base, new.text),
            (house.gateway, 1, digest(SITE), text.clone())
        );
        assert_eq!((new.why.as_str(), house.state(1).await.as_str()), ("read more often", "sent"));
        let trying = ConfigReport {
            version: Some(1),
            taken: 1,
            outcome: Some(outcome(1, ConfigStage::Trying, None)),
            ..report(&text)
        };
        house.fleet.heard_config(house.gateway, trying.clone()).await.unwrap();
        assert_eq!(house.state(1).await, "trying");
        assert_eq!(house.sent().await, None, "it has taken it");
        let kept = ConfigReport { outcome: Some(outcome(1, ConfigStage::Kept, None)), ..trying };
        for _ in 0..2 {
            house.fleet.heard_config(house.gateway, kept.clone()).await.unwrap();
        }
        assert_eq!(house.state(1).await, "kept");
        let mut admin = hub.logged_in_as(Role::Admin).await;
        let trail = admin.get("/api/v1/audit?limit=50").await.json;
        let actions: Vec<_> =
            trail["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
        let of = |action: &str| actions.iter().filter(|a| **a == action).count();
        for action in ["gateways.configure", "gateways.configuration_trying", "gateways.configuration_kept"] {
            assert_eq!(of(action), 1, "{action} in {actions:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_based_on_what_the_gateway_runs_is_a_conflict_and_nothing_is_overwritten() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        let changed = SITE.replace("\"east\"", "\"engineer\"");
        house.fleet.heard_config(house.gateway, report(&changed)).await.unwrap();
        let (status, problem) = house.wish(SITE, &SITE.replace("\"east\"", "\"west\"")).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &"/problems/other_base".into()));
        assert_eq!(problem["params"]["digest"], digest(&changed));
        let (status, problem) = house.wish(&changed, &changed).await;
        assert_eq!(
            (status, &problem["errors"][0]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &"nothing_changed".into())
        );
        assert_eq!(house.wish(&changed, SITE).await.0, StatusCode::CREATED);
        let (status, problem) = house.wish(&changed, &format!("{SITE}\n")).await;
        assert_eq!(
            (status, &problem["type"], &problem["params"]["version"]),
            (StatusCode::CONFLICT, &"/problems/under_way".into(), &1.into())
        );
    })
    .await;
}

#[tokio::test]
async fn only_what_was_not_sent_is_cancelled() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        house.wish(SITE, "x = 1").await;
        let cancel = |n: u64| format!("/versions/{n}/cancel");
        let answer = house.engineer.post(&format!("{}{}", house.path, cancel(1)), json!({})).await;
        assert_eq!((answer.status, &answer.json["state"]), (StatusCode::OK, &"cancelled".into()));
        assert_eq!(house.sent().await, None);
        house.wish(SITE, "x = 2").await;
        house.sent().await.unwrap();
        let answer = house.engineer.post(&format!("{}{}", house.path, cancel(2)), json!({})).await;
        assert_eq!(
            (answer.status, &answer.json["type"]),
            (StatusCode::CONFLICT, &"/problems/wrong_state".into())
        );
        assert!(house.sent().await.is_some(), "until the gateway has taken it");
    })
    .await;
}

#[tokio::test]
async fn fault_y14_what_the_gateway_took_back_is_told_with_its_reason() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        house.wish(SITE, "x = 1").await;
        house.sent().await.unwrap();
        let fault = ConfigFault {
            line: 3,
            message: Names { zh: "错".into(), en: "wrong".into() },
            ..ConfigFault::default()
        };
        let ended = outcome(1, ConfigStage::TakenBack, Some(reason::HUB_NOT_REACHED));
        let ended = ConfigOutcome { faults: vec![fault; 1000], ..ended };
        house
            .fleet
            .heard_config(house.gateway, ConfigReport { taken: 1, outcome: Some(ended), ..report(SITE) })
            .await
            .unwrap();
        let list = house.engineer.get(&format!("{}/versions", house.path)).await.json;
        let first = &list["items"][0];
        assert_eq!((&first["state"], &first["reason"]), (&"taken_back".into(), &"hub_not_reached".into()));
        assert_eq!(first["faults"].as_array().unwrap().len(), 100);
        assert_eq!(first["faults"][0]["message"]["zh"], "错");
    })
    .await;
}

#[tokio::test]
async fn a_version_of_which_the_gateway_will_say_nothing_more_is_not_waited_for() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        house.wish(SITE, "x = 1").await;
        house.sent().await.unwrap();
        let trying = outcome(1, ConfigStage::Trying, None);
        let told = ConfigReport { version: Some(1), taken: 1, outcome: Some(trying), ..report("x = 1") };
        house.fleet.heard_config(house.gateway, told).await.unwrap();
        // Another unit in its place knows nothing of it.
        house.fleet.heard_config(house.gateway, report(SITE)).await.unwrap();
        let list = house.engineer.get(&format!("{}/versions", house.path)).await.json;
        let first = &list["items"][0];
        assert_eq!((&first["state"], &first["reason"]), (&"taken_back".into(), &"forgotten".into()));
        // One that waits, while the gateway has taken another of this number.
        house.wish(SITE, "x = 2").await;
        let kept = outcome(2, ConfigStage::Kept, None);
        let told = ConfigReport { version: Some(2), taken: 2, outcome: Some(kept), ..report("x = 9") };
        house.fleet.heard_config(house.gateway, told).await.unwrap();
        assert_eq!(house.state(2).await, "cancelled");
        assert_eq!(house.wish("x = 9", "x = 3").await.1["version"], 3);
    })
    .await;
}

#[tokio::test]
async fn a_hub_that_was_restored_gives_no_version_that_the_gateway_has_seen() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        house.fleet.heard_config(house.gateway, ConfigReport { taken: 41, ..report(SITE) }).await.unwrap();
        assert_eq!(house.wish(SITE, "x = 1").await.1["version"], 42);
    })
    .await;
}

#[tokio::test]
async fn a_form_changes_one_setting_of_a_text_and_leaves_the_rest_as_it_is_written() {
    on_each_database(async |hub| {
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let path = "/api/v1/configuration/settings";
        let set = json!({ "path": ["gateway", "name"], "value": "\"west\"" });
        let body = json!({ "text": format!("# ours\n{SITE}"), "set": set });
        let answer = engineer.post(path, body).await;
        let wanted = format!("# ours\n{}", SITE.replace("\"east\"", "\"west\""));
        assert_eq!(answer.json["text"], wanted);
        assert_eq!(answer.json["settings"][0], json!({ "path": ["gateway", "name"], "value": "\"west\"" }));
        let set = json!({ "path": ["line", "chw", "port"], "value": "1" });
        let answer = engineer.post(path, json!({ "text": "[[line]]\nname = \"x\"\n", "set": set })).await;
        assert_eq!(
            (answer.status, &answer.json["errors"][0]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &"not_possible".into())
        );
        let answer = engineer.post(path, json!({ "text": "x = " })).await;
        assert_eq!(answer.json["errors"][0]["code"], "no_toml");
    })
    .await;
}

#[tokio::test]
async fn a_file_on_site_that_was_in_force_is_kept_for_the_gateway_that_comes_after() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        for n in 1..=22 {
            let told = ConfigReport { version: (n == 5).then_some(7), ..report(&format!("n = {n}")) };
            for _ in 0..2 {
                house.fleet.heard_config(house.gateway, told.clone()).await.unwrap();
            }
        }
        let list = house.engineer.get(&format!("{}/past", house.path)).await.json;
        let digests: Vec<_> = list.as_array().unwrap().iter().map(|past| past["digest"].clone()).collect();
        assert_eq!(digests.len(), 20);
        assert!(!digests.contains(&digest("n = 5").into()), "a version is kept elsewhere");
        assert!(!digests.contains(&digest("n = 22").into()), "it is in force");
        let newest = digests[0].as_str().unwrap();
        let n = (1..=21).find(|n| digest(&format!("n = {n}")) == newest).unwrap();
        let past = house.engineer.get(&format!("{}/past/{newest}", house.path)).await.json;
        let change = json!([{ "path": "n", "before": "22", "after": n.to_string() }]);
        assert_eq!((&past["text"], &past["changes"]), (&format!("n = {n}").into(), &change));
        let none = house.engineer.get(&format!("{}/past/x", house.path)).await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_not_open_or_has_said_nothing_is_not_configured() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        house
            .fleet
            .heard_config(house.gateway, ConfigReport { is_open: false, ..report(SITE) })
            .await
            .unwrap();
        let (status, problem) = house.wish(SITE, "x = 1").await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &"/problems/not_open".into()));
        let other = enrolled(&hub, "north").await;
        let answer = house.engineer.get(&format!("/api/v1/gateways/{other}/configuration")).await;
        assert_eq!(
            (answer.status, &answer.json["type"]),
            (StatusCode::CONFLICT, &"/problems/not_told".into())
        );
        let answer = house.engineer.post(&format!("{}/check", house.path), json!({ "text": "x = 1" })).await;
        assert_eq!(
            (answer.status, &answer.json["type"]),
            (StatusCode::CONFLICT, &"/problems/gateway_away".into())
        );
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        assert_eq!(viewer.get(&house.path).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn a_session_takes_questions_until_it_ends_and_a_newer_one_takes_its_place() {
    on_each_database(async |hub| {
        let mut house = House::new(&hub).await;
        let fleet = Arc::clone(&house.fleet);
        let gateway = house.gateway;
        let older = fleet.questions(gateway);
        let mut newer = fleet.questions(gateway);
        drop(older);
        assert!(fleet.can_check(gateway));
        let path = format!("{}/check", house.path);
        let lines = "[[line]]\nallow = [\"10.0.0.1\"]\nname = \"pumps\"\n[[line.device]]\nname = \"p\"\n";
        let text = SITE.replace("\"east\"", "\"west\"") + lines;
        let body = json!({ "text": text });
        let asking = house.engineer.post(&path, body.clone());
        let answering = async {
            let question = newer.inbox.recv().await.unwrap();
            assert_eq!(question.text, text);
            question.answer.send(vec![ConfigFault { line: 2, ..ConfigFault::default() }]).unwrap();
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(
            (&answer.json["faults"][0]["line"], &answer.json["changes"][0]["path"]),
            (&2.into(), &"gateway.name".into())
        );
        assert_eq!(
            answer.json["lines"],
            json!(["pumps"]),
            "a device is no line, and a list before the name is none"
        );
        drop(newer);
        assert!(!fleet.can_check(gateway));
    })
    .await;
}
