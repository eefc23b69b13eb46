use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use steward_shared::id::{RandomIds, SessionId, UserId};
use steward_shared::time::{ManualClock, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt;

use super::{Key, forget_old};
use crate::kernel::audit::{Entry, record_alone};
use crate::kernel::caller::{Caller, Gate, Recognise, Role};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::Db;
use crate::kernel::db::testing::on_each_database;
use crate::kernel::problem::Problem;
use crate::kernel::settings::Settings;
use crate::kernel::{base, http};
use crate::params;
use crate::testing::eventually;

/// What the test tells the acts, and hears from them.
struct Stage {
    acts: AtomicU32,
    committed: Notify,
    go: Semaphore,
}

struct Anybody(UserId);

impl Recognise for Anybody {
    fn who<'a>(&'a self, _: &'a str, _: bool) -> BoxFuture<'a, Result<Option<Caller>, Problem>> {
        let session = SessionId::new(&RandomIds);
        let caller = Caller { user: self.0, login: "li".into(), role: Role::Admin, commands: false, session };
        Box::pin(async move { Ok(Some(caller)) })
    }
}

/// Commits, and answers when the test lets it.
async fn slow(State(ctx): State<Ctx>) -> Response {
    let stage = ctx.part::<Stage>();
    record_alone(&ctx.db, ctx.now(), Entry::by_system("test.act")).await.unwrap();
    let no = stage.acts.fetch_add(1, Ordering::SeqCst);
    stage.committed.notify_one();
    stage.go.acquire().await.unwrap().forget();
    (StatusCode::CREATED, [(header::LOCATION, format!("/things/{no}"))], format!("act {no}")).into_response()
}

async fn secret(State(ctx): State<Ctx>) -> Response {
    ctx.part::<Stage>().acts.fetch_add(1, Ordering::SeqCst);
    ([(header::CACHE_CONTROL, "no-store")], "canary").into_response()
}

/// Goes wrong twice, in two ways.
async fn flaky(State(ctx): State<Ctx>) -> Result<&'static str, Problem> {
    match ctx.part::<Stage>().acts.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Problem::unavailable("busy", 1, "not now")),
        1 => panic!("not at all"),
        _ => Ok("done"),
    }
}

struct Site {
    ctx: Ctx,
    clock: Arc<ManualClock>,
    stage: Arc<Stage>,
    router: Router,
    _dir: tempfile::TempDir,
}

async fn site(db: Db) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    let ctx = Ctx::new(db, clock.clone(), Arc::new(RandomIds), Settings::default());
    let stage = Arc::new(Stage { acts: AtomicU32::new(0), committed: Notify::new(), go: Semaphore::new(0) });
    ctx.put(Arc::clone(&stage));
    ctx.put(Arc::new(Gate(Box::new(Anybody(UserId::new(&RandomIds))))));
    ctx.put(Arc::new(Key::open(dir.path()).await.unwrap()));
    let policy = json!({"post": {"security": [{"session": ["admin"]}]}});
    let document = json!({"paths": {"/slow": policy, "/secret": policy, "/flaky": policy}});
    let all =
        Router::new().route("/slow", post(slow)).route("/secret", post(secret)).route("/flaky", post(flaky));
    let router = http::dress(all, &document, &ctx);
    Site { ctx, clock, stage, router, _dir: dir }
}

impl Site {
    fn acts(&self) -> u32 {
        self.stage.acts.load(Ordering::SeqCst)
    }

    /// Status, the code of a problem, `Location` and the body.
    fn ask(
        &self,
        path: &str,
        body: &str,
    ) -> impl Future<Output = (StatusCode, String, String, String)> + use<> {
        let request = Request::post(path)
            .header(header::COOKIE, "steward_session=t")
            .header("idempotency-key", "k")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let router = self.router.clone();
        async move {
            let answer = router.oneshot(request).await.unwrap();
            let (parts, body) = answer.into_parts();
            let text = axum::body::to_bytes(body, 100_000).await.unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            let kind = serde_json::from_str::<Value>(&text).unwrap_or_default()["type"].clone();
            let problem = kind.as_str().and_then(|k| k.rsplit('/').next()).unwrap_or_default().to_owned();
            let location = parts.headers.get(header::LOCATION).and_then(|v| v.to_str().ok());
            (parts.status, problem, location.unwrap_or_default().to_owned(), text)
        }
    }
}

