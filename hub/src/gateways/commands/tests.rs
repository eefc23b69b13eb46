//! Commands over HTTP and through the fleet's face, on both databases.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use steward_shared::id::{BufferId, CommandId, GatewayId, PointNo, RandomIds};
use steward_shared::wire::command::{Order, Report, Stage, WriteOrder, reason};
use steward_shared::wire::frame::{from_cbor, to_cbor};
use steward_shared::wire::message::{
    Catalogue, CataloguePoint, CatalogueWrite, Lane, LaneState, Names, PointKind,
};

use super::super::Fleet;
use super::super::model::Position;
use super::super::sync::{Fate, Received};
use super::super::tests::{device, enrolled, hello};
use crate::kernel::caller::Role;
use crate::testing::{Answer, Client, Hub, PASSWORD, on_each_database};

/// A hub with one gateway that tells of a setpoint, a fan for two persons, a mode for a while and a sensor.
struct Plant {
    hub: Hub,
    gateway: GatewayId,
    seq: u64,
    li: Client,
    wang: Client,
}

impl Plant {
    async fn new(hub: Hub) -> Self {
        let gateway = enrolled(&hub, "east").await;
        let fleet = hub.ctx.part::<Fleet>();
        let buffer = BufferId::new(&RandomIds);
        let lane = LaneState { lane: Lane::Command, first: 1, last: 0, acked: 0 };
        let mut hello = hello(&hub, gateway, buffer);
        hello.more_lanes = vec![lane];
        fleet.begin(&hello).await.unwrap();
        let write = CatalogueWrite {
            min: Some(16.0),
            max: Some(30.0),
            step: 0.1,
            time_boxed: false,
            two_persons: false,
            priority: Some(8),
        };
        let states = CatalogueWrite { min: None, max: None, priority: None, ..write };
        let point = |no, key: &str, kind, write| CataloguePoint {
            no: PointNo(no),
            device: "ahu".into(),
            key: key.into(),
            title: Names { zh: key.into(), en: key.into() },
            unit: "Cel".into(),
            kind,
            labels: vec![],
            period_ms: 10_000,
            decimals: 1,
            modulus: None,
            in_use: true,
            write,
        };
        let points = vec![
            point(1, "setpoint", PointKind::Gauge, Some(write)),
            point(2, "fan", PointKind::Flag, Some(CatalogueWrite { two_persons: true, ..states })),
            point(3, "mode", PointKind::Gauge, Some(CatalogueWrite { time_boxed: true, ..write })),
            point(4, "power", PointKind::Gauge, None),
        ];
        let catalogue = Catalogue { devices: vec![device("ahu")], points };
        fleet.apply_catalogue(gateway, buffer, &catalogue).await.unwrap();
        let mut admin = hub.admin().await;
        for name in ["li", "wang"] {
            let body =
                json!({"user": name, "name": name, "role": "viewer", "password": PASSWORD, "commands": true});
            assert_eq!(admin.post("/api/v1/users", body).await.status, StatusCode::CREATED);
        }
        let (mut li, mut wang) = (hub.stranger(), hub.stranger());
        li.log_in("li", PASSWORD).await;
        wang.log_in("wang", PASSWORD).await;
        Self { hub, gateway, seq: 0, li, wang }
    }

    async fn point(&mut self, key: &str) -> Value {
        let all = self.li.get(&format!("/api/v1/points?gateway={}", self.gateway)).await;
        let found = all.json["items"].as_array().unwrap().iter().find(|p| p["key"] == key).cloned();
        found.unwrap_or_else(|| panic!("{}", all.text))
    }

