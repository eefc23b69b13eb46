//! `Idempotency-Key` on POST: for 24 hours the same caller's same request gets the same answer, and the act is
//! done once. Another request under the same key is a 422. The act goes on when its caller's connection breaks, so
//! that a repeat finds its answer.
//!
//! An answer that holds a secret (it says `Cache-Control: no-store` itself) is not kept: a repeat is told that
//! the act was done. A request is kept as a keyed hash, because it may hold a password; that key lies in the data
//! folder. A hub that dies between act and answer leaves the idempotency key open; it is free again after two minutes,
//! and the act may then be done twice.

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use tracing::Instrument;

use super::caller::Caller;
use super::ctx::Ctx;
use super::db::{Blob, Db, DbError};
use super::disk::{KeyError, own_key};
use super::faults::{caught, chain};
use super::problem::Problem;
use crate::params;

const KEPT: Duration = Duration::from_hours(24);
/// Longer than an act may take: nobody takes the key of one that is still at work.
const OPEN_FOR: Duration = Duration::from_mins(2);
const DEADLINE: Duration = Duration::from_mins(1);
const LARGEST_ANSWER: usize = 1024 * 1024;
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What requests are hashed with.
pub struct Key([u8; 32]);

impl Key {
    /// Reads it, or makes it at the first start.
    pub async fn open(data: &Path) -> Result<Self, KeyError> {
        let path = data.join("idempotency.key");
        let opened = tokio::task::spawn_blocking(move || own_key(&path));
        opened.await.expect("reading a key does not panic").map(Self)
    }

    fn hash(&self, method: &str, uri: &str, body: &Bytes) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in [method.as_bytes(), b" ", uri.as_bytes(), b"\n", body] {
            mac.update(part);
        }
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

pub async fn layer(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|c| c.user.to_string());
    let key = request.headers().get(KEY).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (Some(caller), Some(key), &Method::POST) = (caller, key, request.method()) else {
        return next.run(request).await;
    };
    once(&ctx, caller, key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn once(
    ctx: &Ctx,
    caller: String,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if key.is_empty() || key.len() > 128 {
        return Err(Problem::bad_request("bad_key", "an Idempotency-Key has 1 to 128 characters"));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|e| Problem::internal(&e))?;
    let hash = ctx.part::<Key>().hash(parts.method.as_str(), &parts.uri.to_string(), &body);
    if let Some(kept) = claim(ctx, &caller, &key, &hash).await? {
        return kept.answer(&hash);
    }
    let request = Request::from_parts(parts, Body::from(body));
    let db = ctx.db.clone();
    let act = async move { act(&db, &caller, &key, request, next).await };
    ctx.under_way.spawn(act.in_current_span()).await.unwrap_or_else(|e| Err(Problem::internal(&e)))
}

/// Acts, and keeps the answer. What cannot be kept is given all the same: the act is done.
async fn act(db: &Db, caller: &str, key: &str, request: Request, next: Next) -> Result<Response, Problem> {
    let response = match tokio::time::timeout(DEADLINE, caught(next.run(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(panicked)) => Problem::internal(&panicked).into_response(),
        // Whether it was done is not known: the key stays open for its time.
        Err(_) => return Err(Problem::unavailable("too_slow", 5, "this took too long; try again")),
    };
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LARGEST_ANSWER).await.map_err(|e| Problem::internal(&e))?;
    let noted = if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
        release(db, caller, key).await
    } else {
        keep(db, caller, key, parts.status, &parts.headers, &body).await
    };
    if let Err(e) = noted {
        tracing::warn!(
            error = chain(&e),
            "the answer to a request with an Idempotency-Key could not be kept"
        );
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

#[derive(Deserialize)]
struct Kept {
    request_hash: String,
    begun_at: i64,
    status: Option<u16>,
    content_type: Option<String>,
    location: Option<String>,
    etag: Option<String>,
    body: Option<Blob>,
}

impl Kept {
    fn answer(self, hash: &str) -> Result<Response, Problem> {
        if self.request_hash != hash {
            let detail = "this Idempotency-Key was used for another request; take a new one";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail));
        }
        let Some(status) = self.status.and_then(|s| StatusCode::from_u16(s).ok()) else {
            let mut p = Problem::conflict("in_progress", "the same request is being worked on; ask again");
            p.set_retry_after(1);
            return Err(p);
        };
        let Some(body) = self.body else {
            let detail = "this was done already; its answer held a secret, which is shown only once";
            return Err(Problem::conflict("shown_once", detail));
        };
        let mut response = (status, body.0).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            (header::LOCATION, self.location),
            (header::ETAG, self.etag),
        ] {
            if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                headers.insert(name, value);
            }
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// Takes the key for this request, or gives what stands under it.
async fn claim(ctx: &Ctx, caller: &str, key: &str, hash: &str) -> Result<Option<Kept>, DbError> {
    let now = ctx.now();
    ctx.db
        .tx(async |tx| {
            let found: Option<Kept> = tx
                .one(
                    "select request_hash, begun_at, status, content_type, location, etag, body from idempotency
                     where caller = $1 and idempotency_key = $2",
                    params![caller, key],
                )
                .await?;
            if let Some(found) = found {
                let gone = if found.status.is_some() { now.minus(KEPT) } else { now.minus(OPEN_FOR) };
                if found.begun_at > gone.as_millis() {
                    return Ok(Some(found));
                }
                tx.execute(
                    "delete from idempotency where caller = $1 and idempotency_key = $2",
                    params![caller, key],
                )
                .await?;
            }
            // Two at once: PostgreSQL has one of them begin anew, and it finds the other's row.
            let claimed = tx
                .execute(
                    "insert into idempotency (caller, idempotency_key, request_hash, begun_at)
                     values ($1, $2, $3, $4) on conflict do nothing",
                    params![caller, key, hash, now],
                )
                .await?;
            if claimed == 1 { Ok(None) } else { Err(DbError::Busy) }
        })
        .await
}

async fn keep(
    db: &Db,
    caller: &str,
    key: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<u64, DbError> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).map(str::to_owned);
    let is_secret =
        text(header::CACHE_CONTROL).is_some_and(|v| v.contains("no-store")) && status.is_success();
    let body = (!is_secret).then(|| body.to_vec());
    db.execute(
        "update idempotency set status = $3, content_type = $4, location = $5, etag = $6, body = $7
         where caller = $1 and idempotency_key = $2",
        params![
            caller,
            key,
            status.as_u16(),
            text(header::CONTENT_TYPE),
            text(header::LOCATION),
            text(header::ETAG),
            body
        ],
    )
    .await
}

async fn release(db: &Db, caller: &str, key: &str) -> Result<u64, DbError> {
    db.execute("delete from idempotency where caller = $1 and idempotency_key = $2", params![caller, key])
        .await
}

/// The hourly job.
pub async fn forget_old(ctx: &Ctx) -> Result<(), DbError> {
    let before = ctx.now().minus(KEPT);
    ctx.db.execute("delete from idempotency where begun_at <= $1", params![before]).await.map(drop)
}

#[cfg(test)]
mod tests;
