use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use axum::routing::get;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use steward_shared::id::{RandomIds, SessionId, UserId};
use steward_shared::time::{ManualClock, Timestamp};
use tower::ServiceExt;

use super::caller::{Caller, Gate, Recognise, Role};
use super::ctx::Ctx;
use super::db::testing::on_each_database;
use super::db::{Db, DbError};
use super::jobs::{self, Job};
use super::outbox::{self, Listener, Listeners};
use super::problem::Problem;
use super::settings::Settings;
use super::{base, http};
use crate::params;
use crate::testing::eventually;

fn context(db: Db) -> (Ctx, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    (Ctx::new(db, clock.clone(), Arc::new(RandomIds), Settings::default()), clock)
}

struct Runs(AtomicU32);

fn count(ctx: Ctx) -> BoxFuture<'static, Result<(), super::module::BoxError>> {
    Box::pin(async move {
        ctx.part::<Runs>().0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
}

#[tokio::test]
async fn a_job_is_not_run_while_another_hub_holds_it() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, clock) = context(db.clone());
        ctx.put(Arc::new(Runs(AtomicU32::new(0))));
        let runs = ctx.part::<Runs>();
        // Another hub took the job and died with it.
        db.execute(
            "insert into job (name, holder, until, last_start) values ('test.count', 'other', $1, 0)",
            params![ctx.now().plus(Duration::from_mins(2))],
        )
        .await
        .unwrap();
        let job = Job { name: "test.count", every: Duration::from_hours(1), run: count };
        assert!(!jobs::run_leased(&ctx, &job, "this").await.unwrap());
        assert_eq!(runs.0.load(Ordering::SeqCst), 0);
        clock.advance(Duration::from_mins(3));
        assert!(jobs::run_leased(&ctx, &job, "this").await.unwrap());
        assert_eq!(runs.0.load(Ordering::SeqCst), 1);
        let left: Option<(String, i64)> = db.one("select holder, until from job", params![]).await.unwrap();
        assert_eq!(left, Some(("this".to_owned(), 0)));
    })
    .await;
}

#[tokio::test]
async fn a_job_runs_at_the_start_and_by_nudge() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, _) = context(db);
        ctx.put(Arc::new(Runs(AtomicU32::new(0))));
        let runs = ctx.part::<Runs>();
        let job = Job { name: "test.count", every: Duration::from_hours(1), run: count };
        let running = tokio::spawn(jobs::keep_running(ctx.clone(), job));
        eventually("the first run", async || runs.0.load(Ordering::SeqCst) == 1).await;
        ctx.jobs.nudge("test.count");
        eventually("the run that was asked for", async || runs.0.load(Ordering::SeqCst) == 2).await;
        ctx.stopping.cancel();
        running.await.unwrap();
    })
    .await;
}

/// Panics once, and works from then on.
fn panic_once(ctx: Ctx) -> BoxFuture<'static, Result<(), super::module::BoxError>> {
    Box::pin(async move {
        assert!(ctx.part::<Runs>().0.fetch_add(1, Ordering::SeqCst) > 0, "the first run goes wrong");
        Ok(())
    })
}

#[tokio::test]
async fn a_job_that_panics_has_failed_and_is_run_again() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, _) = context(db.clone());
        ctx.put(Arc::new(Runs(AtomicU32::new(0))));
        let job = Job { name: "test.panic", every: Duration::from_millis(1), run: panic_once };
        let failed = jobs::run_leased(&ctx, &job, "this").await.unwrap_err();
        assert_eq!(failed.to_string(), "it panicked: the first run goes wrong");
        let kept: Option<(i64, String)> =
            db.one("select until, last_error from job", params![]).await.unwrap();
        assert_eq!(kept, Some((0, failed.to_string())));
        ctx.part::<Runs>().0.store(0, Ordering::SeqCst);
        let running = tokio::spawn(jobs::keep_running(ctx.clone(), job));
        eventually("the run after the panic", async || ctx.part::<Runs>().0.load(Ordering::SeqCst) >= 2)
            .await;
        ctx.stopping.cancel();
        running.await.unwrap();
    })
    .await;
}

/// Writes, and then never comes to its end.
fn hang_in_a_transaction(ctx: Ctx) -> BoxFuture<'static, Result<(), super::module::BoxError>> {
    Box::pin(async move {
        let runs = ctx.part::<Runs>();
        let done: Result<(), DbError> = ctx
            .db
            .tx(async |tx| {
                tx.execute("update job set last_error = 'begun'", params![]).await?;
                runs.0.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            })
            .await;
        Ok(done?)
    })
}

