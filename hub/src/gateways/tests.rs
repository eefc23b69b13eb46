//! The fleet through its face and over HTTP, on both databases.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use steward_shared::id::{BufferId, GatewayId, PointNo, RandomIds};
use steward_shared::wire::catalogue::{MAX_LABELS, MAX_TEXT};
use steward_shared::wire::code::Code;
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, DeviceHealth, Enrol, Health, Hello, Label, Lane, LaneState,
    LineHealth, Names, PROTOCOL, PointKind, Trouble,
};

use super::model::kind;
use super::store::MIGRATIONS;
use super::{Beginning, CatalogueError, DeviceFilter, DeviceRow, EventRow, Fleet, PointMap, RoadKind};
use crate::kernel::caller::Role;
use crate::kernel::db::testing::fresh_databases;
use crate::kernel::db::{Blob, DbError, migrate};
use crate::testing::{Client, Hub, on_each_database};

#[tokio::test]
async fn a_gateway_is_made_changed_and_revoked_by_an_engineer() {
    on_each_database(async |hub| {
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let name = || serde_json::json!({ "name": "east" });
        assert_eq!(viewer.post("/api/v1/gateways", name()).await.status, StatusCode::FORBIDDEN);
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let made = engineer.post("/api/v1/gateways", name()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let code: Code = made.json["code"].as_str().unwrap().parse().unwrap();
        assert!(code.names_ca(hub.ctx.part::<Fleet>().ca().certificate()));
        assert_eq!(made.json["gateway"]["state"], "pending");
        assert_eq!(engineer.post("/api/v1/gateways", name()).await.problem(), "name_taken");
        let path = format!("/api/v1/gateways/{}", made.json["gateway"]["id"].as_str().unwrap());
        let changed = engineer.patch(&path, 1, serde_json::json!({ "name": "west" })).await;
        assert_eq!((changed.status, &changed.json["name"]), (StatusCode::OK, &"west".into()));
        assert_eq!(engineer.patch(&path, 1, name()).await.status, StatusCode::PRECONDITION_FAILED);
        let revoked = engineer.post(&format!("{path}/revoke"), serde_json::json!({})).await;
        assert_eq!((revoked.status, &revoked.json["state"]), (StatusCode::OK, &"revoked".into()));
        let events = viewer.get(&format!("{path}/events")).await;
        let first = &events.json["items"][0];
        assert_eq!(first["kind"], "gateway_revoked");
        assert_eq!(first["detail"], format!("revoked by {}", first["facts"]["by"].as_str().unwrap()));
    })
    .await;
}

/// Makes a gateway and enrols it.
pub(super) async fn enrolled(hub: &Hub, name: &str) -> GatewayId {
    let fleet = hub.ctx.part::<Fleet>();
    let (id, new) = hub.ctx.db.tx(async |tx| fleet.create(&tx, name, None).await).await.unwrap();
    enrol(&fleet, &new.code).await;
    id
}

async fn enrol(fleet: &Fleet, code: &Code) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::new(Vec::new()).unwrap().serialize_request(&key).unwrap().der().to_vec();
    let ask = Enrol { code: code.secret.to_vec(), csr, version: "0.1.0".into(), host: "plant".into() };
    fleet.enrol(&ask, "10.0.0.7").await.unwrap().unwrap();
}

async fn told(hub: &Hub, gateway: GatewayId, kind: &str) -> Vec<EventRow> {
    let all = hub.ctx.part::<Fleet>().events(gateway, None, 500).await.unwrap();
    all.into_iter().filter(|e| e.kind == kind).collect()
}

async fn count(hub: &Hub, table: &str) -> i64 {
    hub.ctx.db.one::<i64>(&format!("select count(*) as n from {table}"), vec![]).await.unwrap().unwrap()
}

async fn devices(hub: &Hub) -> Vec<DeviceRow> {
    hub.ctx.part::<Fleet>().devices(&DeviceFilter::default(), None, 500).await.unwrap()
}

