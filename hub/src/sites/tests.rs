use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::kernel::{files, outbox};
use crate::testing::{Client, on_each_database};

async fn make(client: &mut Client, kind: &str, name: &str, parent: Option<&Value>) -> Value {
    let made = client
        .post("/api/v1/sites", json!({"kind": kind, "name": name, "parent": parent.map(|p| &p["id"])}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.header("location"), format!("/api/v1/sites/{}", made.json["id"].as_str().unwrap()));
    made.json
}

fn path(site: &Value) -> String {
    format!("/api/v1/sites/{}", site["id"].as_str().unwrap())
}

#[tokio::test]
async fn places_form_a_tree_of_campus_building_floor_and_room() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let campus = make(&mut c, "campus", "东院区", None).await;
        let building = make(&mut c, "building", "Block A", Some(&campus)).await;
        let floor = make(&mut c, "floor", "B1", Some(&building)).await;
        make(&mut c, "room", "Plant room", Some(&floor)).await;
        for (kind, parent) in [("room", &campus), ("campus", &building), ("floor", &floor)] {
            let wrong =
                c.post("/api/v1/sites", json!({"kind": kind, "name": "x", "parent": parent["id"]})).await;
            assert_eq!(
                (wrong.status, wrong.json["errors"][0]["code"].as_str()),
                (StatusCode::UNPROCESSABLE_ENTITY, Some("wrong_parent"))
            );
        }
        let nowhere = json!({"kind": "room", "name": "x", "parent": "01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e"});
        assert_eq!(c.post("/api/v1/sites", nowhere).await.json["errors"][0]["pointer"], "/parent");
        assert_eq!(c.get("/api/v1/sites").await.json["items"].as_array().unwrap().len(), 4);
        let in_a = c.get(&format!("/api/v1/sites?parent={}", building["id"].as_str().unwrap())).await;
        assert_eq!(in_a.json["items"], json!([floor]));
        let page = c.get("/api/v1/sites?limit=3").await.json;
        let rest =
            c.get(&format!("/api/v1/sites?limit=3&after={}", page["next"].as_str().unwrap())).await.json;
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
        assert_eq!(c.get("/api/v1/sites?after=%21").await.json["errors"][0]["pointer"], "?after");
    })
    .await;
}

#[tokio::test]
async fn names_are_unique_in_a_place_and_codes_everywhere() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let a = c.post("/api/v1/sites", json!({"kind": "building", "name": "A", "code": "A1"})).await.json;
        let b = c.post("/api/v1/sites", json!({"kind": "building", "name": "B"})).await.json;
        let name = c.post("/api/v1/sites", json!({"kind": "building", "name": " A "})).await;
        assert_eq!((name.status, name.problem()), (StatusCode::CONFLICT, "name_taken"));
        let code = c.patch(&path(&b), 1, json!({"code": "A1"})).await;
        assert_eq!((code.status, code.problem()), (StatusCode::CONFLICT, "code_taken"));
        // A name has a character at least, a code need not.
        for (field, says) in [("name", "1 to 100"), ("code", "at most 100")] {
            let mut long = json!({"kind": "building", "name": "C"});
            long[field] = json!("x".repeat(101));
            let error = c.post("/api/v1/sites", long).await.json["errors"][0].clone();
            assert_eq!(error["pointer"], format!("/{field}"));
            assert!(error["detail"].as_str().unwrap().contains(says), "{error}");
        }
        make(&mut c, "floor", "1", Some(&a)).await;
        make(&mut c, "floor", "1", Some(&b)).await;
    })
    .await;
}

#[tokio::test]
async fn a_place_moves_and_only_an_empty_one_goes() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let campus = make(&mut c, "campus", "East", None).await;
        let building = make(&mut c, "building", "A", Some(&campus)).await;
        let full = c.delete(&path(&campus), 1).await;
        assert_eq!((full.status, full.problem()), (StatusCode::CONFLICT, "not_empty"));
        let renamed = c.patch(&path(&building), 1, json!({"name": "A2"})).await.json;
        assert_eq!((renamed["parent"].clone(), renamed["version"].as_i64()), (campus["id"].clone(), Some(2)));
        let stale = c.patch(&path(&building), 1, json!({"name": "A3"})).await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
        let top = c.patch(&path(&building), 2, json!({"parent": null})).await.json;
        assert_eq!(top["parent"], Value::Null);
        assert_eq!(c.delete(&path(&campus), 1).await.status, StatusCode::NO_CONTENT);
        assert_eq!(c.get(&path(&campus)).await.status, StatusCode::NOT_FOUND);
        assert_eq!(c.get("/api/v1/sites/not-an-id").await.status, StatusCode::NOT_FOUND);
        assert_eq!(c.delete(&path(&building), 1).await.status, StatusCode::PRECONDITION_FAILED);
    })
    .await;
}

