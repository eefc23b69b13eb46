//! What administrators do with accounts. Whoever loses rights, or gets a new password, loses their sessions.

use steward_shared::id::UserId;
use steward_shared::time::Timestamp;

use super::error::AccountError;
use super::model::{Refusal, User, check_locale, check_login, check_name, check_password, login_key};
use super::{password, store};
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin, Role};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{Db, DbError, Tx};

pub struct NewUser {
    pub user: String,
    pub name: String,
    pub role: Role,
    pub commands: bool,
    pub password: String,
    pub locale: String,
}

pub async fn create(ctx: &Ctx, caller: &Caller, origin: &Origin, new: NewUser) -> Result<User, AccountError> {
    check_login(&new.user)?;
    check_name(&new.name)?;
    check_locale(&new.locale)?;
    check_password("/password", &new.password, &new.user)?;
    let hash = password::hash(new.password).await?;
    let user = User {
        id: UserId::new(&*ctx.ids),
        user: new.user,
        name: new.name.trim().to_owned(),
        role: new.role,
        locale: new.locale,
        disabled: false,
        commands: new.commands,
        version: 1,
        created_at: ctx.now(),
    };
    let done = ctx
        .db
        .tx(async |tx| {
            store::insert_user(&tx, &user, &login_key(&user.user), &hash).await?;
            let entry = Entry::by(caller, origin, "accounts.create_user").on("user", user.id).after(&user);
            audit::record(&tx, ctx.now(), entry).await
        })
        .await;
    match done {
        Ok(()) => Ok(user),
        Err(e) if e.broke("users_login") => Err(Refusal::NameTaken.into()),
        Err(e) => Err(e.into()),
    }
}

#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    pub role: Option<Role>,
    pub locale: Option<String>,
    pub disabled: Option<bool>,
    pub commands: Option<bool>,
    pub password: Option<String>,
}

pub async fn change(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: UserId,
    seen: i64,
    change: Change,
) -> Result<User, AccountError> {
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if let Some(locale) = &change.locale {
        check_locale(locale)?;
    }
    let hash = match &change.password {
        Some(new) => {
            let login = store::credentials_of(&ctx.db, id).await?.ok_or(Refusal::NoSuchUser)?.login;
            check_password("/password", new, &login)?;
            Some(password::hash(new.clone()).await?)
        }
        None => None,
    };
    let done = ctx
        .db
        .tx(async |tx| {
            let before = store::user(&tx, id).await?.ok_or(Refusal::NoSuchUser)?;
            let after = User {
                name: change.name.as_ref().map_or_else(|| before.name.clone(), |n| n.trim().to_owned()),
                role: change.role.unwrap_or(before.role),
                locale: change.locale.clone().unwrap_or_else(|| before.locale.clone()),
                disabled: change.disabled.unwrap_or(before.disabled),
                commands: change.commands.unwrap_or(before.commands),
                version: before.version + 1,
                ..before.clone()
            };
            if before.version != seen || !store::update_user(&tx, &after, seen).await? {
                return Err(Refusal::Stale.into());
            }
            if store::admins_who_can_log_in(&tx).await? == 0 {
                return Err(Refusal::LastAdmin.into());
            }
            if let Some(hash) = &hash {
                store::set_password(&tx, id, hash).await?;
                store::forgive(&tx, "account", &login_key(&before.user)).await?;
            }
            if after.disabled || after.role != before.role || hash.is_some() {
                let own = (id == caller.user && !after.disabled && after.role == before.role)
                    .then_some(caller.session);
                store::end_sessions(&tx, id, own).await?;
            }
            let mut entry = Entry::by(caller, origin, "accounts.change_user")
                .on("user", id)
                .before(&before)
                .after(&after);
            if hash.is_some() {
                entry.reason = "a new password was set".into();
            }
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(after)
        })
        .await;
    if let Err(AccountError::Refused(refusal @ Refusal::LastAdmin)) = &done {
        let entry =
            Entry::by(caller, origin, "accounts.change_user").on("user", id).refused(refusal.to_string());
        audit::record_alone(&ctx.db, ctx.now(), entry).await?;
    }
    done
}

pub async fn end_sessions(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: UserId,
) -> Result<(), AccountError> {
    ctx.db
        .tx(async |tx| {
            store::user(&tx, id).await?.ok_or(Refusal::NoSuchUser)?;
            store::end_sessions(&tx, id, None).await?;
            let entry = Entry::by(caller, origin, "accounts.end_sessions").on("user", id);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(())
        })
        .await
}

/// Whether somebody may command devices now. Upper modules ask it in the transaction of what depends on it.
pub async fn may_command(tx: &Tx, user: UserId) -> Result<bool, DbError> {
    Ok(store::may_command(tx, user).await?.unwrap_or_default())
}

/// From the command line, for when no administrator can log in any more. Gives the new password. Whoever has tried
/// the old one too often has locked their address as well: those locks are lifted too.
pub async fn reset_password(db: &Db, now: Timestamp, login: &str) -> Result<String, AccountError> {
    let who = store::credentials(db, &login_key(login)).await?.ok_or(Refusal::NoSuchUser)?;
    let new = password::random();
    let hash = password::hash(new.clone()).await?;
    db.tx(async |tx| {
        store::set_password(&tx, who.id, &hash).await?;
        store::end_sessions(&tx, who.id, None).await?;
        store::forgive(&tx, "account", &login_key(login)).await?;
        store::forgive_all(&tx, "address").await?;
        let entry = Entry::by_system("accounts.reset_password").on("user", who.id);
        audit::record(&tx, now, entry).await?;
        Ok::<_, DbError>(())
    })
    .await?;
    Ok(new)
}