/// Of a gateway with an empty database.
pub(super) fn hello(hub: &Hub, gateway: GatewayId, buffer: BufferId) -> Hello {
    Hello {
        protocol: PROTOCOL,
        gateway,
        version: "0.1.0".into(),
        buffer,
        epoch: 0,
        lanes: Lane::ALL.map(|lane| LaneState { lane, first: 1, last: 0, acked: 0 }).to_vec(),
        catalogue: vec![],
        boot: steward_shared::id::BootId::new(&RandomIds),
        now: hub.now(),
        more_lanes: vec![],
    }
}

pub(super) fn device(key: &str) -> CatalogueDevice {
    CatalogueDevice {
        key: key.into(),
        title: Names { zh: "表".into(), en: "Meter".into() },
        profile: "test/meter".into(),
        vendor: "test".into(),
        model: "meter".into(),
        place: "B1".into(),
        line: "tcp".into(),
        address: "1".into(),
        in_use: true,
    }
}

/// The gateway tells of devices with these keys.
async fn catalogue(hub: &Hub, gateway: GatewayId, keys: &[&str]) {
    let all = Catalogue { devices: keys.iter().map(|key| device(key)).collect(), points: vec![] };
    tell(hub, gateway, &all).await.unwrap();
}

async fn tell(hub: &Hub, gateway: GatewayId, all: &Catalogue) -> Result<Arc<PointMap>, CatalogueError> {
    let fleet = hub.ctx.part::<Fleet>();
    let buffer = BufferId::new(&RandomIds);
    fleet.begin(&hello(hub, gateway, buffer)).await.unwrap();
    fleet.apply_catalogue(gateway, buffer, all).await
}

#[tokio::test]
async fn a_catalogue_of_the_longest_texts_is_taken_and_one_byte_more_is_not() {
    on_each_database(async |hub| {
        let gateway = enrolled(&hub, "east").await;
        let text = "字".repeat(MAX_TEXT / 3) + "x";
        let names = || Names { zh: text.clone(), en: text.clone() };
        let device = CatalogueDevice {
            key: text.clone(),
            title: names(),
            profile: text.clone(),
            vendor: text.clone(),
            model: text.clone(),
            place: text.clone(),
            line: text.clone(),
            address: text.clone(),
            in_use: true,
        };
        let point = CataloguePoint {
            no: PointNo(u32::MAX),
            device: text.clone(),
            key: text.clone(),
            title: names(),
            unit: text.clone(),
            kind: PointKind::Enumeration,
            labels: (0..MAX_LABELS as i64).map(|n| Label { code: i64::MIN + n, names: names() }).collect(),
            period_ms: i64::MAX as u64,
            decimals: u8::MAX,
            modulus: Some(f64::MAX),
            in_use: true,
            write: None,
        };
        let mut all = Catalogue { devices: vec![device], points: vec![point] };
        assert_eq!(tell(&hub, gateway, &all).await.unwrap().points().count(), 1);
        all.devices[0].place.push('x');
        assert!(matches!(tell(&hub, gateway, &all).await, Err(CatalogueError::Fault(_))));
    })
    .await;
}

