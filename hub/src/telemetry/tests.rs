//! The module through its face and over HTTP, on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, BufferId, GatewayId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, Hello, Lane, LaneState, Names, PROTOCOL, PointKind,
};
use tokio_util::sync::CancellationToken;

use super::ingest::{Checked, Opened, check};
use super::model::{DAY_MS, HOUR_MS, QUARTER_MS};
use super::readings::Readings;
use super::rollup::{Counting, Rollup};
use super::series::{Course, Span};
use crate::gateways::{Fate, Fleet, PointMap, PointRow, Position, Received};
use crate::kernel::caller::Role;
use crate::testing::{Hub, on_each_database};

/// A gateway with one device and three points: a gauge, a counter that starts over at 1000, a text.
struct Plant {
    fleet: Arc<Fleet>,
    readings: Arc<Readings>,
    gateway: GatewayId,
    map: Arc<PointMap>,
    seq: u64,
    stop: CancellationToken,
}

impl Drop for Plant {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn catalogue() -> Catalogue {
    let point = |no, key: &str, kind, modulus| CataloguePoint {
        no: PointNo(no),
        device: "meter".into(),
        key: key.into(),
        title: Names { zh: format!("点 {key}"), en: format!("={key}") },
        unit: "kW".into(),
        kind,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus,
        in_use: true,
    };
    Catalogue {
        devices: vec![CatalogueDevice {
            key: "meter".into(),
            title: Names { zh: "总表".into(), en: "Main meter".into() },
            profile: "test/meter".into(),
            vendor: "test".into(),
            model: "meter".into(),
            place: "B1".into(),
            line: "tcp".into(),
            address: "1".into(),
            in_use: true,
        }],
        points: vec![
            point(1, "power", PointKind::Gauge, None),
            point(2, "energy", PointKind::Counter, Some(1000.0)),
            point(3, "mode", PointKind::Text, None),
        ],
    }
}

impl Plant {
    async fn at(hub: &Hub) -> Self {
        let (fleet, readings) = (hub.ctx.part::<Fleet>(), hub.ctx.part::<Readings>());
        let stop = CancellationToken::new();
        tokio::spawn(readings.clone().commit_groups(stop.clone()));
        let (gateway, _) = hub.ctx.db.tx(async |tx| fleet.create(&tx, "east", None).await).await.unwrap();
        let buffer = BufferId::new(&RandomIds);
        let hello = Hello {
            protocol: PROTOCOL,
            gateway,
            version: "0.1.0".into(),
            buffer,
            epoch: 0,
            lanes: Lane::ALL.map(|lane| LaneState { lane, first: 1, last: 0, acked: 0 }).to_vec(),
            catalogue: vec![],
            boot: BootId::new(&RandomIds),
            now: hub.now(),
        };
        assert_eq!(fleet.begin(&hello).await.unwrap().epoch, 1);
        let map = fleet.apply_catalogue(gateway, buffer, &catalogue()).await.unwrap();
        Self { fleet, readings, gateway, map, seq: 0, stop }
    }

    async fn point(&self, key: &str) -> PointRow {
        let points = self.fleet.points_of(self.gateway).await.unwrap();
        points.into_iter().find(|p| p.key == key).unwrap()
    }

    async fn send(&mut self, hub: &Hub, readings: &[(u32, i64, Option<Value>, Quality)]) {
        let readings: Vec<Reading> = readings
            .iter()
            .map(|(no, at, value, quality)| Reading {
                point: PointNo(*no),
                at: Timestamp(*at),
                value: value.clone(),
                quality: *quality,
            })
            .collect();
        let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: hub.now() };
        let body = columns::encode(&readings, &header).unwrap();
        self.seq += 1;
        let at = Position { gateway: self.gateway, epoch: 1, lane: Lane::Live, seq: self.seq };
        let batch = Received { at, hash: Sha256::digest(&body).to_vec(), body };
        let Checked::Readings(samples) = check(&batch, readings.len() as u32, &self.map, hub.now()) else {
            panic!("not readable")
        };
        let receipt = self.readings.ingest(Opened { batch, readings: Ok(samples) }).await.unwrap();
        assert_eq!(receipt.fate().await.unwrap(), Fate::Stored);
    }

