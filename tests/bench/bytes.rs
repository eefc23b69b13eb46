//! Bytes a reading: on the wire between the real edge and the real hub, with acknowledgements, health and the headers of
//! UDP and IP; on the gateway's disk; and of the batches alone, beside JSON and CBOR rows of the same readings.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use steward_shared::id::{BootId, RandomIds};
use steward_shared::reading::{Reading, Value};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::columns::{self, Header};
use steward_tests::programs::{HubOptions, PlantOptions, free_tcp_port, program};
use steward_tests::{Edge, House, Hub, Plant, Relay, eventually};
use tempfile::TempDir;

use crate::figures::grouped;
use crate::{machine, workload};

/// Headers of IPv4 and UDP.
const HEADERS: u64 = 28;
const LONG: Duration = Duration::from_mins(5);

pub fn run() -> anyhow::Result<()> {
    println!("| on the wire, between the programs | readings | bytes a reading |");
    println!("|---|---|---|");
    for (flush, lasts) in [("10s", Duration::from_mins(2)), ("60s", Duration::from_mins(4))] {
        let (readings, bytes) = live(flush, lasts)?;
        println!(
            "| as polled, the demo's plant room, flush {flush} | {} | {:.1} |",
            grouped(readings as f64),
            bytes as f64 / readings as f64
        );
    }
    let history = history()?;
    println!(
        "| history, one day of the same room each 10, 50 and 150 s | {} | {:.2} |",
        grouped(history.readings as f64),
        history.wire as f64 / history.readings as f64
    );
    println!();
    println!(
        "On the gateway's disk that history takes {:.2} bytes a reading (`telemetry.db`, before anything is trimmed).",
        history.disk as f64 / history.readings as f64
    );
    println!();
    println!("| the batches alone | JSON objects | CBOR rows | batch of columns |");
    println!("|---|---|---|---|");
    for ticks in [1, 6, 120] {
        let begin = Timestamp(SystemClock.now().0 / 10_000 * 10_000);
        let readings: Vec<Reading> = (0..ticks).flat_map(|t| workload::tick(1, begin, t)).collect();
        let n = readings.len() as f64;
        println!(
            "| {} readings | {:.1} | {:.1} | {:.2} |",
            grouped(n),
            json(&readings)? as f64 / n,
            cbor(&readings)? as f64 / n,
            columns(&readings)? as f64 / n
        );
    }
    println!();
    println!(
        "Headers of IP and UDP, acknowledgements, health reports and keep-alives are counted on the wire."
    );
    Ok(())
}

fn live(flush: &str, lasts: Duration) -> anyhow::Result<(u64, u64)> {
    let plant = PlantOptions {
        flush: flush.into(),
        periods: ["1s".into(), "5s".into(), "30s".into()],
        ..PlantOptions::default()
    };
    let house = House::start_with(&HubOptions::default(), &plant)?;
    eventually("the first batch is at the hub", LONG, || (readings(&house.hub).ok()? > 0).then_some(()));
    let (kept, carried) = (readings(&house.hub)?, on_the_wire(&house.relay));
    std::thread::sleep(lasts);
    Ok((readings(&house.hub)? - kept, on_the_wire(&house.relay) - carried))
}

struct History {
    readings: u64,
    wire: u64,
    disk: u64,
}

fn history() -> anyhow::Result<History> {
    let dir = TempDir::new()?;
    let mut hub = Hub::new(&dir.path().join("hub"), &HubOptions::default())?;
    hub.start()?;
    let relay = Relay::to(hub.gateways)?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let plant = PlantOptions {
        hub: relay.address.to_string(),
        edge_http: http.to_string(),
        ..PlantOptions::default()
    };
    let plant = Plant::start(&dir.path().join("plant"), &plant)?;
    let config = plant.file.edge_config.clone();
    let wrote = Command::new(program("steward-plant", "steward-tests")?)
        .args(["history", "--days", "1", "--step", "10s", "--config"])
        .arg(&config)
        .status()?;
    ensure!(wrote.success(), "the history could not be written");
    let disk = machine::bytes_of(&config.with_file_name("edge"), "telemetry.db");
    // What is measured is history: nothing is polled meanwhile.
    plant.stop()?;
    let admin = hub.admin()?;
    let (_, code) = hub.add_gateway(&admin, "plant-room")?;
    let mut edge = Edge::new(&config, http);
    edge.enrol(&code)?;
    edge.start()?;
    eventually("everything is at the hub", LONG, || {
        let status = edge.status().ok()?;
        (status["health"]["unacked"] == 0 && readings(&hub).ok()? > 0).then_some(())
    });
    let wire = on_the_wire(&relay);
    edge.stop()?;
    Ok(History { readings: readings(&hub)?, wire, disk })
}

fn on_the_wire(relay: &Relay) -> u64 {
    relay.carried() + HEADERS * relay.datagrams()
}

/// Readings that the hub keeps, compacted or not.
fn readings(hub: &Hub) -> anyhow::Result<u64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(hub.dir().join("steward.db"), flags)?;
    db.busy_timeout(Duration::from_secs(10))?;
    let sum = "select (select coalesce(sum(n), 0) from frame) + (select coalesce(sum(n), 0) from raw)";
    Ok(db.query_row(sum, [], |row| row.get::<_, i64>(0))? as u64)
}

/// A reading as most gateways publish it.
#[derive(Serialize)]
struct Row {
    point: String,
    at: i64,
    value: f64,
    quality: &'static str,
}

fn rows(readings: &[Reading]) -> impl Iterator<Item = Row> {
    readings.iter().map(|r| Row {
        point: format!("device-{}/point-{}", (r.point.0 - 1) / 10, r.point.0),
        at: r.at.0,
        value: match r.value {
            Some(Value::Number(number)) => number,
            _ => f64::NAN,
        },
        quality: "good",
    })
}

fn json(readings: &[Reading]) -> anyhow::Result<usize> {
    rows(readings).map(|row| Ok(serde_json::to_vec(&row)?.len())).sum()
}

/// Rows as arrays, with the point's number for its name.
fn cbor(readings: &[Reading]) -> anyhow::Result<usize> {
    let rows: Vec<(u32, i64, f64, u8)> =
        rows(readings).zip(readings).map(|(row, r)| (r.point.0, row.at, row.value, 0)).collect();
    Ok(serde_cbor::to_vec(&rows)?.len())
}

fn columns(readings: &[Reading]) -> anyhow::Result<usize> {
    let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: SystemClock.now() };
    Ok(columns::encode(readings, &header)?.len())
}
