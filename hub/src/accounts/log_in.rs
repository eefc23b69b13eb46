//! Logging in and out. A wrong name and a wrong password are the same to the caller, in words and in time.

use steward_shared::id::SessionId;

use super::error::AccountError;
use super::model::{Refusal, login_key};
use super::sessions::{self, Opened};
use super::{password, store};
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::DbError;

pub async fn log_in(ctx: &Ctx, origin: &Origin, login: &str, secret: String) -> Result<Opened, AccountError> {
    let key: String = login_key(login).chars().take(64).collect();
    refuse_locked(ctx, origin, &key).await?;
    let found = store::credentials(&ctx.db, &key).await?;
    let stored = found.as_ref().map(|c| c.password.clone());
    let secret: String = secret.chars().take(super::model::PASSWORD_MAX + 1).collect();
    let checked = password::check(secret, stored).await?;
    let may = found.filter(|c| checked.right && !c.disabled);
    let Some(who) = may else {
        fail(ctx, origin, login, &key).await?;
        return Err(Refusal::WrongPassword.into());
    };
    ctx.db
        .tx(async |tx| {
            store::forgive(&tx, "account", &key).await?;
            if let Some(renewed) = &checked.renewed {
                store::set_password(&tx, who.id, renewed).await?;
            }
            let (session, token, expires_at) = sessions::open(ctx, &tx, who.id, &origin.address).await?;
            let user =
                store::user(&tx, who.id).await?.filter(|u| !u.disabled).ok_or(Refusal::WrongPassword)?;
            let caller = Caller { user: who.id, login: user.user.clone(), role: user.role, session };
            let entry = Entry::by(&caller, origin, "accounts.log_in").on("user", who.id);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(Opened { user, token, expires_at })
        })
        .await
}

async fn refuse_locked(ctx: &Ctx, origin: &Origin, key: &str) -> Result<(), AccountError> {
    let now = ctx.now().as_millis();
    let (account, address) = ctx
        .db
        .tx(async |tx| {
            let account = store::failures(&tx, "account", key).await?;
            Ok::<_, DbError>((account, store::failures(&tx, "address", &origin.address).await?))
        })
        .await?;
    match account.locked_for(now).max(address.locked_for(now)) {
        Some(seconds) => Err(Refusal::Locked(seconds).into()),
        None => Ok(()),
    }
}

async fn fail(ctx: &Ctx, origin: &Origin, login: &str, key: &str) -> Result<(), DbError> {
    let now = ctx.now();
    metrics::counter!("steward_hub_log_in_failures_total").increment(1);
    ctx.db
        .tx(async |tx| {
            for (kind, what) in [("account", key), ("address", origin.address.as_str())] {
                let failures = store::failures(&tx, kind, what).await?.and_one_at(now.as_millis());
                store::set_failures(&tx, kind, what, failures).await?;
            }
            let entry =
                Entry::by_stranger(login, origin, "accounts.log_in").on("user", "").refused("wrong password");
            audit::record(&tx, now, entry).await
        })
        .await
}

pub async fn log_out(ctx: &Ctx, caller: &Caller, origin: &Origin) -> Result<(), DbError> {
    ctx.db
        .tx(async |tx| {
            store::end_session(&tx, caller.session).await?;
            let entry = Entry::by(caller, origin, "accounts.log_out").on("user", caller.user);
            audit::record(&tx, ctx.now(), entry).await
        })
        .await
}

/// Ends all sessions of the caller, this one too.
pub async fn log_out_everywhere(ctx: &Ctx, caller: &Caller, origin: &Origin) -> Result<(), DbError> {
    ctx.db
        .tx(async |tx| {
            store::end_sessions(&tx, caller.user, None).await?;
            let entry = Entry::by(caller, origin, "accounts.log_out_everywhere").on("user", caller.user);
            audit::record(&tx, ctx.now(), entry).await
        })
        .await
}

/// The caller's own new password. Their other sessions are over.
pub async fn change_password(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    current: String,
    new: String,
) -> Result<(), AccountError> {
    let key = login_key(&caller.login);
    refuse_locked(ctx, origin, &key).await?;
    let stored = store::credentials_of(&ctx.db, caller.user).await?.map(|c| c.password);
    if !password::check(current, stored).await?.right {
        fail(ctx, origin, &caller.login, &key).await?;
        let detail = "this is not your present password".to_owned();
        return Err(Refusal::Field { pointer: "/current", code: "wrong_password", detail }.into());
    }
    super::model::check_password("/new", &new, &caller.login)?;
    let hash = password::hash(new).await?;
    let kept: Option<SessionId> = Some(caller.session);
    ctx.db
        .tx(async |tx| {
            store::set_password(&tx, caller.user, &hash).await?;
            store::end_sessions(&tx, caller.user, kept).await?;
            let entry = Entry::by(caller, origin, "accounts.change_password").on("user", caller.user);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(())
        })
        .await
}
