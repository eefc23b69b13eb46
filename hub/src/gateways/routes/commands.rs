//! Commands over HTTP.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_shared::id::{CommandId, DeviceId, GatewayId, PointId};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Label as WireLabel;
use utoipa::{IntoParams, ToSchema};

use crate::gateways::acts::Actor;
use crate::gateways::commands::{CommandError, CommandFilter, CommandRow, State as Standing, StepRow, Wish};
use crate::gateways::fleet::Fleet;
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Path, Query};
use crate::kernel::outbox;
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

impl From<CommandError> for Problem {
    fn from(e: CommandError) -> Self {
        let detail = e.to_string();
        match e {
            CommandError::NoSuchCommand => Self::not_found("command"),
            CommandError::NoSuchPoint => Self::field("/point", "unknown", detail),
            CommandError::NotWritable => Self::conflict("not_writable", detail),
            CommandError::NotEnrolled => Self::conflict("not_enrolled", detail),
            CommandError::Field { pointer, code, .. } => Self::field(pointer, code, detail),
            CommandError::WrongState(state) => Self::conflict("wrong_state", detail).with("state", state),
            CommandError::OwnRequest => Self::conflict("own_request", detail),
            CommandError::RequesterMayNot => Self::conflict("requester_may_not", detail),
            CommandError::Signing(e) => Self::internal(&e),
            CommandError::Db(e) => e.into(),
        }
    }
}

/// How far a command has come.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// A second person has to agree.
    AwaitingApproval,
    /// Signed, and not yet known to have arrived.
    Queued,
    /// Kept by the gateway.
    Received,
    Written,
    /// Read back twice, as written.
    Confirmed,
    /// It was written, and the point shows something else.
    NotEffective,
    /// By the gateway, with a reason.
    Refused,
    Expired,
    /// By the second person.
    Rejected,
    /// By a person, before it was sent.
    Cancelled,
    /// What stood before stands again, or somebody else has written since.
    Relinquished,
}

/// The same words on both sides.
macro_rules! both_ways {
    ($($word:ident),*) => {
        impl From<Standing> for CommandState {
            fn from(state: Standing) -> Self {
                match state { $(Standing::$word => Self::$word),* }
            }
        }

        impl From<CommandState> for Standing {
            fn from(state: CommandState) -> Self {
                match state { $(CommandState::$word => Self::$word),* }
            }
        }
    };
}
both_ways!(
    AwaitingApproval,
    Queued,
    Received,
    Written,
    Confirmed,
    NotEffective,
    Refused,
    Expired,
    Rejected,
    Cancelled,
    Relinquished
);

/// A text in both languages.
#[derive(Serialize, ToSchema)]
pub struct CommandNames {
    pub zh: String,
    pub en: String,
}

#[derive(Serialize, ToSchema)]
pub struct CommandLabel {
    pub code: i64,
    pub names: CommandNames,
}

/// The point that a command is for.
#[derive(Serialize, ToSchema)]
pub struct CommandPoint {
    #[schema(value_type = i64)]
    pub id: PointId,
    pub title: CommandNames,
    #[schema(value_type = String)]
    pub device: DeviceId,
    pub device_title: CommandNames,
    /// UCUM code; `1` where there is none.
    pub unit: String,
    pub decimals: i64,
    pub labels: Vec<CommandLabel>,
}

