//! The peer of the ingest benchmark: the same readings as plain rows in the same database, one durable transaction a
//! batch, keyed by point and instant as most products keep them.

use std::path::Path;
use std::time::Duration;

use steward_shared::reading::{Reading, Value};
use tokio::time::Instant;
use tokio_postgres::NoTls;

/// Rows that were committed, and bytes that they take.
pub struct Kept {
    pub rows: u64,
    pub bytes: u64,
    pub took: Duration,
}

fn number(reading: &Reading) -> f64 {
    match &reading.value {
        Some(Value::Number(number)) => *number,
        _ => f64::NAN,
    }
}

pub fn sqlite(dir: &Path, batches: &[Vec<Reading>], limit: Duration) -> anyhow::Result<Kept> {
    let mut db = rusqlite::Connection::open(dir.join("rows.db"))?;
    db.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full;
         create table reading (point integer, at integer, value real, quality integer,
                               primary key (point, at)) without rowid;",
    )?;
    let begun = Instant::now();
    let mut rows = 0;
    for batch in batches {
        let tx = db.transaction()?;
        {
            let mut insert = tx.prepare_cached("insert or ignore into reading values (?, ?, ?, 0)")?;
            for r in batch {
                insert.execute((r.point.0, r.at.0, number(r)))?;
            }
        }
        tx.commit()?;
        rows += batch.len() as u64;
        if begun.elapsed() > limit {
            break;
        }
    }
    let took = begun.elapsed();
    db.execute_batch("pragma wal_checkpoint(truncate)")?;
    Ok(Kept { rows, bytes: crate::machine::bytes_of(dir, "rows.db"), took })
}

/// `connections` at once, each with its share of the batches.
pub async fn postgres(
    url: &str,
    connections: usize,
    batches: &[Vec<Reading>],
    limit: Duration,
) -> anyhow::Result<Kept> {
    let client = connect(url).await?;
    client
        .batch_execute(
            "create table reading (point bigint, at bigint, value double precision, quality smallint,
                                   primary key (point, at))",
        )
        .await?;
    let begun = Instant::now();
    let shares = batches.chunks(batches.len().div_ceil(connections)).map(|share| async move {
        let client = connect(url).await?;
        let insert = client
            .prepare(
                "insert into reading select p, a, v, 0 from unnest($1::bigint[], $2::bigint[], \
                 $3::double precision[]) as t (p, a, v) on conflict do nothing",
            )
            .await?;
        let mut rows = 0;
        for batch in share {
            let points: Vec<i64> = batch.iter().map(|r| i64::from(r.point.0)).collect();
            let instants: Vec<i64> = batch.iter().map(|r| r.at.0).collect();
            let values: Vec<f64> = batch.iter().map(number).collect();
            client.execute(&insert, &[&points, &instants, &values]).await?;
            rows += batch.len() as u64;
            if begun.elapsed() > limit {
                break;
            }
        }
        anyhow::Ok(rows)
    });
    let rows = futures_util::future::try_join_all(shares).await?.into_iter().sum();
    let took = begun.elapsed();
    let size = client.query_one("select pg_total_relation_size('reading')", &[]).await?;
    Ok(Kept { rows, bytes: size.get::<_, i64>(0) as u64, took })
}

async fn connect(url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with its client.
    tokio::spawn(connection);
    Ok(client)
}