#[tokio::test]
async fn an_act_goes_on_when_its_caller_has_gone_and_a_repeat_finds_its_answer() {
    on_each_database(&[base::TABLES], async |db| {
        let site = site(db).await;
        let first = tokio::spawn(site.ask("/slow", "{}"));
        site.stage.committed.notified().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(site.ask("/slow", "{}").await.1, "in_progress");
        site.stage.go.add_permits(1);
        site.ctx.under_way.close();
        site.ctx.under_way.wait().await;
        let repeat = site.ask("/slow", "{}").await;
        assert_eq!(repeat, (StatusCode::CREATED, String::new(), "/things/0".into(), "act 0".into()));
        assert_eq!(site.acts(), 1);
        assert_eq!(site.ask("/slow", "{\"other\": 1}").await.1, "key_reused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_equal_requests_at_once_one_acts() {
    on_each_database(&[base::TABLES], async |db| {
        let site = site(db).await;
        let both = [tokio::spawn(site.ask("/slow", "{}")), tokio::spawn(site.ask("/slow", "{}"))];
        eventually("the one that is told to wait", async || {
            both.iter().any(tokio::task::JoinHandle::is_finished)
        })
        .await;
        site.stage.go.add_permits(2);
        let mut said = Vec::new();
        for one in both {
            let (status, problem, ..) = one.await.unwrap();
            said.push((status, problem));
        }
        said.sort();
        assert_eq!(
            said,
            [(StatusCode::CREATED, String::new()), (StatusCode::CONFLICT, "in_progress".into())]
        );
        assert_eq!(site.acts(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_free_again_after_a_fault_and_when_its_hub_died() {
    on_each_database(&[base::TABLES], async |db| {
        let site = site(db).await;
        assert_eq!(site.ask("/flaky", "{}").await.1, "busy");
        assert_eq!(site.ask("/flaky", "{}").await.1, "internal");
        assert_eq!(site.ask("/flaky", "{}").await.3, "done");
        assert_eq!(site.ask("/flaky", "{}").await.3, "done");
        assert_eq!(site.acts(), 3);

        // A hub that died left its key open.
        site.ctx.db.execute("update idempotency set status = null, body = null", params![]).await.unwrap();
        assert_eq!(site.ask("/flaky", "{}").await.1, "in_progress");
        site.clock.advance(Duration::from_mins(2));
        assert_eq!(site.ask("/flaky", "{}").await.3, "done");
        assert_eq!(site.acts(), 4);
    })
    .await;
}

#[tokio::test]
async fn an_answer_with_a_secret_is_shown_once_and_kept_nowhere() {
    on_each_database(&[base::TABLES], async |db| {
        let site = site(db).await;
        assert_eq!(site.ask("/secret", "{}").await.3, "canary");
        let repeat = site.ask("/secret", "{}").await;
        assert_eq!((repeat.0, repeat.1.as_str(), site.acts()), (StatusCode::CONFLICT, "shown_once", 1));
        let kept: Option<i64> =
            site.ctx.db.one("select count(*) from idempotency where body is null", params![]).await.unwrap();
        assert_eq!(kept, Some(1));
    })
    .await;
}

#[tokio::test]
async fn a_request_is_kept_as_a_hash_that_nobody_can_guess_without_the_key() {
    on_each_database(&[base::TABLES], async |db| {
        let mut hashes = Vec::new();
        for _ in 0..2 {
            let site = site(db.clone()).await;
            site.ask("/secret", "{\"password\": \"hunter2\"}").await;
            hashes
                .extend(db.query::<String>("select request_hash from idempotency", params![]).await.unwrap());
            db.execute("delete from idempotency", params![]).await.unwrap();
        }
        assert_eq!(hashes.len(), 2);
        assert_ne!(hashes[0], hashes[1], "each data folder has a key of its own");
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_a_day_is_forgotten() {
    on_each_database(&[base::TABLES], async |db| {
        let site = site(db.clone()).await;
        site.ask("/secret", "{}").await;
        let count = async || db.one::<i64>("select count(*) from idempotency", params![]).await.unwrap();
        site.clock.advance(Duration::from_hours(24) - Duration::from_millis(1));
        forget_old(&site.ctx).await.unwrap();
        assert_eq!(count().await, Some(1));
        site.clock.advance(Duration::from_millis(1));
        forget_old(&site.ctx).await.unwrap();
        assert_eq!(count().await, Some(0));
    })
    .await;
}