/// A value that somebody wants written into a point.
#[derive(Serialize, ToSchema)]
pub struct Command {
    #[schema(value_type = String)]
    pub id: CommandId,
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    pub point: CommandPoint,
    pub state: CommandState,
    /// Why it was refused or has no effect, or how it was given up: no_such_point, not_writable, not_allowed,
    /// out_of_range, bad_priority, needs_two_persons, needs_time_box, bad_times, clock, before_record, unexpected_value,
    /// held, too_often, cancelled, no_answer, device_refused, ignored, overridden, interrupted, not_stored, restored or
    /// changed_since.
    #[schema(required = true)]
    pub reason: Option<String>,
    pub value: f64,
    /// It is only written while the point shows this.
    #[schema(required = true)]
    pub expected: Option<f64>,
    /// Of BACnet.
    #[schema(required = true)]
    pub priority: Option<u8>,
    pub why: String,
    pub requester: String,
    #[schema(required = true)]
    pub approver: Option<String>,
    pub two_persons: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// It is not written after this.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Then what stood there before comes back.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub relinquish_at: Option<Timestamp>,
    /// What the point showed before it was written.
    #[schema(required = true)]
    pub before: Option<f64>,
    /// What it showed when it was read back last.
    #[schema(required = true)]
    pub now: Option<f64>,
    /// It went out to its gateway: from then on only the gateway can end it.
    pub sent: bool,
    /// The gateway is told to give it up.
    pub given_up: bool,
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

fn names(zh: String, en: String) -> CommandNames {
    CommandNames { zh, en }
}

impl From<CommandRow> for Command {
    fn from(row: CommandRow) -> Self {
        let labels: Vec<WireLabel> = serde_json::from_str(&row.labels).unwrap_or_default();
        let label = |l: WireLabel| CommandLabel { code: l.code, names: names(l.names.zh, l.names.en) };
        Self {
            id: row.id,
            gateway: row.gateway,
            point: CommandPoint {
                id: row.point,
                title: names(row.point_title_zh, row.point_title_en),
                device: row.device,
                device_title: names(row.device_title_zh, row.device_title_en),
                unit: row.unit,
                decimals: row.decimals,
                labels: labels.into_iter().map(label).collect(),
            },
            state: row.state.into(),
            reason: row.reason,
            value: row.value,
            expected: row.expected,
            priority: row.priority,
            why: row.why,
            requester: row.requester_login,
            approver: row.approver_login,
            two_persons: row.two_persons,
            created_at: row.created_at,
            not_after: row.not_after,
            relinquish_at: row.relinquish_at,
            before: row.shown_before,
            now: row.shown_now,
            sent: row.sent,
            given_up: row.is_given_up,
            changed_at: row.changed_at,
        }
    }
}

/// One step of a command's story.
#[derive(Serialize, ToSchema)]
pub struct CommandStep {
    /// By the clock of whoever did it.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// requested, queued, sent, give_up, rejected, cancelled, expired; of the gateway: received, refused, expired, written,
    /// confirmed, not_effective, relinquished, not_relinquished.
    #[schema(example = "written")]
    pub what: String,
    /// A person's name; empty for the hub and the gateway.
    pub who: String,
    /// As far as it has them: {why, value, was, reason, before, now, slots: the priority array of BACnet, detail}.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub facts: serde_json::Value,
}

impl From<StepRow> for CommandStep {
    fn from(step: StepRow) -> Self {
        let facts = serde_json::from_str(&step.facts).unwrap_or_default();
        let StepRow { at, received_at, what, who, .. } = step;
        Self { at, received_at, what, who, facts }
    }
}

/// A command with its story, the oldest step first.
#[derive(Serialize, ToSchema)]
pub struct CommandStory {
    pub command: Command,
    pub steps: Vec<CommandStep>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    #[schema(value_type = i64)]
    pub point: PointId,
    /// A flag is 0 or 1, an enumeration its code.
    pub value: f64,
    /// The work order, or a reason in words; 1 to 500 bytes.
    #[schema(example = "WO-2026-0417: too warm in room 1203")]
    pub why: String,
    /// It is only written while the point shows this, as far as its digits tell.
    pub expected: Option<f64>,
    /// Of BACnet, 7 to 16; 8 unless the gateway's file says another.
    pub priority: Option<u8>,
    /// 30 seconds to a day; ten minutes unless said. It is not written after that.
    pub valid_for_s: Option<u32>,
    /// Then what stood there before comes back: within a month. Some points want it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub relinquish_at: Option<Timestamp>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandWhy {
    /// 1 to 500 bytes.
    pub why: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CommandQuery {
    #[param(value_type = Option<String>)]
    gateway: Option<GatewayId>,
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    #[param(value_type = Option<i64>)]
    point: Option<i64>,
    state: Option<CommandState>,
    /// How many at most; 50 unless said, 500 at most.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// The commands, the newest first.
#[utoipa::path(get, path = "/api/v1/commands", tag = "commands", operation_id = "list_commands", params(CommandQuery),
    security(("session" = ["viewer"])), responses((status = 200, body = Page<Command>), (status = 422, body = ProblemBody)))]
pub async fn list(
    State(ctx): State<Ctx>,
    Query(q): Query<CommandQuery>,
) -> Result<Json<Page<Command>>, Problem> {
    let page = PageQuery { limit: q.limit, after: q.after };
    let (limit, before) = (page.limit()?, page.after::<String>()?);
    let filter = CommandFilter {
        gateway: q.gateway,
        device: q.device,
        point: q.point.map(PointId),
        state: q.state.map(Standing::from),
    };
    let rows = ctx.part::<Fleet>().commands(&filter, before, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |c| c.id.to_string()).map(Command::from)))
}