    async fn wish(&mut self, key: &str, value: f64, more: Value) -> Answer {
        let mut body = json!({"point": self.point(key).await["id"], "value": value, "why": "WO-2026-0417"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.li.post("/api/v1/commands", body).await
    }

    async fn made(&mut self, key: &str, value: f64, more: Value) -> String {
        let answer = self.wish(key, value, more).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    async fn story(&mut self, id: &str) -> Value {
        self.li.get(&format!("/api/v1/commands/{id}")).await.json
    }

    async fn state(&mut self, id: &str) -> Value {
        self.story(id).await["command"]["state"].clone()
    }

    /// What goes out to the gateway now.
    async fn orders(&self) -> Vec<Order> {
        let fleet = self.hub.ctx.part::<Fleet>();
        let mut out = Vec::new();
        for due in fleet.due_orders(self.gateway).await.unwrap() {
            if fleet.sending(&due).await.unwrap() {
                out.push(from_cbor(&due.signed.order).unwrap());
            }
        }
        out
    }

    /// The gateway says so.
    async fn report(&mut self, id: &str, no: u32, stage: Stage, more: impl FnOnce(&mut Report)) -> Fate {
        let mut report = Report {
            command: id.parse().unwrap(),
            no,
            at: self.hub.now(),
            stage,
            reason: None,
            before: Some(21.5),
            now: None,
            slots: vec![],
            detail: String::new(),
        };
        more(&mut report);
        self.seq += 1;
        let body = to_cbor(&report).unwrap();
        let at = Position { gateway: self.gateway, epoch: 1, lane: Lane::Command, seq: self.seq };
        let received = Received { at, hash: Sha256::digest(&body).to_vec(), body };
        self.hub.ctx.part::<Fleet>().receive_report(&received, 1).await.unwrap()
    }

    async fn trail(&self, id: &str) -> Vec<Value> {
        let all = self.hub.admin().await.get("/api/v1/audit?limit=500").await;
        let rows = all.json["items"].as_array().unwrap().clone();
        rows.into_iter().filter(|r| r["object_id"] == id).rev().collect()
    }
}

fn written(orders: &[Order]) -> Vec<&WriteOrder> {
    orders.iter().filter_map(|o| if let Order::Write(w) = o { Some(w) } else { None }).collect()
}

#[tokio::test]
async fn a_command_goes_out_until_it_is_received_and_its_reports_are_its_story() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let id = plant.made("setpoint", 23.0, json!({"expected": 21.5})).await;
        let orders = plant.orders().await;
        let [order] = written(&orders)[..] else { panic!("{orders:?}") };
        assert_eq!(
            (order.device.as_str(), order.point.as_str(), order.by.as_str()),
            ("ahu", "setpoint", "li")
        );
        assert_eq!((order.value, order.expected, order.priority), (23.0, Some(21.5), Some(8)));
        assert_eq!(order.not_after, plant.hub.now().plus(Duration::from_mins(10)));
        assert_eq!(plant.orders().await.len(), 1, "again in the next session");

        plant.report(&id, 1, Stage::Received, |_| ()).await;
        assert_eq!(plant.state(&id).await, "received");
        plant.report(&id, 2, Stage::Written, |r| r.now = Some(23.0)).await;
        // The same again, because the gateway was asked again.
        plant.report(&id, 2, Stage::Written, |r| r.now = Some(99.0)).await;
        plant
            .report(&id, 3, Stage::Confirmed, |r| {
                r.now = Some(23.0);
                r.slots = vec![None, Some(23.0)];
            })
            .await;
        assert!(plant.orders().await.is_empty());
        let story = plant.story(&id).await;
        let command = &story["command"];
        assert_eq!(
            (&command["state"], &command["before"], &command["now"]),
            (&json!("confirmed"), &json!(21.5), &json!(23.0))
        );
        let steps: Vec<_> = story["steps"].as_array().unwrap().iter().map(|s| s["what"].clone()).collect();
        assert_eq!(steps, ["requested", "queued", "sent", "received", "written", "confirmed"]);
        let listed =
            plant.li.get(&format!("/api/v1/commands?gateway={}&state=confirmed", plant.gateway)).await;
        assert_eq!(listed.json["items"][0]["id"], id.as_str());
        assert_eq!(plant.li.get("/api/v1/commands?state=queued").await.json["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_may_be_written_and_how_is_told_with_the_point_and_held_against_every_wish() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        assert_eq!(plant.point("setpoint").await["write"]["max"], 30.0);
        assert_eq!(plant.point("power").await["write"], Value::Null);
        let closed = plant.wish("power", 1.0, json!({})).await;
        assert_eq!((closed.status, closed.problem()), (StatusCode::CONFLICT, "not_writable"));
        assert!(closed.text.contains("remote_write"), "{}", closed.text);
        let later = plant.hub.now().plus(Duration::from_hours(2));
        let wishes = [
            ("setpoint", 30.1, json!({}), "/value"),
            ("setpoint", 20.0, json!({"priority": 6}), "/priority"),
            ("fan", 2.0, json!({}), "/value"),
            ("fan", 1.0, json!({"priority": 8}), "/priority"),
            ("mode", 20.0, json!({}), "/relinquish_at"),
            ("setpoint", 20.0, json!({"relinquish_at": plant.hub.now()}), "/relinquish_at"),
            ("setpoint", 20.0, json!({"valid_for_s": 5}), "/valid_for_s"),
            ("setpoint", 20.0, json!({"why": "  "}), "/why"),
        ];
        for (key, value, more, pointer) in wishes {
            let refused = plant.wish(key, value, more).await;
            assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{}", refused.text);
        }
        plant.made("mode", 20.0, json!({"relinquish_at": later})).await;
        assert_eq!(written(&plant.orders().await)[0].relinquish_at, Some(later));
    })
    .await;
}

#[tokio::test]
async fn fault_w5_control_18_one_person_alone_writes_nothing_where_two_are_needed() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let id = plant.made("fan", 1.0, json!({})).await;
        let approve = format!("/api/v1/commands/{id}/approve");
        assert_eq!(plant.state(&id).await, "awaiting_approval");
        assert!(plant.orders().await.is_empty());
        let own = plant.li.post(&approve, json!({})).await;
        assert_eq!((own.status, own.problem()), (StatusCode::CONFLICT, "own_request"));
        let mut engineer = plant.hub.logged_in_as(Role::Engineer).await;
        let stranger = engineer.post(&approve, json!({})).await;
        assert_eq!((stranger.status, stranger.problem()), (StatusCode::FORBIDDEN, "may_not_command"));

        // The permission of who asked is looked at again when the other agrees.
        let mut admin = plant.hub.admin().await;
        let users = admin.get("/api/v1/users").await;
        let li = users.json["items"].as_array().unwrap().iter().find(|u| u["user"] == "li").cloned().unwrap();
        let path = format!("/api/v1/users/{}", li["id"].as_str().unwrap());
        assert_eq!(admin.patch(&path, 1, json!({"commands": false})).await.status, StatusCode::OK);
        let void = plant.wang.post(&approve, json!({})).await;
        assert_eq!((void.status, void.problem()), (StatusCode::CONFLICT, "requester_may_not"));
        assert!(plant.orders().await.is_empty());
        let refused = plant.trail(&id).await;
        assert_eq!(refused.iter().filter(|r| r["result"] == "refused").count(), 2, "{refused:?}");
        assert_eq!(admin.patch(&path, 2, json!({"commands": true})).await.status, StatusCode::OK);

        let agreed = plant.wang.post(&approve, json!({})).await;
        assert_eq!(
            (agreed.status, &agreed.json["state"]),
            (StatusCode::OK, &json!("queued")),
            "{}",
            agreed.text
        );
        let orders = plant.orders().await;
        assert_eq!(written(&orders)[0].approver.as_deref(), Some("wang"));
        let twice = plant.wang.post(&approve, json!({})).await;
        assert_eq!((twice.status, twice.problem()), (StatusCode::CONFLICT, "wrong_state"));

        let id = plant.made("fan", 0.0, json!({})).await;
        let no =
            plant.wang.post(&format!("/api/v1/commands/{id}/reject"), json!({"why": "it is night"})).await;
        assert_eq!(no.json["state"], "rejected", "{}", no.text);
        assert_eq!(
            plant.wang.post(&format!("/api/v1/commands/{id}/approve"), json!({})).await.problem(),
            "wrong_state"
        );
    })
    .await;
}