#[tokio::test]
async fn fault_n5_a_link_that_flaps_for_ten_minutes_makes_no_event_and_a_lost_one_makes_one() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        let pass = async |seconds: u64| {
            for _ in 0..seconds {
                hub.clock.advance(Duration::from_secs(1));
                fleet.look_round().await.unwrap();
            }
        };
        for _ in 0..100 {
            fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
            pass(3).await;
            fleet.left(gateway).await.unwrap();
            pass(3).await;
        }
        assert!(told(&hub, gateway, kind::GATEWAY_SILENT).await.is_empty());
        assert!(fleet.sight(gateway).online);
        pass(300).await;
        let events = told(&hub, gateway, kind::GATEWAY_SILENT).await;
        assert_eq!((events.len(), events[0].active), (1, true));
        assert!(!fleet.sight(gateway).online && fleet.gateway(gateway).await.unwrap().unwrap().silent);
        // Another hub program finds it silent already.
        let again = Fleet::new(&hub.ctx, fleet.ca().clone());
        again.expect_all().await.unwrap();
        hub.clock.advance(Duration::from_mins(5));
        again.look_round().await.unwrap();
        assert_eq!(told(&hub, gateway, kind::GATEWAY_SILENT).await.len(), 1);
        fleet.arrived(gateway, "0.2.0", "10.0.0.8", RoadKind::Quic).await.unwrap();
        let events = told(&hub, gateway, kind::GATEWAY_SILENT).await;
        assert_eq!((events.len(), events[0].active), (2, false), "it is back");
        let row = fleet.gateway(gateway).await.unwrap().unwrap();
        assert_eq!((row.silent, row.version.as_str(), row.address.as_str()), (false, "0.2.0", "10.0.0.8"));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_says_by_which_road_it_came_and_which_port_is_blocked() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        let path = format!("/api/v1/gateways/{gateway}");
        let mut admin = hub.admin().await;
        let mut shown = async || {
            let gateway = admin.get(&path).await.json;
            (gateway["road"].clone(), gateway["blocked_port"].clone())
        };
        assert_eq!(shown().await, (Value::Null, Value::Null), "it has never come");
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Tcp).await.unwrap();
        assert_eq!(shown().await, (json!("tcp"), json!(hub.ctx.settings.gateways_port())));
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
        assert_eq!(shown().await, (json!("quic"), Value::Null));
    })
    .await;
}

