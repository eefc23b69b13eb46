//! Bodies: how large, how deep, how slow, and how much of them at once. They are read whole before the handler.
//! Somebody who is logged in may send 1 MiB of JSON, 32 levels deep, or a file where the route takes one; a stranger
//! may send what a log-in needs. What no route waits for is not read at all.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard::is_safe;
use super::policy::Policies;
use crate::kernel::caller::Caller;
use crate::kernel::ctx::Ctx;
use crate::kernel::problem::Problem;

pub const JSON_LIMIT: u64 = 1024 * 1024;
pub const STRANGERS_LIMIT: u64 = 16 * 1024;
pub const DEPTH_LIMIT: usize = 32;
/// How long a body may take to come in.
const PATIENCE: Duration = Duration::from_mins(1);
const STRANGERS_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of all bodies together that are held at once; who finds no room is told to come again. Strangers have a
/// room of their own, so that they cannot fill that of the people who work.
const ROOM: u64 = 64 * 1024 * 1024;
const STRANGERS_ROOM: u64 = 4 * 1024 * 1024;

#[derive(Clone)]
pub struct Bodies {
    upload_limit: u64,
    policies: Arc<Policies>,
    room: Arc<Semaphore>,
    strangers_room: Arc<Semaphore>,
}

impl Bodies {
    pub fn new(ctx: &Ctx, policies: Arc<Policies>) -> Self {
        let room = |bytes: u64| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
        };
        let upload_limit = ctx.settings.upload_limit;
        Self {
            upload_limit,
            policies,
            room: room(ROOM.max(upload_limit.saturating_mul(4))),
            strangers_room: room(STRANGERS_ROOM),
        }
    }
}

pub async fn limit(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    // The room is given back when the handler has answered.
    let (request, _held) = match bodies.taken_in(request).await {
        Ok(taken) => taken,
        Err(problem) => return problem.into_response(),
    };
    next.run(request).await
}

impl Bodies {
    async fn taken_in(&self, request: Request) -> Result<(Request, Option<OwnedSemaphorePermit>), Problem> {
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok((request, None)) };
        if is_safe(request.method()) {
            return Ok((request, None));
        }
        let is_file = self.policies.takes_file(request.method().as_str(), path.as_str());
        let (most, patience, room) = match request.extensions().get::<Caller>() {
            None => (STRANGERS_LIMIT, STRANGERS_PATIENCE, &self.strangers_room),
            Some(_) if is_file => (self.upload_limit, PATIENCE, &self.room),
            Some(_) => (JSON_LIMIT, PATIENCE, &self.room),
        };
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
        let (bytes, held) = match tokio::time::timeout(patience, whole(body, most, room)).await {
            Ok(taken) => taken?,
            Err(_) => {
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "too_slow",
                    "the body came too slowly",
                ));
            }
        };
        if !is_file && depth(&bytes) > DEPTH_LIMIT {
            let detail = format!("the body is nested deeper than {DEPTH_LIMIT} levels");
            return Err(Problem::bad_request("too_deep", detail).with("limit", DEPTH_LIMIT));
        }
        Ok((Request::from_parts(parts, Body::from(bytes)), held))
    }
}

async fn whole(
    body: Body,
    most: u64,
    room: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let mut body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    let mut all = BytesMut::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                // Never waited for: bodies that wait for each other's room would wait for ever.
                let more = u32::try_from(data.len())
                    .ok()
                    .and_then(|n| Arc::clone(room).try_acquire_many_owned(n).ok());
                let more = more.ok_or_else(|| {
                    Problem::unavailable(
                        "busy",
                        2,
                        "too much is being sent to the hub at this moment; try again",
                    )
                })?;
                match &mut held {
                    Some(held) => held.merge(more),
                    None => held = Some(more),
                }
                all.extend_from_slice(&data);
            }
            Err(e) if e.is::<http_body_util::LengthLimitError>() => return Err(too_large(most)),
            Err(_) => return Err(Problem::bad_request("body_unreadable", "the body broke off")),
        }
    }
    Ok((all.freeze(), held))
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