#[tokio::test]
async fn a_command_that_nobody_took_in_time_is_told_as_expired_and_never_goes_out() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let (away, open) =
            (plant.made("setpoint", 23.0, json!({})).await, plant.made("fan", 1.0, json!({})).await);
        plant.hub.clock.advance(Duration::from_mins(11));
        assert!(plant.orders().await.is_empty());
        plant.hub.ctx.part::<Fleet>().expire_commands().await.unwrap();
        for id in [&away, &open] {
            assert_eq!(plant.state(id).await, "expired");
            assert_eq!(plant.trail(id).await.last().unwrap()["action"], "commands.expire");
        }
        let late = plant.wang.post(&format!("/api/v1/commands/{open}/approve"), json!({})).await;
        assert_eq!(late.problem(), "wrong_state");
    })
    .await;
}

#[tokio::test]
async fn fault_w2_what_has_gone_out_is_asked_for_until_the_gateway_tells_what_became_of_it() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let id = plant.made("setpoint", 23.0, json!({})).await;
        assert_eq!(plant.orders().await.len(), 1);
        // The link is lost; nobody knows whether it was written.
        plant.hub.clock.advance(Duration::from_mins(20));
        plant.hub.ctx.part::<Fleet>().expire_commands().await.unwrap();
        assert_eq!(plant.state(&id).await, "queued", "only the gateway can tell");
        assert_eq!(plant.orders().await.len(), 1, "it is asked again");
        plant.report(&id, 1, Stage::Received, |_| ()).await;
        plant.report(&id, 2, Stage::Written, |_| ()).await;
        plant
            .report(&id, 3, Stage::NotEffective, |r| {
                (r.reason, r.now) = (Some(reason::OVERRIDDEN.into()), Some(19.0));
            })
            .await;
        let command = plant.story(&id).await["command"].clone();
        assert_eq!((&command["state"], &command["reason"]), (&json!("not_effective"), &json!("overridden")));
    })
    .await;
}

