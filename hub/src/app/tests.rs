use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures_util::StreamExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use steward_shared::id::RandomIds;
use steward_shared::systemd::Systemd;
use steward_shared::time::SystemClock;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{App, ServeError};
use crate::kernel::caller::Role;
use crate::kernel::ctx::Ctx;
use crate::kernel::db::testing::{TestDb, fresh_databases, fresh_sqlite};
use crate::kernel::db::{Db, DbError};
use crate::kernel::faults::chain;
use crate::kernel::http::{Policies, Policy};
use crate::kernel::module::{Module, Task, Working};
use crate::kernel::settings::Settings;
use crate::testing::{Hub, eventually};
use crate::{app, modules};

const ROLES: [Role; 3] = [Role::Viewer, Role::Engineer, Role::Admin];

async fn app_on(fresh: &TestDb) -> App {
    let settings = Settings {
        data: fresh.dir.path().to_owned(),
        gateways_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Settings::default()
    };
    let measures = PrometheusBuilder::new().build_recorder().handle();
    let app = App::build(fresh.db.clone(), Arc::new(SystemClock), Arc::new(RandomIds), settings, measures);
    app.await.unwrap()
}

/// A hub with this one task besides its own, which serves until it stops by itself.
async fn serve_with(run: fn(Ctx, CancellationToken) -> Working) -> ServeError {
    let fresh = fresh_sqlite().await;
    let mut app = app_on(&fresh).await;
    app.modules.push(Module { tasks: vec![Task { name: "test.task", run }], ..Module::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    app.serve(listener, Systemd::default(), std::future::pending()).await.unwrap_err()
}

#[tokio::test]
async fn a_task_that_breaks_off_or_panics_or_just_ends_stops_the_hub_and_is_its_error() {
    let broke = serve_with(|_, _| Box::pin(async { Err("the line is cut".into()) })).await;
    assert_eq!(chain(&broke), "the task test.task broke off: the line is cut");
    let panicked = serve_with(|_, _| Box::pin(async { panic!("all is lost") })).await;
    assert_eq!(chain(&panicked), "the task test.task broke off: it panicked: all is lost");
    let ended = serve_with(|_, _| Box::pin(async { Ok(()) })).await;
    assert_eq!(chain(&ended), "the task test.task ended before its time");
}

#[test]
fn the_committed_openapi_document_is_the_one_of_the_handlers() {
    let committed = include_str!("../../openapi.json");
    assert!(
        committed == app::openapi(),
        "hub/openapi.json is not what the handlers say; run `cargo run -p steward-hub -- openapi > hub/openapi.json`"
    );
}

#[test]
fn control_14_the_committed_policies_are_the_ones_of_the_routes() {
    let committed = include_str!("../../policies.txt");
    assert!(
        committed == app::policies(),
        "hub/policies.txt is not what the routes say; look at the difference with care, then run \
         `cargo run -p steward-hub -- policies > hub/policies.txt`"
    );
}

#[test]
fn control_14_every_operation_states_a_policy() {
    let (_, document) = app::api(&mut modules::all());
    let policies = Policies::of(&document);
    let mut silent = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if policies.of_route(&method.to_uppercase(), path).is_none() {
                let _ = writeln!(silent, "{method} {path}");
            }
        }
    }
    assert!(silent.is_empty(), "without a policy, and so refused to everybody:\n{silent}");
}

