//! Reading the audit trail and having it checked. Reading it is recorded too.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use steward_shared::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::record::{Entry, record_alone};
use super::store;
use super::verify::{Verdict, verify};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Query};
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(check))
}

/// One act.
#[derive(Serialize, ToSchema)]
pub struct AuditRow {
    pub no: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The user's id; null when nobody was logged in.
    #[schema(required = true)]
    pub actor: Option<String>,
    pub actor_name: String,
    pub address: String,
    pub request: String,
    pub action: String,
    pub object: String,
    pub object_id: String,
    #[schema(value_type = Object)]
    pub before: Option<Value>,
    #[schema(value_type = Object)]
    pub after: Option<Value>,
    /// `done` or `refused`.
    pub result: String,
    pub reason: String,
    pub hash: String,
}

impl From<store::Row> for AuditRow {
    fn from(r: store::Row) -> Self {
        let json = |t: Option<String>| t.and_then(|t| serde_json::from_str(&t).ok());
        Self {
            no: r.no,
            at: r.at,
            actor: r.actor,
            actor_name: r.actor_name,
            address: r.address,
            request: r.request,
            action: r.action,
            object: r.object,
            object_id: r.object_id,
            before: json(r.before_json),
            after: json(r.after_json),
            result: r.result,
            reason: r.reason,
            hash: r.hash,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// How many at most; 50 unless said, 500 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Only this act, such as `accounts.log_in`.
    pub action: Option<String>,
    /// Only this kind of thing, such as `user`.
    pub object: Option<String>,
    /// Only this thing.
    pub object_id: Option<String>,
}

/// The audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", operation_id = "list_audit", params(AuditQuery),
    security(("session" = ["admin"])),
    responses((status = 200, body = Page<AuditRow>), (status = 422, body = ProblemBody)))]
async fn list(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Query(q): Query<AuditQuery>,
) -> Result<Json<Page<AuditRow>>, Problem> {
    let page = PageQuery { limit: q.limit, after: q.after };
    let (limit, before) = (page.limit()?, page.after::<i64>()?.unwrap_or(i64::MAX));
    record_alone(&ctx.db, ctx.now(), Entry::by(&caller, &origin, "audit.read").on("audit", "")).await?;
    let word = |w: &Option<String>| w.clone().unwrap_or_default();
    let rows =
        store::newest(&ctx.db, before, limit + 1, &word(&q.action), &word(&q.object), &word(&q.object_id))
            .await?;
    Ok(Json(Page::of(rows, limit, |r| r.no).map(AuditRow::from)))
}

/// Checks the whole trail for rows that were changed, removed, moved or cut off.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", operation_id = "verify_audit",
    security(("session" = ["admin"])), responses((status = 200, body = Verdict)))]
async fn check(State(ctx): State<Ctx>, caller: Caller, origin: Origin) -> Result<Json<Verdict>, Problem> {
    record_alone(&ctx.db, ctx.now(), Entry::by(&caller, &origin, "audit.verify").on("audit", "")).await?;
    Ok(Json(verify(&ctx.db, &ctx.settings.data).await?))
}
