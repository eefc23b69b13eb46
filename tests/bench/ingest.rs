//! Readings a second that the hub makes durable and then compacts, on both databases, as they are polled (many gateways,
//! small batches) and as history (few gateways, large batches); beside plain rows in the same databases.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::message::Lane;
use steward_tests::Hub;
use steward_tests::programs::{Durability, HubOptions, Postgres};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use crate::figures::{grouped, mb};
use crate::gateway::{Door, Gateway, Prepared};
use crate::machine;
use crate::rows::{self, Kept};
use crate::workload;

const LIMIT: Duration = Duration::from_secs(15);
/// At once, of the plain rows in PostgreSQL.
const ROWS_CONNECTIONS: usize = 4;
const HOUR: Duration = Duration::from_hours(1);

/// How readings come.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    lane: Lane,
    gateways: u64,
    batches: u32,
    /// Ticks of the poll grid in one batch.
    ticks: u32,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "as polled", lane: Lane::Live, gateways: 20, batches: 1440, ticks: 1 },
    Shape { name: "history", lane: Lane::Backfill, gateways: 8, batches: 72, ticks: 120 },
];

impl Shape {
    fn readings(&self) -> u32 {
        workload::POINTS * self.ticks
    }

    /// The batches of one gateway, of hours that are over.
    fn of(&self, gateway: u64) -> impl Iterator<Item = Vec<Reading>> {
        let day = HOUR * 24;
        let begin = Timestamp(
            SystemClock.now().minus(HOUR * 27).0 / (day.as_millis() as i64) * day.as_millis() as i64,
        );
        let ticks = self.ticks;
        (0..self.batches).map(move |b| {
            (b * ticks..(b + 1) * ticks).flat_map(|t| workload::tick(gateway, begin, t)).collect()
        })
    }
}

enum Database {
    Sqlite,
    Postgres(Postgres),
}

pub fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!(
        "| database | readings come | who | readings/s durable | readings/s durable and compacted | hub's CPU a million readings | kept, bytes a reading |"
    );
    println!("|---|---|---|---|---|---|---|");
    for shape in SHAPES {
        for database in [Database::Sqlite, Database::Postgres(Postgres::start(Durability::Real)?)] {
            let name = match &database {
                Database::Sqlite => "SQLite",
                Database::Postgres(_) => "PostgreSQL",
            };
            let hub = runtime.block_on(hub(shape, &database))?;
            let come = format!("{}, {} a batch", shape.name, grouped(f64::from(shape.readings())));
            println!(
                "| {name} | {come} | **steward-hub** | {} | {} | {:.2} s | {:.2} |",
                grouped(hub.durable),
                grouped(hub.compacted),
                hub.cpu_per_million,
                hub.kept
            );
            let plain = runtime.block_on(plain(shape, &database))?;
            println!(
                "| {name} | {come} | plain rows | {} | | | {:.1} |",
                grouped(plain.rows as f64 / plain.took.as_secs_f64()),
                plain.bytes as f64 / plain.rows as f64
            );
        }
    }
    println!();
    println!(
        "{} points a gateway each {} s: temperatures, pressures, electrical quantities, counters, states. Every \
         transaction is synced to the disk: plain rows commit each batch on its own, over {} connections in PostgreSQL; \
         the hub commits what all gateways sent in 50 ms together, which is a part of its lead at small batches. \
         Generator, hub and database share the machine's cores. Bytes are the pages in use after compaction, without \
         those that the database has free for the next readings. At most {} s a run.",
        workload::POINTS,
        workload::PERIOD.as_secs(),
        ROWS_CONNECTIONS,
        LIMIT.as_secs()
    );
    Ok(())
}

struct Figures {
    durable: f64,
    compacted: f64,
    /// Seconds of CPU that the hub's process takes for a million readings, compaction included.
    cpu_per_million: f64,
    kept: f64,
}

