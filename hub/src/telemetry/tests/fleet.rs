//! The fleet over HTTP.

use axum::http::StatusCode;

use crate::gateways::Fleet;
use crate::kernel::caller::Role;
use crate::testing::on_each_database;

#[tokio::test]
async fn a_gateway_is_made_changed_and_revoked_by_an_engineer() {
    on_each_database(async |hub| {
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let name = || serde_json::json!({ "name": "east" });
        assert_eq!(viewer.post("/api/v1/gateways", name()).await.status, StatusCode::FORBIDDEN);
        let mut engineer = hub.logged_in_as(Role::Engineer).await;
        let made = engineer.post("/api/v1/gateways", name()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let code: steward_shared::wire::code::Code = made.json["code"].as_str().unwrap().parse().unwrap();
        assert!(code.names_ca(hub.ctx.part::<Fleet>().ca().certificate()));
        assert_eq!(made.json["gateway"]["state"], "pending");
        assert_eq!(engineer.post("/api/v1/gateways", name()).await.problem(), "name_taken");
        let path = format!("/api/v1/gateways/{}", made.json["gateway"]["id"].as_str().unwrap());
        let changed = engineer.patch(&path, 1, serde_json::json!({ "name": "west" })).await;
        assert_eq!((changed.status, &changed.json["name"]), (StatusCode::OK, &"west".into()));
        assert_eq!(engineer.patch(&path, 1, name()).await.status, StatusCode::PRECONDITION_FAILED);
        let revoked = engineer.post(&format!("{path}/revoke"), serde_json::json!({})).await;
        assert_eq!((revoked.status, &revoked.json["state"]), (StatusCode::OK, &"revoked".into()));
        let events = viewer.get(&format!("{path}/events")).await;
        assert_eq!(events.json["items"][0]["kind"], "gateway_revoked");
    })
    .await;
}
