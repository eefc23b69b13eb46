//! The policy's layer: finds out who calls, refuses who may not, and hands the caller to the handler. Unsafe
//! methods are also refused when a page of another origin sends them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use steward_shared::id::UserId;
use steward_shared::time::Timestamp;

use super::policy::{Policies, Policy};
use super::stream::{self, Streams};
use crate::kernel::audit;
use crate::kernel::caller::{Caller, Gate, Origin, SESSION_COOKIE};
use crate::kernel::ctx::Ctx;
use crate::kernel::faults::chain;
use crate::kernel::problem::Problem;

const RECENT: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Guard {
    pub ctx: Ctx,
    pub policies: Arc<Policies>,
    pub streams: Streams,
    pub refusals: Refusals,
}

/// What was written down of late: of one user at one route, one refusal a minute. Otherwise anybody who may log in
/// could fill the trail, which nobody may shorten.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<HashMap<(UserId, String), Timestamp>>>);

impl Refusals {
    fn is_news(&self, user: UserId, route: &str, now: Timestamp) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, at| (now.minus(RECENT)..=now).contains(at));
        match recent.entry((user, route.to_owned())) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(now);
                true
            }
        }
    }
}

pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let who = match admit(&guard, &mut request).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let response = next.run(request).await;
    match who {
        Some((caller, token)) => {
            stream::end_with_session(response, &guard.ctx, &guard.streams, caller.session, token)
        }
        None => response,
    }
}

/// The caller with their token, or none for a public route that a stranger calls.
async fn admit(guard: &Guard, request: &mut Request) -> Result<Option<(Caller, String)>, Problem> {
    let Some(path) = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned()) else {
        return Ok(None); // no route: the console's files or a 404
    };
    if !is_safe(request.method()) && !same_origin(request.headers()) {
        return Err(other_origin(request.headers()));
    }
    let Some(policy) = guard.policies.of_route(request.method().as_str(), &path) else {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this address does not know this method",
        ));
    };
    let token = token_of(request.headers());
    let caller = match (&token, guard.ctx.find_part::<Gate>()) {
        (Some(token), Some(gate)) => match gate.0.who(token, is_use(request.headers())).await {
            // What is for everybody is there also when nobody can be asked who calls.
            Err(_) if policy == Policy::Public => None,
            who => who?,
        },
        _ => None,
    };
    let Some(caller) = caller else {
        return if policy == Policy::Public { Ok(None) } else { Err(Problem::unauthorized()) };
    };
    let may = match policy {
        Policy::Public => true,
        Policy::AtLeast(role) => caller.role >= role,
        Policy::Commands => caller.commands,
    };
    if !may {
        let route = format!("{} {path}", request.method());
        if !is_safe(request.method()) && guard.refusals.is_news(caller.user, &route, guard.ctx.now()) {
            record(guard, refusal(request, &caller, route)).await;
        }
        let (need, have) = (policy.word(), caller.role.word());
        if policy == Policy::Commands {
            let detail = "this needs the permission to command devices; an administrator gives it";
            return Err(Problem::new(StatusCode::FORBIDDEN, "may_not_command", detail));
        }
        return Err(Problem::forbidden(format!("this needs the role {need}, yours is {have}"))
            .with("need", need)
            .with("have", have));
    }
    request.extensions_mut().insert(caller.clone());
    Ok(token.map(|token| (caller, token)))
}

/// Who tries to change what their role does not let them change stands in the trail.
fn refusal(request: &Request, caller: &Caller, route: String) -> audit::Entry {
    let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
    audit::Entry::by(caller, &origin, "kernel.refuse_role")
        .on("route", route)
        .refused(format!("the role is {}", caller.role.word()))
}

/// The refusal stands, whether it could be written down or not.
async fn record(guard: &Guard, entry: audit::Entry) {
    if let Err(e) = audit::record_alone(&guard.ctx.db, guard.ctx.now(), entry).await {
        tracing::warn!(error = chain(&e), "a refusal could not be recorded");
    }
}

pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a person is behind a request. A page that only keeps itself fresh says so (`steward-background: 1`), and a
/// stream of events is watched, not used: a screen that was left alone does not keep its session alive.
fn is_use(headers: &HeaderMap) -> bool {
    let streams = |v: &axum::http::HeaderValue| v.as_bytes().starts_with(b"text/event-stream");
    !headers.contains_key("steward-background") && !headers.get(header::ACCEPT).is_some_and(streams)
}

/// Browsers send `Origin` (or at least `Sec-Fetch-Site`) with every unsafe request; programs send neither.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match (headers.contains_key(header::ORIGIN), text(header::ORIGIN), text(header::HOST)) {
        (false, ..) => true,
        (true, Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, o)| o == host),
        _ => false,
    }
}

/// Mostly a proxy that does not hand on the host; the two names show it.
fn other_origin(headers: &HeaderMap) -> Problem {
    let name = |name: HeaderName| {
        let text = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("unknown");
        text.chars().take(200).collect::<String>()
    };
    let (host, origin) = (name(header::HOST), name(header::ORIGIN));
    let detail = format!(
        "a page of {origin} sent this, but it came in for the host {host}; open the page at the hub's own address, \
         or have the proxy hand on the Host header of the browser"
    );
    Problem::new(StatusCode::FORBIDDEN, "other_origin", detail).with("host", host).with("origin", origin)
}

/// The session's token out of the cookies.
pub fn token_of(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, token)| token.to_owned())
}

/// Where the request came from. Behind a proxy of one's own, the address that it has put last; what stands before
/// it was put there by the caller.
pub fn origin_of(ctx: &Ctx, request: &Request, id: &str) -> Origin {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let named = if ctx.settings.behind_proxy { named_last(request.headers()) } else { None };
    let address = named.or(peer).map_or_else(|| "unknown".to_owned(), |ip| ip.to_canonical().to_string());
    Origin { address, request: id.to_owned() }
}

fn named_last(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_refreshes_itself_is_no_use_of_the_session() {
        let asked = |name: &'static str, value: &'static str| {
            is_use(&HeaderMap::from_iter([(
                HeaderName::from_static(name),
                axum::http::HeaderValue::from_static(value),
            )]))
        };
        assert!(is_use(&HeaderMap::new()) && asked("accept", "application/json"));
        assert!(!asked("steward-background", "1") && !asked("accept", "text/event-stream"));
    }

    /// The last address of the last header; a text that is none counts for nothing.
    #[test]
    fn the_proxy_is_believed_and_not_what_the_caller_put_before_it() {
        let said = |values: &[&str]| {
            let pairs: Vec<_> = values.iter().map(|v| ("x-forwarded-for", *v)).collect();
            named_last(&headers(&pairs)).map(|ip| ip.to_string())
        };
        assert_eq!(said(&["10.0.0.7"]).as_deref(), Some("10.0.0.7"));
        assert_eq!(said(&["1.1.1.1, 10.0.0.7"]).as_deref(), Some("10.0.0.7"));
        assert_eq!(said(&["1.1.1.1", "2.2.2.2, 10.0.0.7 "]).as_deref(), Some("10.0.0.7"));
        assert_eq!(said(&["fd00::7"]).as_deref(), Some("fd00::7"));
        assert_eq!(said(&["10.0.0.7, <script>"]), None);
        assert_eq!(said(&[]), None);
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    #[test]
    fn control_13_a_page_of_another_origin_cannot_change_anything() {
        assert!(same_origin(&headers(&[("host", "hub:8080")])));
        assert!(same_origin(&headers(&[("host", "hub:8080"), ("origin", "http://hub:8080")])));
        for wrong in ["http://evil", "http://hub:8081", "null", "https://hub:8080.evil", "hub:8080"] {
            assert!(!same_origin(&headers(&[("host", "hub:8080"), ("origin", wrong)])), "{wrong}");
        }
        assert!(!same_origin(&headers(&[("host", "hub:8080"), ("sec-fetch-site", "cross-site")])));
        assert!(!same_origin(&headers(&[("origin", "http://hub:8080")])));
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let h = headers(&[("cookie", "a=b; steward_session=xyz; c=d")]);
        assert_eq!(token_of(&h).as_deref(), Some("xyz"));
        assert_eq!(token_of(&headers(&[("cookie", "steward_sessions=1")])), None);
    }
}
