//! Who may call what: read from the OpenAPI document, whose operations carry it as `security`. What is not
//! in the document, or stands there without `security`, is refused to everybody. The document also says which
//! operations take a file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kernel::caller::Role;

/// In the place of a role.
const COMMANDS: &str = "commands";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Public,
    AtLeast(Role),
    /// Who may command devices.
    Commands,
}

impl Policy {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::AtLeast(role) => role.word(),
            Self::Commands => COMMANDS,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Policies {
    who: BTreeMap<(String, String), Policy>,
    files: BTreeSet<(String, String)>,
}

impl Policies {
    /// Operations without a policy are left out, and so refused.
    pub fn of(openapi: &Value) -> Self {
        let mut all = Self::default();
        for (path, methods) in openapi["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let name = (method.to_uppercase(), path.clone());
                if takes_file(operation) {
                    all.files.insert(name.clone());
                }
                if let Some(policy) = policy_of(operation) {
                    all.who.insert(name, policy);
                }
            }
        }
        all
    }

    /// `path` is the route's template, such as `/api/v1/sites/{id}`. HEAD is as GET.
    pub fn of_route(&self, method: &str, path: &str) -> Option<Policy> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.who.get(&(method.to_owned(), path.to_owned())).copied()
    }

    /// Whether the body is a file, and may be as large as one.
    pub fn takes_file(&self, method: &str, path: &str) -> bool {
        self.files.contains(&(method.to_owned(), path.to_owned()))
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str, Policy)> {
        self.who.iter().map(|((m, p), policy)| (m.as_str(), p.as_str(), *policy))
    }
}

/// `[{}]` is public, `[{"session": ["engineer"]}]` wants at least that role, `["commands"]` in its place the permission.
fn policy_of(operation: &Value) -> Option<Policy> {
    let [requirement] = operation.get("security")?.as_array()?.as_slice() else { return None };
    let requirement = requirement.as_object()?;
    if requirement.is_empty() {
        return Some(Policy::Public);
    }
    let [role] = requirement.get("session")?.as_array()?.as_slice() else { return None };
    if role == COMMANDS {
        return Some(Policy::Commands);
    }
    serde_json::from_value(role.clone()).ok().map(Policy::AtLeast)
}

/// A body that is described, and not as JSON.
fn takes_file(operation: &Value) -> bool {
    let content = operation["requestBody"]["content"].as_object();
    content.is_some_and(|kinds| !kinds.is_empty() && !kinds.contains_key("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_states_no_policy_is_refused() {
        let policies = Policies::of(&json!({"paths": {"/a": {
            "get": {"security": [{}]},
            "post": {"security": [{"session": ["engineer"]}]},
            "put": {},
            "patch": {"security": []},
            "delete": {"security": [{"session": []}]}
        }, "/b": {"post": {"security": [{"session": ["commands"]}]}}}}));
        assert_eq!(policies.of_route("POST", "/b"), Some(Policy::Commands));
        assert_eq!(policies.of_route("GET", "/a"), Some(Policy::Public));
        assert_eq!(policies.of_route("HEAD", "/a"), Some(Policy::Public));
        assert_eq!(policies.of_route("POST", "/a"), Some(Policy::AtLeast(Role::Engineer)));
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(policies.of_route(method, "/a"), None, "{method}");
        }
    }
    #[test]
    fn an_operation_takes_a_file_when_its_body_is_described_as_something_else_than_json() {
        let policies = Policies::of(&json!({"paths": {"/a": {
            "get": {},
            "post": {"requestBody": {"content": {"application/json": {}}}},
            "put": {"requestBody": {"content": {"application/octet-stream": {}}}}
        }}}));
        assert!(policies.takes_file("PUT", "/a"));
        assert!(!policies.takes_file("POST", "/a") && !policies.takes_file("GET", "/a"));
    }
}
