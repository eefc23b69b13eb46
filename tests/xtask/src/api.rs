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
    /// Logs in; on a hub without users it first makes this one the administrator. `way_out` is for whom the
    /// password is refused.
    pub fn open(port: u16, user: &str, password: &str, way_out: &str) -> Result<Self, String> {
        let setup = ok(http::request(port, "GET", "/api/v1/setup", "", "")?, "GET /api/v1/setup")?;
        let (path, body) = if setup.json()?.get("needed") == &Json::Bool(true) {
            let name = quote("Demo administrator");
            let body = format!(r#"{{"user":{},"name":{name},"password":{}}}"#, quote(user), quote(password));
            ("/api/v1/setup", body)
        } else {
            ("/api/v1/session", format!(r#"{{"user":{},"password":{}}}"#, quote(user), quote(password)))
        };
        let answer = http::request(port, "POST", path, "", &body)?;
        let refused = answer.status == 401;
        let answer = ok(answer, path).map_err(|e| if refused { format!("{e}\n{way_out}") } else { e })?;
        let cookie = answer.cookie.ok_or_else(|| format!("{path} set no cookie"))?;
        Ok(Self { port, cookie })
    }

    pub fn get(&self, path: &str) -> Result<Json, String> {
        ok(http::request(self.port, "GET", path, &self.cookie, "")?, path)?.json()
    }

    pub fn text(&self, path: &str) -> Result<String, String> {
        Ok(ok(http::request(self.port, "GET", path, &self.cookie, "")?, path)?.body)
    }

    pub fn post(&self, path: &str, body: &str) -> Result<Json, String> {
        ok(http::request(self.port, "POST", path, &self.cookie, body)?, path)?.json()
    }

    /// The site of this code; made if a run that was stopped half way did not come to it.
    fn site(&self, parent: Option<&str>, kind: &str, name: &str, code: &str) -> Result<String, String> {
        let sites = self.get("/api/v1/sites?limit=200")?;
        let same = |s: &&Json| s.get("code").text() == Some(code) && s.get("parent").text() == parent;
        if let Some(site) = sites.get("items").items().iter().find(same) {
            return id_of(site);
        }
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

    /// An enrolment code for the gateway of this name, which is made if it is not there.
    pub fn enrolment_code(&self, name: &str, site: &str) -> Result<String, String> {
        let gateways = self.get("/api/v1/gateways?limit=200")?;
        let known = gateways.get("items").items().iter().find(|g| g.get("name").text() == Some(name));
        if let Some(gateway) = known {
            let path = format!("/api/v1/gateways/{}/code", id_of(gateway)?);
            return code_of(&self.post(&path, "")?);
        }
        let body = format!(r#"{{"name":{},"site":{}}}"#, quote(name), quote(site));
        code_of(&self.post("/api/v1/gateways", &body)?)
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

fn code_of(made: &Json) -> Result<String, String> {
    made.get("code").text().map(str::to_owned).ok_or_else(|| "the hub gave no enrolment code".to_owned())
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
