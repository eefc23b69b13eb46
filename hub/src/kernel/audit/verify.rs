//! Whether the audit trail is whole. The chain shows a changed, removed or moved row; the anchors, a file
//! beside the database that grows by one line an hour, show that its end was cut off.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

use super::store;
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{Db, DbError};

const STEP: usize = 1000;
const ANCHORS: &str = "audit-heads.log";
const WHOLE: &str = "steward_hub_audit_whole";

type Anchors = HashMap<i64, HashSet<String>>;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verdict {
    pub whole: bool,
    /// How many rows were checked.
    pub rows: i64,
    /// The first row that is not as it was written.
    #[schema(required = true)]
    pub broken_at: Option<i64>,
    /// What is wrong with it.
    #[schema(required = true)]
    pub fault: Option<String>,
}

impl Verdict {
    fn broken(rows: i64, at: i64, fault: &str) -> Self {
        Self { whole: false, rows, broken_at: Some(at), fault: Some(fault.to_owned()) }
    }
}

/// Reads the whole trail, oldest first.
pub async fn verify(db: &Db, data: &Path) -> Result<Verdict, DbError> {
    follow(db, &read_anchors(data).await, 0, String::new()).await
}

/// Reads only what came after the newest anchor, if that stands; otherwise all, to find the row that is at fault.
async fn verify_new(db: &Db, data: &Path) -> Result<Verdict, DbError> {
    let anchors = read_anchors(data).await;
    if let Some((no, known)) = anchors.iter().max_by_key(|(no, _)| **no)
        && let Some(row) = store::following(db, no - 1, 1).await?.pop()
        && row.no == *no
        && known.iter().all(|hash| *hash == row.hash)
    {
        return follow(db, &anchors, row.no, row.hash).await;
    }
    follow(db, &anchors, 0, String::new()).await
}

/// Reads the trail from the row after `no`, whose hash is given.
async fn follow(db: &Db, anchors: &Anchors, mut no: i64, mut hash: String) -> Result<Verdict, DbError> {
    loop {
        let rows = store::following(db, no, STEP).await?;
        for row in &rows {
            if row.no != no + 1 {
                return Ok(Verdict::broken(no, no + 1, "the row is missing"));
            }
            if row.hash != row.hash_after(&hash) {
                return Ok(Verdict::broken(no, row.no, "the row or the one before it was changed"));
            }
            if anchors.get(&row.no).is_some_and(|known| known.iter().any(|hash| *hash != row.hash)) {
                return Ok(Verdict::broken(no, row.no, "the trail was written anew from here or before"));
            }
            (no, hash) = (row.no, row.hash.clone());
        }
        if rows.len() < STEP {
            break;
        }
    }
    match anchors.keys().max() {
        Some(known) if *known > no => Ok(Verdict::broken(no, no + 1, "the end of the trail was cut off")),
        _ => Ok(Verdict { whole: true, rows: no, broken_at: None, fault: None }),
    }
}

/// The daily job, and at each start: checks the whole trail.
pub async fn verify_all(ctx: Ctx) -> Result<(), DbError> {
    if say_if_broken(&verify(&ctx.db, &ctx.settings.data).await?) {
        metrics::gauge!(WHOLE).set(1.0);
    }
    Ok(())
}

/// The hourly job: checks what is new of the trail, then writes down where it ends.
pub async fn anchor(ctx: Ctx) -> Result<(), DbError> {
    if !say_if_broken(&verify_new(&ctx.db, &ctx.settings.data).await?) {
        return Ok(());
    }
    if let Some(head) = store::head(&ctx.db).await? {
        let line = format!("{} {} {}\n", ctx.now(), head.no, head.hash);
        let file = ctx.settings.data.join(ANCHORS);
        let wrote = tokio::task::spawn_blocking(move || {
            use std::io::Write;
            let mut f = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
            f.write_all(line.as_bytes())?;
            f.sync_all()
        });
        if let Ok(Err(e)) = wrote.await {
            tracing::warn!(error = %e, "the end of the audit trail could not be written down beside the database");
        }
    }
    Ok(())
}

/// Gives whether it is whole.
fn say_if_broken(verdict: &Verdict) -> bool {
    if !verdict.whole {
        tracing::error!(row = verdict.broken_at, fault = verdict.fault, "the audit trail was tampered with");
        metrics::gauge!(WHOLE).set(0.0);
    }
    verdict.whole
}

/// The hashes that were written down of a row.
async fn read_anchors(data: &Path) -> Anchors {
    let text = tokio::fs::read_to_string(data.join(ANCHORS)).await.unwrap_or_default();
    let mut anchors = Anchors::new();
    for line in text.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(Ok(no)), Some(hash)) = (words.next().map(str::parse), words.next()) {
            anchors.entry(no).or_default().insert(hash.to_owned());
        }
    }
    anchors
}
