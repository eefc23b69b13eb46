//! /api/v1/setup, /session, /users.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_shared::id::UserId;
use steward_shared::time::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::AccountError;
use super::model::{self, Refusal, login_key};
use super::sessions::{self, Opened};
use super::{log_in, manage, set_up, store};
use crate::kernel::caller::{Caller, Origin, Role, SESSION_COOKIE};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::Migration;
use crate::kernel::http::{IfMatch, Json, Path, Query, token_of};
use crate::kernel::jobs::Job;
use crate::kernel::module::Module;
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "accounts", sql: include_str!("migrations/0001_accounts.sql") },
    Migration { number: 2, name: "commands", sql: include_str!("migrations/0002_commands.sql") },
];

pub fn module() -> Module {
    Module {
        name: "accounts",
        migrations: MIGRATIONS,
        routes: OpenApiRouter::new()
            .routes(routes!(setup_state, set_up_first))
            .routes(routes!(open_session, own_session, close_session))
            .routes(routes!(change_own_password))
            .routes(routes!(close_all_sessions))
            .routes(routes!(list_users, create_user))
            .routes(routes!(change_user))
            .routes(routes!(end_user_sessions)),
        jobs: vec![Job {
            name: "accounts.sessions",
            every: Duration::from_mins(10),
            run: |ctx| Box::pin(async move { Ok(sessions::forget_old(&ctx).await?) }),
        }],
        setup: Some(|ctx| {
            Box::pin(async move {
                ctx.put(Arc::new(sessions::gate(&ctx)));
                Ok(())
            })
        }),
        ..Module::default()
    }
}

impl From<AccountError> for Problem {
    fn from(e: AccountError) -> Self {
        let detail = e.to_string();
        match e {
            AccountError::Database(e) => e.into(),
            AccountError::Refused(refusal) => match refusal {
                Refusal::WrongPassword => Self::new(StatusCode::UNAUTHORIZED, "wrong_password", detail),
                Refusal::Locked(seconds) => Self::too_many("locked", seconds, detail),
                Refusal::AlreadySetUp => Self::conflict("already_set_up", detail),
                Refusal::NameTaken => Self::conflict("name_taken", detail),
                Refusal::LastAdmin => Self::conflict("last_admin", detail),
                Refusal::Field { pointer, code, detail } => {
                    Self::field(pointer, code, detail).with("min", model::PASSWORD_MIN)
                }
                Refusal::Stale => Self::stale(),
                Refusal::NoSuchUser => Self::not_found("user"),
                Refusal::Busy => Self::unavailable("busy", 5, detail),
            },
        }
    }
}