async fn hub(shape: Shape, database: &Database) -> anyhow::Result<Figures> {
    let dir = TempDir::new()?;
    let url = match database {
        Database::Sqlite => None,
        Database::Postgres(server) => Some(server.url.clone()),
    };
    let mut hub = Hub::new(dir.path(), &HubOptions { database: url })?;
    hub.start()?;
    let admin = hub.admin()?;
    let door = Door::of(hub.gateways, dir.path())?;
    let mut enrolled = Vec::new();
    for number in 0..shape.gateways {
        let (_, code) = hub.add_gateway(&admin, &format!("gateway-{number}"))?;
        let batches: anyhow::Result<Vec<_>> = shape.of(number).map(|r| Prepared::of(&r)).collect();
        enrolled.push((door.redeem(&code).await?, batches?));
    }
    let mut gateways: Vec<(Gateway, Vec<Prepared>)> = Vec::new();
    for (papers, batches) in enrolled {
        gateways.push((door.enter(&papers).await?, batches));
    }
    let empty = size(dir.path(), database).await?;
    let pid = hub.process().context("the hub runs")?.id();
    let (begun, cpu) = (Instant::now(), machine::cpu(pid)?);
    let until = begun + LIMIT;
    let sends = gateways.iter().map(|(gateway, batches)| gateway.send(shape.lane, batches, until));
    let readings: u64 = futures_util::future::try_join_all(sends).await?.into_iter().sum();
    let durable = readings as f64 / begun.elapsed().as_secs_f64();
    while frames(dir.path(), database).await? > 0 {
        anyhow::ensure!(
            begun.elapsed() < Duration::from_mins(10),
            "the frames are not compacted after ten minutes"
        );
        sleep(Duration::from_millis(250)).await;
    }
    let compacted = readings as f64 / begun.elapsed().as_secs_f64();
    let used = machine::cpu(pid)?.saturating_sub(cpu).as_secs_f64();
    drop(gateways);
    hub.stop()?;
    let kept = size(dir.path(), database).await?.saturating_sub(empty) as f64 / readings as f64;
    eprintln!("{}: {readings} readings, {} before", shape.name, mb(empty));
    Ok(Figures { durable, compacted, cpu_per_million: used / (readings as f64 / 1e6), kept })
}

async fn plain(shape: Shape, database: &Database) -> anyhow::Result<Kept> {
    // Another gateway's points are other rows.
    let renumbered = |gateway: u64, mut batch: Vec<Reading>| {
        for reading in &mut batch {
            reading.point.0 += gateway as u32 * workload::POINTS;
        }
        batch
    };
    let mut all: Vec<Vec<Vec<Reading>>> = (0..shape.gateways)
        .map(|gateway| shape.of(gateway).map(|batch| renumbered(gateway, batch)).collect())
        .collect();
    // In the order of time, as gateways send them.
    let batches: Vec<Vec<Reading>> = (0..shape.batches as usize)
        .flat_map(|b| all.iter_mut().map(move |g| std::mem::take(&mut g[b])).collect::<Vec<_>>())
        .collect();
    match database {
        Database::Sqlite => rows::sqlite(TempDir::new()?.path(), &batches, LIMIT),
        Database::Postgres(server) => rows::postgres(&server.url, ROWS_CONNECTIONS, &batches, LIMIT).await,
    }
}

/// Batches that wait for their compaction.
async fn frames(dir: &Path, database: &Database) -> anyhow::Result<i64> {
    let count = "select count(*) from frame";
    match database {
        Database::Sqlite => {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let db = rusqlite::Connection::open_with_flags(dir.join("steward.db"), flags)?;
            db.busy_timeout(Duration::from_secs(10))?;
            Ok(db.query_row(count, [], |row| row.get(0))?)
        }
        Database::Postgres(server) => {
            let (client, connection) = tokio_postgres::connect(&server.url, NoTls).await?;
            tokio::spawn(connection);
            Ok(client.query_one(count, &[]).await?.get(0))
        }
    }
}

/// Bytes of what the hub keeps: the pages in use. What compaction has freed is used again by the next readings.
async fn size(dir: &Path, database: &Database) -> anyhow::Result<u64> {
    match database {
        Database::Sqlite => {
            let db = rusqlite::Connection::open(dir.join("steward.db"))?;
            db.busy_timeout(Duration::from_secs(30))?;
            let pages: i64 = db.query_row(
                "select page_count - freelist_count from pragma_page_count, pragma_freelist_count",
                [],
                |row| row.get(0),
            )?;
            let page: i64 = db.query_row("pragma page_size", [], |row| row.get(0))?;
            Ok((pages * page) as u64)
        }
        Database::Postgres(server) => {
            let (client, connection) = tokio_postgres::connect(&server.url, NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute("vacuum full frame").await?;
            let all = "select sum(pg_total_relation_size(oid))::bigint from pg_class where relkind = 'r' and relname in ('frame', 'raw', 'hour', 'day', 'latest')";
            Ok(client.query_one(all, &[]).await?.get::<_, i64>(0) as u64)
        }
    }
}