#[tokio::test]
async fn a_command_is_cancelled_before_it_goes_out_and_given_up_after() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let cancel = |id: &str| format!("/api/v1/commands/{id}/cancel");
        let id = plant.made("setpoint", 23.0, json!({})).await;
        let gone = plant.wang.post(&cancel(&id), json!({"why": "not needed"})).await;
        assert_eq!(gone.json["state"], "cancelled", "{}", gone.text);
        assert!(plant.orders().await.is_empty());
        assert_eq!(plant.wang.post(&cancel(&id), json!({"why": "again"})).await.problem(), "wrong_state");

        let id = plant.made("setpoint", 23.0, json!({})).await;
        plant.orders().await;
        for (no, stage) in [(1, Stage::Received), (2, Stage::Written), (3, Stage::Confirmed)] {
            plant.report(&id, no, stage, |r| r.now = Some(23.0)).await;
        }
        assert!(plant.orders().await.is_empty());
        let wanted = plant.wang.post(&cancel(&id), json!({"why": "done"})).await;
        assert_eq!((&wanted.json["state"], &wanted.json["given_up"]), (&json!("confirmed"), &json!(true)));
        let orders = plant.orders().await;
        let [Order::Relinquish(order)] = &orders[..] else { panic!("{orders:?}") };
        assert_eq!((order.by.as_str(), order.why.as_str()), ("wang", "done"));
        plant.report(&id, 4, Stage::Relinquished, |r| r.now = Some(21.5)).await;
        assert_eq!(plant.state(&id).await, "relinquished");
        assert!(plant.orders().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_report_of_another_gateways_command_changes_nothing_and_one_that_is_none_is_set_aside() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let id = plant.made("setpoint", 23.0, json!({})).await;
        let (ours, other) = (plant.gateway, enrolled(&plant.hub, "west").await);
        plant.gateway = other;
        let fleet = plant.hub.ctx.part::<Fleet>();
        fleet.begin(&hello(&plant.hub, other, BufferId::new(&RandomIds))).await.unwrap();
        assert_eq!(plant.report(&id, 1, Stage::Confirmed, |_| ()).await, Fate::Stored);
        assert_eq!(plant.state(&id).await, "queued");
        plant.gateway = ours;
        plant.seq = 1;
        let at = Position { gateway: ours, epoch: 1, lane: Lane::Command, seq: 1 };
        let poison = Received { at, hash: Sha256::digest([0xff]).to_vec(), body: vec![0xff] };
        assert!(matches!(fleet.receive_report(&poison, 1).await.unwrap(), Fate::Quarantined(_)));
        plant.report(&id, 1, Stage::Received, |_| ()).await;
        assert_eq!(plant.state(&id).await, "received", "the lane goes on");
        let unknown = CommandId::new(&RandomIds).to_string();
        assert_eq!(plant.report(&unknown, 1, Stage::Received, |_| ()).await, Fate::Stored);
    })
    .await;
}

