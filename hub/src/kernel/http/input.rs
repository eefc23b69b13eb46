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
                let (steps, code, detail) = fault_of(text.rsplit("target type: ").next().unwrap_or(&text));
                let steps = steps.iter().map(|s| s.replace('~', "~0").replace('/', "~1"));
                let pointer = std::iter::once(String::new()).chain(steps).collect::<Vec<_>>().join("/");
                Problem::field(&pointer, code, detail)
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
            let (steps, code, detail) = fault_of(text.rsplit("query string: ").next().unwrap_or(&text));
            Problem::field(&format!("?{}", steps.join("/")), code, detail)
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

/// What serde says, `path: message`, as the way to the field, a stable word and a message with the way out.
fn fault_of(text: &str) -> (Vec<String>, &'static str, String) {
    let (path, message) = match text.split_once(": ") {
        Some((path, message)) if !path.contains(' ') => (path, message),
        _ => ("", text),
    };
    let mut steps: Vec<String> = path
        .split(['.', '['])
        .map(|s| s.trim_end_matches(']').to_owned())
        .filter(|s| !s.is_empty())
        .collect();
    let named = |before: &str| message.strip_prefix(before)?.split('`').next().map(str::to_owned);
    if let Some(name) = named("missing field `") {
        let detail = format!("`{name}` is missing; send it");
        steps.push(name);
        return (steps, "required", detail);
    }
    if let Some(name) = named("unknown field `") {
        let known = message.split_once(", ").map_or("", |(_, known)| known);
        let detail = format!("`{name}` is not known here; {known}");
        if steps.last() != Some(&name) {
            steps.push(name);
        }
        return (steps, "unknown_field", detail);
    }
    if let Some(name) = named("duplicate field `") {
        let detail = format!("`{name}` is there twice; send it once");
        steps.push(name);
        return (steps, "wrong", detail);
    }
    // What Rust says of numbers, and where it says no way out.
    let way_out = match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "this is no whole number; write digits only, for example 50"
        }
        "number too large to fit in target type" | "number too small to fit in target type" => {
            "this number is out of range; take a smaller one, and none below zero"
        }
        "invalid float literal" | "cannot parse float from empty string" => {
            "this is no number; write it with a point, for example 21.5"
        }
        "provided string was not `true` or `false`" => "write true or false",
        other => other,
    };
    (steps, "wrong", way_out.to_owned())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde::Deserialize;

    use super::*;
    use crate::kernel::page::PageQuery;

    fn query<T: DeserializeOwned>(text: &str) -> (String, String, String) {
        let uri: axum::http::Uri = format!("/x{text}").parse().unwrap();
        let mut parts = axum::http::Request::builder().uri(uri).body(()).unwrap().into_parts().0;
        of(&Query::<T>::from_request_parts(&mut parts, &()).now_or_never().unwrap().err().unwrap())
    }

    fn json<T: DeserializeOwned>(text: &str) -> (String, String, String) {
        let request = axum::http::Request::post("/x").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(axum::body::Body::from(text.to_owned())).unwrap();
        of(&Json::<T>::from_request(request, &()).now_or_never().unwrap().err().unwrap())
    }

    fn of(problem: &Problem) -> (String, String, String) {
        let [error] = problem.body().errors.as_slice() else { panic!("{problem:?}") };
        (error.pointer.clone(), error.code.clone(), error.detail.clone())
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read in")]
    struct Asked {
        width: u16,
        all: Option<bool>,
        ratio: Option<f64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read in")]
    struct Nested {
        parts: Vec<Asked>,
    }

    fn is(fault: &(String, String, String), pointer: &str, code: &str, says: &str) {
        assert_eq!((fault.0.as_str(), fault.1.as_str()), (pointer, code));
        assert!(fault.2.contains(says), "{}", fault.2);
    }

    #[test]
    fn a_wrong_query_says_which_name_why_and_what_to_do() {
        is(&query::<PageQuery>("?limit=many"), "?limit", "wrong", "write digits only");
        is(&query::<PageQuery>("?limit="), "?limit", "wrong", "write digits only");
        is(&query::<PageQuery>("?limit=-1"), "?limit", "wrong", "write digits only");
        is(&query::<PageQuery>("?limit=99999999999"), "?limit", "wrong", "out of range");
        is(&query::<PageQuery>("?limti=5"), "?limti", "unknown_field", "expected `limit` or `after`");
        is(&query::<Asked>("?all=true"), "?width", "required", "`width` is missing");
        is(&query::<Asked>("?width=1&all=yes"), "?all", "wrong", "true or false");
        is(&query::<Asked>("?width=1&ratio=much"), "?ratio", "wrong", "21.5");
        is(&query::<Asked>("?width=1&width=2"), "?width", "wrong", "there twice");
    }

    #[test]
    fn a_wrong_body_says_which_field_and_why() {
        is(&json::<Asked>("{}"), "/width", "required", "`width` is missing");
        is(&json::<Asked>(r#"{"width": "x"}"#), "/width", "wrong", "expected u16");
        is(&json::<Asked>(r#"{"width": 1, "a/b": 1}"#), "/a~1b", "unknown_field", "`a/b` is not known");
        is(&json::<Nested>(r#"{"parts": [{"width": 1}, {}]}"#), "/parts/1/width", "required", "missing");
        is(
            &json::<Nested>(r#"{"parts": [{"width": 1, "b": 2}]}"#),
            "/parts/0/b",
            "unknown_field",
            "not known",
        );
        is(&json::<Nested>("7"), "", "wrong", "invalid type");
    }
}
