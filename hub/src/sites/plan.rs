//! The picture or drawing of a place: one at a time, the last one that was uploaded.

use steward_shared::id::SiteId;

use super::arrange::tell;
use super::error::SiteError;
use super::model::{Refusal, Site};
use super::store;
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::{files, outbox};

const KINDS: &[&str] = &["image/png", "image/jpeg", "image/webp", "application/pdf"];

/// What is shown.
pub struct Plan {
    pub hash: String,
    pub kind: String,
    pub content: Vec<u8>,
}

pub async fn show(ctx: &Ctx, id: SiteId) -> Result<Plan, SiteError> {
    let (hash, kind) = store::plan(&ctx.db, id).await?.ok_or(Refusal::NoSuchSite)?;
    let (Some(hash), Some(kind)) = (hash, kind) else { return Err(Refusal::NoPlan.into()) };
    let content = files::read(&ctx.settings.data, &hash).await?;
    Ok(Plan { hash, kind, content })
}

/// Puts a new one in place of the former one.
pub async fn put(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: SiteId,
    seen: i64,
    content: Vec<u8>,
) -> Result<Site, SiteError> {
    // Before the disk is written to.
    let before = store::read(&ctx.db, id).await?.ok_or(Refusal::NoSuchSite)?;
    if before.version != seen {
        return Err(Refusal::Stale.into());
    }
    let kept = files::keep(ctx, content, KINDS).await?;
    set(ctx, caller, origin, id, seen, "sites.put_plan", Some((&kept.hash, kept.kind))).await
}

pub async fn remove(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: SiteId,
    seen: i64,
) -> Result<Site, SiteError> {
    set(ctx, caller, origin, id, seen, "sites.remove_plan", None).await
}

async fn set(
    ctx: &Ctx,
    caller: &Caller,
    origin: &Origin,
    id: SiteId,
    seen: i64,
    act: &str,
    plan: Option<(&str, &str)>,
) -> Result<Site, SiteError> {
    let after = ctx
        .db
        .tx(async |tx| {
            let before = store::site(&tx, id).await?.ok_or(Refusal::NoSuchSite)?;
            if before.version != seen || !store::set_plan(&tx, id, seen, plan).await? {
                return Err(Refusal::Stale.into());
            }
            let after = store::site(&tx, id).await?.ok_or(Refusal::NoSuchSite)?;
            let entry = Entry::by(caller, origin, act).on("site", id).before(&before).after(&after);
            audit::record(&tx, ctx.now(), entry).await?;
            tell(ctx, &tx, id, false).await?;
            Ok::<_, SiteError>(after)
        })
        .await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(after)
}