/// The database takes no events of this gateway, until the trigger is dropped.
async fn refuse_events_of(hub: &Hub, gateway: GatewayId) {
    let trigger = format!(
        "create trigger refuses before insert on gateway_event when new.gateway = '{gateway}'
         begin select raise(abort, 'refused'); end"
    );
    hub.ctx.db.execute(&trigger, vec![]).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_came_back_while_no_event_could_be_stored_is_told_later_and_falls_silent_again() {
    let hub = Hub::on_sqlite().await;
    let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
    fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
    fleet.left(gateway).await.unwrap();
    let pass = async || {
        hub.clock.advance(Duration::from_mins(1));
        fleet.look_round().await
    };
    pass().await.unwrap();
    assert!(!fleet.sight(gateway).online);
    refuse_events_of(&hub, gateway).await;
    fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
    assert!(fleet.sight(gateway).online, "the session goes on");
    fleet.look_round().await.unwrap_err();
    hub.ctx.db.execute("drop trigger refuses", vec![]).await.unwrap();
    fleet.look_round().await.unwrap();
    let active = async || {
        let told = told(&hub, gateway, kind::GATEWAY_SILENT).await;
        told.iter().map(|e| e.active).collect::<Vec<_>>()
    };
    assert_eq!(active().await, [false, true]);
    fleet.left(gateway).await.unwrap();
    pass().await.unwrap();
    assert!(!fleet.sight(gateway).online);
    assert_eq!(active().await, [true, false, true]);
}

#[tokio::test]
async fn a_session_that_could_not_be_stored_does_not_count() {
    let hub = Hub::on_sqlite().await;
    let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
    hub.clock.advance(Duration::from_mins(1));
    fleet.look_round().await.unwrap();
    let refuses = "create trigger refuses before update on gateway begin select raise(abort, 'refused'); end";
    hub.ctx.db.execute(refuses, vec![]).await.unwrap();
    fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap_err();
    hub.ctx.db.execute("drop trigger refuses", vec![]).await.unwrap();
    fleet.look_round().await.unwrap();
    assert!(!fleet.sight(gateway).online);
    assert_eq!(told(&hub, gateway, kind::GATEWAY_SILENT).await.len(), 1, "it never was back");
}

#[tokio::test]
async fn who_fell_silent_while_the_database_refused_is_told_in_the_next_round_and_holds_up_nobody_else() {
    let hub = Hub::on_sqlite().await;
    let fleet = hub.ctx.part::<Fleet>();
    let mut all = Vec::new();
    for name in ["east", "west", "south"] {
        all.push(enrolled(&hub, name).await);
    }
    refuse_events_of(&hub, all[1]).await;
    hub.clock.advance(Duration::from_mins(1));
    fleet.look_round().await.unwrap_err();
    let told_of = async || {
        let mut n = Vec::new();
        for gateway in &all {
            n.push(told(&hub, *gateway, kind::GATEWAY_SILENT).await.len());
        }
        n
    };
    assert_eq!(told_of().await, [1, 0, 1]);
    hub.ctx.db.execute("drop trigger refuses", vec![]).await.unwrap();
    fleet.look_round().await.unwrap();
    fleet.look_round().await.unwrap();
    assert_eq!(told_of().await, [1, 1, 1]);
}

#[tokio::test]
async fn a_gateway_that_never_comes_after_a_start_is_told_once() {
    let hub = Hub::on_sqlite().await;
    let gateway = enrolled(&hub, "east").await;
    let fleet = Fleet::new(&hub.ctx, hub.ctx.part::<Fleet>().ca().clone());
    fleet.expect_all().await.unwrap();
    assert!(!fleet.sight(gateway).online, "nobody has seen it yet");
    for _ in 0..20 {
        hub.clock.advance(Duration::from_secs(5));
        fleet.look_round().await.unwrap();
    }
    assert_eq!(told(&hub, gateway, kind::GATEWAY_SILENT).await.len(), 1);
}

#[tokio::test]
async fn what_a_gateway_says_of_itself_is_seen_at_once_and_kept_now_and_then_and_when_it_leaves() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        catalogue(&hub, gateway, &["chiller", "meter"]).await;
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
        let report = |unacked, silent: &[bool]| Health {
            at: hub.now(),
            unacked,
            devices: ["chiller", "meter"]
                .iter()
                .zip(silent)
                .map(|(key, silent)| DeviceHealth {
                    key: (*key).into(),
                    silent: *silent,
                    ..DeviceHealth::default()
                })
                .collect(),
            ..Health::default()
        };
        let silent = async || devices(&hub).await.iter().map(|d| d.silent).collect::<Vec<_>>();
        let kept = async || {
            let row = fleet.gateway(gateway).await.unwrap().unwrap();
            serde_json::from_str::<Health>(&row.health.unwrap()).unwrap().unacked
        };
        fleet.heard(gateway, report(1, &[true, false])).await.unwrap();
        assert_eq!((silent().await, kept().await), (vec![true, false], 1));
        hub.clock.advance(Duration::from_secs(10));
        fleet.heard(gateway, report(2, &[false, true])).await.unwrap();
        assert_eq!(silent().await, [false, true]);
        assert_eq!((fleet.sight(gateway).health.unwrap().unacked, kept().await), (2, 1));
        fleet.left(gateway).await.unwrap();
        assert_eq!(kept().await, 2);
        let row = fleet.gateway(gateway).await.unwrap().unwrap();
        assert_eq!(row.last_seen, Some(hub.now()));
        fleet.heard(GatewayId::new(&RandomIds), report(3, &[])).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_device_is_as_the_first_health_of_a_session_has_it_whatever_a_late_event_left_behind() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        catalogue(&hub, gateway, &["chiller"]).await;
        let chiller = DeviceHealth { key: "chiller".into(), ..DeviceHealth::default() };
        let answers = Health { at: hub.now(), devices: vec![chiller], ..Health::default() };
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
        fleet.heard(gateway, answers.clone()).await.unwrap();
        // An event that was under way for longer than the health; the next one was lost with the gateway's database.
        hub.ctx.db.execute("update device set silent = 1", vec![]).await.unwrap();
        fleet.left(gateway).await.unwrap();
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
        fleet.heard(gateway, answers.clone()).await.unwrap();
        assert!(!devices(&hub).await[0].silent);
    })
    .await;
}

