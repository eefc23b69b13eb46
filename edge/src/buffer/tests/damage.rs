//! A database that is damaged while it is in use: another takes its place, and nothing else changes.

use std::os::unix::fs::FileExt;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::EventId;
use steward_shared::wire::columns;
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, Lane, Names, PointKind, Watermark,
};

use super::faults::events;
use super::*;

/// As worn flash does: all pages but the first read as zeroes. SQLite has some in its memory and does not see it at once.
pub(crate) fn zero(dir: &Path, name: &str) {
    for end in ["", "-wal"] {
        let path = dir.join(format!("{name}{end}"));
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let behind = file.metadata().unwrap().len().saturating_sub(1024);
        file.write_all_at(&vec![0; behind as usize], 1024).unwrap();
    }
}

pub(super) fn catalogue_of(points: &[(&str, &str, PointNo)]) -> Catalogue {
    let title = Names { zh: "表".into(), en: "Meter".into() };
    let device = |key: &str| CatalogueDevice {
        key: key.into(),
        title: title.clone(),
        profile: "a/b".into(),
        vendor: "a".into(),
        model: "b".into(),
        place: String::new(),
        line: "l".into(),
        address: "1".into(),
        in_use: true,
    };
    let point = |device: &str, key: &str, no: PointNo| CataloguePoint {
        no,
        device: device.into(),
        key: key.into(),
        title: title.clone(),
        unit: "kW".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    };
    let mut devices: Vec<_> = points.iter().map(|(d, _, _)| device(d)).collect();
    devices.dedup();
    Catalogue { devices, points: points.iter().map(|(d, k, no)| point(d, k, *no)).collect() }
}

fn silent(device: &str, active: bool) -> Event {
    Event {
        id: EventId::new(&RandomIds),
        at: NOON,
        kind: EventKind::DeviceSilent,
        active,
        line: Some("l".into()),
        device: Some(device.into()),
        detail: "three polls without reply".into(),
        about: None,
    }
}

fn name(device: &str, key: &str) -> (String, String) {
    (device.to_owned(), key.to_owned())
}

#[tokio::test]
async fn fault_s11_points_keep_their_numbers_when_telemetry_is_damaged_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let former = b.number_points(vec![name("old", "x"), name("meter", "x")]).await.unwrap();
    b.set_catalogue(catalogue_of(&[("old", "x", former[0]), ("meter", "x", former[1])])).await.unwrap();
    let numbers = b.number_points(vec![name("meter", "y"), name("meter", "x")]).await.unwrap();
    b.set_catalogue(catalogue_of(&[("meter", "y", numbers[0]), ("meter", "x", numbers[1])])).await.unwrap();
    b.welcome(7, vec![Watermark { lane: Lane::Live, seq: 0 }]).await.unwrap();
    let before = b.state().await.unwrap();
    let catalogue = b.catalogue().await.unwrap();
    for i in 0..400 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
    }
    zero(dir.path(), "telemetry.db");
    b.record(readings(1, 30)).await;
    let mut heads = b.heads();
    assert_eq!(b.after(Lane::Live, 0).await.unwrap(), None, "the lane is empty now");
    heads.wait_for(|h| h.buffer != Some(before.id)).await.unwrap();

    let after = b.state().await.unwrap();
    assert_eq!((after.epoch, after.lanes[1].last), (0, 0));
    assert_eq!(after.catalogue, before.catalogue, "the hub is sent what it had");
    assert_eq!(b.catalogue().await.unwrap(), catalogue);
    b.flush().await.unwrap();
    let batch = b.after(Lane::Live, 0).await.unwrap().unwrap();
    assert_eq!(columns::decode(&batch.body).unwrap().readings, readings(1, 30), "what was in memory is kept");
    assert_eq!(events(&b).await.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::BufferCorrupt]);

    b.close().await.unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let again = b
        .number_points(vec![name("new", "x"), name("meter", "x"), name("old", "x"), name("meter", "y")])
        .await
        .unwrap();
    assert_eq!(again[1..], [former[1], former[0], numbers[0]]);
    assert!(![former[0], former[1], numbers[0]].contains(&again[0]), "a number goes to one point for ever");
    assert_eq!(b.state().await.unwrap().id, after.id);
}

#[tokio::test]
async fn fault_s11_what_is_open_stays_open_when_the_alarms_are_damaged_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    b.event(silent("before", true)).await.unwrap();
    b.close().await.unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let chiller = silent("chiller", true);
    b.event(chiller.clone()).await.unwrap();
    for device in 0..400 {
        let long = Event { detail: "x".repeat(10_000), ..silent(&format!("d{device}"), true) };
        b.event(long).await.unwrap();
        b.event(silent(&format!("d{device}"), false)).await.unwrap();
    }
    b.record(readings(0, 30)).await;
    b.flush().await.unwrap();
    let before = b.state().await.unwrap();
    zero(dir.path(), "alarms.db");
    b.after(Lane::Alarm, 100).await.unwrap();

    let after = b.state().await.unwrap();
    assert_ne!(after.id, before.id);
    assert_eq!(after.lanes[1], before.lanes[1], "telemetry is as it was");
    let told = events(&b).await;
    let mut still: Vec<_> = told.iter().filter_map(|e| e.device.as_deref()).collect();
    still.sort_unstable();
    assert_eq!(still, ["before", "chiller"]);
    assert!(told.contains(&chiller), "with its id: the hub knows it");
    assert_eq!(told.last().unwrap().kind, EventKind::BufferCorrupt);
    assert!(!b.event(silent("chiller", true)).await.unwrap(), "it is open");
    assert!(b.event(silent("chiller", false)).await.unwrap(), "and can end");

    b.close().await.unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    assert_eq!(b.state().await.unwrap().id, after.id);
}

#[tokio::test]
async fn a_database_that_is_damaged_again_and_again_leaves_only_its_last_three() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    for _ in 0..6 {
        let b = open(dir.path(), BufferSettings::default(), &clock);
        b.close().await.unwrap();
        std::fs::write(dir.path().join("telemetry.db"), vec![0x5a; 20_000]).unwrap();
        clock.advance(std::time::Duration::from_secs(1));
    }
    let b = open(dir.path(), BufferSettings::default(), &clock);
    let aside = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains(".damaged-"));
    assert_eq!(aside.count(), 3);
    assert_eq!(events(&b).await.len(), 6, "each was told");
}

#[tokio::test]
async fn a_damaged_database_that_cannot_be_replaced_ends_the_buffer() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let b = open(&data, BufferSettings::default(), &clock());
    for i in 0..400 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
    }
    assert!(!b.is_closed());
    zero(&data, "telemetry.db");
    std::fs::remove_dir_all(&data).unwrap();
    b.after(Lane::Live, 0).await.unwrap_err();
    let mut heads = b.heads();
    while heads.changed().await.is_ok() {}
    assert!(b.is_closed());
}
