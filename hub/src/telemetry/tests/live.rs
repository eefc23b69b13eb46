//! The live stream over HTTP.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use serde_json::{Value as Json, json};
use steward_shared::id::PointNo;
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::LiveSample;

use super::super::model::HOUR_MS;
use super::plant::Plant;
use crate::kernel::caller::Role;
use crate::testing::Hub;
use crate::testing::eventually;

/// A page that listens.
struct Page {
    stream: BodyDataStream,
    text: String,
}

impl Page {
    async fn on(hub: &Hub, query: &str) -> Self {
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let request = Request::get(format!("/api/v1/live{query}")).header("host", "hub.test");
        let answer = viewer.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { stream: answer.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event besides beats; none when the stream has ended.
    async fn next(&mut self) -> Option<(String, Json)> {
        loop {
            match self.next_of_all().await {
                Some((name, _)) if name == "beat" => {}
                event => return event,
            }
        }
    }

    async fn next_of_all(&mut self) -> Option<(String, Json)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::to_owned);
                let (name, data) = (field("event: "), field("data: "));
                self.text = rest.to_owned();
                if let (Some(name), Some(data)) = (name, data) {
                    return Some((name, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let piece = tokio::time::timeout(Duration::from_secs(20), self.stream.next());
            let piece = piece.await.expect("an event or the end within twenty seconds")?;
            self.text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }
}

fn live(no: u32, at: Timestamp, n: f64) -> LiveSample {
    LiveSample { no: PointNo(no), at, value: Some(Value::Number(n)), quality: Quality::Good }
}

#[tokio::test]
async fn a_page_gets_the_latest_values_and_then_those_of_the_points_that_it_asked_for() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let (power, energy) = (plant.point("power").await.id, plant.point("energy").await.id);
    let now = hub.now();
    plant.numbers(&hub, 1, &[(now.as_millis() - 1000, 5.5)]).await;
    let mut page = Page::on(&hub, &format!("?points={power},77")).await;
    let at = Timestamp(now.as_millis() - 1000);
    let first = json!({ "point": power, "at": at, "value": 5.5, "quality": "good" });
    assert_eq!(page.next().await, Some(("value".into(), first)));
    plant.readings.take_live(&plant.map, vec![live(2, now, 1.0), live(1, now, 6.5)]);
    hub.ctx.live.tell("site", None, &json!({ "id": "x" }));
    let then = json!({ "point": power, "at": now, "value": 6.5, "quality": "good" });
    assert_eq!(page.next().await, Some(("value".into(), then)), "not the one of {energy}");
    assert_eq!(page.next().await, Some(("site".into(), json!({ "id": "x" }))));
}

#[tokio::test]
async fn of_what_a_gateway_catches_up_on_only_the_newest_is_told_and_only_if_it_is_fresh() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let power = plant.point("power").await.id;
    let mut page = Page::on(&hub, &format!("?points={power}")).await;
    let now = hub.now().as_millis();
    let old: Vec<(i64, f64)> = (0..500).map(|i| (now - HOUR_MS + i * 1000, i as f64)).collect();
    plant.numbers(&hub, 1, &old).await;
    let fresh: Vec<(i64, f64)> = (0..60).map(|i| (now - 59_000 + i * 1000, i as f64)).collect();
    plant.numbers(&hub, 1, &fresh).await;
    let (name, value) = page.next().await.unwrap();
    assert_eq!((name.as_str(), &value["value"], &value["at"]), ("value", &json!(59.0), &json!(hub.now())));
}

#[tokio::test]
async fn what_somebody_watches_is_wished_for_until_the_page_goes() {
    let hub = Hub::on_sqlite().await;
    let plant = Plant::at(&hub).await;
    let power = plant.point("power").await.id;
    let wished = || plant.readings.watched_of(&plant.map);
    let page = Page::on(&hub, &format!("?points={power}")).await;
    let other = Page::on(&hub, &format!("?points={power}")).await;
    assert_eq!(wished(), [power]);
    drop(page);
    assert_eq!(wished(), [power], "the other page still looks");
    drop(other);
    eventually("nobody wishes for it", async || wished().is_empty()).await;
}

#[tokio::test]
async fn a_page_that_falls_behind_is_let_go_and_loads_anew() {
    let hub = Hub::on_sqlite().await;
    let mut page = Page::on(&hub, "").await;
    hub.ctx.live.tell("site", None, &json!({ "id": "first" }));
    assert!(page.next().await.is_some());
    for i in 0..5000 {
        hub.ctx.live.tell("site", None, &json!({ "id": i }));
    }
    assert_eq!(page.next().await, None);
}

#[tokio::test]
async fn a_page_hears_a_beat_first_and_then_regularly_however_much_else_it_hears() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let power = plant.point("power").await.id;
    plant.numbers(&hub, 1, &[(hub.now().as_millis(), 5.5)]).await;
    let mut page = Page::on(&hub, &format!("?points={power}")).await;
    let mut heard = Vec::new();
    while heard.iter().filter(|name| *name == "beat").count() < 3 {
        hub.ctx.live.tell("site", None, &json!({ "id": "x" }));
        heard.push(page.next_of_all().await.unwrap().0);
    }
    assert_eq!(heard[..2], ["beat", "value"]);
    assert!(heard.iter().any(|name| name == "site"), "{heard:?}");
}

#[tokio::test]
async fn a_wrong_wish_says_what_is_wrong() {
    let hub = Hub::on_sqlite().await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let many = (0..2001).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    for wrong in ["points=x".to_owned(), format!("points={many}")] {
        let answer = viewer.get(&format!("/api/v1/live?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json["errors"][0]["pointer"], "?points");
    }
    assert_eq!(viewer.get("/api/v1/live?point=1").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
