//! Batches on their way into the store, and when it takes nothing.

use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::Lane;

use super::super::ingest::{Checked, IngestError, Opened, check};
use super::super::model::HOUR_MS;
use super::super::rewrite::CompactError;
use super::plant::{Plant, count};
use crate::gateways::{Fate, Position, Received, RoadKind};
use crate::kernel::caller::Role;
use crate::kernel::db::{Db, DbError};
use crate::testing::{Hub, on_each_database};

impl Plant {
    fn batch(&self, hub: &Hub, seq: u64, values: &[(i64, f64)]) -> Received {
        let readings: Vec<Reading> = values
            .iter()
            .map(|(at, v)| Reading {
                point: PointNo(1),
                at: Timestamp(*at),
                value: Some(Value::Number(*v)),
                quality: Quality::Good,
            })
            .collect();
        let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: hub.now() };
        let body = columns::encode(&readings, &header).unwrap();
        let at = Position { gateway: self.gateway, epoch: 1, lane: Lane::Live, seq };
        Received { at, hash: Sha256::digest(&body).to_vec(), body }
    }

    async fn fate(&self, hub: &Hub, batch: Received, count: u32) -> Result<Fate, IngestError> {
        let Checked::Readings(samples, left) = check(&batch, count, &self.map, hub.now(), false) else {
            panic!("not readable")
        };
        let room = self.readings.room(count).await?;
        self.readings.ingest(Opened { batch, readings: Ok(samples), left, room }).await?.fate().await
    }
}

/// The disk is full. SQLite's own fault, which may undo the transaction by itself; PostgreSQL's by its code.
async fn fill(db: &Db) {
    if !db.is_postgres() {
        let pages = db.one::<i64>("pragma page_count", vec![]).await.unwrap().unwrap();
        most_pages(db, pages).await;
        return;
    }
    let function = "create function full_disk() returns trigger language plpgsql as
         $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$";
    db.execute(function, vec![]).await.unwrap();
    for table in ["frame", "raw"] {
        let trigger = "for each row execute function full_disk()";
        let sql = format!("create trigger full_disk before insert on {table} {trigger}");
        db.execute(&sql, vec![]).await.unwrap();
    }
}

async fn make_room(db: &Db) {
    if !db.is_postgres() {
        return most_pages(db, i64::from(u32::MAX - 1)).await;
    }
    for table in ["frame", "raw"] {
        db.execute(&format!("drop trigger full_disk on {table}"), vec![]).await.unwrap();
    }
}

/// On the connection that writes.
async fn most_pages(db: &Db, pages: i64) {
    let set: Result<Option<i64>, DbError> =
        db.tx(async |tx| tx.one(&format!("pragma max_page_count = {pages}"), vec![]).await).await;
    assert_eq!(set.unwrap(), Some(pages));
}

#[tokio::test]
async fn fault_s5_on_a_full_disk_nothing_is_acknowledged_or_set_aside_and_all_arrives_once_there_is_room() {
    on_each_database(async |hub| {
        let plant = Plant::at(&hub).await;
        let db = &hub.ctx.db;
        let now = hub.now().as_millis();
        let power = plant.point("power").await;
        // A row for each hour: compaction needs more room than the frame gives back.
        let sparse: Vec<_> = (1..=5000).map(|i| (now - 5100 * HOUR_MS + i * HOUR_MS, 1.0)).collect();
        assert_eq!(plant.fate(&hub, plant.batch(&hub, 1, &sparse), 5000).await, Ok(Fate::Stored));
        // Many pages: there is always some room within one.
        let noise = |i: i64| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2);
        let dense: Vec<_> = (0..20_000).map(|i| (now - 20_000 + i, noise(i))).collect();
        let next = || plant.batch(&hub, 2, &dense);
        fill(db).await;
        assert_eq!(plant.fate(&hub, next(), 20_000).await, Err(IngestError::Unavailable));
        let mark = Position { gateway: plant.gateway, epoch: 1, lane: Lane::Live, seq: 0 };
        assert_eq!((plant.fleet.watermark(&mark).await.unwrap(), count(&hub, "frame").await), (1, 1));
        assert_eq!(
            (plant.readings.latest(power.id).unwrap().at, plant.readings.unpacked_now()),
            (Timestamp(sparse[4999].0), 0)
        );
        assert!(plant.readings.takes_nothing());
        let full = plant.readings.compact().await.unwrap_err();
        assert!(matches!(full, CompactError::Waiting(1)), "{full:?}");
        assert_eq!((count(&hub, "frame").await, count(&hub, "raw").await), (1, 0));
        make_room(db).await;
        assert_eq!(plant.fate(&hub, next(), 20_000).await, Ok(Fate::Stored));
        assert_eq!(plant.fleet.watermark(&mark).await.unwrap(), 2);
        assert!(!plant.readings.takes_nothing());
        plant.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "raw").await), (1, 5000));
        assert_eq!(count(&hub, "quarantine").await, 0);
        let all = plant.readings.samples(&power, Timestamp(sparse[0].0), hub.now()).await.unwrap();
        assert_eq!(all.len(), 25_000);
    })
    .await;
}

#[tokio::test]
async fn the_hubs_memory_for_what_batches_unpack_to_is_bounded() {
    let hub = Hub::on_sqlite().await;
    let plant = Plant::at(&hub).await;
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.push(plant.readings.room(200_000).await.unwrap());
    }
    let mut next = Box::pin(plant.readings.room(1));
    assert!(futures_util::poll!(&mut next).is_pending());
    taken.pop();
    drop(next.await.unwrap());
    drop(taken);
    assert_eq!(plant.readings.unpacked_now(), 0);
}

#[tokio::test]
async fn a_fast_point_is_fresh_between_two_flushes_of_its_gateway() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let now = hub.now().as_millis();
    let flow = plant.point("flow").await.id;
    plant.fleet.arrived(plant.gateway, "0.1.0", "10.0.0.7", RoadKind::Quic).await.unwrap();
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let mut stale_after = async |seconds: u64| {
        let before = hub.now();
        hub.clock.advance(std::time::Duration::from_secs(seconds));
        let point = viewer.get(&format!("/api/v1/points/{flow}")).await;
        hub.clock.set(before);
        (point.json["latest"]["stale"] == true, point.json["fresh_for_ms"].as_i64().unwrap())
    };
    plant.numbers(&hub, 5, &(0..10).map(|i| (now - 9000 + i * 1000, 1.0)).collect::<Vec<_>>()).await;
    // Three periods of a second, ten seconds of gathering, five of travel.
    assert_eq!((stale_after(18).await, stale_after(19).await), ((false, 18_000), (true, 18_000)));
    plant.numbers(&hub, 5, &(0..60).map(|i| (now - 58_000 + i * 1000, 2.0)).collect::<Vec<_>>()).await;
    let of_each_minute = [stale_after(60).await, stale_after(70).await];
    assert_eq!(of_each_minute, [(false, 67_000), (true, 67_000)], "a gateway that flushes each minute");
}
