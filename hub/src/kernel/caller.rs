//! Who calls, and whether they may. The policy of a route stands in its OpenAPI `security`; the layer in
//! `policy` enforces it before the handler runs. A handler that needs to know who it is takes a `Caller`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use steward_shared::id::{SessionId, UserId};
use utoipa::ToSchema;

use super::problem::Problem;

/// Each may all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Engineer,
    Admin,
}

impl Role {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Admin => "admin",
        }
    }
}

/// A person who is logged in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: UserId,
    pub login: String,
    pub role: Role,
    /// May command devices: a permission of its own, whatever the role.
    pub commands: bool,
    pub session: SessionId,
}

/// Where the request came from, for lockout and audit.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub address: String,
    pub request: String,
}

/// Turns the session's cookie into a caller. The accounts module does it and puts itself into the context as
/// `Arc<Gate>`.
pub trait Recognise: Send + Sync {
    /// None when the session is unknown, over, or its user disabled. `use_it` keeps an idle session alive.
    fn who<'a>(&'a self, token: &'a str, use_it: bool) -> BoxFuture<'a, Result<Option<Caller>, Problem>>;
}

pub struct Gate(pub Box<dyn Recognise>);

pub const SESSION_COOKIE: &str = "steward_session";

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