/// One command with its story.
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands", operation_id = "command",
    params(("id" = String, Path)), security(("session" = ["viewer"])),
    responses((status = 200, body = CommandStory), (status = 404, body = ProblemBody)))]
pub async fn read(State(ctx): State<Ctx>, Path(id): Path<CommandId>) -> Result<Json<CommandStory>, Problem> {
    let (row, steps) =
        ctx.part::<Fleet>().command_story(id).await?.ok_or_else(|| Problem::not_found("command"))?;
    let steps = steps.into_iter().map(CommandStep::from).collect();
    Ok(Json(CommandStory { command: row.into(), steps }))
}

/// Has a value written into a point. It needs the permission to command devices. Where two persons are needed it waits for
/// the second; else it goes out to the gateway at once, or when the gateway is back, if that is in time.
#[utoipa::path(post, path = "/api/v1/commands", tag = "commands", operation_id = "create_command",
    request_body = NewCommand, security(("session" = ["commands"])),
    responses((status = 201, body = Command), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn create(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Json(b): Json<NewCommand>,
) -> Result<Response, Problem> {
    let wish = Wish {
        point: b.point,
        value: b.value,
        why: b.why,
        expected: b.expected,
        priority: b.priority,
        valid: b.valid_for_s.map(|s| Duration::from_secs(s.into())),
        relinquish_at: b.relinquish_at,
    };
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let row = ctx.part::<Fleet>().command(&actor, &wish).await?;
    ctx.jobs.nudge(outbox::JOB);
    let location = [(header::LOCATION, format!("/api/v1/commands/{}", row.id))];
    Ok((StatusCode::CREATED, location, Json(Command::from(row))).into_response())
}

/// The second person agrees. Who asked for it cannot.
#[utoipa::path(post, path = "/api/v1/commands/{id}/approve", tag = "commands", operation_id = "approve_command",
    params(("id" = String, Path)), security(("session" = ["commands"])),
    responses((status = 200, body = Command), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub async fn approve(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CommandId>,
) -> Result<Json<Command>, Problem> {
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let row = ctx.part::<Fleet>().approve(&actor, id).await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(Json(row.into()))
}

/// The second person, or whoever asked for it, says no.
#[utoipa::path(post, path = "/api/v1/commands/{id}/reject", tag = "commands", operation_id = "reject_command",
    request_body = CommandWhy, params(("id" = String, Path)), security(("session" = ["commands"])),
    responses((status = 200, body = Command), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn reject(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CommandId>,
    Json(b): Json<CommandWhy>,
) -> Result<Json<Command>, Problem> {
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let row = ctx.part::<Fleet>().reject(&actor, id, &b.why).await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(Json(row.into()))
}

/// Before it was sent it is cancelled. After that the gateway gives up what it has written: of BACnet the slot, of Modbus
/// the value of before comes back, unless somebody else has written since.
#[utoipa::path(post, path = "/api/v1/commands/{id}/cancel", tag = "commands", operation_id = "cancel_command",
    request_body = CommandWhy, params(("id" = String, Path)), security(("session" = ["commands"])),
    responses((status = 200, body = Command), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn cancel(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CommandId>,
    Json(b): Json<CommandWhy>,
) -> Result<Json<Command>, Problem> {
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let row = ctx.part::<Fleet>().cancel(&actor, id, &b.why).await?;
    ctx.jobs.nudge(outbox::JOB);
    Ok(Json(row.into()))
}
