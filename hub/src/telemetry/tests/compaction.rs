//! Compaction: nothing stops it, nothing is destroyed by it, and what is forgotten.

use std::sync::Arc;
use std::time::Duration;

use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::super::model::{DAY_MS, HOUR_MS, KEEP_HOURS, KEEP_RAW, QUARTER_MS};
use super::super::readings::Readings;
use super::super::rollup::Counting;
use super::super::tail::{READING, Tail};
use super::plant::{Plant, count, naive, rollups};
use crate::testing::{Hub, on_each_database};

/// Each minute of some hours.
fn minutes(from: i64, n: i64) -> Vec<(i64, f64)> {
    (0..n).map(|i| (from + i * 60_000, (i % 100) as f64)).collect()
}

async fn execute(hub: &Hub, sql: &str) {
    assert!(hub.ctx.db.execute(sql, vec![]).await.unwrap() > 0, "{sql}");
}

async fn told(plant: &Plant, kind: &str) -> Vec<String> {
    let all = plant.fleet.events(plant.gateway, None, 100).await.unwrap();
    all.into_iter().filter(|e| e.kind == kind).map(|e| e.detail).collect()
}

#[tokio::test]
async fn one_unreadable_batch_stops_neither_its_gateway_nor_the_others() {
    on_each_database(async |hub| {
        // The gateways come in the order of their ids: the first one made is the first one compacted.
        let (mut east, mut west) = (Plant::named(&hub, "east").await, Plant::named(&hub, "west").await);
        let start = hub.now().as_millis() - 5 * HOUR_MS;
        for hour in 0..4 {
            east.numbers(&hub, 1, &minutes(start + hour * HOUR_MS, 60)).await;
        }
        west.numbers(&hub, 1, &minutes(start, 240)).await;
        execute(
            &hub,
            "update frame set data = substr(data, 1, 10) where id = (select min(id) + 2 from frame)",
        )
        .await;
        east.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "quarantine").await), (0, 1));
        assert_eq!((count(&hub, "raw").await, east.readings.tail().readings()), (7, 0));
        let told = told(&east, "batch_quarantined").await;
        assert!(told.len() == 1 && told[0].contains("cannot be read"), "{told:?}");
        assert!(told_nothing(&west).await);
    })
    .await;
}

async fn told_nothing(plant: &Plant) -> bool {
    let all = plant.fleet.events(plant.gateway, None, 100).await.unwrap();
    all.iter().all(|e| e.kind == "epoch_began")
}

#[tokio::test]
async fn fault_y9_a_batch_with_too_many_samples_of_an_hour_is_set_aside_and_the_others_are_compacted() {
    on_each_database(async |hub| {
        let (mut east, mut west) = (Plant::named(&hub, "east").await, Plant::named(&hub, "west").await);
        let start = hub.now().as_millis() - 5 * HOUR_MS;
        let dense = |from: i64| (0..110_000).map(|i| (start + from + i, 1.0)).collect::<Vec<_>>();
        east.numbers(&hub, 1, &dense(0)).await;
        east.numbers(&hub, 1, &dense(200_000)).await;
        east.numbers(&hub, 1, &minutes(start + HOUR_MS, 60)).await;
        west.numbers(&hub, 1, &minutes(start, 60)).await;
        east.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "quarantine").await), (0, 1));
        let power = east.point("power").await;
        let n: i64 = rollups(&east.readings, &power, start, start + 2 * HOUR_MS, HOUR_MS)
            .await
            .iter()
            .map(|(_, r)| r.n)
            .sum();
        assert_eq!(n, 110_060);
        assert_eq!(count(&hub, "raw").await, 3);
    })
    .await;
}

#[tokio::test]
async fn texts_with_nul_and_the_largest_numbers_are_compacted_like_others() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = hub.now().as_millis() - 5 * HOUR_MS;
        let text = Some(Value::Text("au\0to".into()));
        plant.send(&hub, &[(3, start, text, Quality::Good)]).await;
        plant.numbers(&hub, 1, &[(start, 1.7e308), (start + 1000, 1.7e308), (start + 2000, -1.7e308)]).await;
        plant.numbers(&hub, 2, &[(start, -1.7e308), (start + 1000, 1.7e308), (start + 2000, 1.7e308)]).await;
        plant.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "quarantine").await), (0, 0));
        assert_eq!(
            (count(&hub, "raw").await, count(&hub, "hour").await, count(&hub, "latest").await),
            (3, 2, 3)
        );
        let mode = plant.point("mode").await;
        let kept = plant.readings.samples(&mode, Timestamp(start), hub.now()).await.unwrap();
        assert_eq!(kept[0].value, Some(Value::Text("auto".into())));
    })
    .await;
}

