use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;
use steward_shared::id::UserId;
use tokio::sync::Notify;

use super::error::AccountError;
use super::model::Refusal;
use crate::kernel::caller::{Origin, Role};
use crate::kernel::db::DbError;
use crate::params;
use crate::testing::{PASSWORD, on_each_database};

#[tokio::test]
async fn control_1_the_first_administrator_is_made_once_and_there_is_no_other_account() {
    on_each_database(async |hub| {
        let mut first = hub.stranger();
        assert_eq!(first.get("/api/v1/setup").await.json, json!({"needed": true}));
        let count: Option<i64> = hub.ctx.db.one("select count(*) from users", params![]).await.unwrap();
        assert_eq!(count, Some(0));
        let weak =
            first.post("/api/v1/setup", json!({"user": "li", "name": "Li", "password": "short"})).await;
        assert_eq!(
            (weak.status, weak.json["errors"][0]["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("too_short"))
        );
        let made =
            first.post("/api/v1/setup", json!({"user": "Li", "name": "李", "password": PASSWORD})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        assert_eq!(made.json["user"]["role"], "admin");
        assert_eq!(first.get("/api/v1/session").await.json["user"]["name"], "李");
        let again = hub
            .stranger()
            .post("/api/v1/setup", json!({"user": "x", "name": "X", "password": PASSWORD}))
            .await;
        assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "already_set_up"));
        assert_eq!(first.get("/api/v1/setup").await.json, json!({"needed": false}));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_says_what_to_do_and_not_whether_the_user_exists() {
    on_each_database(async |hub| {
        hub.admin().await;
        let mut stranger = hub.stranger();
        let known = stranger.log_in("admin", "not-the-password").await;
        let unknown = stranger.log_in("nobody", "not-the-password").await;
        assert_eq!((known.status, known.problem()), (StatusCode::UNAUTHORIZED, "wrong_password"));
        assert!(known.text.contains("mind capital letters"), "{}", known.text);
        assert_eq!(known.text, unknown.text);
        assert!(stranger.cookie.is_none());
        // Names are compared without case and spaces around.
        assert_eq!(stranger.log_in(" ADMIN ", PASSWORD).await.status, StatusCode::CREATED);
    })
    .await;
}

#[tokio::test]
async fn a_name_with_control_characters_is_a_wrong_password_and_a_field_with_them_is_refused() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let mut stranger = hub.stranger();
        for name in ["ad\0min", "admin\0", "\u{1b}[2Jadmin"] {
            let wrong = stranger.log_in(name, PASSWORD).await;
            assert_eq!(
                (wrong.status, wrong.problem()),
                (StatusCode::UNAUTHORIZED, "wrong_password"),
                "{name:?}"
            );
        }
        let wrong = stranger.log_in("admin", "no\0password").await;
        assert_eq!(wrong.problem(), "wrong_password");
        let new = json!({"user": "li", "name": "L\0i", "role": "viewer", "password": PASSWORD});
        assert_eq!(admin.post("/api/v1/users", new).await.json["errors"][0]["pointer"], "/name");
        // Where no rule of a module has looked at it, the database has.
        let asked = admin.get("/api/v1/audit?action=%00").await;
        if hub.ctx.db.is_postgres() {
            assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(asked.json["errors"][0]["code"], "bad_characters");
        } else {
            assert_eq!(asked.json["items"], json!([]));
        }
    })
    .await;
}

#[tokio::test]
async fn control_4_five_wrong_passwords_lock_the_account_and_the_address_for_half_an_hour() {
    on_each_database(async |hub| {
        hub.admin().await;
        for name in ["admin", "nobody"] {
            let mut attacker = hub.stranger();
            attacker.peer = if name == "admin" { "10.0.0.1:1" } else { "10.0.0.2:1" }.parse().unwrap();
            for _ in 0..5 {
                assert_eq!(attacker.log_in(name, "not-the-password").await.status, StatusCode::UNAUTHORIZED);
            }
            let locked = attacker.log_in(name, PASSWORD).await;
            assert_eq!((locked.status, locked.problem()), (StatusCode::TOO_MANY_REQUESTS, "locked"));
            assert_eq!(locked.header("retry-after"), "1800");
            // The same account from elsewhere, and another account from the same address.
            assert_eq!(hub.stranger().log_in(name, PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(attacker.log_in("other", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
        }
        hub.clock.advance(Duration::from_mins(30));
        assert_eq!(hub.stranger().log_in("admin", PASSWORD).await.status, StatusCode::CREATED);
        let refused: Option<i64> = hub
            .ctx
            .db
            .one(
                "select count(*) from audit where action = 'accounts.log_in' and result = 'refused'",
                params![],
            )
            .await
            .unwrap();
        assert_eq!(refused, Some(10));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_4_fifty_tries_at_once_learn_no_more_than_five() {
    on_each_database(async |hub| {
        hub.admin().await;
        let tries = (0..50).map(|i| {
            let mut attacker = hub.stranger();
            attacker.peer = format!("10.0.{i}.1:1").parse().unwrap();
            tokio::spawn(async move { attacker.log_in("admin", "not-the-password").await.status })
        });
        let mut wrong = 0;
        for tried in tries.collect::<Vec<_>>() {
            let status = tried.await.unwrap();
            wrong += usize::from(status == StatusCode::UNAUTHORIZED);
            // A slow machine may also say that too many log in at once.
            let others =
                [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
            assert!(others.contains(&status), "{status}");
        }
        assert!(wrong <= 5, "{wrong} guesses were answered");
    })
    .await;
}

#[tokio::test]
async fn control_4_a_right_password_is_not_told_when_the_lock_came_while_it_was_looked_at() {
    on_each_database(async |hub| {
        hub.admin().await;
        let origin = Origin { address: "10.0.0.1".into(), request: "r".into() };
        let who: UserId = hub.ctx.db.one("select id from users", params![]).await.unwrap().unwrap();
        for (kind, what) in [("account", "admin"), ("address", "10.0.0.1")] {
            let until = hub.now().plus(Duration::from_mins(1));
            hub.ctx
                .db
                .execute("insert into log_in_failures values ($1, $2, 0, 0, $3)", params![kind, what, until])
                .await
                .unwrap();
            let refused =
                super::log_in::admit(&hub.ctx, &origin, "admin", who, None, None).await.err().unwrap();
            assert!(matches!(refused, AccountError::Refused(Refusal::Locked(60))), "{refused:?}");
            hub.ctx.db.execute("delete from log_in_failures", params![]).await.unwrap();
        }
        assert!(super::log_in::admit(&hub.ctx, &origin, "admin", who, None, None).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_wrong_present_password_counts_and_is_recorded_as_what_it_was() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let body = json!({"current": "not-the-password", "new": "kessel-und-pumpe-8"});
        for _ in 0..5 {
            let wrong = admin.post("/api/v1/session/password", body.clone()).await;
            assert_eq!(wrong.json["errors"][0]["code"], "wrong_password");
        }
        assert_eq!(admin.post("/api/v1/session/password", body).await.problem(), "locked");
        let rows: Option<i64> = hub
            .ctx
            .db
            .one(
                "select count(*) from audit where action = 'accounts.change_password' and result = 'refused'
                 and actor is not null",
                params![],
            )
            .await
            .unwrap();
        assert_eq!(rows, Some(5));
    })
    .await;
}

#[tokio::test]
async fn control_9_a_session_is_a_new_random_token_that_scripts_cannot_read_and_the_hub_does_not_keep() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let first = admin.cookie.clone().unwrap();
        let again = admin.log_in("admin", PASSWORD).await;
        let set = again.header("set-cookie");
        for wanted in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(set.contains(wanted), "{set}");
        }
        assert_ne!(admin.cookie.clone().unwrap(), first);
        let token = first.strip_prefix("steward_session=").unwrap();
        assert_eq!(token.len(), 43, "256 bits in base64");
        let kept: Vec<String> = hub.ctx.db.query("select token_hash from sessions", params![]).await.unwrap();
        // The session that the browser had before is over.
        assert!(kept.len() == 1 && !kept.iter().any(|k| k.contains(token)), "{kept:?}");
        let mut before = hub.stranger();
        before.cookie = Some(first.clone());
        assert_eq!(before.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
        // The same request under one key does not get the cookie again, nor an answer as if it had.
        let (key, body) = ([("idempotency-key", "k")], json!({"user": "admin", "password": PASSWORD}));
        admin.send(Method::POST, "/api/v1/session", &key, Some(body.clone())).await;
        let repeat = admin.send(Method::POST, "/api/v1/session", &key, Some(body)).await;
        assert_eq!((repeat.problem(), repeat.header("set-cookie")), ("shown_once", ""));
        // A token that somebody else chose is not taken over (fixation).
        let mut victim = hub.stranger();
        victim.cookie = Some("steward_session=chosen".into());
        victim.log_in("admin", PASSWORD).await;
        assert_ne!(victim.cookie.as_deref(), Some("steward_session=chosen"));
    })
    .await;
}

#[tokio::test]
async fn control_10_a_session_ends_when_idle_or_too_old() {
    on_each_database(async |hub| {
        let mut idle = hub.admin().await;
        hub.clock.advance(Duration::from_mins(29));
        assert_eq!(idle.get("/api/v1/session").await.status, StatusCode::OK);
        hub.clock.advance(Duration::from_mins(29));
        assert_eq!(idle.get("/api/v1/session").await.status, StatusCode::OK);
        hub.clock.advance(Duration::from_mins(30));
        assert_eq!(idle.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);

        let mut busy = hub.admin().await;
        for _ in 0..35 {
            hub.clock.advance(Duration::from_mins(20));
            assert_eq!(busy.get("/api/v1/session").await.status, StatusCode::OK);
        }
        hub.clock.advance(Duration::from_mins(20));
        assert_eq!(busy.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
        super::sessions::forget_old(&hub.ctx).await.unwrap();
        let left: Option<i64> = hub.ctx.db.one("select count(*) from sessions", params![]).await.unwrap();
        assert_eq!(left, Some(0));
    })
    .await;
}

#[tokio::test]
async fn a_session_serves_when_its_use_cannot_be_written_down() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let db = hub.ctx.db.clone();
        // Somebody else holds the session's row, and on SQLite the turn to write, for as long as the test likes.
        let (held, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&held), Arc::clone(&go));
        let holder = tokio::spawn(async move {
            let done: Result<(), DbError> = db
                .tx(async |tx| {
                    tx.execute("update sessions set address = address", params![]).await?;
                    told.notify_one();
                    waits.notified().await;
                    Ok(())
                })
                .await;
            done.unwrap();
        });
        held.notified().await;
        hub.clock.advance(Duration::from_mins(1));
        assert_eq!(admin.get("/api/v1/about").await.status, StatusCode::OK);
        go.notify_one();
        holder.await.unwrap();

        // A disk that is full refuses at once.
        let refusing = if hub.ctx.db.is_postgres() {
            "create function full_disk() returns trigger language plpgsql as
             $$ begin raise exception 'no space' using errcode = 'disk_full'; end $$"
        } else {
            "create trigger full_disk before update on sessions begin select raise(abort, 'no space'); end"
        };
        hub.ctx.db.execute(refusing, params![]).await.unwrap();
        if hub.ctx.db.is_postgres() {
            let trigger = "create trigger full_disk before update on sessions for each row execute function full_disk()";
            hub.ctx.db.execute(trigger, params![]).await.unwrap();
        }
        hub.clock.advance(Duration::from_mins(1));
        assert_eq!(admin.get("/api/v1/about").await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn control_11_who_is_disabled_or_changed_loses_their_sessions_at_once() {
    on_each_database(async |hub| {
        let (mut admin, mut viewer) = (hub.admin().await, hub.logged_in_as(Role::Viewer).await);
        let users = admin.get("/api/v1/users").await.json;
        let user = users["items"].as_array().unwrap().iter().find(|u| u["user"] == "viewer").unwrap().clone();
        let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
        assert_eq!(viewer.get("/api/v1/about").await.status, StatusCode::OK);

        let off = admin.patch(&path, 1, json!({"disabled": true})).await;
        assert_eq!((off.status, off.json["version"].as_i64()), (StatusCode::OK, Some(2)));
        assert_eq!(viewer.get("/api/v1/about").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(viewer.log_in("viewer", PASSWORD).await.status, StatusCode::UNAUTHORIZED);

        admin.patch(&path, 2, json!({"disabled": false})).await;
        viewer.log_in("viewer", PASSWORD).await;
        admin.patch(&path, 3, json!({"role": "engineer"})).await;
        assert_eq!(viewer.get("/api/v1/about").await.status, StatusCode::UNAUTHORIZED);

        viewer.log_in("viewer", PASSWORD).await;
        let ended = admin.send(Method::POST, &format!("{path}/end-sessions"), &[], None).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert_eq!(viewer.get("/api/v1/about").await.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_account_keeps_its_rules() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let me = admin.get("/api/v1/session").await.json["user"]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/users/{me}");
        let blind = admin.send(Method::PATCH, &path, &[], Some(json!({"name": "B"}))).await;
        assert_eq!((blind.status.as_u16(), blind.problem()), (428, "version_missing"));
        let stale = admin.patch(&path, 7, json!({"name": "B"})).await;
        assert_eq!((stale.status, stale.problem()), (StatusCode::PRECONDITION_FAILED, "stale"));
        for change in [json!({"disabled": true}), json!({"role": "viewer"})] {
            let last = admin.patch(&path, 1, change).await;
            assert_eq!((last.status, last.problem()), (StatusCode::CONFLICT, "last_admin"));
        }
        // Both tries are in the trail.
        let refused = admin.get("/api/v1/audit?action=accounts.change_user").await.json;
        let refused: Vec<_> =
            refused["items"].as_array().unwrap().iter().map(|r| r["result"].clone()).collect();
        assert_eq!(refused, ["refused", "refused"]);
        let more = admin.patch(&path, 1, json!({"name": "B", "version": 9})).await;
        assert_eq!(more.status, StatusCode::UNPROCESSABLE_ENTITY, "control 16: unknown fields are refused");
        let nobody =
            admin.patch("/api/v1/users/01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e", 1, json!({"name": "B"})).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        let new = json!({"user": "ADMIN", "name": "A", "role": "viewer", "password": PASSWORD});
        let taken = admin.post("/api/v1/users", new).await;
        assert_eq!((taken.status, taken.problem()), (StatusCode::CONFLICT, "name_taken"));
        let renamed = admin.patch(&path, 1, json!({"name": " B "})).await;
        assert_eq!((renamed.status, renamed.json["name"].as_str()), (StatusCode::OK, Some("B")));
        assert!(!renamed.text.contains("argon2"), "control 16: no hidden field gets out");
        let users = admin.get("/api/v1/users?limit=1").await;
        assert_eq!((users.json["items"].as_array().unwrap().len(), users.json["next"].is_null()), (1, true));
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_logging_out_everywhere_ends_all() {
    on_each_database(async |hub| {
        let (mut here, mut there) = (hub.admin().await, hub.admin().await);
        let path = "/api/v1/session/password";
        let wrong =
            here.post(path, json!({"current": "not-the-password", "new": "kessel-und-pumpe-8"})).await;
        assert_eq!(wrong.json["errors"][0]["pointer"], "/current");
        let short = here.post(path, json!({"current": PASSWORD, "new": "kurz"})).await;
        assert_eq!(short.json["errors"][0]["pointer"], "/new");
        let done = here.post(path, json!({"current": PASSWORD, "new": "kessel-und-pumpe-8"})).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT);
        assert_eq!(here.get("/api/v1/session").await.status, StatusCode::OK);
        assert_eq!(there.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(there.log_in("admin", "kessel-und-pumpe-8").await.status, StatusCode::CREATED);
        let all = there.send(Method::POST, "/api/v1/session/end-all", &[], None).await;
        assert_eq!((all.status, there.cookie.is_none()), (StatusCode::NO_CONTENT, true));
        assert_eq!(here.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
        // Forgotten, tried too often, and set anew from the command line: the locks are gone with it.
        for _ in 0..5 {
            here.log_in("admin", "not-the-password").await;
        }
        assert_eq!(here.log_in("admin", "not-the-password").await.problem(), "locked");
        let new = super::reset_password(&hub.ctx.db, hub.now(), "admin").await.unwrap();
        assert_eq!(here.log_in("admin", &new).await.status, StatusCode::CREATED);
        let out = here.send(Method::DELETE, "/api/v1/session", &[], None).await;
        assert_eq!((out.status, here.cookie.is_none()), (StatusCode::NO_CONTENT, true));
    })
    .await;
}

#[tokio::test]
async fn control_35_every_act_on_accounts_leaves_a_row_without_a_secret() {
    on_each_database(async |hub| {
        let mut admin = hub.admin().await;
        let new = json!({"user": "wang", "name": "王", "role": "viewer", "password": "canary-in-the-mine"});
        let user = admin.post("/api/v1/users", new).await.json;
        let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
        admin.patch(&path, 1, json!({"name": "王工", "password": "canary-in-the-mine-2"})).await;
        admin.log_in("wang", "canary-in-the-mine-2").await;
        hub.stranger().log_in("wang", "canary-wrong-password").await;
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let refused = json!({"kind": "campus", "name": "East"});
        for _ in 0..10 {
            viewer.post("/api/v1/sites", refused.clone()).await;
        }
        viewer.get("/api/v1/users").await;
        hub.clock.advance(Duration::from_secs(61));
        viewer.post("/api/v1/sites", refused).await;
        let trail = hub.admin().await.get("/api/v1/audit?limit=100").await;
        let acts: Vec<&str> =
            trail.json["items"].as_array().unwrap().iter().filter_map(|r| r["action"].as_str()).collect();
        for act in [
            "accounts.set_up",
            "accounts.create_user",
            "accounts.change_user",
            "accounts.log_in",
            "audit.read",
            "kernel.refuse_role",
        ] {
            assert!(acts.contains(&act), "{act} is missing in {acts:?}");
        }
        assert_eq!(
            acts.iter().filter(|a| **a == "kernel.refuse_role").count(),
            2,
            "one a minute, and looking changes nothing"
        );
        assert!(!trail.text.contains("canary") && !trail.text.contains("argon2"), "{}", trail.text);
        let changed = trail.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["action"] == "accounts.change_user")
            .unwrap();
        assert_eq!(
            (changed["before"]["name"].as_str(), changed["after"]["name"].as_str()),
            (Some("王"), Some("王工"))
        );
        assert_eq!(changed["address"], "127.0.0.1");
    })
    .await;
}