#[tokio::test]
async fn a_report_without_measure_is_cut_down() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
        let device = |i: usize| DeviceHealth {
            key: format!("d{i}\0"),
            silent: i.is_multiple_of(2),
            last_error: Some("x".repeat(10_000)),
            ..DeviceHealth::default()
        };
        let trouble =
            Trouble { what: "w".repeat(10_000), points: vec!["p".repeat(10_000); 100], ..Trouble::default() };
        let line = |i: usize| LineHealth {
            name: format!("l{i}\0"),
            troubles: vec![trouble.clone(); if i == 0 { 100 } else { 0 }],
            ..LineHealth::default()
        };
        let report = Health {
            devices: (0..10_000).map(device).collect(),
            lines: (0..10_000).map(line).collect(),
            ..Health::default()
        };
        fleet.heard(gateway, report).await.unwrap();
        let held = fleet.sight(gateway).health.unwrap();
        assert_eq!((held.devices.len(), held.lines.len()), (2_000, 2_000));
        assert_eq!((held.devices[1].key.as_str(), held.lines[1].name.as_str()), ("d1", "l1"));
        assert_eq!((held.lines[0].troubles.len(), held.lines[0].troubles[0].what.len()), (32, 500));
        let points = &held.lines[0].troubles[0].points;
        assert_eq!((points.len(), points[0].len()), (16, 500));
        assert!(held.devices.iter().all(|d| d.last_error.as_ref().unwrap().len() == 500));
    })
    .await;
}

/// The states that pages are told from now on.
fn states_told(hub: &Hub) -> impl FnMut() -> Vec<String> {
    let mut bus = hub.ctx.live.watch();
    move || {
        let told = std::iter::from_fn(|| bus.try_recv().ok()).filter(|live| live.name == "gateway");
        let state =
            |json: &str| serde_json::from_str::<Value>(json).unwrap()["state"].as_str().unwrap().to_owned();
        told.map(|live| state(&live.json)).collect()
    }
}

#[tokio::test]
async fn pages_are_told_of_a_report_that_changes_something_and_not_of_each() {
    let hub = Hub::on_sqlite().await;
    let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
    fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
    let mut states = states_told(&hub);
    let mut told_of = async |up, silent, cpu| {
        let lines = vec![LineHealth { name: "bus".into(), up, ..LineHealth::default() }];
        let devices = vec![DeviceHealth { key: "meter".into(), silent, ..DeviceHealth::default() }];
        fleet.heard(gateway, Health { lines, devices, cpu, ..Health::default() }).await.unwrap();
        states().len()
    };
    assert_eq!(told_of(true, false, 0.1).await, 1, "the first one");
    for i in 0..100 {
        assert_eq!(told_of(true, false, f64::from(i)).await, 0);
    }
    assert_eq!((told_of(false, false, 0.1).await, told_of(false, true, 0.1).await), (1, 1));
    assert_eq!(told_of(false, true, 0.2).await, 0);
}

