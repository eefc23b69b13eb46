//! The table sites.

use steward_shared::id::SiteId;

use super::model::Site;
use crate::kernel::db::{Db, DbError, Tx};
use crate::params;

const SITE: &str = "id, parent, kind, name, code, plan, version";

/// Whether there is such a place: for modules that hang their things on it.
pub async fn exists(tx: &Tx, id: SiteId) -> Result<bool, DbError> {
    Ok(site(tx, id).await?.is_some())
}

pub async fn site(tx: &Tx, id: SiteId) -> Result<Option<Site>, DbError> {
    tx.one(&format!("select {SITE} from sites where id = $1"), params![id]).await
}

pub async fn read(db: &Db, id: SiteId) -> Result<Option<Site>, DbError> {
    db.one(&format!("select {SITE} from sites where id = $1"), params![id]).await
}

/// The places after this id, by id, which is the order in which they were made.
pub async fn following(db: &Db, after: &str, parent: &str, limit: usize) -> Result<Vec<Site>, DbError> {
    db.query(
        &format!("select {SITE} from sites where id > $1 and ($2 = '' or parent = $2) order by id limit $3"),
        params![after, parent, limit],
    )
    .await
}

pub async fn insert(tx: &Tx, s: &Site) -> Result<(), DbError> {
    tx.execute(
        "insert into sites (id, parent, kind, name, code, version) values ($1, $2, $3, $4, $5, $6)",
        params![s.id, s.parent, s.kind.word(), &s.name, &s.code, s.version],
    )
    .await
    .map(drop)
}

/// False when the version is another one by now.
pub async fn update(tx: &Tx, s: &Site, seen: i64) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update sites set parent = $3, name = $4, code = $5, version = version + 1 where id = $1 and version = $2",
            params![s.id, seen, s.parent, &s.name, &s.code],
        )
        .await?;
    Ok(changed == 1)
}

/// The hash and the media type of a place's plan.
pub async fn plan(db: &Db, id: SiteId) -> Result<Option<(Option<String>, Option<String>)>, DbError> {
    db.one("select plan, plan_type from sites where id = $1", params![id]).await
}

/// False when the version is another one by now.
pub async fn set_plan(tx: &Tx, id: SiteId, seen: i64, plan: Option<(&str, &str)>) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update sites set plan = $3, plan_type = $4, version = version + 1 where id = $1 and version = $2",
            params![id, seen, plan.map(|p| p.0), plan.map(|p| p.1)],
        )
        .await?;
    Ok(changed == 1)
}

/// The hashes of all plans.
pub async fn plans(db: &Db) -> Result<Vec<String>, DbError> {
    db.query("select plan from sites where plan is not null", params![]).await
}

pub async fn remove(tx: &Tx, id: SiteId) -> Result<(), DbError> {
    tx.execute("delete from sites where id = $1", params![id]).await.map(drop)
}