#[tokio::test]
async fn who_watches_is_told_of_a_change_after_its_commit() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let mut watch = hub.ctx.live.watch();
        let site = make(&mut c, "campus", "East", None).await;
        outbox::tell(&hub.ctx).await.unwrap();
        let told = watch.try_recv().unwrap();
        let json: Value = serde_json::from_str(&told.json).unwrap();
        assert_eq!((told.name, &json["id"]), ("site", &site["id"]));
        // A refused change is not told.
        c.post("/api/v1/sites", json!({"kind": "campus", "name": "East"})).await;
        outbox::tell(&hub.ctx).await.unwrap();
        assert!(watch.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn the_same_request_under_one_key_is_done_once() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let key = [("idempotency-key", "k-1")];
        let body = json!({"kind": "campus", "name": "East"});
        let first = c.send(Method::POST, "/api/v1/sites", &key, Some(body.clone())).await;
        let again = c.send(Method::POST, "/api/v1/sites", &key, Some(body.clone())).await;
        assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotency-replayed"), "true");
        let other =
            c.send(Method::POST, "/api/v1/sites", &key, Some(json!({"kind": "campus", "name": "W"}))).await;
        assert_eq!((other.status, other.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"));
        // Another caller's key is another key.
        let mut e = hub.logged_in_as(crate::kernel::caller::Role::Engineer).await;
        let theirs = e.send(Method::POST, "/api/v1/sites", &key, Some(body.clone())).await;
        assert_eq!(theirs.problem(), "name_taken");
        // A day later the key is free again.
        hub.clock.advance(std::time::Duration::from_hours(25));
        let mut c = hub.admin().await;
        assert_eq!(c.send(Method::POST, "/api/v1/sites", &key, Some(body)).await.problem(), "name_taken");
    })
    .await;
}

#[tokio::test]
async fn a_plan_is_taken_by_what_it_is_and_given_back_as_it_came() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let site = make(&mut c, "building", "A", None).await;
        let at = format!("{}/plan", path(&site));
        let put = |seen: i64, content: &'static [u8], kind: &str| {
            let request = Request::put(&at).header("host", "hub.test").header("content-type", kind);
            request.header("if-match", format!("\"{seen}\"")).body(Body::from(content)).unwrap()
        };
        assert_eq!(c.get(&at).await.problem(), "not_found");
        let svg = c.open(put(1, b"<svg/>", "image/png")).await;
        assert_eq!(svg.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let mut watch = hub.ctx.live.watch();
        assert_eq!(c.open(put(1, b"%PDF-1.7 drawing", "application/pdf")).await.status(), StatusCode::OK);
        // Who watches is told, as of every change of a place.
        outbox::tell(&hub.ctx).await.unwrap();
        assert_eq!(std::iter::from_fn(|| watch.try_recv().ok()).last().map(|t| t.name), Some("site"));
        let shown = c.get(&at).await;
        assert_eq!(
            (shown.header("content-type"), shown.text.as_str()),
            ("application/pdf", "%PDF-1.7 drawing")
        );
        let named = c.get(&path(&site)).await.json["plan"].clone();
        assert_eq!(shown.header("etag"), format!("\"{}\"", named.as_str().unwrap()));
        assert_eq!(c.delete(&at, 2).await.json["plan"], Value::Null);
        assert_eq!(c.get(&at).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_plan_is_not_put_over_one_that_was_not_seen_nor_where_there_is_no_place() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let site = make(&mut c, "building", "A", None).await;
        let put = async |client: &mut Client, at: &str, seen: Option<&str>| {
            let mut request = Request::put(format!("{at}/plan")).header("host", "hub.test");
            if let Some(seen) = seen {
                request = request.header("if-match", seen);
            }
            client.open(request.body(Body::from("%PDF-1.7")).unwrap()).await.status()
        };
        let here = path(&site);
        assert_eq!(put(&mut c, &here, None).await, StatusCode::PRECONDITION_REQUIRED);
        assert_eq!(put(&mut c, &here, Some("\"7\"")).await, StatusCode::PRECONDITION_FAILED);
        let nowhere = "/api/v1/sites/01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e";
        assert_eq!(put(&mut c, nowhere, Some("\"1\"")).await, StatusCode::NOT_FOUND);
        assert!(!hub.folder().join("files").exists(), "nothing of this came onto the disk");
        assert_eq!(put(&mut c, &here, Some("\"1\"")).await, StatusCode::OK);
        let plan = format!("{here}/plan");
        assert_eq!(c.delete(&plan, 1).await.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(c.send(Method::DELETE, &plan, &[], None).await.problem(), "version_missing");
    })
    .await;
}

#[tokio::test]
async fn a_plan_that_was_replaced_is_removed_from_the_disk_and_one_that_is_named_stays() {
    on_each_database(async |hub| {
        let mut c = hub.admin().await;
        let site = make(&mut c, "building", "A", None).await;
        for (seen, content) in [("\"1\"", "%PDF-1.7 old"), ("\"2\"", "%PDF-1.7 new")] {
            let put = Request::put(format!("{}/plan", path(&site))).header("host", "hub.test");
            let put = put.header("if-match", seen).body(Body::from(content)).unwrap();
            assert_eq!(c.open(put).await.status(), StatusCode::OK);
        }
        hub.clock.advance(std::time::Duration::from_hours(25));
        files::sweep(&hub.ctx).await.unwrap();
        let mut c = hub.admin().await;
        assert_eq!(c.get(&format!("{}/plan", path(&site))).await.text, "%PDF-1.7 new");
        let folders = std::fs::read_dir(hub.folder().join("files")).unwrap();
        let left = folders.flat_map(|f| std::fs::read_dir(f.unwrap().path()).unwrap()).count();
        assert_eq!(left, 1);
    })
    .await;
}
