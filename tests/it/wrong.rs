//! What a person may get wrong: the files, the password, the question. Each is told with the place and the way out.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use steward_tests::Hub;
use steward_tests::programs::{ADMIN, HubOptions, program};

/// What the program says of a file, and its exit code.
fn checked(name: &str, args: &[&str]) -> (i32, String) {
    let out = Command::new(program(name, name).unwrap()).args(args).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap_or(-1), said)
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.display().to_string()
}

#[test]
fn fault_wrong_toml_of_an_edge_is_told_at_once_with_lines_and_ways_out() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[gateway]\nname = \"east\"\n[bufer]\nflush = \"10\"\n[periods]\nnormal = \"10 parsecs\"\n\
                [[line]]\nname = \"a\"\nkind = \"tcp\"\nhost = \"10.0.0.1\"\nport = 70000\n\
                [[line.device]]\nname = \"m\"\nprofile = \"schneider/pm5530\"\naddress = 1\n";
    let file = write(&dir.path().join("edge.toml"), text);
    let (code, said) = checked("steward-edge", &["check", &file]);
    assert_ne!(code, 0);
    for wanted in [
        ("edge.toml:3:", "buffer"),
        ("edge.toml:6:", "10s"),
        ("edge.toml:11:", "65535"),
        ("edge.toml:14:", "schneider/pm5350"),
    ] {
        let line = said.lines().find(|line| line.contains(wanted.0));
        assert!(line.is_some_and(|line| line.contains(wanted.1)), "{wanted:?} is not in\n{said}");
    }
    let broken = write(&dir.path().join("broken.toml"), "[gateway\nname = \"east\"\n");
    let (code, said) = checked("steward-edge", &["check", &broken]);
    assert!(code != 0 && said.contains("broken.toml:1:"), "{said}");
}

#[test]
fn fault_wrong_toml_of_a_hub_is_told_at_once_with_lines_and_ways_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&dir.path().join("hub.toml"), "[http]\nlisten = \"nowhere\"\n[data]\ndri = \"/tmp\"\n");
    let (code, said) = checked("steward-hub", &["run", "--config", &file]);
    assert_ne!(code, 0);
    for wanted in [("hub.toml:2:", "127.0.0.1:8080"), ("hub.toml:4:", "dir")] {
        let line = said.lines().find(|line| line.contains(wanted.0));
        assert!(line.is_some_and(|line| line.contains(wanted.1)), "{wanted:?} is not in\n{said}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn hub() -> (tempfile::TempDir, Hub) {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::new(dir.path(), &HubOptions::default()).unwrap();
    hub.start().unwrap();
    (dir, hub)
}

#[test]
fn fault_wrong_password_is_told_without_telling_which_half_was_wrong() {
    let (_dir, hub) = hub();
    hub.admin().unwrap();
    let try_in = |user: &str, password: &str| {
        let body = json!({"user": user, "password": password});
        hub.stranger().post("/api/v1/session", &body).unwrap()
    };
    let wrong = try_in(ADMIN, "not-the-password-9");
    let unknown = try_in("nobody", "not-the-password-9");
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.json().unwrap(), unknown.json().unwrap());
    let problem = wrong.json().unwrap();
    assert_eq!(wrong.headers["content-type"], "application/problem+json");
    assert_eq!(problem["type"], "/problems/wrong_password");
    assert!(text(&problem["detail"]).contains("mind capital letters"), "{problem}");
    for _ in 0..5 {
        try_in(ADMIN, "not-the-password-9");
    }
    let locked = try_in(ADMIN, "not-the-password-9");
    assert_eq!(locked.status, 429);
    let wait: u64 = locked.headers["retry-after"].parse().unwrap();
    let detail = locked.json().unwrap()["detail"].clone();
    assert!(text(&detail).contains(&format!("wait {wait} s, or let an administrator")), "{detail}");
}

#[test]
fn fault_wrong_query_is_told_with_the_field_and_the_way_out() {
    let (_dir, hub) = hub();
    let admin = hub.admin().unwrap();
    let refused = |path: &str| -> (u16, Value) {
        let answer = admin.get(path).unwrap();
        (answer.status, answer.json().unwrap())
    };
    for (path, pointer, way_out) in [
        (
            "/api/v1/series?points=1&from=yesterday&to=2026-11-01T00:00:00Z",
            "?from",
            "RFC 3339, for example 2026",
        ),
        ("/api/v1/series?points=1&from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "?to", "exchange them"),
        (
            "/api/v1/series?points=one&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z",
            "?points",
            "/api/v1/points",
        ),
        ("/api/v1/points?limit=many", "?limit", "for example 50"),
        (
            "/api/v1/series.csv?points=&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z",
            "?points",
            "1 to 32 points",
        ),
    ] {
        let (status, problem) = refused(path);
        assert!(matches!(status, 400 | 422), "{path}: {status}");
        let fields = problem["errors"].as_array().cloned().unwrap_or_default();
        let field = fields.iter().find(|f| f["pointer"] == pointer);
        let told = field.is_some_and(|f| text(&f["detail"]).contains(way_out));
        assert!(told, "{path}: {pointer} and `{way_out}` are not told: {problem}");
    }
    let (status, problem) = refused("/api/v1/gateways/no-such-id");
    assert_eq!(status, 404, "{problem}");
}
