//! What the demo does on the hub, by the same public API that everybody has: the first administrator, the tree of
//! sites, the gateway and its enrolment code; and the question whether values arrive.

use crate::http::{self, Answer};
use crate::json::{Json, quote};

/// A session on the hub that listens on `port`.
pub struct Api {
    port: u16,
    cookie: String,
}

pub fn is_ready(port: u16) -> bool {
    http::request(port, "GET", "/readyz", "", "").is_ok_and(|answer| answer.status == 200)
}

impl Api {
    /// Logs in; on a hub without users it first makes this one the administrator.
    pub fn open(port: u16, user: &str, password: &str) -> Result<Self, String> {
        let setup = ok(http::request(port, "GET", "/api/v1/setup", "", "")?, "GET /api/v1/setup")?;
        let (path, body) = if setup.json()?.get("needed") == &Json::Bool(true) {
            let name = quote("Demo administrator");
            let body = format!(r#"{{"user":{},"name":{name},"password":{}}}"#, quote(user), quote(password));
            ("/api/v1/setup", body)
        } else {
            ("/api/v1/session", format!(r#"{{"user":{},"password":{}}}"#, quote(user), quote(password)))
        };
        let answer = ok(http::request(port, "POST", path, "", &body)?, path)?;
        let cookie = answer.cookie.ok_or_else(|| format!("{path} set no cookie"))?;
        Ok(Self { port, cookie })
    }

    pub fn get(&self, path: &str) -> Result<Json, String> {
        ok(http::request(self.port, "GET", path, &self.cookie, "")?, path)?.json()
    }

    pub fn post(&self, path: &str, body: &str) -> Result<Json, String> {
        ok(http::request(self.port, "POST", path, &self.cookie, body)?, path)?.json()
    }

    fn site(&self, parent: Option<&str>, kind: &str, name: &str, code: &str) -> Result<String, String> {
        let parent = parent.map_or_else(|| "null".to_owned(), quote);
        let (name, code) = (quote(name), quote(code));
        let body = format!(r#"{{"parent":{parent},"kind":"{kind}","name":{name},"code":{code}}}"#);
        id_of(&self.post("/api/v1/sites", &body)?)
    }

    /// Campus, building, floor and plant room; returns the room's id.
    pub fn make_sites(&self) -> Result<String, String> {
        let campus = self.site(None, "campus", "East Campus 东院区", "EAST")?;
        let building = self.site(Some(&campus), "building", "Inpatient Building 住院楼", "IPB")?;
        self.site(Some(&building), "floor", "Level 1 一层", "L1")?;
        let basement = self.site(Some(&building), "floor", "Basement 1 地下一层", "B1")?;
        self.site(Some(&basement), "room", "Chiller Plant Room 制冷机房", "B1-01")
    }

    /// A new gateway in a room: its id and its enrolment code.
    pub fn make_gateway(&self, name: &str, site: &str) -> Result<(String, String), String> {
        let body = format!(r#"{{"name":{},"site":{}}}"#, quote(name), quote(site));
        let made = self.post("/api/v1/gateways", &body)?;
        let code = made.get("code").text().ok_or("the hub gave no enrolment code")?.to_owned();
        Ok((id_of(made.get("gateway"))?, code))
    }

    /// Points with a value that is not stale, and points in all.
    pub fn points_with_values(&self) -> Result<(usize, usize), String> {
        let page = self.get("/api/v1/points?limit=500")?;
        let points = page.get("items").items();
        let fresh = points.iter().filter(|p| {
            let latest = p.get("latest");
            !latest.is_null() && latest.get("stale") != &Json::Bool(true)
        });
        Ok((fresh.count(), points.len()))
    }
}

fn id_of(made: &Json) -> Result<String, String> {
    made.get("id").text().map(str::to_owned).ok_or_else(|| "the hub's answer has no id".to_owned())
}

/// The answer, or the sentence that the problem document carries.
fn ok(answer: Answer, what: &str) -> Result<Answer, String> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let problem = answer.json().unwrap_or(Json::Null);
    let sentence = ["detail", "title"].iter().find_map(|key| problem.get(key).text()).unwrap_or(&answer.body);
    Err(format!("{what}: the hub answers {}: {sentence}", answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_the_hubs_sentence() {
        let body = r#"{"type":"/problems/locked","title":"Locked","detail":"wait 30 minutes"}"#.to_owned();
        let error = ok(Answer { status: 429, cookie: None, body }, "POST /x").err().unwrap();
        assert_eq!(error, "POST /x: the hub answers 429: wait 30 minutes");
    }
}
