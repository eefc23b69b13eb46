//! A stream of events lasts as long as its session: it ends within seconds when the session is closed, its
//! user disabled, or the program stops. A session has only so many.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use steward_shared::id::SessionId;

use crate::kernel::caller::Gate;
use crate::kernel::ctx::Ctx;
use crate::kernel::problem::Problem;

const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// Each page that is open has one.
const MOST: usize = 20;

/// How many streams each session has.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<SessionId, usize>>>);

/// The place of one stream, given back when it ends.
struct Seat(Streams, SessionId);

impl Streams {
    fn take(&self, session: SessionId) -> Option<Seat> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(session).or_default();
        if *own >= MOST {
            return None;
        }
        *own += 1;
        metrics::gauge!("steward_hub_streams").set(all.values().sum::<usize>() as f64);
        Some(Seat(self.clone(), session))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.1) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.1);
            }
        }
        metrics::gauge!("steward_hub_streams").set(all.values().sum::<usize>() as f64);
    }
}

pub fn is_one(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|v| v.as_bytes().starts_with(b"text/event-stream"))
}

pub fn end_with_session(
    response: Response,
    ctx: &Ctx,
    streams: &Streams,
    session: SessionId,
    token: String,
) -> Response {
    if !is_one(&response) {
        return response;
    }
    let Some(seat) = streams.take(session) else {
        let detail = format!("{MOST} pages watch live in this session already; close one");
        return Problem::too_many("too_many_streams", 10, detail).with("limit", MOST).into_response();
    };
    let ctx = ctx.clone();
    let over = Box::pin(async move {
        loop {
            tokio::select! {
                // Losing the sleep is harmless: the program stops.
                () = ctx.stopping.cancelled() => return,
                // Losing the wait is harmless: it is asked again after the next sleep.
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let Some(gate) = ctx.find_part::<Gate>() else { return };
            // Watching is no use of the session: it may run out of idleness.
            if !matches!(gate.0.who(&token, false).await, Ok(Some(_))) {
                return;
            }
        }
    });
    response.map(|body| Body::from_stream(Limited { inner: body.into_data_stream(), over, _seat: seat }))
}

struct Limited {
    inner: BodyDataStream,
    over: BoxFuture<'static, ()>,
    _seat: Seat,
}

impl Stream for Limited {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.inner).poll_next(cx)
    }
}
