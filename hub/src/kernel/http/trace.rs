//! An id for every request, one line in the log, one observation in the metrics. A handler that panics
//! becomes a 500 and the next request is served.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::guard::origin_of;
use crate::kernel::ctx::Ctx;
use crate::kernel::faults::caught;
use crate::kernel::problem::Problem;

pub async fn trace(State(ctx): State<Ctx>, mut request: Request, next: Next) -> Response {
    let id = ctx.ids.new_uuid().simple().to_string();
    let origin = origin_of(&ctx, &request, &id);
    request.extensions_mut().insert(origin);
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or("other".to_owned(), |p| p.as_str().to_owned());
    let begun = tokio::time::Instant::now();
    let span = tracing::info_span!("request", id, %method, route);
    let mut response = caught(next.run(request))
        .instrument(span.clone())
        .await
        .unwrap_or_else(|panicked| span.in_scope(|| Problem::internal(&panicked).into_response()));
    let (took, status) = (begun.elapsed(), response.status().as_u16());
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_millis() as u64, "answered"));
    let labels = [("method", label_of(&method).to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("steward_hub_http_requests_total", &labels).increment(1);
    metrics::histogram!("steward_hub_http_seconds", &labels[..2]).record(took.as_secs_f64());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// A caller may invent methods; each label would be a measure that is kept for ever.
fn label_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
