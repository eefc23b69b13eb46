//! Bodies: how large, how deep, how slow. JSON is read whole before the handler (1 MiB at most, 32 levels);
//! anything else only passes through, counted, up to the size of an upload.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};

use super::guard::is_safe;
use crate::kernel::ctx::Ctx;
use crate::kernel::problem::Problem;

pub const JSON_LIMIT: u64 = 1024 * 1024;
pub const DEPTH_LIMIT: usize = 32;
/// How long a body may take to come in, and a handler to answer.
const DEADLINE: Duration = Duration::from_mins(1);

pub async fn limit(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    match checked(&ctx, request).await {
        Ok(request) => match tokio::time::timeout(DEADLINE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::unavailable("too_slow", 5, "this took too long; ask for less, or try again")
                .into_response(),
        },
        Err(problem) => problem.into_response(),
    }
}

async fn checked(ctx: &Ctx, request: Request) -> Result<Request, Problem> {
    if is_safe(request.method()) {
        return Ok(request);
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_upload =
        ["image/", "application/pdf", "application/octet-stream"].iter().any(|k| kind.starts_with(k));
    let most = if is_upload { ctx.settings.upload_limit } else { JSON_LIMIT };
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > most) {
        return Err(too_large(most));
    }
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "packed_body",
            "send the body unpacked",
        ));
    }
    let (parts, body) = request.into_parts();
    let bytes = match tokio::time::timeout(DEADLINE, whole(body, most)).await {
        Ok(bytes) => bytes?,
        Err(_) => {
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body came too slowly"));
        }
    };
    if !is_upload && depth(&bytes) > DEPTH_LIMIT {
        let detail = format!("the body is nested deeper than {DEPTH_LIMIT} levels");
        return Err(Problem::bad_request("too_deep", detail).with("limit", DEPTH_LIMIT));
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

async fn whole(body: Body, most: u64) -> Result<Bytes, Problem> {
    let mut body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    all.extend_from_slice(&data);
                }
            }
            Err(e) if e.is::<http_body_util::LengthLimitError>() => return Err(too_large(most)),
            Err(_) => return Err(Problem::bad_request("body_unreadable", "the body broke off")),
        }
    }
    Ok(all.freeze())
}

fn too_large(most: u64) -> Problem {
    let detail = format!("the body is larger than {} KiB", most / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).with("limit", most)
}

/// How deep the brackets of a JSON text nest, without building anything.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_are_no_depth() {
        assert_eq!(depth(br#"{"a": "[[[[\"[[", "b": [1, {"c": []}]}"#), 4);
        assert_eq!(depth(b"7"), 0);
        assert_eq!(depth(&vec![b'['; 100_000]), 100_000);
    }
}