    async fn numbers(&mut self, hub: &Hub, no: u32, values: &[(i64, f64)]) {
        let readings: Vec<_> =
            values.iter().map(|(t, v)| (no, *t, Some(Value::Number(*v)), Quality::Good)).collect();
        self.send(hub, &readings).await;
    }
}

async fn count(hub: &Hub, table: &str) -> i64 {
    hub.ctx.db.one::<i64>(&format!("select count(*) as n from {table}"), vec![]).await.unwrap().unwrap()
}

/// Naive rollups of a grid, for comparison.
fn naive(values: &[(i64, f64)], bucket_ms: i64, counting: Counting) -> BTreeMap<i64, Rollup> {
    let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (t, v) in values {
        groups.entry(t.div_euclid(bucket_ms) * bucket_ms).or_default().push(*v);
    }
    groups.into_iter().map(|(t, v)| (t, Rollup::over(v, counting).unwrap())).collect()
}

#[tokio::test]
async fn a_series_is_the_same_before_and_after_compaction_and_with_late_data() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let end = hub.now().as_millis();
        let start = end - 30 * HOUR_MS;
        let counting = Counting { modulus: Some(1000.0) };
        // Every minute; whole numbers, so that sums are exact.
        let all: Vec<(i64, f64)> =
            (0..30 * 60).map(|i| (start + i * 60_000, ((i * 7) % 1000) as f64)).collect();
        let (late, timely): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(t, _)| (t / HOUR_MS) % 5 == 2);
        for part in timely.chunks(700) {
            plant.numbers(&hub, 2, part).await;
        }
        let energy = plant.point("energy").await;
        let (from, to) = (Timestamp(start), Timestamp(end));
        for bucket in [60_000, QUARTER_MS, HOUR_MS, DAY_MS] {
            let got = plant.readings.rollups(&energy, from, to, bucket).await.unwrap();
            assert_eq!(got, naive(&timely, bucket, counting), "from memory, {bucket}");
        }
        plant.readings.compact().await.unwrap();
        assert_eq!(count(&hub, "frame").await, 2, "only what reaches into the hour that goes on is left");
        plant.numbers(&hub, 2, &late).await;
        for compacted in [false, true] {
            if compacted {
                plant.readings.compact().await.unwrap();
                plant.readings.compact().await.unwrap();
            }
            for bucket in [60_000, QUARTER_MS, HOUR_MS, DAY_MS] {
                let got = plant.readings.rollups(&energy, from, to, bucket).await.unwrap();
                assert_eq!(got, naive(&all, bucket, counting), "{compacted}, {bucket}");
            }
            let samples = plant.readings.samples(&energy, from, to).await.unwrap();
            assert_eq!(samples.len(), all.len());
        }
        // After a start the same from the database alone.
        let again = Readings::new(&hub.ctx, plant.fleet.clone());
        again.rebuild().await.unwrap();
        assert_eq!(again.latest(energy.id), plant.readings.latest(energy.id));
        let got = again.rollups(&energy, from, to, HOUR_MS).await.unwrap();
        assert_eq!(got, naive(&all, HOUR_MS, counting));
    })
    .await;
}

