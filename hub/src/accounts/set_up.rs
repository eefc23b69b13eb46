//! The first administrator: made by whoever opens the fresh hub first, once.

use steward_shared::id::UserId;

use super::error::AccountError;
use super::model::{Refusal, User, check_locale, check_login, check_name, check_password, login_key};
use super::sessions::{self, Opened};
use super::{password, store};
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Origin, Role};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::DbError;

pub struct FirstAdmin {
    pub user: String,
    pub name: String,
    pub password: String,
    pub locale: String,
}

pub async fn is_needed(ctx: &Ctx) -> Result<bool, DbError> {
    Ok(store::count_users(&ctx.db).await? == 0)
}

pub async fn set_up(ctx: &Ctx, origin: &Origin, first: FirstAdmin) -> Result<Opened, AccountError> {
    if !is_needed(ctx).await? {
        return Err(Refusal::AlreadySetUp.into());
    }
    check_login(&first.user)?;
    check_name(&first.name)?;
    check_locale(&first.locale)?;
    check_password("/password", &first.password, &first.user)?;
    let hash = password::hash(first.password).await?;
    let user = User {
        id: UserId::new(&*ctx.ids),
        user: first.user,
        name: first.name.trim().to_owned(),
        role: Role::Admin,
        locale: first.locale,
        disabled: false,
        commands: false,
        version: 1,
        created_at: ctx.now(),
    };
    ctx.db
        .tx(async |tx| {
            if !store::is_empty(&tx).await? {
                return Err(Refusal::AlreadySetUp.into());
            }
            store::insert_user(&tx, &user, &login_key(&user.user), &hash).await?;
            let (_, token, expires_at) = sessions::open(ctx, &tx, user.id, &origin.address).await?;
            let entry =
                Entry::by_stranger(&user.user, origin, "accounts.set_up").on("user", user.id).after(&user);
            audit::record(&tx, ctx.now(), entry).await?;
            Ok(Opened { user: user.clone(), token, expires_at })
        })
        .await
}
