//! The gateways' configurations over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_shared::document::{Change, Document, Setting, edit, listing, settings};
use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::config::ConfigFault as WireFault;
use utoipa::ToSchema;

use super::fleet::find;
use crate::gateways::acts::Actor;
use crate::gateways::configs::{
    ConfigError, ConfigRow, NewText, PastRow, Progress, VersionRow, changes, check_size,
};
use crate::gateways::fleet::Fleet;
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Path, Query};
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

impl From<ConfigError> for Problem {
    fn from(e: ConfigError) -> Self {
        let detail = e.to_string();
        match e {
            ConfigError::NoSuchVersion => Self::not_found("version"),
            ConfigError::NoSuchFile => Self::not_found("file"),
            ConfigError::NotTold => Self::conflict("not_told", detail),
            ConfigError::NotOpen => Self::conflict("not_open", detail),
            ConfigError::TooLong => Self::conflict("too_long", detail),
            ConfigError::OtherBase { digest } => Self::conflict("other_base", detail).with("digest", digest),
            ConfigError::UnderWay(version) => Self::conflict("under_way", detail).with("version", version),
            ConfigError::NothingChanged => Self::field("/text", "nothing_changed", detail),
            ConfigError::Away => Self::conflict("gateway_away", detail),
            ConfigError::NoAnswer => Self::unavailable("no_answer", 5, detail),
            ConfigError::WrongState(state) => Self::conflict("wrong_state", detail).with("state", state),
            ConfigError::Field { pointer, code, .. } => Self::field(pointer, code, detail),
            ConfigError::Signing(e) => Self::internal(&e),
            ConfigError::Db(e) => e.into(),
        }
    }
}

/// How far a version has come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigState {
    /// Signed, and not yet sent.
    Queued,
    /// From now on only the gateway can end it.
    Sent,
    /// In force; it goes back by itself unless it proves itself.
    Trying,
    Kept,
    Refused,
    /// What was before is in force again.
    TakenBack,
    /// By a person, before it was sent.
    Cancelled,
}

impl From<Progress> for ConfigState {
    fn from(state: Progress) -> Self {
        match state {
            Progress::Queued => Self::Queued,
            Progress::Sent => Self::Sent,
            Progress::Trying => Self::Trying,
            Progress::Kept => Self::Kept,
            Progress::Refused => Self::Refused,
            Progress::TakenBack => Self::TakenBack,
            Progress::Cancelled => Self::Cancelled,
        }
    }
}

/// A text in both languages.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ConfigNames {
    pub zh: String,
    pub en: String,
}

/// What is wrong with a text, where, and what to do.
#[derive(Serialize, ToSchema)]
pub struct ConfigFault {
    /// From 1; 0 where the whole text is meant, or a profile of the gateway.
    pub line: u32,
    pub column: u32,
    #[schema(example = "line[0].port")]
    pub path: String,
    pub message: ConfigNames,
    pub way_out: ConfigNames,
}

impl From<WireFault> for ConfigFault {
    fn from(fault: WireFault) -> Self {
        let names = |n: steward_shared::wire::message::Names| ConfigNames { zh: n.zh, en: n.en };
        let WireFault { line, column, path, message, way_out } = fault;
        Self { line, column, path, message: names(message), way_out: names(way_out) }
    }
}

/// A setting that differs.
#[derive(Serialize, ToSchema)]
pub struct ConfigChange {
    #[schema(example = "line[chw].device[main-meter].periods.normal")]
    pub path: String,
    /// As TOML has it; null where it was not there.
    #[schema(required = true)]
    pub before: Option<String>,
    /// Null where it is gone.
    #[schema(required = true)]
    pub after: Option<String>,
}

impl From<Change> for ConfigChange {
    fn from(change: Change) -> Self {
        let Change { path, before, after } = change;
        Self { path, before, after }
    }
}