#[tokio::test]
async fn gaps_texts_and_bad_readings_come_as_they_are() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let t = hub.now().as_millis() - 2 * HOUR_MS;
        let text = |s: &str| Some(Value::Text(s.into()));
        plant
            .send(
                &hub,
                &[
                    (1, t, Some(Value::Number(5.0)), Quality::Good),
                    (1, t + 10_000, None, Quality::NoReply),
                    (1, t + 20_000, Some(Value::Number(6.0)), Quality::Good),
                    (1, t + 600_000, Some(Value::Number(7.0)), Quality::Good),
                    (3, t, text("auto"), Quality::Good),
                    (3, t + 10_000, text("=1+1"), Quality::Good),
                ],
            )
            .await;
        plant.readings.compact().await.unwrap();
        let span = Span { from: Timestamp(t), to: Timestamp(t + HOUR_MS), width: 800 };
        let Course::Samples(course) = plant.readings.course(&plant.point("power").await, span).await.unwrap()
        else {
            panic!("few samples are shown as they are")
        };
        let shown: Vec<Option<f64>> =
            course.iter().map(|(_, v, _)| v.as_ref().and_then(Value::as_number)).collect();
        assert_eq!(shown, [Some(5.0), None, Some(6.0), None, Some(7.0)]);
        assert_eq!((course[1].2, course[3].2), (Quality::NoReply, Quality::Stale));

        let (power, mode) = (plant.point("power").await.id, plant.point("mode").await.id);
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let (from, to) = (Timestamp(t), Timestamp(t + HOUR_MS));
        let answer = viewer.get(&format!("/api/v1/series?points={power},{mode}&from={from}&to={to}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json["bucket_ms"], 0);
        assert_eq!(answer.json["series"][1]["value"][0], "auto");
        let csv = viewer.get(&format!("/api/v1/series.csv?points={power},{mode}&from={from}&to={to}")).await;
        assert_eq!(csv.status, StatusCode::OK);
        assert!(csv.text.starts_with("\u{feff}time,device,point,key,unit,value,quality\r\n"), "{}", csv.text);
        assert!(csv.text.contains(",'=1+1,good\r\n"), "{}", csv.text);
        assert!(csv.text.contains(",,no_reply\r\n"), "{}", csv.text);
        let latest = viewer.get(&format!("/api/v1/points/{power}")).await;
        assert_eq!(
            (&latest.json["latest"]["value"], &latest.json["latest"]["stale"]),
            (&7.0.into(), &true.into())
        );
    })
    .await;
}

#[tokio::test]
async fn a_wrong_question_says_what_is_wrong() {
    let hub = Hub::on_sqlite().await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    for (question, pointer) in [
        ("points=x&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", "?points"),
        ("points=1&from=yesterday&to=2026-01-02T00:00:00Z", "?from"),
        ("points=1&from=2026-01-03T00:00:00Z&to=2026-01-02T00:00:00Z", "?to"),
        ("points=1&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&width=0", "?width"),
    ] {
        let answer = viewer.get(&format!("/api/v1/series?{question}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{question}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{question}");
    }
    let unknown = "/api/v1/series?points=99&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    assert_eq!(viewer.get(unknown).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_gateway_is_made_changed_and_revoked_by_an_engineer() {
    on_each_database(async |hub| {
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let name = || serde_json::json!({ "name": "east" });
        assert_eq!(viewer.post("/api/v1/gateways", name()).await.status, StatusCode::FORBIDDEN);
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let made = engineer.post("/api/v1/gateways", name()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let code: steward_shared::wire::code::Code = made.json["code"].as_str().unwrap().parse().unwrap();
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
        assert_eq!(events.json["items"][0]["kind"], "gateway_revoked");
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_its_retention_goes_and_days_stay() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let t = hub.now().as_millis() - 3 * DAY_MS;
        plant.numbers(&hub, 1, &[(t, 1.0), (t + 10_000, 2.0)]).await;
        plant.readings.compact().await.unwrap();
        plant.readings.forget(Duration::from_hours(48), Duration::from_hours(100)).await.unwrap();
        assert_eq!(
            (count(&hub, "raw").await, count(&hub, "hour").await, count(&hub, "day").await),
            (0, 1, 1)
        );
        plant.readings.forget(Duration::from_hours(48), Duration::from_hours(48)).await.unwrap();
        assert_eq!((count(&hub, "hour").await, count(&hub, "day").await), (0, 1));
    })
    .await;
}
