//! The tables users, sessions and log_in_failures.

use serde::Deserialize;
use steward_shared::id::{SessionId, UserId};
use steward_shared::time::Timestamp;

use super::model::{Failures, User};
use crate::kernel::caller::Role;
use crate::kernel::db::{Db, DbError, Tx};
use crate::params;

const USER: &str = "id, login, name, role, locale, disabled, commands, version, created_at";

pub async fn count_users(db: &Db) -> Result<i64, DbError> {
    Ok(db.one("select count(*) from users", params![]).await?.unwrap_or(0))
}

pub async fn is_empty(tx: &Tx) -> Result<bool, DbError> {
    Ok(tx.one::<i64>("select count(*) from users", params![]).await?.unwrap_or(0) == 0)
}

pub async fn insert_user(tx: &Tx, u: &User, login_key: &str, password: &str) -> Result<(), DbError> {
    tx.execute(
        "insert into users (id, login, login_key, name, role, locale, disabled, password, version, created_at, commands)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            u.id,
            &u.user,
            login_key,
            &u.name,
            u.role.word(),
            &u.locale,
            u.disabled,
            password,
            u.version,
            u.created_at,
            u.commands
        ],
    )
    .await
    .map(drop)
}

pub async fn user(tx: &Tx, id: UserId) -> Result<Option<User>, DbError> {
    tx.one(&format!("select {USER} from users where id = $1"), params![id]).await
}

pub async fn user_of_session(db: &Db, session: SessionId) -> Result<Option<User>, DbError> {
    db.one(
        &format!("select {USER} from users where id = (select user_id from sessions where id = $1)"),
        params![session],
    )
    .await
}

/// The users after this login, by login.
pub async fn users_after(db: &Db, login_key: &str, limit: usize) -> Result<Vec<User>, DbError> {
    db.query(
        &format!("select {USER} from users where login_key > $1 order by login_key limit $2"),
        params![login_key, limit],
    )
    .await
}

#[derive(Deserialize)]
pub struct Credentials {
    pub id: UserId,
    pub login: String,
    pub password: String,
    pub disabled: bool,
}

pub async fn credentials(db: &Db, login_key: &str) -> Result<Option<Credentials>, DbError> {
    db.one("select id, login, password, disabled from users where login_key = $1", params![login_key]).await
}

pub async fn credentials_of(db: &Db, id: UserId) -> Result<Option<Credentials>, DbError> {
    db.one("select id, login, password, disabled from users where id = $1", params![id]).await
}

/// False when the version is another one by now.
pub async fn update_user(tx: &Tx, u: &User, seen: i64) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update users set name = $3, role = $4, locale = $5, disabled = $6, commands = $7, version = version + 1
             where id = $1 and version = $2",
            params![u.id, seen, &u.name, u.role.word(), &u.locale, u.disabled, u.commands],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn set_password(tx: &Tx, id: UserId, hash: &str) -> Result<(), DbError> {
    tx.execute("update users set password = $2 where id = $1", params![id, hash]).await.map(drop)
}

/// Whether somebody may command devices now: none where there is no such user.
pub async fn may_command(tx: &Tx, id: UserId) -> Result<Option<bool>, DbError> {
    tx.one("select commands * (1 - disabled) as may from users where id = $1", params![id]).await
}

pub async fn admins_who_can_log_in(tx: &Tx) -> Result<i64, DbError> {
    let count = tx.one("select count(*) from users where role = 'admin' and disabled = 0", params![]).await?;
    Ok(count.unwrap_or(0))
}

pub struct NewSession<'a> {
    pub id: SessionId,
    pub token_hash: &'a str,
    pub user: UserId,
    pub address: &'a str,
    pub at: Timestamp,
    pub ends_at: Timestamp,
}