#[tokio::test]
async fn damaged_quarters_are_made_anew_and_a_damaged_chunk_costs_only_what_comes_late_for_it() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = hub.now().as_millis() - 6 * HOUR_MS;
        plant.numbers(&hub, 1, &minutes(start, 120)).await;
        plant.readings.compact().await.unwrap();
        execute(&hub, "update day set quarters = substr(quarters, 1, 3)").await;
        plant.numbers(&hub, 1, &minutes(start + 2 * HOUR_MS, 60)).await;
        plant.readings.compact().await.unwrap();
        let power = plant.point("power").await;
        let all: Vec<_> = [minutes(start, 120), minutes(start + 2 * HOUR_MS, 60)].concat();
        for bucket in [QUARTER_MS, HOUR_MS, DAY_MS] {
            let got = rollups(&plant.readings, &power, start, start + 3 * HOUR_MS - 1, bucket).await;
            assert_eq!(got, naive(&all, bucket, Counting::default()), "{bucket}");
        }
        execute(&hub, &format!("update raw set data = substr(data, 1, 3) where t = {start}")).await;
        plant.numbers(&hub, 1, &[(start + 1, 5.0)]).await;
        plant.numbers(&hub, 1, &[(start + HOUR_MS + 1, 5.0)]).await;
        plant.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "quarantine").await), (0, 1));
        let hours = rollups(&plant.readings, &power, start, start + 2 * HOUR_MS - 1, HOUR_MS).await;
        assert_eq!(hours.iter().map(|(_, r)| r.n).collect::<Vec<_>>(), [60, 61]);
    })
    .await;
}

#[tokio::test]
async fn what_comes_after_its_samples_are_forgotten_is_told_and_destroys_nothing() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = hub.now().as_millis() - DAY_MS;
        let all = minutes(start, 600);
        plant.numbers(&hub, 1, &all).await;
        plant.readings.compact().await.unwrap();
        hub.clock.advance(KEEP_RAW + Duration::from_hours(48));
        plant.readings.forget().await.unwrap();
        assert_eq!(count(&hub, "raw").await, 0);
        plant.numbers(&hub, 1, &[(start + 7, 500.0), (start + HOUR_MS + 7, 500.0)]).await;
        let power = plant.point("power").await;
        for compacted in [false, true] {
            if compacted {
                plant.readings.compact().await.unwrap();
            }
            for bucket in [QUARTER_MS, HOUR_MS, DAY_MS] {
                let got = rollups(&plant.readings, &power, start, start + DAY_MS - 1, bucket).await;
                assert_eq!(got, naive(&all, bucket, Counting::default()), "{compacted} {bucket}");
            }
        }
        assert_eq!(told(&plant, "readings_too_late").await.len(), 1);
        assert_eq!((count(&hub, "frame").await, count(&hub, "raw").await), (0, 0));
        hub.clock.advance(KEEP_HOURS);
        plant.readings.forget().await.unwrap();
        plant.numbers(&hub, 1, &[(start + 7, 500.0)]).await;
        plant.readings.compact().await.unwrap();
        let got = rollups(&plant.readings, &power, start, start + DAY_MS - 1, DAY_MS).await;
        assert_eq!(got, naive(&all, DAY_MS, Counting::default()));
    })
    .await;
}

#[tokio::test]
async fn sparse_history_is_compacted_in_several_transactions() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = (hub.now().as_millis() / DAY_MS - 600) * DAY_MS;
        let all: Vec<(i64, f64)> = (0..12_000).map(|i| (start + i * HOUR_MS, (i % 50) as f64)).collect();
        plant.numbers(&hub, 1, &all).await;
        plant.readings.compact().await.unwrap();
        assert_eq!((count(&hub, "frame").await, count(&hub, "raw").await), (0, 12_000));
        let power = plant.point("power").await;
        let got = rollups(&plant.readings, &power, start, start + 500 * DAY_MS - 1, DAY_MS).await;
        assert_eq!(got, naive(&all, DAY_MS, Counting::default()));
    })
    .await;
}

