//! Batches on their way into the store, and when it takes nothing.

use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::Lane;

use super::super::ingest::{Checked, IngestError, Opened, check};
use super::plant::{Plant, count};
use crate::gateways::{Fate, Position, Received};
use crate::kernel::caller::Role;
use crate::kernel::db::Db;
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

/// The disk takes no more frames, as far as the hub can tell.
async fn fill(db: &Db) {
    let sql: &[&str] = if db.is_postgres() {
        &[
            "create function full_disk() returns trigger language plpgsql as
             $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$",
            "create trigger full_disk before insert on frame for each row execute function full_disk()",
        ]
    } else {
        &["create trigger full_disk before insert on frame begin select raise(abort, 'full'); end"]
    };
    for statement in sql {
        db.execute(statement, vec![]).await.unwrap();
    }
}

async fn make_room(db: &Db) {
    let on = if db.is_postgres() { " on frame" } else { "" };
    db.execute(&format!("drop trigger full_disk{on}"), vec![]).await.unwrap();
}

#[tokio::test]
async fn fault_s5_when_a_frame_cannot_be_stored_its_watermark_does_not_move_and_nothing_is_acknowledged() {
    on_each_database(async |hub| {
        let plant = Plant::at(&hub).await;
        let at = hub.now().as_millis();
        let power = plant.point("power").await;
        fill(&hub.ctx.db).await;
        let refused = plant.fate(&hub, plant.batch(&hub, 1, &[(at, 1.0)]), 1).await;
        assert_eq!(refused, Err(IngestError::Unavailable));
        let mark = Position { gateway: plant.gateway, epoch: 1, lane: Lane::Live, seq: 0 };
        assert_eq!((plant.fleet.watermark(&mark).await.unwrap(), count(&hub, "frame").await), (0, 0));
        assert_eq!((plant.readings.latest(power.id), plant.readings.unpacked_now()), (None, 0));
        assert!(plant.readings.takes_nothing());
        make_room(&hub.ctx.db).await;
        assert_eq!(plant.fate(&hub, plant.batch(&hub, 1, &[(at, 1.0)]), 1).await, Ok(Fate::Stored));
        assert_eq!((plant.fleet.watermark(&mark).await.unwrap(), count(&hub, "frame").await), (1, 1));
        assert!(!plant.readings.takes_nothing());
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
    plant.fleet.arrived(plant.gateway, "0.1.0", "10.0.0.7").await.unwrap();
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let mut stale_after = async |seconds: u64| {
        let before = hub.now();
        hub.clock.advance(std::time::Duration::from_secs(seconds));
        let point = viewer.get(&format!("/api/v1/points/{flow}")).await;
        hub.clock.set(before);
        point.json["latest"]["stale"] == true
    };
    plant.numbers(&hub, 5, &(0..10).map(|i| (now - 9000 + i * 1000, 1.0)).collect::<Vec<_>>()).await;
    // Three periods of a second, ten seconds of gathering, five of travel.
    assert!(!stale_after(18).await && stale_after(19).await);
    plant.numbers(&hub, 5, &(0..60).map(|i| (now - 58_000 + i * 1000, 2.0)).collect::<Vec<_>>()).await;
    assert!(!stale_after(60).await && stale_after(70).await, "a gateway that flushes each minute");
}
