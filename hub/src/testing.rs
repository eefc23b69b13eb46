//! A whole hub in memory for tests: real routes and layers over a real fresh database, a clock that stands still,
//! clients that keep their cookie. Requests go through the router without a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use steward_shared::id::RandomIds;
use steward_shared::time::{ManualClock, Timestamp};
use tower::ServiceExt;

use crate::app::App;
use crate::kernel::caller::{Role, SESSION_COOKIE};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::testing::{TestDb, fresh_databases, fresh_sqlite};
use crate::kernel::settings::Settings;

pub const PASSWORD: &str = "pumpe-und-kessel-7";

pub struct Hub {
    pub ctx: Ctx,
    pub clock: Arc<ManualClock>,
    pub fresh: TestDb,
    router: Router,
}

/// Runs the test once on each database.
pub async fn on_each_database(test: impl AsyncFn(Hub)) {
    for fresh in fresh_databases().await {
        println!("on {}", fresh.url);
        test(Hub::on(fresh, |_| {}).await).await;
    }
}

/// Waits for a state.
///
/// # Panics
/// When it does not come, and says which one.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < until, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Hub {
    pub async fn on_sqlite() -> Self {
        Self::on(fresh_sqlite().await, |_| {}).await
    }

    /// With settings other than the default ones.
    pub async fn on(fresh: TestDb, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse().expect("an instant")));
        let mut settings = Settings {
            data: fresh.dir.path().to_owned(),
            gateways_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..Settings::default()
        };
        change(&mut settings);
        let measures = PrometheusBuilder::new().build_recorder().handle();
        let app = App::build(fresh.db.clone(), clock.clone(), Arc::new(RandomIds), settings, measures);
        let App { ctx, router, .. } = app.await.expect("a fresh hub");
        Self { ctx, clock, fresh, router }
    }

    pub fn now(&self) -> Timestamp {
        self.ctx.now()
    }

    pub fn folder(&self) -> &std::path::Path {
        self.fresh.dir.path()
    }

    /// Somebody who is not logged in, at an address of their own.
    pub fn stranger(&self) -> Client {
        Client { router: self.router.clone(), cookie: None, peer: SocketAddr::from(([127, 0, 0, 1], 40_000)) }
    }

    /// The administrator `admin`, made at the first call.
    pub async fn admin(&self) -> Client {
        let mut client = self.stranger();
        let body = json!({"user": "admin", "name": "Admin", "password": PASSWORD});
        if client.post("/api/v1/setup", body).await.status != StatusCode::CREATED {
            client.log_in("admin", PASSWORD).await;
        }
        client
    }

    /// Somebody of this role, logged in; the user is named like the role and made at the first call.
    pub async fn logged_in_as(&self, role: Role) -> Client {
        let mut admin = self.admin().await;
        if role == Role::Admin {
            return admin;
        }
        let body =
            json!({"user": role.word(), "name": role.word(), "role": role.word(), "password": PASSWORD});
        let made = admin.post("/api/v1/users", body).await.status;
        assert!(matches!(made, StatusCode::CREATED | StatusCode::CONFLICT), "{made}");
        let mut client = self.stranger();
        client.log_in(role.word(), PASSWORD).await;
        client
    }
}

#[derive(Clone)]
pub struct Client {
    router: Router,
    pub cookie: Option<String>,
    pub peer: SocketAddr,
}

/// What came back, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where the body is no JSON.
    pub json: Value,
}

impl Answer {
    /// The last word of the problem's type.
    pub fn problem(&self) -> &str {
        self.json["type"].as_str().and_then(|t| t.rsplit('/').next()).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub async fn patch(&mut self, path: &str, version: i64, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[("if-match", &format!("\"{version}\""))], Some(body)).await
    }

    pub async fn delete(&mut self, path: &str, version: i64) -> Answer {
        self.send(Method::DELETE, path, &[("if-match", &format!("\"{version}\""))], None).await
    }

    pub async fn log_in(&mut self, user: &str, password: &str) -> Answer {
        self.post("/api/v1/session", json!({"user": user, "password": password})).await
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "hub.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let response = self.open(request.body(body).expect("a request")).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// Sends and gives the answer before its body is read: for streams. Keeps a new cookie.
    ///
    /// # Panics
    /// Never: the router has no errors.
    pub async fn open(&mut self, mut request: Request<Body>) -> axum::response::Response {
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().expect("a cookie"));
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = self.router.clone().oneshot(request).await.expect("the router has no errors");
        for set in response.headers().get_all(header::SET_COOKIE) {
            let pair = set.to_str().ok().and_then(|s| s.split(';').next()).unwrap_or_default();
            if let Some(token) = pair.strip_prefix(&format!("{SESSION_COOKIE}=")) {
                self.cookie = (!token.is_empty()).then(|| pair.to_owned());
            }
        }
        response
    }
}
