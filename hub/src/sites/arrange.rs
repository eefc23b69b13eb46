//! Making, changing and removing places. Each act is told to upper modules by the outbox, topic
//! `sites.changed`.

use serde::Serialize;
use steward_shared::id::SiteId;

use super::error::SiteError;
use super::model::{Kind, Refusal, Site, check_code, check_name};
use super::store;
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{DbError, Tx};
use crate::kernel::outbox;

pub const CHANGED: &str = "sites.changed";

/// What the outbox tells.
#[derive(Serialize)]
struct Changed {
    id: SiteId,
    removed: bool,
}

pub struct NewSite {
    pub parent: Option<SiteId>,
    pub kind: Kind,
    pub name: String,
    pub code: String,
}

pub async fn create(ctx: &Ctx, caller: &Caller, origin: &Origin, new: NewSite) -> Result<Site, SiteError> {
    let (name, code) = (new.name.trim().to_owned(), new.code.trim().to_owned());
    let site = Site {
        id: SiteId::new(&*ctx.ids),
        parent: new.parent,
        kind: new.kind,
        name,
        code,
        plan: None,
        version: 1,
    };
    check_name(&site.name)?;
    check_code(&site.code)?;
    ctx.db
        .tx(async |tx| {
            check_parent(&tx, &site).await?;
            store::insert(&tx, &site).await?;
            let entry = Entry::by(caller, origin, "sites.create").on("site", site.id).after(&site);
            audit::record(&tx, ctx.now(), entry).await?;
            tell(ctx, &tx, site.id, false).await?;
            Ok::<_, SiteError>(())
        })
        .await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(site)
}

#[derive(Default)]
#[allow(clippy::option_option, reason = "absent, null and an id are three things")]
pub struct Change {
    pub name: Option<String>,
    pub code: Option<String>,
    /// Some(None) puts it at the top.
    pub parent: Option<Option<SiteId>>,
}

pub async fn change(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: SiteId,
    seen: i64,
    change: Change,
) -> Result<Site, SiteError> {
    let after = ctx
        .db
        .tx(async |tx| {
            let before = store::site(&tx, id).await?.ok_or(Refusal::NoSuchSite)?;
            let text = |new: &Option<String>, old: &str| new.as_deref().unwrap_or(old).trim().to_owned();
            let after = Site {
                name: text(&change.name, &before.name),
                code: text(&change.code, &before.code),
                parent: change.parent.unwrap_or(before.parent),
                version: before.version + 1,
                ..before.clone()
            };
            check_name(&after.name)?;
            check_code(&after.code)?;
            if before.version != seen {
                return Err(Refusal::Stale.into());
            }
            if after.parent != before.parent {
                check_parent(&tx, &after).await?;
            }
            if !store::update(&tx, &after, seen).await? {
                return Err(Refusal::Stale.into());
            }
            let entry =
                Entry::by(caller, origin, "sites.change").on("site", id).before(&before).after(&after);
            audit::record(&tx, ctx.now(), entry).await?;
            tell(ctx, &tx, id, false).await?;
            Ok::<_, SiteError>(after)
        })
        .await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(after)
}

/// Only an empty place can be removed.
pub async fn remove(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: SiteId,
    seen: i64,
) -> Result<(), SiteError> {
    ctx.db
        .tx(async |tx| {
            let before = store::site(&tx, id).await?.ok_or(Refusal::NoSuchSite)?;
            if before.version != seen {
                return Err(Refusal::Stale.into());
            }
            store::remove(&tx, id).await?;
            let entry = Entry::by(caller, origin, "sites.remove").on("site", id).before(&before);
            audit::record(&tx, ctx.now(), entry).await?;
            tell(ctx, &tx, id, true).await?;
            Ok::<_, SiteError>(())
        })
        .await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(())
}

async fn check_parent(tx: &Tx, site: &Site) -> Result<(), SiteError> {
    let kind = match site.parent {
        Some(parent) => Some(store::site(tx, parent).await?.ok_or(Refusal::NoSuchParent)?.kind),
        None => None,
    };
    if site.kind.may_stand_in(kind) { Ok(()) } else { Err(Refusal::WrongParent(site.kind.word()).into()) }
}

pub async fn tell(ctx: &Ctx, tx: &Tx, id: SiteId, removed: bool) -> Result<(), DbError> {
    outbox::put(tx, ctx.now(), CHANGED, &Changed { id, removed }).await
}
