//! A stream of events lasts as long as its session: it ends within seconds when the session is closed, its
//! user disabled, or the program stops.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header;
use axum::response::Response;
use futures_util::Stream;
use futures_util::future::BoxFuture;

use crate::kernel::caller::Gate;
use crate::kernel::ctx::Ctx;

const LOOK_AGAIN: Duration = Duration::from_secs(3);

pub fn is_one(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|v| v.as_bytes().starts_with(b"text/event-stream"))
}

pub fn end_with_session(response: Response, ctx: &Ctx, token: String) -> Response {
    if !is_one(&response) {
        return response;
    }
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
    response.map(|body| Body::from_stream(Limited { inner: body.into_data_stream(), over }))
}

struct Limited {
    inner: BodyDataStream,
    over: BoxFuture<'static, ()>,
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
