//! The rows of the audit trail.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;

use crate::kernel::db::{Db, DbError, Tx};
use crate::params;

#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub no: i64,
    pub at: Timestamp,
    pub actor: Option<String>,
    pub actor_name: String,
    pub address: String,
    pub request: String,
    pub action: String,
    pub object: String,
    pub object_id: String,
    pub before_json: Option<String>,
    pub after_json: Option<String>,
    pub result: String,
    pub reason: String,
    pub hash: String,
}

impl Row {
    /// SHA-256 over the former row's hash and every field of this one, as a JSON list.
    pub fn hash_after(&self, before: &str) -> String {
        let text = serde_json::json!([
            before,
            self.no,
            self.at.as_millis(),
            self.actor,
            self.actor_name,
            self.address,
            self.request,
            self.action,
            self.object,
            self.object_id,
            self.before_json,
            self.after_json,
            self.result,
            self.reason,
        ])
        .to_string();
        data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
    }
}

#[derive(Deserialize)]
pub struct Last {
    pub no: i64,
    pub hash: String,
}

pub async fn last(tx: &Tx) -> Result<Option<Last>, DbError> {
    tx.one("select no, hash from audit order by no desc limit 1", params![]).await
}

pub async fn head(db: &Db) -> Result<Option<Last>, DbError> {
    db.one("select no, hash from audit order by no desc limit 1", params![]).await
}

pub async fn append(tx: &Tx, r: &Row) -> Result<(), DbError> {
    tx.execute(
        "insert into audit (no, at, actor, actor_name, address, request, action, object, object_id, before_json,
                            after_json, result, reason, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            r.no,
            r.at,
            r.actor.clone(),
            &r.actor_name,
            &r.address,
            &r.request,
            &r.action,
            &r.object,
            &r.object_id,
            r.before_json.clone(),
            r.after_json.clone(),
            &r.result,
            &r.reason,
            &r.hash
        ],
    )
    .await
    .map(drop)
}

/// The rows after `no`, oldest first.
pub async fn following(db: &Db, no: i64, limit: usize) -> Result<Vec<Row>, DbError> {
    db.query("select * from audit where no > $1 order by no limit $2", params![no, limit]).await
}

/// The rows before `no`, newest first; all words that are given must fit.
pub async fn newest(
    db: &Db,
    before: i64,
    limit: usize,
    action: &str,
    object: &str,
    object_id: &str,
) -> Result<Vec<Row>, DbError> {
    db.query(
        "select * from audit
         where no < $1 and ($3 = '' or action = $3) and ($4 = '' or object = $4) and ($5 = '' or object_id = $5)
         order by no desc limit $2",
        params![before, limit, action, object, object_id],
    )
    .await
}
