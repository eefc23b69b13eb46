//! The tables `gateway_config` and `config_version`.

use serde::{Deserialize, Serialize};
use steward_shared::id::{GatewayId, UserId};
use steward_shared::time::Timestamp;
use steward_shared::wire::config::{ConfigReport, ConfigStage, SignedConfig};

use crate::kernel::db::{Blob, Db, DbError, Tx};
use crate::params;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Signed, and not yet sent.
    Queued,
    /// It went out at least once: only the gateway can end it.
    Sent,
    /// In force, and on its way back unless it proves itself.
    Trying,
    Kept,
    Refused,
    TakenBack,
    /// By a person, before it was sent.
    Cancelled,
}

impl Progress {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Trying => "trying",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::TakenBack => "taken_back",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn of(stage: ConfigStage) -> Self {
        match stage {
            ConfigStage::Refused => Self::Refused,
            ConfigStage::Trying => Self::Trying,
            ConfigStage::Kept => Self::Kept,
            ConfigStage::TakenBack => Self::TakenBack,
        }
    }
}

/// What a gateway says that it runs.
#[derive(Clone, Debug, Deserialize)]
pub struct ConfigRow {
    pub is_open: bool,
    pub content: Option<String>,
    pub digest: String,
    pub version: Option<u64>,
    pub taken: u64,
    pub told_at: Timestamp,
}

/// A version without its texts.
#[derive(Clone, Debug, Deserialize)]
pub struct VersionRow {
    pub version: u64,
    pub author_login: String,
    pub why: String,
    pub created_at: Timestamp,
    pub state: Progress,
    pub reason: Option<String>,
    pub detail: String,
    /// A JSON list.
    pub faults: String,
    pub changed_at: Timestamp,
}

const VERSION: &str =
    "select version, author_login, why, created_at, state, reason, detail, faults, changed_at
  from config_version where gateway = $1";
const CONFIG: &str =
    "select is_open, content, digest, version, taken, told_at from gateway_config where gateway = $1";

pub async fn config(db: &Db, gateway: GatewayId) -> Result<Option<ConfigRow>, DbError> {
    db.one(CONFIG, params![gateway]).await
}

pub async fn config_in(tx: &Tx, gateway: GatewayId) -> Result<Option<ConfigRow>, DbError> {
    tx.one(CONFIG, params![gateway]).await
}

pub async fn set_config(
    tx: &Tx,
    gateway: GatewayId,
    told: &ConfigReport,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        "insert into gateway_config (gateway, is_open, content, digest, version, taken, told_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (gateway) do update set is_open = excluded.is_open,
         content = excluded.content, digest = excluded.digest, version = excluded.version, taken = excluded.taken,
         told_at = excluded.told_at",
        params![
            gateway,
            told.is_open,
            told.text.as_deref(),
            told.digest.as_str(),
            told.version,
            told.taken,
            now
        ],
    )
    .await
    .map(drop)
}

/// A file on site that was in force before.
#[derive(Clone, Debug, Deserialize)]
pub struct PastRow {
    pub digest: String,
    pub told_at: Timestamp,
}

/// Keeps a file on site that is in force no more, and the newest so many of the gateway's.
pub async fn keep_past(
    tx: &Tx,
    gateway: GatewayId,
    (digest, content): (&str, &str),
    told_at: Timestamp,
    kept: usize,
) -> Result<(), DbError> {
    tx.execute(
        "insert into config_past (gateway, digest, content, told_at) values ($1, $2, $3, $4)
         on conflict (gateway, digest) do update set told_at = excluded.told_at",
        params![gateway, digest, content, told_at],
    )
    .await?;
    tx.execute(
        "delete from config_past where gateway = $1 and digest not in
         (select o.digest from config_past o where o.gateway = $1 order by o.told_at desc, o.digest limit $2)",
        params![gateway, kept],
    )
    .await
    .map(drop)
}

/// The newest first.
pub async fn past(db: &Db, gateway: GatewayId) -> Result<Vec<PastRow>, DbError> {
    db.query(
        "select digest, told_at from config_past where gateway = $1 order by told_at desc, digest",
        params![gateway],
    )
    .await
}

pub async fn past_text(db: &Db, gateway: GatewayId, digest: &str) -> Result<Option<String>, DbError> {
    let text = db.one::<(String, i64)>(
        "select content, told_at from config_past where gateway = $1 and digest = $2",
        params![gateway, digest],
    );
    Ok(text.await?.map(|(content, _)| content))
}

