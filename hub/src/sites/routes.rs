//! /api/v1/sites.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use steward_shared::id::SiteId;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::arrange::{self, CHANGED};
use super::error::SiteError;
use super::model::{self, Refusal};
use super::{plan, store};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::Migration;
use crate::kernel::files::FileError;
use crate::kernel::http::{IfMatch, Json, Path, Query};
use crate::kernel::module::Module;
use crate::kernel::outbox::Listener;
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "sites", sql: include_str!("migrations/0001_sites.sql") },
    Migration { number: 2, name: "plan", sql: include_str!("migrations/0002_plan.sql") },
];

pub fn module() -> Module {
    Module {
        name: "sites",
        migrations: MIGRATIONS,
        routes: OpenApiRouter::new()
            .routes(routes!(list, create))
            .routes(routes!(read, change, remove))
            .routes(routes!(show_plan, put_plan, remove_plan)),
        files: Some(|ctx| Box::pin(async { Ok(store::plans(&ctx.db).await?) })),
        // Whoever watches the hub live is told that the tree has changed.
        listeners: vec![Listener {
            topic: CHANGED,
            hear: |ctx, body| {
                Box::pin(async move {
                    ctx.live.tell("site", None, &serde_json::from_str::<serde_json::Value>(body)?);
                    Ok(())
                })
            },
        }],
        ..Module::default()
    }
}

impl From<SiteError> for Problem {
    fn from(e: SiteError) -> Self {
        let detail = e.to_string();
        match e {
            SiteError::Database(e) => e.into(),
            SiteError::File(FileError::WrongKind(kinds)) => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_kind", detail).with("kinds", kinds)
            }
            SiteError::File(e) => Self::internal(&e),
            SiteError::Refused(refusal) => match refusal {
                Refusal::NoSuchSite => Self::not_found("site"),
                Refusal::NoPlan => Self::not_found("plan"),
                Refusal::NoSuchParent => Self::field("/parent", "unknown", detail),
                Refusal::WrongParent(_) => Self::field("/parent", "wrong_parent", detail),
                Refusal::NameTaken => Self::conflict("name_taken", detail),
                Refusal::CodeTaken => Self::conflict("code_taken", detail),
                Refusal::NotEmpty => Self::conflict("not_empty", detail),
                Refusal::Stale => Self::stale(),
                Refusal::BadName => Self::field("/name", "bad_length", detail),
                Refusal::BadCode => Self::field("/code", "bad_length", detail),
            },
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    Campus,
    Building,
    Floor,
    Room,
}

/// A place.
#[derive(Serialize, ToSchema)]
pub struct Site {
    #[schema(value_type = String)]
    pub id: SiteId,
    /// The place that it stands in; null at the top.
    #[schema(value_type = Option<String>, required = true)]
    pub parent: Option<SiteId>,
    pub kind: SiteKind,
    pub name: String,
    /// The house's own short name; empty where there is none.
    pub code: String,
    /// The hash of its picture or drawing, which is at `…/plan`; null where there is none.
    #[schema(required = true)]
    pub plan: Option<String>,
    pub version: i64,
}

impl From<model::Site> for Site {
    fn from(s: model::Site) -> Self {
        let kind = match s.kind {
            model::Kind::Campus => SiteKind::Campus,
            model::Kind::Building => SiteKind::Building,
            model::Kind::Floor => SiteKind::Floor,
            model::Kind::Room => SiteKind::Room,
        };
        Self {
            id: s.id,
            parent: s.parent,
            kind,
            name: s.name,
            code: s.code,
            plan: s.plan,
            version: s.version,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    #[schema(value_type = Option<String>)]
    pub parent: Option<SiteId>,
    pub kind: SiteKind,
    pub name: String,
    #[serde(default)]
    pub code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "absent, null and an id are three things")]
pub struct SiteChange {
    pub name: Option<String>,
    pub code: Option<String>,
    /// Where to move it; null puts it at the top, absent leaves it where it is.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub parent: Option<Option<SiteId>>,
}

/// Tells null from absent.
#[allow(clippy::option_option, reason = "absent, null and an id are three things")]
fn given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<SiteId>>, D::Error> {
    Option::deserialize(d).map(Some)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SitesQuery {
    /// How many at most; 50 unless said, 500 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Only what stands directly in this place.
    #[param(value_type = Option<String>)]
    pub parent: Option<SiteId>,
}

/// The places, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", operation_id = "list_sites", params(SitesQuery),
    security(("session" = ["viewer"])), responses((status = 200, body = Page<Site>), (status = 422, body = ProblemBody)))]
async fn list(State(ctx): State<Ctx>, Query(q): Query<SitesQuery>) -> Result<Json<Page<Site>>, Problem> {
    let page = PageQuery { limit: q.limit, after: q.after };
    let (limit, after) = (page.limit()?, page.after::<String>()?.unwrap_or_default());
    let parent = q.parent.map(|p| p.to_string()).unwrap_or_default();
    let sites = store::following(&ctx.db, &after, &parent, limit + 1).await?;
    Ok(Json(Page::of(sites, limit, |s| s.id).map(Site::from)))
}

/// Makes a place.
#[utoipa::path(post, path = "/api/v1/sites", tag = "sites", operation_id = "create_site", request_body = NewSite,
    security(("session" = ["engineer"])),
    responses((status = 201, body = Site), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Json(b): Json<NewSite>,
) -> Result<Response, Problem> {
    let kind = match b.kind {
        SiteKind::Campus => model::Kind::Campus,
        SiteKind::Building => model::Kind::Building,
        SiteKind::Floor => model::Kind::Floor,
        SiteKind::Room => model::Kind::Room,
    };
    let new = arrange::NewSite { parent: b.parent, kind, name: b.name, code: b.code };
    let site = arrange::create(&ctx, &caller, &origin, new).await?;
    let location = format!("/api/v1/sites/{}", site.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(Site::from(site))).into_response())
}