/// A user as the API shows it.
#[allow(clippy::struct_field_names, reason = "`user` is the API's word for what they log in with")]
#[derive(Clone, Serialize, ToSchema)]
pub struct User {
    #[schema(value_type = String)]
    pub id: UserId,
    /// What they log in with.
    pub user: String,
    pub name: String,
    pub role: Role,
    /// `zh` or `en`.
    pub locale: String,
    pub disabled: bool,
    /// May command devices.
    pub commands: bool,
    pub version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<model::User> for User {
    fn from(u: model::User) -> Self {
        Self {
            id: u.id,
            user: u.user,
            name: u.name,
            role: u.role,
            locale: u.locale,
            disabled: u.disabled,
            commands: u.commands,
            version: u.version,
            created_at: u.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Session {
    pub user: User,
    /// When it is over at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct SetupState {
    /// True while there is no user: the first one to come becomes the administrator.
    pub needed: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub user: String,
    pub name: String,
    pub password: String,
    /// `zh` or `en`; `zh` unless said.
    pub locale: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    pub user: String,
    pub password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub current: String,
    pub new: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub user: String,
    pub name: String,
    pub role: Role,
    /// May command devices; not unless said.
    pub commands: Option<bool>,
    pub password: String,
    /// `zh` or `en`; `zh` unless said.
    pub locale: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    pub name: Option<String>,
    pub role: Option<Role>,
    pub locale: Option<String>,
    pub disabled: Option<bool>,
    /// May command devices.
    pub commands: Option<bool>,
    pub password: Option<String>,
}

/// Whether the hub still waits for its first administrator.
#[utoipa::path(get, path = "/api/v1/setup", tag = "accounts", operation_id = "setup_state", security(()),
    responses((status = 200, body = SetupState)))]
async fn setup_state(State(ctx): State<Ctx>) -> Result<Json<SetupState>, Problem> {
    Ok(Json(SetupState { needed: set_up::is_needed(&ctx).await? }))
}

/// Makes the first administrator and logs them in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "accounts", operation_id = "set_up", security(()), request_body = Setup,
    responses((status = 201, body = Session), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn set_up_first(
    State(ctx): State<Ctx>,
    origin: Origin,
    Json(b): Json<Setup>,
) -> Result<Response, Problem> {
    let first =
        set_up::FirstAdmin { user: b.user, name: b.name, password: b.password, locale: or_zh(b.locale) };
    Ok(logged_in(&ctx, set_up::set_up(&ctx, &origin, first).await?))
}

/// Logs in: the answer carries the session's cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "accounts", operation_id = "log_in", security(()), request_body = LogIn,
    responses((status = 201, body = Session), (status = 401, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn open_session(
    State(ctx): State<Ctx>,
    origin: Origin,
    headers: HeaderMap,
    Json(b): Json<LogIn>,
) -> Result<Response, Problem> {
    Ok(logged_in(&ctx, log_in::log_in(&ctx, &origin, &b.user, b.password, token_of(&headers)).await?))
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/v1/session", tag = "accounts", operation_id = "session", security(("session" = ["viewer"])),
    responses((status = 200, body = Session), (status = 401, body = ProblemBody)))]
async fn own_session(
    State(ctx): State<Ctx>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<Session>, Problem> {
    let user = store::user_of_session(&ctx.db, caller.session).await?.ok_or_else(Problem::unauthorized)?;
    let token_hash = sessions::hash(&token_of(&headers).unwrap_or_default());
    let session = store::open_session(&ctx.db, &token_hash).await?.ok_or_else(Problem::unauthorized)?;
    Ok(Json(Session { user: user.into(), expires_at: session.ends_at }))
}

/// Logs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "accounts", operation_id = "log_out", security(("session" = ["viewer"])),
    responses((status = 204)))]
async fn close_session(State(ctx): State<Ctx>, caller: Caller, origin: Origin) -> Result<Response, Problem> {
    log_in::log_out(&ctx, &caller, &origin).await?;
    Ok(logged_out(&ctx))
}

/// Logs out everywhere: all sessions of the caller are over.
#[utoipa::path(post, path = "/api/v1/session/end-all", tag = "accounts", operation_id = "log_out_everywhere",
    security(("session" = ["viewer"])), responses((status = 204)))]
async fn close_all_sessions(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
) -> Result<Response, Problem> {
    log_in::log_out_everywhere(&ctx, &caller, &origin).await?;
    Ok(logged_out(&ctx))
}

/// Gives the caller a new password; their other sessions are over.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "accounts", operation_id = "change_own_password",
    security(("session" = ["viewer"])), request_body = NewPassword,
    responses((status = 204), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn change_own_password(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Json(b): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    log_in::change_password(&ctx, &caller, &origin, b.current, b.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The users, by the name that they log in with.
#[utoipa::path(get, path = "/api/v1/users", tag = "accounts", operation_id = "list_users", params(PageQuery),
    security(("session" = ["admin"])), responses((status = 200, body = Page<User>)))]
async fn list_users(
    State(ctx): State<Ctx>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<User>>, Problem> {
    let (limit, after) = (page.limit()?, page.after::<String>()?.unwrap_or_default());
    let users = store::users_after(&ctx.db, &after, limit + 1).await?;
    Ok(Json(Page::of(users, limit, |u| login_key(&u.user)).map(User::from)))
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "accounts", operation_id = "create_user", request_body = NewUser,
    security(("session" = ["admin"])),
    responses((status = 201, body = User), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create_user(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Json(b): Json<NewUser>,
) -> Result<Response, Problem> {
    let new = manage::NewUser {
        user: b.user,
        name: b.name,
        role: b.role,
        commands: b.commands.unwrap_or_default(),
        password: b.password,
        locale: or_zh(b.locale),
    };
    let user = manage::create(&ctx, &caller, &origin, new).await?;
    let location = format!("/api/v1/users/{}", user.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(User::from(user))).into_response())
}

/// Changes a user. `If-Match` carries the version that was seen.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "accounts", operation_id = "change_user", request_body = UserChange,
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["admin"])),
    responses((status = 200, body = User), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change_user(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<UserId>,
    IfMatch(seen): IfMatch,
    Json(b): Json<UserChange>,
) -> Result<Json<User>, Problem> {
    let change = manage::Change {
        name: b.name,
        role: b.role,
        locale: b.locale,
        disabled: b.disabled,
        commands: b.commands,
        password: b.password,
    };
    Ok(Json(manage::change(&ctx, &caller, &origin, id, seen, change).await?.into()))
}

/// Ends all sessions of a user.
#[utoipa::path(post, path = "/api/v1/users/{id}/end-sessions", tag = "accounts", operation_id = "end_user_sessions",
    params(("id" = String, Path)), security(("session" = ["admin"])),
    responses((status = 204), (status = 404, body = ProblemBody)))]
async fn end_user_sessions(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    manage::end_sessions(&ctx, &caller, &origin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn or_zh(locale: Option<String>) -> String {
    locale.unwrap_or_else(|| "zh".to_owned())
}

fn logged_in(ctx: &Ctx, opened: Opened) -> Response {
    let cookie = cookie(ctx, &opened.token, ctx.settings.session_absolute.as_secs());
    let session = Session { user: opened.user.into(), expires_at: opened.expires_at };
    // Nobody keeps an answer with a cookie, the idempotency layer no more than a proxy.
    let headers =
        [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::CREATED, headers, Json(session)).into_response()
}

fn logged_out(ctx: &Ctx) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie(ctx, "", 0))]).into_response()
}

/// Not readable by scripts, not sent along with requests from elsewhere.
fn cookie(ctx: &Ctx, token: &str, seconds: u64) -> HeaderValue {
    let secure = if ctx.settings.cookie_secure { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("a token is letters and digits")
}