/// The newest first, before the given one.
pub async fn versions(
    db: &Db,
    gateway: GatewayId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<VersionRow>, DbError> {
    db.query(
        &format!("{VERSION} and version < $2 order by version desc limit $3"),
        params![gateway, before.unwrap_or(i64::MAX as u64), limit],
    )
    .await
}

pub async fn version(tx: &Tx, gateway: GatewayId, version: u64) -> Result<Option<VersionRow>, DbError> {
    tx.one(&format!("{VERSION} and version = $2"), params![gateway, version]).await
}

/// The texts of a version: what it was made from, and what it is.
pub async fn texts(
    db: &Db,
    gateway: GatewayId,
    version: u64,
) -> Result<Option<(VersionRow, String, String)>, DbError> {
    let row: Option<VersionRow> =
        db.one(&format!("{VERSION} and version = $2"), params![gateway, version]).await?;
    let texts = db.one::<(String, String)>(
        "select base, content from config_version where gateway = $1 and version = $2",
        params![gateway, version],
    );
    Ok(row.zip(texts.await?).map(|(row, (base, content))| (row, base, content)))
}

/// The one that the gateway has not ended yet.
pub async fn under_way(tx: &Tx, gateway: GatewayId) -> Result<Option<VersionRow>, DbError> {
    tx.one(
        &format!("{VERSION} and state in ('queued', 'sent', 'trying') order by version desc limit 1"),
        params![gateway],
    )
    .await
}

pub async fn last_version(tx: &Tx, gateway: GatewayId) -> Result<u64, DbError> {
    let last =
        tx.one::<Option<u64>>("select max(version) from config_version where gateway = $1", params![gateway]);
    Ok(last.await?.flatten().unwrap_or_default())
}

pub struct NewVersion<'a> {
    pub gateway: GatewayId,
    pub version: u64,
    pub base: &'a str,
    pub content: &'a str,
    pub author: UserId,
    pub author_login: &'a str,
    pub why: &'a str,
    pub now: Timestamp,
    pub signed: &'a SignedConfig,
}

pub async fn insert(tx: &Tx, new: &NewVersion<'_>) -> Result<(), DbError> {
    tx.execute(
        "insert into config_version (gateway, version, base, content, author, author_login, why, created_at, state,
         detail, faults, changed_at, signed, signature)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', '', '[]', $8, $9, $10)",
        params![
            new.gateway,
            new.version,
            new.base,
            new.content,
            new.author,
            new.author_login,
            new.why,
            new.now,
            new.signed.config.as_slice(),
            new.signed.signature.as_slice()
        ],
    )
    .await
    .map(drop)
}

/// Keeps the newest so many of a gateway.
pub async fn trim(tx: &Tx, gateway: GatewayId, kept: usize) -> Result<(), DbError> {
    tx.execute(
        "delete from config_version where gateway = $1 and version <=
         (select o.version from config_version o where o.gateway = $1 order by o.version desc limit 1 offset $2)",
        params![gateway, kept],
    )
    .await
    .map(drop)
}

/// Puts it into another state; false where it is not in this one any more.
pub async fn go_on(
    tx: &Tx,
    gateway: GatewayId,
    version: u64,
    (from, to): (Progress, Progress),
    now: Timestamp,
) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update config_version set state = $4, changed_at = $5
             where gateway = $1 and version = $2 and state = $3",
            params![gateway, version, from.word(), to.word(), now],
        )
        .await?;
    Ok(changed == 1)
}

/// What the gateway says has become of it.
pub async fn ended(
    tx: &Tx,
    gateway: GatewayId,
    version: u64,
    state: Progress,
    (reason, detail, faults): (Option<&str>, &str, &str),
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        "update config_version set state = $3, reason = $4, detail = $5, faults = $6, changed_at = $7
         where gateway = $1 and version = $2",
        params![gateway, version, state.word(), reason, detail, faults, now],
    )
    .await
    .map(drop)
}

#[derive(Deserialize)]
pub struct DueRow {
    pub version: u64,
    pub signed: Blob,
    pub signature: Blob,
}

/// What the gateway has not taken yet.
pub async fn due(db: &Db, gateway: GatewayId) -> Result<Option<DueRow>, DbError> {
    db.one(
        "select v.version, v.signed, v.signature from config_version v
         join gateway_config c on c.gateway = v.gateway
         where v.gateway = $1 and v.state in ('queued', 'sent') and v.version > c.taken
         order by v.version desc limit 1",
        params![gateway],
    )
    .await
}