#[tokio::test]
async fn control_35_control_36_every_act_stands_in_the_trail_with_who_why_before_and_after() {
    on_each_database(async |hub| {
        let mut plant = Plant::new(hub).await;
        let id = plant.made("fan", 1.0, json!({"expected": 0.0})).await;
        plant.wang.post(&format!("/api/v1/commands/{id}/approve"), json!({})).await;
        plant.orders().await;
        plant.report(&id, 1, Stage::Received, |_| ()).await;
        plant.report(&id, 2, Stage::Written, |r| r.now = Some(1.0)).await;
        plant.report(&id, 3, Stage::Confirmed, |r| r.now = Some(1.0)).await;
        plant.wang.post(&format!("/api/v1/commands/{id}/cancel"), json!({"why": "done"})).await;
        plant.report(&id, 4, Stage::Relinquished, |r| r.now = Some(0.0)).await;
        let trail = plant.trail(&id).await;
        let rows: Vec<_> = trail.iter().map(|r| (r["actor_name"].clone(), r["action"].clone())).collect();
        let row = |who: &str, what: &str| (json!(who), json!(what));
        assert_eq!(
            rows,
            [
                row("li", "commands.request"),
                row("wang", "commands.approve"),
                row("system", "commands.written"),
                row("system", "commands.confirmed"),
                row("wang", "commands.cancel"),
                row("system", "commands.relinquished"),
            ]
        );
        for row in &trail {
            assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
            assert!(row["after"].is_object() && row["before"].is_object(), "{row}");
        }
        assert_eq!(trail[3]["before"]["shows"], 21.5);
        assert_eq!(trail[3]["after"]["shows"], 1.0);
        assert_eq!(trail[4]["reason"], "done");
    })
    .await;
}

#[tokio::test]
async fn a_wish_that_is_sent_twice_with_its_key_is_one_command() {
    let mut plant = Plant::new(Hub::on_sqlite().await).await;
    let body = json!({"point": plant.point("setpoint").await["id"], "value": 23.0, "why": "WO-1"});
    let mut post = async || {
        let key = [("idempotency-key", "k-1")];
        plant.li.send(axum::http::Method::POST, "/api/v1/commands", &key, Some(body.clone())).await.json["id"]
            .clone()
    };
    let (first, second) = (post().await, post().await);
    assert!(first.is_string() && first == second, "{first} {second}");
    assert_eq!(plant.orders().await.len(), 1);
}