/// A configuration that somebody wanted a gateway to run.
#[derive(Serialize, ToSchema)]
pub struct ConfigVersion {
    pub version: u64,
    pub author: String,
    pub why: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub state: ConfigState,
    /// Why it is not in force: not_allowed, other_base, forgotten, faults, first_line (it is tried on one line so far), not_stored,
    /// hub_not_reached, devices_worse,
    /// ended_program or changed_on_site.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// Plain words of the gateway, in English.
    pub detail: String,
    pub faults: Vec<ConfigFault>,
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

impl From<VersionRow> for ConfigVersion {
    fn from(row: VersionRow) -> Self {
        let faults: Vec<WireFault> = serde_json::from_str(&row.faults).unwrap_or_default();
        Self {
            version: row.version,
            author: row.author_login,
            why: row.why,
            created_at: row.created_at,
            state: row.state.into(),
            reason: row.reason,
            detail: row.detail,
            faults: faults.into_iter().map(ConfigFault::from).collect(),
            changed_at: row.changed_at,
        }
    }
}

/// The configuration that a gateway says it runs.
#[derive(Serialize, ToSchema)]
pub struct Configuration {
    /// The gateway's own file lets the hub change it.
    pub open: bool,
    /// TOML; null where it is longer than 256 KiB.
    #[schema(required = true)]
    pub text: Option<String>,
    /// SHA-256 of the text, in hexadecimal digits: what a new version must be based on.
    pub digest: String,
    /// Which version is in force; null for the file on site.
    #[schema(required = true)]
    pub version: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub told_at: Timestamp,
    /// The gateway can be asked to check a text right now.
    pub online: bool,
}

/// What the gateway finds out of a text.
#[derive(Serialize, ToSchema)]
pub struct ConfigCheck {
    /// None where the gateway would take it.
    pub faults: Vec<ConfigFault>,
    /// Setting by setting, what differs from the configuration in force.
    pub changes: Vec<ConfigChange>,
    /// The lines of both texts: on any of them the change may be tried first.
    pub lines: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigText {
    /// TOML, at most 256 KiB.
    pub text: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConfigVersion {
    /// TOML, at most 256 KiB.
    pub text: String,
    /// The digest of the configuration that it was made from.
    pub base: String,
    /// 1 to 500 bytes.
    #[schema(example = "WO-2026-0417: read the meters each minute")]
    pub why: String,
    /// The name of a line on which the gateway tries it first; the others follow when that does well.
    pub first_line: Option<String>,
}

/// A setting, and what it becomes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSetting {
    /// The keys that lead there; a line or device goes by its name.
    #[schema(example = json!(["line", "chw", "device", "main-meter", "place"]))]
    pub path: Vec<String>,
    /// As TOML has it; null takes it out.
    #[schema(example = "\"B1\"", required = true)]
    pub value: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigEdit {
    /// TOML, at most 256 KiB.
    pub text: String,
    pub set: Option<SetSetting>,
}

#[derive(Serialize, ToSchema)]
pub struct ConfigSetting {
    pub path: Vec<String>,
    /// As TOML has it.
    pub value: String,
}

/// A text, and every setting in it.
#[derive(Serialize, ToSchema)]
pub struct ConfigSettings {
    pub text: String,
    pub settings: Vec<ConfigSetting>,
}

/// A version with its texts.
#[derive(Serialize, ToSchema)]
pub struct ConfigVersionContent {
    pub version: ConfigVersion,
    /// What it was made from.
    pub base: String,
    pub text: String,
    /// Setting by setting, what it changes.
    pub changes: Vec<ConfigChange>,
}

/// A file on site that was in force before.
#[derive(Serialize, ToSchema)]
pub struct PastConfiguration {
    /// SHA-256 of the text, in hexadecimal digits.
    pub digest: String,
    /// When the gateway told it last.
    #[schema(value_type = String, format = DateTime)]
    pub told_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct PastContent {
    pub text: String,
    /// Setting by setting, what it would change of the configuration in force.
    pub changes: Vec<ConfigChange>,
}

/// The configuration that a gateway runs, as it told it last.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/configuration", tag = "gateways", operation_id = "configuration",
    params(("id" = String, Path)), security(("session" = ["engineer"])),
    responses((status = 200, body = Configuration), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub async fn read(State(ctx): State<Ctx>, Path(id): Path<GatewayId>) -> Result<Json<Configuration>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let ConfigRow { is_open, content, digest, version, told_at, .. } =
        fleet.config(id).await?.ok_or(ConfigError::NotTold)?;
    let online = fleet.can_check(id);
    Ok(Json(Configuration { open: is_open, text: content, digest, version, told_at, online }))
}

/// Has a text checked by the gateway itself, and compared with what it runs. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/configuration/check", tag = "gateways",
    operation_id = "check_configuration", request_body = ConfigText, params(("id" = String, Path)),
    security(("session" = ["engineer"])),
    responses((status = 200, body = ConfigCheck), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn check(
    State(ctx): State<Ctx>,
    Path(id): Path<GatewayId>,
    Json(b): Json<ConfigText>,
) -> Result<Json<ConfigCheck>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let checked = fleet.check_config(id, b.text).await?;
    Ok(Json(ConfigCheck {
        faults: checked.faults.into_iter().map(ConfigFault::from).collect(),
        changes: checked.changes.into_iter().map(ConfigChange::from).collect(),
        lines: checked.lines.into_iter().collect(),
    }))
}

/// Reads a text setting by setting, and changes one of them where that is asked for; what else stands in it stays as it
/// is written. Nothing is stored and no gateway is asked.
#[utoipa::path(post, path = "/api/v1/configuration/settings", tag = "gateways", operation_id = "configuration_settings",
    request_body = ConfigEdit, security(("session" = ["engineer"])),
    responses((status = 200, body = ConfigSettings), (status = 422, body = ProblemBody)))]
pub async fn edit_text(Json(b): Json<ConfigEdit>) -> Result<Json<ConfigSettings>, Problem> {
    check_size(&b.text)?;
    let text = match b.set {
        Some(SetSetting { path, value }) => edit(&b.text, &path, value.as_deref())
            .map_err(|e| Problem::field("/set", "not_possible", e.to_string()))?,
        None => b.text,
    };
    let document = Document::parse("", &text);
    let document = document.map_err(|faults| Problem::field("/text", "no_toml", listing(&faults)))?;
    let shown = |Setting { path, value }| ConfigSetting { path, value };
    let settings = settings(&document).into_iter().map(shown).collect();
    Ok(Json(ConfigSettings { text, settings }))
}

/// Has a gateway run another configuration. It is sent at once, or when the gateway is back; the gateway tries it, and goes
/// back by itself if the hub cannot be reached with it or devices fare worse.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/configuration/versions", tag = "gateways",
    operation_id = "create_configuration_version", request_body = NewConfigVersion, params(("id" = String, Path)),
    security(("session" = ["engineer"])),
    responses((status = 201, body = ConfigVersion), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn create(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<GatewayId>,
    Json(b): Json<NewConfigVersion>,
) -> Result<Response, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let new = NewText { text: b.text, base: b.base, why: b.why, first_line: b.first_line };
    let row = fleet.configure(&actor, id, &new).await?;
    let at = format!("/api/v1/gateways/{id}/configuration/versions/{}", row.version);
    Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(ConfigVersion::from(row))).into_response())
}

