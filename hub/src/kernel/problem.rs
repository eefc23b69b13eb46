//! Errors of the API: `application/problem+json` (RFC 9457). The `type` is stable and relative
//! (`/problems/stale`), the console translates it by its last word and `params`. A 500 carries an id and
//! nothing else; what happened is in the log under that id.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::db::DbError;
use super::faults::chain;

/// The refusal or fault that a handler answers with.
#[derive(Clone, Debug)]
pub struct Problem(Box<ProblemBody>);

/// What a problem looks like outside.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `/problems/<code>`; stable.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened and the way out, in English; pages translate by `type` and `params`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What a translation of the code needs: names, limits, times.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// For a 500: the words to give to whoever reads the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the request's body, or `?name` for a query parameter.
    pub pointer: String,
    /// Stable word for translation, such as `required`, `too_long`.
    pub code: String,
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: code.to_owned(), detail: detail.into() }
    }
}

impl Problem {
    /// `code` is the last word of the type; `detail` says what happened and the way out.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("error").to_lowercase(),
            status: status.as_u16(),
            detail: Some(detail.into()),
            errors: Vec::new(),
            params: Map::new(),
            id: None,
            retry_after_s: None,
        }))
    }

    /// 400: not understood.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: who are you.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_logged_in", "nobody is logged in; log in first")
    }

    /// 403: you may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed", detail)
    }

    /// 404: not there, or not yours to know.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}")).with("what", what)
    }

    /// 409: the state forbids it.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: somebody else was faster.
    pub fn stale() -> Self {
        let detail = "somebody else changed this in the meantime; load it again and repeat the change";
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
    }

    /// 422: fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail =
            errors.iter().map(|e| format!("{}: {}", e.pointer, e.detail)).collect::<Vec<_>>().join("; ");
        let mut p = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_fields", detail);
        p.0.errors = errors;
        p
    }

    /// 422 for one field.
    pub fn field(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, code, detail)])
    }

    /// 429: too often.
    pub fn too_many(code: &str, retry_after_s: u64, detail: impl Into<String>) -> Self {
        let mut p =
            Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).with("retry_after_s", retry_after_s);
        p.0.retry_after_s = Some(retry_after_s);
        p
    }

    /// 503: not now.
    pub fn unavailable(code: &str, retry_after_s: u64, detail: impl Into<String>) -> Self {
        let mut p = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        p.0.retry_after_s = Some(retry_after_s);
        p
    }

    /// 503: the database is away.
    pub fn no_database() -> Self {
        Self::unavailable("no_database", 5, "the database does not answer; try again in a moment")
    }

    /// 500: our bug. Logs the whole chain once and keeps only an id.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let id = data_encoding::BASE32_NOPAD.encode(&getrandom::u64().unwrap_or_default().to_be_bytes());
        tracing::error!(id, error = chain(error), "a request failed by our own fault");
        let mut p = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "");
        p.0.detail = None;
        p.0.id = Some(id);
        p
    }

    pub fn set_retry_after(&mut self, seconds: u64) {
        self.0.retry_after_s = Some(seconds);
    }

    pub fn body(&self) -> &ProblemBody {
        &self.0
    }

    /// One more parameter for the translation.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.params.insert(name.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).expect("a problem has only texts and numbers");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(s) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(s));
        }
        response
    }
}

/// A module turns the constraints that it knows into refusals first; what is left is a fault.
impl From<DbError> for Problem {
    fn from(e: DbError) -> Self {
        match e {
            DbError::Busy | DbError::Deadline(_) => {
                tracing::warn!(error = %e, "the database is too slow");
                Self::unavailable("busy", 2, "the database is busy; try again")
            }
            DbError::Open { .. } | DbError::Broken(_) => {
                tracing::warn!(error = chain(&e), "the database cannot be reached");
                Self::no_database()
            }
            DbError::Unstorable => {
                let detail = "a text holds a character that cannot be kept (NUL); leave it out";
                Self::field("", "bad_characters", detail)
            }
            e => Self::internal(&e),
        }
    }
}
