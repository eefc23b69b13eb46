//! One deadline for all of a request: finding out who calls, taking its body in, and the handler. An answer that
//! is a stream has its head by then, and may go on.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::kernel::problem::Problem;

const DEADLINE: Duration = Duration::from_secs(90);

pub async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("too_slow", 5, "this took too long; ask for less, or try again")
            .into_response(),
    }
}