#[tokio::test]
async fn pages_are_told_the_real_state_after_an_enrolment_and_after_a_revocation() {
    let hub = Hub::on_sqlite().await;
    let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
    let mut states = states_told(&hub);
    let new = hub.ctx.db.tx(async |tx| fleet.new_code(&tx, gateway).await).await.unwrap();
    enrol(&fleet, &new.code).await;
    assert_eq!(states(), ["offline"]);
    fleet.arrived(gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
    assert_eq!(states(), ["online"]);
    let mut engineer = hub.logged_in_as(Role::Engineer).await;
    engineer.post(&format!("/api/v1/gateways/{gateway}/revoke"), json!({})).await;
    assert_eq!(states(), ["revoked"]);
}

#[tokio::test]
async fn an_enrolment_code_is_kept_nowhere_not_even_for_a_repeat() {
    on_each_database(async |hub| {
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let made = post_once(&mut engineer, "/api/v1/gateways", "a", json!({ "name": "east" })).await;
        assert_eq!(
            (made.status, made.header("cache-control")),
            (StatusCode::CREATED, "no-store"),
            "{}",
            made.text
        );
        let path = format!("/api/v1/gateways/{}/code", made.json["gateway"]["id"].as_str().unwrap());
        let code = post_once(&mut engineer, &path, "b", json!({})).await;
        assert_eq!(
            (code.status, code.header("cache-control")),
            (StatusCode::OK, "no-store"),
            "{}",
            code.text
        );
        let with_body = "idempotency where body is not null and idempotency_key in ('a', 'b')";
        assert_eq!(
            (count(&hub, "idempotency where status is not null").await, count(&hub, with_body).await),
            (2, 0)
        );
        let again = post_once(&mut engineer, "/api/v1/gateways", "a", json!({ "name": "east" })).await;
        assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "shown_once"));
    })
    .await;
}

async fn post_once(client: &mut Client, path: &str, key: &str, body: Value) -> crate::testing::Answer {
    client.send(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
}

#[tokio::test]
async fn a_place_with_a_gateway_cannot_be_removed_and_its_devices_are_found_from_above() {
    on_each_database(async |hub| {
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let mut place = async |kind: &str, parent: Value| {
            let made =
                engineer.post("/api/v1/sites", json!({ "kind": kind, "name": kind, "parent": parent })).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
            made.json["id"].clone()
        };
        let campus = place("campus", Value::Null).await;
        let building = place("building", campus.clone()).await;
        let other = place("building", Value::Null).await;
        let made = engineer.post("/api/v1/gateways", json!({ "name": "east", "site": building })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let id = made.json["gateway"]["id"].as_str().unwrap();
        catalogue(&hub, id.parse().unwrap(), &["meter"]).await;
        for (site, found) in [(&campus, 1), (&building, 1), (&other, 0)] {
            let list = engineer.get(&format!("/api/v1/devices?site={}", site.as_str().unwrap())).await;
            assert_eq!(list.json["items"].as_array().unwrap().len(), found, "{}", list.text);
            assert!(found == 0 || list.json["items"][0]["site"] == building);
        }
        let building_path = format!("/api/v1/sites/{}", building.as_str().unwrap());
        assert_eq!(engineer.delete(&building_path, 1).await.problem(), "not_empty");
        let nowhere = json!({ "name": "west", "site": "0190d0c0-0000-7000-8000-000000000000" });
        let refused = engineer.post("/api/v1/gateways", nowhere).await;
        assert_eq!(refused.json["errors"][0]["pointer"], "/site", "{}", refused.text);
        let moved = engineer.patch(&format!("/api/v1/gateways/{id}"), 1, json!({ "site": null })).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.text);
        assert_eq!(engineer.delete(&building_path, 1).await.status, StatusCode::NO_CONTENT);
    })
    .await;
}

#[tokio::test]
async fn a_database_of_before_places_were_referred_to_keeps_those_that_there_are() {
    for test in fresh_databases().await {
        let sites = ("sites", crate::sites::module().migrations);
        migrate(&test.db, &[sites, ("gateways", &MIGRATIONS[..1])], 0).await.unwrap();
        let insert =
            "insert into sites (id, kind, name, code, version) values ('here', 'campus', 'A', '', 1)";
        test.db.execute(insert, vec![]).await.unwrap();
        for (name, site) in [("east", "'here'"), ("west", "'gone'"), ("south", "null")] {
            let insert = format!(
                "insert into gateway (id, name, site, state, version, host, address, created_at, silent, row_version)
                 values ('{name}', '{name}', {site}, 'pending', '', '', '', 0, 0, 1)"
            );
            test.db.execute(&insert, vec![]).await.unwrap();
        }
        migrate(&test.db, &[sites, ("gateways", MIGRATIONS)], 0).await.unwrap();
        let rows: Vec<(String, Option<String>)> =
            test.db.query("select name, site from gateway order by name", vec![]).await.unwrap();
        assert_eq!(rows.iter().map(|(_, s)| s.as_deref()).collect::<Vec<_>>(), [Some("here"), None, None]);
        assert!(test.db.execute("delete from sites", vec![]).await.is_err());
    }
}

#[tokio::test]
async fn a_gateway_that_never_enrolled_can_be_removed_and_an_enrolled_one_cannot() {
    on_each_database(async |hub| {
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let made = engineer.post("/api/v1/gateways", json!({ "name": "east" })).await;
        let path = format!("/api/v1/gateways/{}", made.json["gateway"]["id"].as_str().unwrap());
        assert_eq!(hub.logged_in_as(Role::Viewer).await.delete(&path, 1).await.status, StatusCode::FORBIDDEN);
        assert_eq!(engineer.delete(&path, 7).await.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(engineer.delete(&path, 1).await.status, StatusCode::NO_CONTENT);
        assert_eq!(engineer.delete(&path, 1).await.status, StatusCode::NOT_FOUND);
        assert_eq!((count(&hub, "gateway").await, count(&hub, "enrolment_code").await), (0, 0));
        let gateway = enrolled(&hub, "east").await;
        let refused = engineer.delete(&format!("/api/v1/gateways/{gateway}"), 2).await;
        assert_eq!(refused.problem(), "was_enrolled", "{}", refused.text);
    })
    .await;
}

#[tokio::test]
async fn old_codes_and_the_events_beyond_the_newest_are_forgotten() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        let flood = format!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 10050)
             insert into gateway_event (event, gateway, at, received_at, kind, active, detail, security)
             select cast(i as text), '{gateway}', i, i, 'started', 1, cast(i as text), 0 from n"
        );
        hub.ctx.db.execute(&flood, vec![]).await.unwrap();
        assert_eq!(count(&hub, "enrolment_code").await, 1);
        fleet.forget().await.unwrap();
        assert_eq!((count(&hub, "gateway_event").await, count(&hub, "enrolment_code").await), (10_000, 1));
        assert_eq!(told(&hub, gateway, "started").await[0].detail, "10050");
        hub.clock.advance(Duration::from_hours(24 * 31));
        fleet.forget().await.unwrap();
        assert_eq!(count(&hub, "enrolment_code").await, 0);
    })
    .await;
}