pub async fn insert_session(tx: &Tx, s: &NewSession<'_>) -> Result<(), DbError> {
    tx.execute(
        "insert into sessions (id, token_hash, user_id, address, created_at, used_at, ends_at)
         values ($1, $2, $3, $4, $5, $5, $6)",
        params![s.id, s.token_hash, s.user, s.address, s.at, s.ends_at],
    )
    .await
    .map(drop)
}

#[derive(Deserialize)]
pub struct OpenSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub login: String,
    pub role: Role,
    pub commands: bool,
    pub used_at: Timestamp,
    pub ends_at: Timestamp,
}

/// The session of a token, if its user may still log in.
pub async fn open_session(db: &Db, token_hash: &str) -> Result<Option<OpenSession>, DbError> {
    db.one(
        "select s.id, s.user_id, u.login, u.role, u.commands, s.used_at, s.ends_at
         from sessions s join users u on u.id = s.user_id
         where s.token_hash = $1 and u.disabled = 0",
        params![token_hash],
    )
    .await
}

pub async fn use_session(db: &Db, id: SessionId, at: Timestamp) -> Result<(), DbError> {
    db.execute("update sessions set used_at = $2 where id = $1 and used_at < $2", params![id, at])
        .await
        .map(drop)
}

pub async fn end_session(tx: &Tx, id: SessionId) -> Result<(), DbError> {
    tx.execute("delete from sessions where id = $1", params![id]).await.map(drop)
}

pub async fn end_session_of_token(tx: &Tx, token_hash: &str) -> Result<(), DbError> {
    tx.execute("delete from sessions where token_hash = $1", params![token_hash]).await.map(drop)
}

/// All sessions of a user, but for the one to keep.
pub async fn end_sessions(tx: &Tx, user: UserId, but: Option<SessionId>) -> Result<u64, DbError> {
    let but = but.map(|s| s.to_string()).unwrap_or_default();
    tx.execute("delete from sessions where user_id = $1 and id <> $2", params![user, but]).await
}

pub async fn forget_sessions(db: &Db, now: Timestamp, unused_since: Timestamp) -> Result<u64, DbError> {
    db.execute("delete from sessions where ends_at <= $1 or used_at <= $2", params![now, unused_since]).await
}

const FAILURES: &str =
    "select failures, since, locked_until from log_in_failures where kind = $1 and what = $2";

pub async fn count_sessions(db: &Db) -> Result<i64, DbError> {
    Ok(db.one("select count(*) from sessions", params![]).await?.unwrap_or(0))
}

pub async fn failures(tx: &Tx, kind: &str, what: &str) -> Result<Failures, DbError> {
    Ok(tx.one(FAILURES, params![kind, what]).await?.unwrap_or_default())
}

/// As last committed, without the turn to write.
pub async fn failures_now(db: &Db, kind: &str, what: &str) -> Result<Failures, DbError> {
    Ok(db.one(FAILURES, params![kind, what]).await?.unwrap_or_default())
}

pub async fn set_failures(tx: &Tx, kind: &str, what: &str, f: Failures) -> Result<(), DbError> {
    tx.execute(
        "insert into log_in_failures (kind, what, failures, since, locked_until) values ($1, $2, $3, $4, $5)
         on conflict (kind, what) do update
         set failures = excluded.failures, since = excluded.since, locked_until = excluded.locked_until",
        params![kind, what, f.count, f.since, f.locked_until],
    )
    .await
    .map(drop)
}

pub async fn forgive(tx: &Tx, kind: &str, what: &str) -> Result<(), DbError> {
    tx.execute("delete from log_in_failures where kind = $1 and what = $2", params![kind, what])
        .await
        .map(drop)
}

pub async fn forgive_all(tx: &Tx, kind: &str) -> Result<(), DbError> {
    tx.execute("delete from log_in_failures where kind = $1", params![kind]).await.map(drop)
}

pub async fn forget_failures(db: &Db, since: i64, now: i64) -> Result<u64, DbError> {
    db.execute("delete from log_in_failures where since < $1 and locked_until < $2", params![since, now])
        .await
}
