//! What the hub serves besides its modules: the console's pages, the API's own description, health, metrics.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Serialize;
use serde_json::Value;
use steward_shared::time::Timestamp;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::kernel::ctx::Ctx;
use crate::kernel::faults::chain;
use crate::kernel::http::Json;
use crate::kernel::problem::{Problem, ProblemBody};

/// The console as it was built; in development builds read from its folder at each request.
#[derive(RustEmbed)]
#[folder = "$HUB_CONSOLE_DIST"]
#[allow_missing = true]
struct Console;

/// The document, made once at start.
pub struct ApiDocument(pub Value);

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(alive))
        .routes(routes!(ready))
        .routes(routes!(measures))
        .routes(routes!(document))
        .routes(routes!(docs))
        .routes(routes!(about))
}

/// The program runs.
#[utoipa::path(get, path = "/healthz", tag = "operation", operation_id = "healthz", security(()),
    responses((status = 200, description = "It runs", body = String, content_type = "text/plain")))]
async fn alive() -> &'static str {
    "ok\n"
}

/// How long the database may take to show that it can be written to.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// The program can serve: its tables are there and can be written to. A hub one of whose tasks has died stops, and
/// is not ready while it does.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "readyz", security(()),
    responses((status = 200, description = "It can serve", body = String, content_type = "text/plain"),
        (status = 503, body = ProblemBody)))]
async fn ready(State(ctx): State<Ctx>) -> Result<&'static str, Problem> {
    if ctx.stopping.is_cancelled() {
        return Err(Problem::unavailable("stopping", 5, "the hub is stopping"));
    }
    ctx.db.is_ready(READY_WITHIN).await.map(|()| "ok\n").map_err(|e| {
        tracing::warn!(error = chain(&e), "the database is not ready");
        Problem::no_database()
    })
}

/// Measures for Prometheus: from this machine, or with the token of the configuration.
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "metrics", security(()),
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain"),
        (status = 403, body = ProblemBody)))]
async fn measures(State(ctx): State<Ctx>, headers: HeaderMap, request: Request) -> Result<String, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    // A proxy of one's own is on this machine, its callers are not.
    let is_near = peer.is_some_and(|ip: IpAddr| ip.to_canonical().is_loopback())
        && !ctx.settings.behind_proxy
        && !headers.contains_key("x-forwarded-for");
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let has_token = match (&ctx.settings.metrics_token, given) {
        (Some(token), Some(given)) => bool::from(token.as_bytes().ct_eq(given.as_bytes())),
        _ => false,
    };
    if !is_near && !has_token {
        return Err(Problem::forbidden(
            "metrics are for this machine, or for who has the token in [http] metrics_token_file",
        ));
    }
    Ok(ctx.find_part::<PrometheusHandle>().map(|h| h.render()).unwrap_or_default())
}

/// This API's description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operation", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn document(State(ctx): State<Ctx>) -> Json<Value> {
    Json(ctx.part::<ApiDocument>().0.clone())
}

/// A page to read and try this API; it needs no internet.
#[utoipa::path(get, path = "/api/docs", tag = "operation", operation_id = "api_docs", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
async fn docs(State(ctx): State<Ctx>) -> Html<String> {
    if let Some(page) = Console::get("api-docs/index.html").or_else(|| Console::get("api-docs.html")) {
        return Html(String::from_utf8_lossy(&page.data).into_owned());
    }
    Html(plain_docs(&ctx.part::<ApiDocument>().0))
}

#[derive(Serialize, ToSchema)]
pub struct About {
    pub version: &'static str,
    /// `sqlite` or `postgresql`.
    pub database: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
}

/// Which hub this is.
#[utoipa::path(get, path = "/api/v1/about", tag = "operation", operation_id = "about",
    security(("session" = ["viewer"])), responses((status = 200, body = About)))]
async fn about(State(ctx): State<Ctx>) -> Json<About> {
    Json(About { version: env!("CARGO_PKG_VERSION"), database: ctx.db.kind(), started_at: ctx.started_at })
}

/// Every address that no route has: a file of the console, or the console's page for its own addresses.
pub async fn console(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Problem::not_found("address").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET is known here")
            .into_response();
    }
    let name = if path.is_empty() { "index.html" } else { path };
    if let Some(file) = Console::get(name) {
        return serve(name, file, request.headers());
    }
    // A file has an extension, a page of the console has none.
    if name.rsplit('/').next().is_some_and(|last| last.contains('.')) && name != "index.html" {
        return Problem::not_found("file").into_response();
    }
    match Console::get("index.html") {
        Some(page) => serve("index.html", page, request.headers()),
        None => Html(include_str!("web/stub.html")).into_response(),
    }
}

fn serve(name: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    // Names under /assets/ hold a hash of their content.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known =
        asked.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(&etag));
    let takes_gzip =
        asked.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("gzip"));
    let packed = if takes_gzip { Console::get(&format!("{name}.gz")) } else { None };
    let is_packed = packed.is_some();
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        packed.unwrap_or(file).data.into_response()
    };
    let headers = response.headers_mut();
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    for (header, value) in
        [(header::CONTENT_TYPE, kind), (header::ETAG, etag), (header::CACHE_CONTROL, cache.into())]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed && !known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The list of operations, for a hub without the console's page.
fn plain_docs(openapi: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Steward API</title>\
         <style>body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}code{background:#eee}</style>\
         <h1>Steward API</h1><p>接口说明 · <a href=\"/api/openapi.json\">OpenAPI 3.1</a></p><dl>",
    );
    for (path, methods) in openapi["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let about = operation["summary"].as_str().unwrap_or_default();
            let about = about.replace('&', "&amp;").replace('<', "&lt;");
            let _ = write!(page, "<dt><code>{} {path}</code></dt><dd>{about}</dd>", method.to_uppercase());
        }
    }
    page.push_str("</dl></html>");
    page
}