/// One place.
#[utoipa::path(get, path = "/api/v1/sites/{id}", tag = "sites", operation_id = "site", params(("id" = String, Path)),
    security(("session" = ["viewer"])), responses((status = 200, body = Site), (status = 404, body = ProblemBody)))]
async fn read(State(ctx): State<Ctx>, Path(id): Path<SiteId>) -> Result<Json<Site>, Problem> {
    let site = store::read(&ctx.db, id).await?.ok_or_else(|| Problem::not_found("site"))?;
    Ok(Json(site.into()))
}

/// Renames or moves a place. `If-Match` carries the version that was seen.
#[utoipa::path(patch, path = "/api/v1/sites/{id}", tag = "sites", operation_id = "change_site", request_body = SiteChange,
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])),
    responses((status = 200, body = Site), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<SiteId>,
    IfMatch(seen): IfMatch,
    Json(b): Json<SiteChange>,
) -> Result<Json<Site>, Problem> {
    let change = arrange::Change { name: b.name, code: b.code, parent: b.parent };
    Ok(Json(arrange::change(&ctx, &caller, &origin, id, seen, change).await?.into()))
}

/// Removes an empty place.
#[utoipa::path(delete, path = "/api/v1/sites/{id}", tag = "sites", operation_id = "remove_site",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody)))]
async fn remove(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<SiteId>,
    IfMatch(seen): IfMatch,
) -> Result<StatusCode, Problem> {
    arrange::remove(&ctx, &caller, &origin, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture or drawing of a place.
#[utoipa::path(get, path = "/api/v1/sites/{id}/plan", tag = "sites", operation_id = "site_plan", params(("id" = String, Path)),
    security(("session" = ["viewer"])),
    responses((status = 200, description = "The file", content_type = "image/*", body = Vec<u8>), (status = 404, body = ProblemBody)))]
async fn show_plan(State(ctx): State<Ctx>, Path(id): Path<SiteId>) -> Result<Response, Problem> {
    let plan = plan::show(&ctx, id).await?;
    let headers = [
        (header::CONTENT_TYPE, plan.kind),
        (header::ETAG, format!("\"{}\"", plan.hash)),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((headers, plan.content).into_response())
}

/// Uploads a picture or drawing (PNG, JPEG, WebP or PDF) as the body itself; it takes the place of the former one.
#[utoipa::path(put, path = "/api/v1/sites/{id}/plan", tag = "sites", operation_id = "put_site_plan",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Site), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody)))]
async fn put_plan(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<SiteId>,
    IfMatch(seen): IfMatch,
    content: Bytes,
) -> Result<Json<Site>, Problem> {
    Ok(Json(plan::put(&ctx, &caller, &origin, id, seen, content.to_vec()).await?.into()))
}

/// Takes the picture or drawing away.
#[utoipa::path(delete, path = "/api/v1/sites/{id}/plan", tag = "sites", operation_id = "remove_site_plan",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])),
    responses((status = 200, body = Site), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody)))]
async fn remove_plan(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<SiteId>,
    IfMatch(seen): IfMatch,
) -> Result<Json<Site>, Problem> {
    Ok(Json(plan::remove(&ctx, &caller, &origin, id, seen).await?.into()))
}
