//! What a module hands to `modules.rs`: its tables, its routes, its work. The kernel knows modules only so.

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use super::ctx::Ctx;
use super::db::Migration;
use super::files::Named;
use super::jobs::Job;
use super::outbox::Listener;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What long work gives back.
pub type Working = BoxFuture<'static, Result<(), BoxError>>;

pub type Setup = fn(Ctx) -> Working;

/// One module of the hub.
#[derive(Default)]
pub struct Module {
    pub name: &'static str,
    pub migrations: &'static [Migration],
    /// Every operation carries `security(("session" = ["viewer"|"engineer"|"admin"]))`, or `security(())` when
    /// it is public. One without is refused to everybody.
    pub routes: OpenApiRouter<Ctx>,
    pub jobs: Vec<Job>,
    /// What it wants to hear from lower modules.
    pub listeners: Vec<Listener>,
    /// The uploaded files that its rows name; others are removed.
    pub files: Option<Named>,
    /// Runs once after the migrations, in the order of THE LIST: makes what the module holds in memory and puts
    /// it into the context with `Ctx::put`.
    pub setup: Option<Setup>,
    pub tasks: Vec<Task>,
}

/// Work that runs as long as the program, such as a listener. It ends soon after the token is cancelled.
pub struct Task {
    pub name: &'static str,
    pub run: fn(Ctx, CancellationToken) -> Working,
}
