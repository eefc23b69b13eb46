//! Sessions: opened by a log-in, found by their cookie's token, over when idle, too old, ended, or when their
//! user is disabled. Only the token's hash is stored.

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use std::time::Duration;
use steward_shared::id::{SessionId, UserId};
use steward_shared::time::Timestamp;

use super::model::User;
use super::{password, store};
use crate::kernel::caller::{Caller, Gate, Recognise};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{DbError, Tx};
use crate::kernel::faults::chain;
use crate::kernel::problem::Problem;

/// A use is written down only so often: a page asks many times a second.
const NOTED_EVERY: Duration = Duration::from_secs(30);
/// How long a request waits for that. On a disk that is full, or behind a long transaction, people can still see
/// how things stand.
const NOTED_WITHIN: Duration = Duration::from_millis(500);

/// A session that was just opened. The token goes into the cookie and nowhere else.
pub struct Opened {
    pub user: User,
    pub token: String,
    pub expires_at: Timestamp,
}

pub fn hash(token: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}

/// Opens a session in the transaction of the log-in; the token is always a new one.
pub async fn open(
    ctx: &Ctx,
    tx: &Tx,
    user: UserId,
    address: &str,
) -> Result<(SessionId, String, Timestamp), DbError> {
    let token = data_encoding::BASE64URL_NOPAD.encode(&password::draw());
    let (id, at) = (SessionId::new(&*ctx.ids), ctx.now());
    let ends_at = at.plus(ctx.settings.session_absolute);
    let token_hash = hash(&token);
    store::insert_session(tx, &store::NewSession { id, token_hash: &token_hash, user, address, at, ends_at })
        .await?;
    Ok((id, token, ends_at))
}

/// What the kernel asks for every request.
struct Sessions(Ctx);

pub fn gate(ctx: &Ctx) -> Gate {
    Gate(Box::new(Sessions(ctx.clone())))
}

impl Recognise for Sessions {
    fn who<'a>(&'a self, token: &'a str, use_it: bool) -> BoxFuture<'a, Result<Option<Caller>, Problem>> {
        Box::pin(async move {
            let ctx = &self.0;
            let Some(session) = store::open_session(&ctx.db, &hash(token)).await? else { return Ok(None) };
            let now = ctx.now();
            let is_idle = now.since(session.used_at) >= ctx.settings.session_idle;
            if is_idle || now >= session.ends_at {
                return Ok(None);
            }
            if use_it && now.since(session.used_at) >= NOTED_EVERY {
                note_use(ctx, session.id, now).await;
            }
            Ok(Some(Caller {
                user: session.user_id,
                login: session.login,
                role: session.role,
                commands: session.commands,
                session: session.id,
            }))
        })
    }
}

/// As well as it goes: the next request tries again.
async fn note_use(ctx: &Ctx, session: SessionId, now: Timestamp) {
    match tokio::time::timeout(NOTED_WITHIN, store::use_session(&ctx.db, session, now)).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::warn!(error = chain(&e), "the use of a session could not be noted"),
        Err(_) => tracing::warn!("the use of a session could not be noted in time"),
    }
}

/// The job that forgets what is over.
pub async fn forget_old(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.now();
    store::forget_sessions(&ctx.db, now, now.minus(ctx.settings.session_idle)).await?;
    metrics::gauge!("steward_hub_sessions").set(store::count_sessions(&ctx.db).await? as f64);
    store::forget_failures(&ctx.db, now.as_millis() - super::model::LOCK_MS, now.as_millis()).await?;
    Ok(())
}
