//! Logging in and out. A wrong name and a wrong password are the same to the caller, in words and in time.

use steward_shared::id::{SessionId, UserId};
use steward_shared::time::Timestamp;

use super::error::AccountError;
use super::model::{Failures, Refusal, login_key, visible};
use super::sessions::{self, Opened};
use super::{password, store};
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{DbError, Tx};

/// `former` is the token of the session that the browser had until now: it is over with the new one.
pub async fn log_in(
    ctx: &Ctx,
    origin: &Origin,
    login: &str,
    secret: String,
    former: Option<String>,
) -> Result<Opened, AccountError> {
    let key: String = login_key(login).chars().take(64).collect();
    // Before the password is looked at, which takes memory and a core.
    refuse_locked(ctx, origin, &key).await?;
    let found = store::credentials(&ctx.db, &key).await?;
    let stored = found.as_ref().map(|c| c.password.clone());
    let secret: String = secret.chars().take(super::model::PASSWORD_MAX + 1).collect();
    let checked = password::check(secret, stored).await?;
    let Some(who) = found.filter(|c| checked.right && !c.disabled) else {
        let entry = Entry::by_stranger(&visible(login), origin, "accounts.log_in").on("user", "");
        return Err(fail(ctx, origin, &key, entry).await?.into());
    };
    admit(ctx, origin, &key, who.id, checked.renewed, former).await
}

/// Opens the session, unless the account or the address was locked while the password was looked at: whoever
/// tries many at once must not learn more than whoever tries them one after the other.
pub(super) async fn admit(
    ctx: &Ctx,
    origin: &Origin,
    key: &str,
    who: UserId,
    renewed: Option<String>,
    former: Option<String>,
) -> Result<Opened, AccountError> {
    ctx.db
        .tx(async |tx| {
            check_still_open(ctx, &tx, origin, key).await?;
            store::forgive(&tx, "account", key).await?;
            if let Some(renewed) = &renewed {
                store::set_password(&tx, who, renewed).await?;
            }
            if let Some(former) = &former {
                store::end_session_of_token(&tx, &sessions::hash(former)).await?;
            }
            let (session, token, expires_at) = sessions::open(ctx, &tx, who, &origin.address).await?;
            let user = store::user(&tx, who).await?.filter(|u| !u.disabled).ok_or(Refusal::WrongPassword)?;
            let caller = Caller {
                user: who,
                login: user.user.clone(),
                role: user.role,
                commands: user.commands,
                session,
            };
            let entry = Entry::by(&caller, origin, "accounts.log_in").on("user", who);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(Opened { user, token, expires_at })
        })
        .await
}

async fn refuse_locked(ctx: &Ctx, origin: &Origin, key: &str) -> Result<(), AccountError> {
    let account = store::failures_now(&ctx.db, "account", key).await?;
    let address = store::failures_now(&ctx.db, "address", &origin.address).await?;
    Ok(open_at(ctx.now(), account, address)?)
}

fn open_at(now: Timestamp, account: Failures, address: Failures) -> Result<(), Refusal> {
    let now = now.as_millis();
    match account.locked_for(now).max(address.locked_for(now)) {
        Some(seconds) => Err(Refusal::Locked(seconds)),
        None => Ok(()),
    }
}

async fn check_still_open(ctx: &Ctx, tx: &Tx, origin: &Origin, key: &str) -> Result<(), AccountError> {
    let account = store::failures(tx, "account", key).await?;
    let address = store::failures(tx, "address", &origin.address).await?;
    Ok(open_at(ctx.now(), account, address)?)
}

/// Counts a wrong password and gives what to answer: that it is wrong, or that all is locked by now.
async fn fail(ctx: &Ctx, origin: &Origin, key: &str, tried: Entry) -> Result<Refusal, DbError> {
    let now = ctx.now();
    let tried = tried.refused("wrong password");
    metrics::counter!("steward_hub_log_in_failures_total").increment(1);
    ctx.db
        .tx(async |tx| {
            let account = store::failures(&tx, "account", key).await?;
            let address = store::failures(&tx, "address", &origin.address).await?;
            if let Err(locked) = open_at(now, account, address) {
                return Ok(locked);
            }
            for (kind, what, failures) in [("account", key, account), ("address", &origin.address, address)] {
                store::set_failures(&tx, kind, what, failures.and_one_at(now.as_millis())).await?;
            }
            audit::record(&tx, now, tried.clone()).await?;
            Ok(Refusal::WrongPassword)
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
        let detail = "this is not your present password".to_owned();
        let entry = Entry::by(caller, origin, "accounts.change_password").on("user", caller.user);
        return Err(match fail(ctx, origin, &key, entry).await? {
            Refusal::WrongPassword => Refusal::Field { pointer: "/current", code: "wrong_password", detail },
            locked => locked,
        }
        .into());
    }
    super::model::check_password("/new", &new, &caller.login)?;
    let hash = password::hash(new).await?;
    let kept: Option<SessionId> = Some(caller.session);
    ctx.db
        .tx(async |tx| {
            check_still_open(ctx, &tx, origin, &key).await?;
            store::set_password(&tx, caller.user, &hash).await?;
            store::end_sessions(&tx, caller.user, kept).await?;
            let entry = Entry::by(caller, origin, "accounts.change_password").on("user", caller.user);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(())
        })
        .await
}
