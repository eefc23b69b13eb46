//! A gateway with readings, for the tests of the module.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, BufferId, GatewayId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, Hello, Label, Lane, LaneState, Names, PROTOCOL, PointKind,
};
use tokio_util::sync::CancellationToken;

use super::super::ingest::{Checked, Opened, check};
use super::super::readings::Readings;
use super::super::rollup::{Counting, Rollup};
use crate::gateways::{Fate, Fleet, PointMap, PointRow, Position, Received};
use crate::testing::Hub;

/// A gateway with one device and five points: a gauge, a counter that starts over at 1000, a text, an enumeration, and
/// a gauge that is read each second.
pub struct Plant {
    pub fleet: Arc<Fleet>,
    pub readings: Arc<Readings>,
    pub gateway: GatewayId,
    pub map: Arc<PointMap>,
    pub seq: u64,
    pub stop: CancellationToken,
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
        write: None,
    };
    let running = Label { code: 2, names: Names { zh: "运行".into(), en: "running".into() } };
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
            CataloguePoint { labels: vec![running], ..point(4, "state", PointKind::Enumeration, None) },
            CataloguePoint { period_ms: 1_000, ..point(5, "flow", PointKind::Gauge, None) },
        ],
    }
}

impl Plant {
    pub async fn at(hub: &Hub) -> Self {
        Self::named(hub, "east").await
    }

    pub async fn named(hub: &Hub, name: &str) -> Self {
        let (fleet, readings) = (hub.ctx.part::<Fleet>(), hub.ctx.part::<Readings>());
        let stop = CancellationToken::new();
        tokio::spawn(readings.clone().commit_groups(stop.clone()));
        let (gateway, _) = hub.ctx.db.tx(async |tx| fleet.create(&tx, name, None).await).await.unwrap();
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
            more_lanes: vec![],
        };
        assert_eq!(fleet.begin(&hello).await.unwrap().epoch, 1);
        let map = fleet.apply_catalogue(gateway, buffer, &catalogue()).await.unwrap();
        Self { fleet, readings, gateway, map, seq: 0, stop }
    }

    pub async fn point(&self, key: &str) -> PointRow {
        let points = self.fleet.points_of(self.gateway).await.unwrap();
        points.into_iter().find(|p| p.key == key).unwrap()
    }

    pub async fn send(&mut self, hub: &Hub, readings: &[(u32, i64, Option<Value>, Quality)]) {
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
        let checked = check(&batch, readings.len() as u32, &self.map, hub.now(), false);
        let Checked::Readings(samples, left) = checked else { panic!("not readable") };
        let room = self.readings.room(readings.len() as u32).await.unwrap();
        let receipt =
            self.readings.ingest(Opened { batch, readings: Ok(samples), left, room }).await.unwrap();
        assert_eq!(receipt.fate().await.unwrap(), Fate::Stored);
    }

    pub async fn numbers(&mut self, hub: &Hub, no: u32, values: &[(i64, f64)]) {
        let readings: Vec<_> =
            values.iter().map(|(t, v)| (no, *t, Some(Value::Number(*v)), Quality::Good)).collect();
        self.send(hub, &readings).await;
    }
}

pub async fn count(hub: &Hub, table: &str) -> i64 {
    hub.ctx.db.one::<i64>(&format!("select count(*) as n from {table}"), vec![]).await.unwrap().unwrap()
}

/// All buckets of a walk.
pub async fn rollups(
    readings: &Readings,
    point: &PointRow,
    from: i64,
    to: i64,
    bucket_ms: i64,
) -> Vec<(i64, Rollup)> {
    let (mut walk, mut all) = (readings.walk(point, Timestamp(from), Timestamp(to), bucket_ms), Vec::new());
    while let Some(piece) = walk.next().await.unwrap() {
        all.extend(piece.buckets);
    }
    all
}

/// Naive rollups of a grid, for comparison.
pub fn naive(values: &[(i64, f64)], bucket_ms: i64, counting: Counting) -> Vec<(i64, Rollup)> {
    let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (t, v) in values {
        groups.entry(t.div_euclid(bucket_ms) * bucket_ms).or_default().push(*v);
    }
    groups.into_iter().map(|(t, v)| (t, Rollup::over(v, counting).unwrap())).collect()
}