/// The versions of a gateway's configuration that came from the hub, the newest first. The last 100 are kept.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/configuration/versions", tag = "gateways",
    operation_id = "list_configuration_versions", params(("id" = String, Path), PageQuery),
    security(("session" = ["engineer"])),
    responses((status = 200, body = Page<ConfigVersion>), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn list(
    State(ctx): State<Ctx>,
    Path(id): Path<GatewayId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ConfigVersion>>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let (limit, before) = (page.limit()?, page.after::<u64>()?);
    let rows = fleet.config_versions(id, before, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |row| row.version).map(ConfigVersion::from)))
}

/// One version with its texts and what it changes.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/configuration/versions/{version}", tag = "gateways",
    operation_id = "configuration_version", params(("id" = String, Path), ("version" = u64, Path)),
    security(("session" = ["engineer"])),
    responses((status = 200, body = ConfigVersionContent), (status = 404, body = ProblemBody)))]
pub async fn one(
    State(ctx): State<Ctx>,
    Path((id, version)): Path<(GatewayId, u64)>,
) -> Result<Json<ConfigVersionContent>, Problem> {
    let found = ctx.part::<Fleet>().config_texts(id, version).await?;
    let (row, base, text) = found.ok_or(ConfigError::NoSuchVersion)?;
    let changes = changes(&base, &text).into_iter().map(ConfigChange::from).collect();
    Ok(Json(ConfigVersionContent { version: row.into(), base, text, changes }))
}

/// Files on site that the gateway, or the one in whose place it is, ran before; the newest 20, the newest first.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/configuration/past", tag = "gateways",
    operation_id = "list_past_configurations", params(("id" = String, Path)), security(("session" = ["engineer"])),
    responses((status = 200, body = Vec<PastConfiguration>), (status = 404, body = ProblemBody)))]
pub async fn past(
    State(ctx): State<Ctx>,
    Path(id): Path<GatewayId>,
) -> Result<Json<Vec<PastConfiguration>>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let rows = fleet.past_configs(id).await?;
    let shown = |PastRow { digest, told_at }| PastConfiguration { digest, told_at };
    Ok(Json(rows.into_iter().map(shown).collect()))
}

/// One of them, with what it would change of the configuration in force.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/configuration/past/{digest}", tag = "gateways",
    operation_id = "past_configuration", params(("id" = String, Path), ("digest" = String, Path)),
    security(("session" = ["engineer"])),
    responses((status = 200, body = PastContent), (status = 404, body = ProblemBody)))]
pub async fn past_one(
    State(ctx): State<Ctx>,
    Path((id, digest)): Path<(GatewayId, String)>,
) -> Result<Json<PastContent>, Problem> {
    let fleet = ctx.part::<Fleet>();
    let text = fleet.past_config(id, &digest).await?.ok_or(ConfigError::NoSuchFile)?;
    let present = fleet.config(id).await?.and_then(|row| row.content).unwrap_or_default();
    let changes = changes(&present, &text).into_iter().map(ConfigChange::from).collect();
    Ok(Json(PastContent { text, changes }))
}

/// Cancels a version that was not sent yet.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/configuration/versions/{version}/cancel", tag = "gateways",
    operation_id = "cancel_configuration_version", params(("id" = String, Path), ("version" = u64, Path)),
    security(("session" = ["engineer"])),
    responses((status = 200, body = ConfigVersion), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub async fn cancel(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path((id, version)): Path<(GatewayId, u64)>,
) -> Result<Json<ConfigVersion>, Problem> {
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    Ok(Json(ctx.part::<Fleet>().cancel_config(&actor, id, version).await?.into()))
}