#[tokio::test]
async fn a_job_that_is_stopped_in_a_transaction_does_not_hold_up_the_end() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, _) = context(db.clone());
        ctx.put(Arc::new(Runs(AtomicU32::new(0))));
        let runs = ctx.part::<Runs>();
        let job = Job { name: "test.hang", every: Duration::from_hours(1), run: hang_in_a_transaction };
        let running = tokio::spawn(jobs::keep_running(ctx.clone(), job));
        eventually("the transaction", async || runs.0.load(Ordering::SeqCst) == 1).await;
        ctx.stopping.cancel();
        tokio::time::timeout(Duration::from_secs(10), running).await.expect("the job ends").unwrap();
        let (until, error): (i64, Option<String>) =
            db.one("select until, last_error from job", params![]).await.unwrap().unwrap();
        assert_eq!((until, error), (0, None));
    })
    .await;
}

struct Heard(AtomicU32);

#[tokio::test]
async fn an_event_that_a_listener_cannot_take_waits_and_keeps_its_place() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, _) = context(db.clone());
        ctx.put(Arc::new(Heard(AtomicU32::new(0))));
        ctx.put(Arc::new(Listeners(vec![Listener {
            topic: "test.happened",
            hear: |ctx, body| {
                Box::pin(async move {
                    let n = ctx.part::<Heard>().0.fetch_add(1, Ordering::SeqCst);
                    // The first try of the first event fails.
                    assert!(body.contains("no"), "{body}");
                    if n == 0 { Err("not now".into()) } else { Ok(()) }
                })
            },
        }])));
        let put = async |n: i64| {
            let done: Result<(), DbError> = db
                .tx(async |tx| outbox::put(&tx, Timestamp(n), "test.happened", &json!({"no": n})).await)
                .await;
            done.unwrap();
        };
        put(1).await;
        put(2).await;
        let waiting = async || -> i64 {
            db.one("select count(*) from outbox", params![]).await.unwrap().unwrap_or_default()
        };
        outbox::tell(&ctx).await.unwrap();
        assert_eq!((ctx.part::<Heard>().0.load(Ordering::SeqCst), waiting().await), (1, 2));
        outbox::tell(&ctx).await.unwrap();
        assert_eq!((ctx.part::<Heard>().0.load(Ordering::SeqCst), waiting().await), (3, 0));
    })
    .await;
}

#[tokio::test]
async fn an_event_that_can_never_be_told_does_not_hold_up_the_others_for_ever() {
    on_each_database(&[base::TABLES], async |db| {
        let (ctx, clock) = context(db.clone());
        ctx.put(Arc::new(Heard(AtomicU32::new(0))));
        ctx.put(Arc::new(Listeners(vec![Listener {
            topic: "test.happened",
            hear: |ctx, body| {
                Box::pin(async move {
                    if body.contains("bad") {
                        return Err("never".into());
                    }
                    ctx.part::<Heard>().0.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
            },
        }])));
        for body in ["bad", "good"] {
            let done: Result<(), DbError> =
                db.tx(async |tx| outbox::put(&tx, ctx.now(), "test.happened", &json!(body)).await).await;
            done.unwrap();
        }
        let heard = || ctx.part::<Heard>().0.load(Ordering::SeqCst);
        // Many tries in a short time are no reason yet: what is missing may come back.
        for _ in 0..20 {
            outbox::tell(&ctx).await.unwrap();
        }
        assert_eq!(heard(), 0);
        clock.advance(Duration::from_mins(10));
        outbox::tell(&ctx).await.unwrap();
        assert_eq!(heard(), 1);
        // It is kept, and tried again when the hub starts.
        let waiting = async || db.one::<String>("select body from outbox", params![]).await.unwrap();
        assert_eq!(waiting().await.as_deref(), Some("\"bad\""));
        outbox::try_all_again(&db).await.unwrap();
        db.execute("update outbox set body = 'mended'", params![]).await.unwrap();
        outbox::tell(&ctx).await.unwrap();
        assert_eq!((heard(), waiting().await), (2, None));
    })
    .await;
}

/// A gate with one session, which can be closed.
struct OneSession(Arc<AtomicU32>);

impl Recognise for OneSession {
    fn who<'a>(&'a self, token: &'a str, _: bool) -> BoxFuture<'a, Result<Option<Caller>, Problem>> {
        let is_open = self.0.load(Ordering::SeqCst) == 1 && token == "t";
        let session: SessionId = "01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e".parse().unwrap();
        let caller = move || Caller {
            user: UserId::new(&RandomIds),
            login: "li".into(),
            role: Role::Viewer,
            commands: false,
            session,
        };
        Box::pin(async move { Ok(is_open.then(caller)) })
    }
}

/// A router whose `/live` never ends, and a request for it in the one session.
fn live(ctx: &Ctx, open: &Arc<AtomicU32>) -> (Router, impl Fn() -> axum::http::Request<Body> + use<>) {
    ctx.put(Arc::new(Gate(Box::new(OneSession(Arc::clone(open))))));
    let endless = get(|| async {
        let beats = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("data: beat\n\n"), ()))
        });
        Response::builder()
            .header(header::CONTENT_TYPE, "text/event-stream")
            .body(Body::from_stream(beats))
            .unwrap()
    });
    let document = json!({"paths": {"/live": {"get": {"security": [{"session": ["viewer"]}]}}}});
    let router = http::dress(Router::new().route("/live", endless), &document, ctx);
    let ask = || {
        let request = axum::http::Request::get("/live").header(header::COOKIE, "steward_session=t");
        request.body(Body::empty()).unwrap()
    };
    (router, ask)
}

