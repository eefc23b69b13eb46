//! Extractors that say in problem+json what was not understood, and where. Handlers take these instead of
//! axum's own, which answer in plain text.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kernel::problem::Problem;

/// A JSON body.
pub struct Json<T>(pub T);

/// The query.
pub struct Query<T>(pub T);

/// The parameters in the path. One that cannot be an id names a thing that is not there.
pub struct Path<T>(pub T);

/// The version that the caller has seen. A change needs it, so that nobody overwrites what they did not see.
pub struct IfMatch(pub i64);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        axum::Json::from_request(request, state).await.map(|axum::Json(v)| Self(v)).map_err(|e| match &e {
            JsonRejection::JsonDataError(_) => {
                let text = e.body_text();
                let text = text.rsplit("target type: ").next().unwrap_or(&text);
                let (path, detail) = path_of(text);
                let pointer =
                    path.split(['.', '[']).map(|p| p.trim_end_matches(']')).collect::<Vec<_>>().join("/");
                Problem::field(&format!("/{pointer}"), "wrong", detail)
            }
            JsonRejection::JsonSyntaxError(_) => Problem::bad_request("no_json", e.body_text()),
            JsonRejection::MissingJsonContentType(_) => {
                Problem::bad_request("no_json", "send the body as JSON, with Content-Type: application/json")
            }
            _ => Problem::bad_request("body_unreadable", e.body_text()),
        })
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(v)| Self(v)).map_err(|e| {
            let text = e.body_text();
            let text = text.rsplit("query string: ").next().unwrap_or(&text);
            match path_of(text) {
                ("", detail) => Problem::field("?", "wrong", detail),
                (name, detail) => Problem::field(&format!("?{name}"), "wrong", detail),
            }
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(v)| Self(v))
            .map_err(|e| match e {
                PathRejection::FailedToDeserializePathParams(_) => Problem::not_found("thing"),
                e => Problem::internal(&e),
            })
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.headers.get(header::IF_MATCH).and_then(|v| v.to_str().ok());
        let version = given.and_then(|v| v.trim().trim_start_matches("W/").trim_matches('"').parse().ok());
        version.map(Self).ok_or_else(|| {
            Problem::new(
                axum::http::StatusCode::PRECONDITION_REQUIRED,
                "version_missing",
                "send If-Match with the version that you have seen, for example If-Match: \"3\"",
            )
        })
    }
}

/// serde's `path: message`; a message without a path has an empty one.
fn path_of(text: &str) -> (&str, &str) {
    match text.split_once(": ") {
        Some((path, detail)) if !path.contains(' ') => (path, detail),
        _ => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_query_says_which_name_and_why() {
        let uri: axum::http::Uri = "/x?limit=many".parse().unwrap();
        let mut parts = axum::http::Request::builder().uri(uri).body(()).unwrap().into_parts().0;
        let query = futures_util::FutureExt::now_or_never(
            Query::<crate::kernel::page::PageQuery>::from_request_parts(&mut parts, &()),
        );
        let problem = query.unwrap().err().unwrap();
        assert_eq!(problem.body().errors[0].pointer, "?limit");
        assert!(problem.body().errors[0].detail.contains("invalid digit"), "{problem:?}");
    }
}