#[test]
fn the_document_says_of_every_operation_what_the_layers_answer() {
    let (_, document) = app::api(&mut modules::all());
    let sites = &document["paths"]["/api/v1/sites"];
    let codes = |operation: &serde_json::Value| {
        operation["responses"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(codes(&sites["get"]), "200 401 403 422 500 503");
    assert_eq!(codes(&sites["post"]), "201 400 401 403 409 413 422 500 503");
    let key = sites["post"]["parameters"].as_array().unwrap().last().unwrap()["$ref"].as_str().unwrap();
    assert!(document.pointer(key.trim_start_matches('#')).is_some(), "{key}");
    let told = &sites["post"]["responses"]["409"]["content"];
    assert!(told["application/problem+json"].is_object() && told["application/json"].is_null(), "{told}");
}

#[tokio::test]
async fn control_14_a_stranger_and_lower_roles_are_refused_wherever_the_policy_says_so() {
    let hub = Hub::on_sqlite().await;
    for role in ROLES {
        hub.logged_in_as(role).await;
    }
    let (_, document) = app::api(&mut modules::all());
    let policies = Policies::of(&document);
    let mut wrong = String::new();
    for (method, path, policy) in policies.all() {
        let address = path.replace("{id}", "01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e");
        let ask = || {
            Request::builder()
                .method(method)
                .uri(&address)
                .header(header::HOST, "hub.test")
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::IF_MATCH, "\"1\"")
                .body(Body::from("{}"))
                .unwrap()
        };
        let status = hub.stranger().open(ask()).await.status();
        let is_refused = status == StatusCode::UNAUTHORIZED;
        if is_refused != (policy != Policy::Public) {
            let _ =
                writeln!(wrong, "{method} {path}: a stranger gets {status}, the policy is {}", policy.word());
        }
        if policy == Policy::Commands {
            // Nobody has the permission unless an administrator gave it, not even administrators.
            for role in ROLES {
                let status = hub.logged_in_as(role).await.open(ask()).await.status();
                if status != StatusCode::FORBIDDEN {
                    let _ = writeln!(
                        wrong,
                        "{method} {path}: {} gets {status} without the permission",
                        role.word()
                    );
                }
            }
        }
        let Policy::AtLeast(wanted) = policy else { continue };
        for role in ROLES {
            // Each with a session of its own: logging out is among the operations.
            let status = hub.logged_in_as(role).await.open(ask()).await.status();
            let is_right = if role < wanted {
                status == StatusCode::FORBIDDEN
            } else {
                status != StatusCode::FORBIDDEN && status != StatusCode::UNAUTHORIZED
            };
            if !is_right {
                let _ = writeln!(
                    wrong,
                    "{method} {path}: {} gets {status}, the policy is {}",
                    role.word(),
                    wanted.word()
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[tokio::test]
async fn control_13_a_page_of_another_origin_is_refused_on_every_operation_that_changes() {
    let hub = Hub::on_sqlite().await;
    let mut admin = hub.admin().await;
    let (_, document) = app::api(&mut modules::all());
    for (method, path, _) in Policies::of(&document).all().filter(|(m, ..)| *m != "GET") {
        let address = path.replace("{id}", "01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e");
        let method: Method = method.parse().unwrap();
        let answer = admin.send(method, &address, &[("origin", "http://evil.test")], Some(json!({}))).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::FORBIDDEN, "other_origin"), "{path}");
        assert_eq!(answer.json["params"], json!({"host": "hub.test", "origin": "http://evil.test"}));
    }
    let same =
        admin.send(Method::POST, "/api/v1/sites", &[("origin", "http://hub.test")], Some(json!({}))).await;
    assert_eq!(same.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn control_25_every_answer_carries_the_headers_that_tie_the_browser_down() {
    let hub = Hub::on_sqlite().await;
    for path in ["/", "/api/v1/sites", "/api/openapi.json", "/nothing.js", "/healthz", "/gateways/7"] {
        let answer = hub.stranger().get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_page_of_the_console_is_the_console() {
    let hub = Hub::on_sqlite().await;
    let mut client = hub.stranger();
    for path in ["/api/v1/nothing", "/api", "/assets/gone-123.js", "/favicon.gone"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
    }
    for path in ["/", "/devices/7", "/log-in"] {
        let page = client.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
    }
    assert_eq!(client.post("/devices", json!({})).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.delete("/api/v1/sites", 1).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(client.get("/api/docs").await.text.contains("Steward API"));
    assert_eq!(client.get("/readyz").await.text, "ok\n");
}

#[tokio::test]
async fn a_database_that_went_away_is_said_and_what_needs_none_goes_on() {
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let hub = Hub::on(fresh, |_| {}).await;
        let mut admin = hub.admin().await;
        hub.fresh.go_away().await;
        for path in ["/api/v1/sites", "/readyz"] {
            let away = admin.get(path).await;
            assert_eq!(
                (away.status, away.problem()),
                (StatusCode::SERVICE_UNAVAILABLE, "no_database"),
                "{path}"
            );
            assert_eq!(away.header("retry-after"), "5");
        }
        assert_eq!(admin.get("/healthz").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_hub_has_its_database_alone_until_it_has_stopped() {
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let app = app_on(&fresh).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(app.serve(listener, Systemd::default(), stop.clone().cancelled_owned()));
        let other = Db::open(&fresh.url).await.unwrap();
        let refused = other.claim(Duration::from_millis(1)).await.err().unwrap();
        assert!(refused.to_string().starts_with("another hub serves this database"), "{refused}");
        stop.cancel();
        serving.await.unwrap().unwrap();
        other.claim(Duration::from_mins(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_hub_that_cannot_write_or_has_no_tables_is_not_ready() {
    for fresh in fresh_databases().await {
        let hub = Hub::on(fresh, |_| {}).await;
        let mut stranger = hub.stranger();
        assert_eq!(stranger.get("/readyz").await.status, StatusCode::OK);
        if !hub.ctx.db.is_postgres() {
            let (db, held) = (hub.ctx.db.clone(), Arc::new(Notify::new()));
            let told = Arc::clone(&held);
            let holder = tokio::spawn(async move {
                let _: Result<(), DbError> = db
                    .tx(async |_| {
                        told.notify_one();
                        std::future::pending().await
                    })
                    .await;
            });
            held.notified().await;
            tokio::time::pause();
            let held_up = stranger.get("/readyz").await;
            assert_eq!((held_up.status, held_up.problem()), (StatusCode::SERVICE_UNAVAILABLE, "no_database"));
            tokio::time::resume();
            holder.abort();
            let _ = holder.await;
            assert_eq!(stranger.get("/readyz").await.status, StatusCode::OK);
        }
        hub.ctx.db.execute("drop table schema_migration", vec![]).await.unwrap();
        assert_eq!(stranger.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
        hub.ctx.stopping.cancel();
        assert_eq!(stranger.get("/readyz").await.problem(), "stopping");
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_who_has_the_token() {
    let fresh = fresh_sqlite().await;
    let hub = Hub::on(fresh, |s| s.metrics_token = Some("canary".into())).await;
    let mut near = hub.stranger();
    assert_eq!(near.get("/metrics").await.status, StatusCode::OK);
    let through_proxy = near.send(Method::GET, "/metrics", &[("x-forwarded-for", "8.8.8.8")], None).await;
    assert_eq!(through_proxy.status, StatusCode::FORBIDDEN);
    let mut far = hub.stranger();
    far.peer = "10.0.0.9:1".parse().unwrap();
    assert_eq!(far.get("/metrics").await.status, StatusCode::FORBIDDEN);
    let right = far.send(Method::GET, "/metrics", &[("authorization", "Bearer canary")], None).await;
    assert_eq!(right.status, StatusCode::OK);
    let wrong = far.send(Method::GET, "/metrics", &[("authorization", "Bearer canarx")], None).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    // An IPv4 caller of a hub that listens on [::].
    near.peer = "[::ffff:127.0.0.1]:1".parse().unwrap();
    assert_eq!(near.get("/metrics").await.status, StatusCode::OK);
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_the_one_it_names_and_measures_need_the_token() {
    let hub = Hub::on(fresh_sqlite().await, |s| {
        s.behind_proxy = true;
        s.metrics_token = Some("canary".into());
    })
    .await;
    hub.admin().await;
    let mut proxy = hub.stranger();
    assert_eq!(proxy.get("/metrics").await.status, StatusCode::FORBIDDEN);
    let right = proxy.send(Method::GET, "/metrics", &[("authorization", "Bearer canary")], None).await;
    assert_eq!(right.status, StatusCode::OK);
    for (named, seen) in [("1.1.1.1, 10.0.0.7", "10.0.0.7"), ("nonsense", "127.0.0.1")] {
        let wrong = json!({"user": "nobody", "password": "x"});
        proxy.send(Method::POST, "/api/v1/session", &[("x-forwarded-for", named)], Some(wrong)).await;
        let last: Option<String> =
            hub.ctx.db.one("select address from audit order by no desc limit 1", vec![]).await.unwrap();
        assert_eq!(last.as_deref(), Some(seen));
    }
}

#[tokio::test]
async fn methods_that_callers_invent_do_not_make_new_measures() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let measures = recorder.handle();
    let hub = Hub::on_sqlite().await;
    let here = metrics::set_default_local_recorder(&recorder);
    for method in ["GET", "INVENTED", "get"] {
        hub.stranger().send(method.parse().unwrap(), "/healthz", &[], None).await;
    }
    drop(here);
    let text = measures.render();
    assert!(text.contains("method=\"GET\"") && text.contains("method=\"other\""), "{text}");
    assert!(!text.contains("INVENTED") && !text.contains("\"get\""), "{text}");
}

/// A body that is made while it is read, and counts how much of it was.
fn endless(total: u64, taken: Arc<AtomicU64>) -> Body {
    const CHUNK: usize = 64 * 1024;
    Body::from_stream(futures_util::stream::iter((0..total / CHUNK as u64).map(move |_| {
        taken.fetch_add(CHUNK as u64, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from(vec![b' '; CHUNK]))
    })))
}

fn sent(method: Method, path: &str, kind: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.header(header::HOST, "hub.test").header(header::CONTENT_TYPE, kind).body(body).unwrap()
}

#[tokio::test]
async fn fault_h7_a_hundred_megabytes_are_refused_without_being_read() {
    const PLAN: &str = "/api/v1/sites/01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e/plan";
    const SITES: &str = "/api/v1/sites";
    const MIB: u64 = 1024 * 1024;
    let hub = Hub::on_sqlite().await;
    let (admin, stranger) = (hub.admin().await, hub.stranger());
    let too_large = StatusCode::PAYLOAD_TOO_LARGE;
    // What the sender calls it changes nothing: the route decides, and who sends.
    for (mut who, method, path, kind, most, status) in [
        (admin.clone(), Method::POST, SITES, "application/json", MIB, too_large),
        (admin.clone(), Method::POST, SITES, "image/png", MIB, too_large),
        (admin.clone(), Method::PUT, PLAN, "image/png", hub.ctx.settings.upload_limit, too_large),
        (stranger.clone(), Method::POST, "/api/v1/session", "image/png", 16 * 1024, too_large),
        (stranger.clone(), Method::PUT, PLAN, "image/png", 0, StatusCode::UNAUTHORIZED),
        (stranger.clone(), Method::POST, "/api/v1/nothing", "image/png", 0, StatusCode::NOT_FOUND),
        (admin.clone(), Method::POST, "/nothing", "image/png", 0, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let taken = Arc::new(AtomicU64::new(0));
        let request = sent(method, path, kind, endless(100 * MIB, Arc::clone(&taken)));
        assert_eq!(who.open(request).await.status(), status, "{path} {kind}");
        let taken = taken.load(Ordering::SeqCst);
        let most = if most == 0 { 0 } else { most + 2 * 64 * 1024 };
        assert!(taken <= most, "{path} {kind}: {taken} bytes were read");
    }
    let mut announced = sent(Method::POST, SITES, "application/json", Body::empty());
    announced.headers_mut().insert(header::CONTENT_LENGTH, (100 * MIB).into());
    assert_eq!(admin.clone().open(announced).await.status(), too_large);
}

#[tokio::test]
async fn fault_h7_a_thousand_strangers_at_once_fill_no_more_than_their_room() {
    const EACH: u64 = 16 * 1024;
    const CROWD: usize = 1000;
    let hub = Hub::on_sqlite().await;
    let mut admin = hub.admin().await;
    let (waiting, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (mut stranger, waiting, refused) = (hub.stranger(), Arc::clone(&waiting), Arc::clone(&refused));
        crowd.spawn(async move {
            // Sends all that it may, and does not end.
            let stalled = futures_util::stream::once(async move {
                waiting.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<Result<Bytes, std::io::Error>>().await
            });
            let some = futures_util::stream::iter([Ok(Bytes::from(vec![b' '; EACH as usize]))]);
            let body = Body::from_stream(some.chain(stalled));
            let answer = stranger.open(sent(Method::POST, "/api/v1/session", "application/json", body)).await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
            refused.fetch_add(1, Ordering::SeqCst);
        });
    }
    let count = |n: &AtomicU64| n.load(Ordering::SeqCst);
    eventually("the crowd", async || count(&waiting) + count(&refused) == CROWD as u64).await;
    let held = count(&waiting) * EACH;
    assert!(held <= 4 * 1024 * 1024 && held > 0, "{held} bytes are held");
    // Who works here is not held up, and the room is free again when the crowd has gone.
    assert_eq!(
        admin.post("/api/v1/sites", json!({"kind": "campus", "name": "East"})).await.status,
        StatusCode::CREATED
    );
    assert_eq!(hub.stranger().log_in("nobody", "x").await.status, StatusCode::SERVICE_UNAVAILABLE);
    crowd.shutdown().await;
    assert_eq!(hub.stranger().log_in("nobody", "x").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn fault_h7_deep_json_and_packed_bodies_are_refused() {
    let hub = Hub::on_sqlite().await;
    let mut admin = hub.admin().await;
    let mut post = async |text: String, headers: &[(&str, &str)]| {
        let mut request = Request::post("/api/v1/sites").header(header::HOST, "hub.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(text)).unwrap();
        admin.open(request).await.status()
    };
    for depth in [33, 100_000] {
        let text = format!("{{\"name\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(post(text, &[]).await, StatusCode::BAD_REQUEST, "{depth}");
    }
    assert_eq!(post("{\"name\": ".into(), &[]).await, StatusCode::BAD_REQUEST);
    assert_eq!(post("{}".into(), &[("content-encoding", "gzip")]).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(post("{}".into(), &[]).await, StatusCode::UNPROCESSABLE_ENTITY);
}