#[tokio::test(start_paused = true)]
async fn control_11_a_stream_of_events_ends_within_seconds_of_its_session() {
    let fresh = super::db::testing::fresh_sqlite().await;
    let (ctx, _) = context(fresh.db.clone());
    let open = Arc::new(AtomicU32::new(1));
    let (router, ask) = live(&ctx, &open);
    let answer = router.oneshot(ask()).await.unwrap();
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut beats = answer.into_body().into_data_stream();
    for _ in 0..10 {
        assert!(beats.next().await.is_some());
    }
    open.store(0, Ordering::SeqCst);
    let closed = tokio::time::Instant::now();
    while beats.next().await.is_some() {}
    assert!(closed.elapsed() <= Duration::from_secs(5), "{:?}", closed.elapsed());
}

#[tokio::test]
async fn a_session_has_only_so_many_streams_and_one_that_ends_makes_room() {
    let fresh = super::db::testing::fresh_sqlite().await;
    let (ctx, _) = context(fresh.db.clone());
    let (router, ask) = live(&ctx, &Arc::new(AtomicU32::new(1)));
    let mut streams = Vec::new();
    for _ in 0..20 {
        let answer = router.clone().oneshot(ask()).await.unwrap();
        assert_eq!(answer.status(), 200);
        streams.push(answer);
    }
    let more = router.clone().oneshot(ask()).await.unwrap();
    assert_eq!((more.status().as_u16(), more.headers().contains_key(header::RETRY_AFTER)), (429, true));
    streams.pop();
    assert_eq!(router.oneshot(ask()).await.unwrap().status(), 200);
}

/// A gate that never opens.
struct Stuck;

impl Recognise for Stuck {
    fn who<'a>(&'a self, _: &'a str, _: bool) -> BoxFuture<'a, Result<Option<Caller>, Problem>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn finding_out_who_calls_and_the_handler_share_one_deadline() {
    let fresh = super::db::testing::fresh_sqlite().await;
    let (ctx, _) = context(fresh.db.clone());
    ctx.put(Arc::new(Gate(Box::new(Stuck))));
    let document = json!({"paths": {"/a": {"get": {"security": [{"session": ["viewer"]}]}}, "/b": {"get": {"security": [{}]}}}});
    let two = Router::new()
        .route("/a", get(|| async { "never seen" }))
        .route("/b", get(std::future::pending::<&'static str>));
    let router = http::dress(two, &document, &ctx);
    for path in ["/a", "/b"] {
        let mut ask = axum::http::Request::get(path);
        if path == "/a" {
            ask = ask.header(header::COOKIE, "steward_session=t");
        }
        let begun = tokio::time::Instant::now();
        let answer = router.clone().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(begun.elapsed().as_secs(), 90, "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_with_an_id_and_nothing_else() {
    let fresh = super::db::testing::fresh_sqlite().await;
    let (ctx, _) = context(fresh.db.clone());
    let document =
        json!({"paths": {"/p": {"get": {"security": [{}]}}, "/hidden": {"post": {"security": [{}]}}}});
    let two = Router::new()
        .route("/p", get(|| async { panic!("the secret of the house") as () }))
        .route("/hidden", get(|| async { "never seen" }));
    let router = http::dress(two, &document, &ctx);
    let ask = |path: &str| axum::http::Request::get(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(ask("/p")).await.unwrap();
    assert_eq!(answer.status(), 500);
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("\"id\"") && !text.contains("secret"), "{text}");
    // A route whose method the document does not know is refused.
    assert_eq!(router.oneshot(ask("/hidden")).await.unwrap().status(), 405);
}