#[tokio::test]
async fn after_a_commit_whose_answer_was_lost_memory_follows_the_store() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let now = hub.now().as_millis();
        let power = plant.point("power").await;
        let other = Arc::new(Readings::new(&hub.ctx, plant.fleet.clone()));
        other.rebuild().await.unwrap();
        // Committed, but this side never heard of it.
        plant.numbers(&hub, 1, &[(now - 1000, 1.0)]).await;
        plant.numbers(&hub, 1, &[(now - 5 * HOUR_MS, 2.0)]).await;
        assert!(other.latest(power.id).is_none());
        other.compact().await.unwrap();
        assert_eq!(other.latest(power.id).unwrap().at, Timestamp(now - 1000));
        let seen = other.samples(&power, Timestamp(now - DAY_MS), Timestamp(now)).await.unwrap();
        assert_eq!((seen.len(), other.tail().readings()), (2, 1));
        // Compacted, and this side still holds it.
        assert_eq!(plant.readings.tail().readings(), 2);
        plant.readings.compact().await.unwrap();
        assert_eq!(plant.readings.tail().readings(), 1);
    })
    .await;
}

#[tokio::test]
async fn when_memory_is_full_the_hour_that_goes_on_is_seen_and_the_rest_once_it_is_compacted() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let now = hub.now().as_millis();
    let power = plant.point("power").await;
    *plant.readings.tail() = Tail::with_room(200 * READING);
    for hour in (2..6).rev() {
        plant.numbers(&hub, 1, &minutes(now - hour * HOUR_MS, 60)).await;
    }
    assert_eq!(plant.readings.tail().readings(), 60, "half of the room");
    plant.numbers(&hub, 1, &[(now, 1.0), (now + 1000, 2.0)]).await;
    let seen = plant.readings.samples(&power, Timestamp(now), Timestamp(now + 1000)).await.unwrap();
    assert_eq!(seen.len(), 2);
    // A start with as little room.
    let again = Readings::new(&hub.ctx, plant.fleet.clone());
    *again.tail() = Tail::with_room(65 * READING);
    again.rebuild().await.unwrap();
    let seen = again.samples(&power, Timestamp(now), Timestamp(now + 1000)).await.unwrap();
    assert_eq!((seen.len(), again.tail().readings()), (2, 2));
    plant.readings.compact().await.unwrap();
    let seen = plant.readings.samples(&power, Timestamp(now - DAY_MS), Timestamp(now + 1000)).await.unwrap();
    assert_eq!((seen.len(), plant.readings.tail().readings()), (242, 2));
}

#[tokio::test]
async fn compaction_beside_ingest_loses_and_doubles_nothing() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = hub.now().as_millis() - 10 * HOUR_MS;
        let all = minutes(start, 590);
        let readings = plant.readings.clone();
        let compacting = tokio::spawn(async move {
            loop {
                readings.compact().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let power = plant.point("power").await;
        for (i, part) in all.chunks(20).enumerate() {
            plant.numbers(&hub, 1, part).await;
            let seen = plant.readings.samples(&power, Timestamp(start), hub.now()).await.unwrap();
            assert_eq!(seen.len(), (i + 1).saturating_mul(20).min(all.len()));
        }
        compacting.abort();
        let _ = compacting.await;
        plant.readings.compact().await.unwrap();
        let got = rollups(&plant.readings, &power, start, hub.now().as_millis(), QUARTER_MS).await;
        assert_eq!(got, naive(&all, QUARTER_MS, Counting::default()));
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
        hub.clock.advance(KEEP_RAW);
        plant.readings.forget().await.unwrap();
        assert_eq!(
            (count(&hub, "raw").await, count(&hub, "hour").await, count(&hub, "day").await),
            (0, 1, 1)
        );
        hub.clock.advance(KEEP_HOURS);
        plant.readings.forget().await.unwrap();
        assert_eq!((count(&hub, "hour").await, count(&hub, "day").await), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_fails_by_its_values_is_told_from_one_that_fails_by_the_database() {
    on_each_database(async |hub| {
        let tried = async |sql: &str| hub.ctx.db.execute(sql, vec![]).await.unwrap_err().is_of_the_values();
        assert!(tried("insert into latest (point, at, quality) values (1, null, 0)").await);
        assert!(!tried("insert into nowhere (point) values (1)").await);
    })
    .await;
}
