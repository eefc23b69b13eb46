//! The order of the layers, from the outside in: id and log, headers, packing, deadline, policy, size and depth,
//! idempotency, handler.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::compression::CompressionLayer;

use super::guard::{Guard, Refusals};
use super::policy::Policies;
use super::stream::Streams;
use super::{body, deadline, guard, headers, trace};
use crate::kernel::ctx::Ctx;
use crate::kernel::idempotency;

/// Puts all layers around the routes, whose OpenAPI document is given.
pub fn dress(routes: Router<Ctx>, openapi: &serde_json::Value, ctx: &Ctx) -> Router {
    let policies = Arc::new(Policies::of(openapi));
    routes
        .layer(from_fn_with_state(ctx.clone(), idempotency::layer))
        // Sizes are limited by the layer after this one, for every kind of body.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(body::Bodies::new(ctx, Arc::clone(&policies)), body::limit))
        .layer(from_fn_with_state(
            Guard { ctx: ctx.clone(), policies, streams: Streams::default(), refusals: Refusals::default() },
            guard::guard,
        ))
        .layer(from_fn(deadline::deadline))
        .layer(CompressionLayer::new())
        .layer(from_fn(headers::headers))
        .layer(from_fn_with_state(ctx.clone(), trace::trace))
        .with_state(ctx.clone())
}
