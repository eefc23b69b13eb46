//! What was set aside, over HTTP, on both databases.

use axum::http::StatusCode;
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BootId, BufferId, EventId, GatewayId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{Header, encode};
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{Catalogue, CataloguePoint, Lane, Names, PointKind};

use crate::gateways::Fleet;
use crate::gateways::tests::{device, enrolled, hello};
use crate::kernel::caller::Role;
use crate::kernel::db::DbError;
use crate::testing::{Hub, on_each_database};

const START: Timestamp = Timestamp(1_780_000_000_000);

async fn aside(hub: &Hub, gateway: GatewayId, lane: Lane, body: &[u8]) {
    let fleet = hub.ctx.part::<Fleet>();
    let stored = hub.ctx.db.tx(async |tx| fleet.set_aside(&tx, gateway, 1, lane, body, "of no use").await);
    stored.await.map_or_else(|e: DbError| panic!("{e}"), drop);
}

/// A gateway whose number 4 is the power of its meter.
async fn plant(hub: &Hub) -> GatewayId {
    let gateway = enrolled(hub, "east").await;
    let fleet = hub.ctx.part::<Fleet>();
    let buffer = BufferId::new(&RandomIds);
    fleet.begin(&hello(hub, gateway, buffer)).await.unwrap();
    let point = CataloguePoint {
        no: PointNo(4),
        device: "meter".into(),
        key: "power".into(),
        title: Names { zh: "功率".into(), en: "Power".into() },
        unit: "kW".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    };
    let all = Catalogue { devices: vec![device("meter")], points: vec![point] };
    fleet.apply_catalogue(gateway, buffer, &all).await.unwrap();
    gateway
}

fn readings() -> Vec<u8> {
    let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: START };
    let reading = |no, seconds: i64, value| Reading {
        point: PointNo(no),
        at: Timestamp(START.as_millis() + seconds * 1000),
        value,
        quality: Quality::Good,
    };
    let all = [
        reading(4, 0, Some(Value::Number(21.5))),
        reading(4, 10, None),
        reading(9, 5, Some(Value::Text("E1".into()))),
    ];
    encode(&all, &header).unwrap()
}

#[tokio::test]
async fn fault_y9_what_was_set_aside_can_be_looked_into_by_its_points_names() {
    on_each_database(async |hub| {
        let gateway = plant(&hub).await;
        let body = readings();
        aside(&hub, gateway, Lane::Live, &body).await;
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let path = format!("/api/v1/gateways/{gateway}/quarantine");
        let list = viewer.get(&path).await;
        let first = &list.json["items"][0];
        assert_eq!(
            (&first["lane"], &first["reason"], &first["sequence"]),
            (&"live".into(), &"of no use".into(), &serde_json::Value::Null)
        );
        assert_eq!(first["bytes"], body.len());

        let one = format!("{path}/{}", first["id"].as_str().unwrap());
        let inside = viewer.get(&one).await.json;
        assert_eq!((&inside["intact"], &inside["readings"]), (&true.into(), &3.into()));
        assert_eq!(
            (&inside["first"], &inside["unreadable"]),
            (&START.to_string().into(), &serde_json::Value::Null)
        );
        let told: Vec<_> = inside["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| (&s["device"], &s["point"], &s["value"]))
            .collect();
        let (none, meter, power) = (serde_json::Value::Null, "meter".into(), "power".into());
        assert_eq!(
            told,
            [(&meter, &power, &21.5.into()), (&meter, &power, &none), (&none, &none, &"E1".into())],
            "number 9 is nobody's"
        );
        let raw = viewer.get(&format!("{one}/body")).await;
        assert_eq!(raw.header("content-type"), "application/octet-stream");
        assert!(raw.header("content-disposition").contains("steward-batch-"), "{}", raw.text);
        assert_eq!(raw.text, String::from_utf8_lossy(&body));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_shown_as_bytes_with_the_reason_and_an_event_as_it_is() {
    on_each_database(async |hub| {
        let gateway = plant(&hub).await;
        let event = Event {
            id: EventId::new(&RandomIds),
            at: START,
            kind: EventKind::DeviceSilent,
            active: true,
            line: None,
            device: Some("meter".into()),
            detail: "no reply".into(),
            about: None,
        };
        aside(&hub, gateway, Lane::Alarm, &to_cbor(&event).unwrap()).await;
        aside(&hub, gateway, Lane::Backfill, &[0xff; 300]).await;
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let path = format!("/api/v1/gateways/{gateway}/quarantine");
        let list = viewer.get(&path).await.json;
        let mut inside = Vec::new();
        for item in list["items"].as_array().unwrap() {
            inside.push(viewer.get(&format!("{path}/{}", item["id"].as_str().unwrap())).await.json);
        }
        let [bytes, event] = inside.as_slice() else { panic!("{list}") };
        assert!(!bytes["unreadable"].as_str().unwrap().is_empty());
        assert_eq!(bytes["head"], "ff".repeat(256));
        assert_eq!(
            (&event["item"]["device"], &event["unreadable"]),
            (&"meter".into(), &serde_json::Value::Null)
        );

        let other = enrolled(&hub, "west").await;
        let id = list["items"][0]["id"].as_str().unwrap();
        let elsewhere = viewer.get(&format!("/api/v1/gateways/{other}/quarantine/{id}")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "another gateway's");
        assert_eq!(viewer.get(&format!("{path}/none")).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn an_engineer_takes_away_what_was_set_aside_and_the_trail_says_so() {
    on_each_database(async |hub| {
        let gateway = plant(&hub).await;
        aside(&hub, gateway, Lane::Live, &readings()).await;
        let path = format!("/api/v1/gateways/{gateway}/quarantine");
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let id = engineer.get(&path).await.json["items"][0]["id"].as_str().unwrap().to_owned();
        let one = format!("{path}/{id}");
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        assert_eq!(viewer.delete(&one, 1).await.status, StatusCode::FORBIDDEN);
        assert_eq!(engineer.delete(&one, 1).await.status, StatusCode::NO_CONTENT);
        assert_eq!(engineer.delete(&one, 1).await.status, StatusCode::NOT_FOUND);
        assert_eq!(engineer.get(&one).await.status, StatusCode::NOT_FOUND);
        let trail = "select count(*) as n from audit where action = 'gateways.discard_batch'";
        assert_eq!(hub.ctx.db.one::<i64>(trail, vec![]).await.unwrap(), Some(1));
    })
    .await;
}