#[tokio::test]
async fn of_what_is_set_aside_the_newest_of_each_gateway_is_kept() {
    on_each_database(async |hub| {
        let fleet = hub.ctx.part::<Fleet>();
        for name in ["east", "west"] {
            let gateway = enrolled(&hub, name).await;
            hub.ctx
                .db
                .tx(async |tx| {
                    for i in 0..120_u8 {
                        fleet.set_aside(&tx, gateway, 1, Lane::Live, &[i], "of no use").await?;
                    }
                    Ok::<_, DbError>(())
                })
                .await
                .unwrap();
        }
        assert_eq!(count(&hub, "quarantine").await, 200);
        let oldest = hub.ctx.db.one::<Blob>("select data from quarantine order by id", vec![]).await.unwrap();
        assert_eq!(oldest, Some(Blob(vec![20])));
    })
    .await;
}

/// A gateway that holds 300 to 500 of its live lane, all of it acknowledged in this epoch.
fn with_old_data(hello: Hello, epoch: u32) -> Hello {
    let lanes = vec![LaneState { lane: Lane::Live, first: 300, last: 500, acked: 500 }];
    Hello { epoch, lanes, ..hello }
}

#[tokio::test]
async fn fault_y6_what_a_hub_restored_from_a_copy_has_lost_and_the_gateway_keeps_no_more_is_told() {
    on_each_database(async |hub| {
        let fleet = hub.ctx.part::<Fleet>();
        let live = |b: &Beginning| b.watermarks.iter().find(|w| w.lane == Lane::Live).unwrap().seq;
        // The copy knows the epoch, and has less of it than was acknowledged.
        let (gateway, buffer) = (enrolled(&hub, "east").await, BufferId::new(&RandomIds));
        let first = hello(&hub, gateway, buffer);
        assert_eq!(fleet.begin(&first).await.unwrap().epoch, 1);
        let mark = format!("update watermark set seq = 100 where gateway = '{gateway}'");
        hub.ctx.db.execute(&mark, vec![]).await.unwrap();
        let again = fleet.begin(&with_old_data(first, 1)).await.unwrap();
        assert_eq!((again.epoch, live(&again)), (1, 299));
        let missing = told(&hub, gateway, kind::DATA_MISSING).await;
        assert_eq!(missing.len(), 1);
        assert!(missing[0].detail.contains("101 to 299"), "{}", missing[0].detail);
        // The copy is of before the epoch.
        let gateway = enrolled(&hub, "west").await;
        let hello = hello(&hub, gateway, BufferId::new(&RandomIds));
        assert_eq!(live(&fleet.begin(&with_old_data(hello, 1)).await.unwrap()), 299);
        assert_eq!(told(&hub, gateway, kind::DATA_MISSING).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_in_the_epoch_before_is_not_missing_in_the_next() {
    let hub = Hub::on_sqlite().await;
    let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
    let hello = hello(&hub, gateway, BufferId::new(&RandomIds));
    fleet.begin(&hello).await.unwrap();
    // The gateway's database was restored from a copy: it ends before what the hub has of it.
    hub.ctx.db.execute("update watermark set seq = 600", vec![]).await.unwrap();
    assert_eq!(fleet.begin(&with_old_data(hello, 1)).await.unwrap().epoch, 2);
    assert!(told(&hub, gateway, kind::DATA_MISSING).await.is_empty());
}

#[tokio::test]
async fn a_catalogue_of_many_points_keeps_each_with_its_number_and_a_second_time_too() {
    on_each_database(async |hub| {
        let (fleet, gateway) = (hub.ctx.part::<Fleet>(), enrolled(&hub, "east").await);
        let buffer = BufferId::new(&RandomIds);
        fleet.begin(&hello(&hub, gateway, buffer)).await.unwrap();
        let devices: Vec<CatalogueDevice> = (0..601).map(|i| device(&format!("d{i}"))).collect();
        // More than one statement takes, and not a multiple of it.
        let point = |no: u32, unit: &str| CataloguePoint {
            no: PointNo(no),
            device: format!("d{}", no % 601),
            key: format!("p{no}"),
            title: Names { zh: "点".into(), en: format!("Point {no}") },
            unit: unit.into(),
            kind: PointKind::Gauge,
            labels: vec![],
            period_ms: 10_000,
            decimals: 1,
            modulus: no.is_multiple_of(2).then_some(1e6),
            in_use: true,
            write: None,
        };
        let mut ids = Vec::new();
        for (unit, most) in [("kW", 1_203), ("W", 1_100)] {
            let points = (0..most).map(|no| point(no, unit)).collect();
            let all = Catalogue { devices: devices.clone(), points };
            let map = fleet.apply_catalogue(gateway, buffer, &all).await.unwrap();
            let rows = fleet.points_of(gateway).await.unwrap();
            assert_eq!((rows.len(), rows.iter().filter(|p| p.in_use).count()), (1_203, most as usize));
            for row in rows.iter().filter(|p| p.in_use) {
                let no = map.number(row.id).unwrap();
                assert_eq!((row.key.as_str(), row.unit.as_str()), (format!("p{}", no.0).as_str(), unit));
                assert_eq!(row.modulus, no.0.is_multiple_of(2).then_some(1e6));
            }
            ids.push((0..1_100).map(|no| map.point(PointNo(no)).unwrap()).collect::<Vec<_>>());
        }
        assert_eq!(ids[0], ids[1]);
        assert_eq!(count(&hub, "device where in_use = 1").await, 601);
    })
    .await;
}
