//! The harness on the real hub: started, killed and stopped as a process, it keeps what it was told.

use std::time::Duration;

use steward_tests::programs::{ADMIN, HubOptions};
use steward_tests::{Hub, eventually};

#[test]
fn a_hub_keeps_its_administrator_over_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::new(dir.path(), &HubOptions::default()).unwrap();
    hub.start().unwrap();
    let stranger = hub.stranger();
    assert_eq!(stranger.get("/api/v1/setup").unwrap().ok().unwrap()["needed"], true);
    let admin = hub.admin().unwrap();
    assert_eq!(hub.list(&admin, "/api/v1/users").unwrap().len(), 1);
    assert_eq!(stranger.get("/api/v1/users").unwrap().status, 401);
    hub.kill().unwrap();
    eventually("nobody answers", Duration::from_secs(10), || stranger.get("/healthz").err());
    hub.start().unwrap();
    assert_eq!(stranger.get("/api/v1/setup").unwrap().ok().unwrap()["needed"], false);
    let users = hub.list(&hub.admin().unwrap(), "/api/v1/users").unwrap();
    assert_eq!(users[0]["user"], ADMIN, "{users:?}");
    hub.stop().unwrap();
}
