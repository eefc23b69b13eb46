//! Series and tables: the same before and after compaction, bounded, and exact.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::super::model::{DAY_MS, HOUR_MS, KEEP_HOURS, KEEP_RAW, QUARTER_MS};
use super::super::readings::Readings;
use super::super::rollup::Counting;
use super::super::series::{Course, Span};
use super::plant::{Plant, count, naive, rollups};
use crate::kernel::caller::Role;
use crate::testing::eventually;
use crate::testing::{Client, Hub, on_each_database};

#[tokio::test]
async fn a_series_is_the_same_before_and_after_compaction_and_with_late_data() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let end = hub.now().as_millis();
        let start = end - 30 * HOUR_MS;
        let counting = Counting { modulus: Some(1000.0) };
        // Every minute; whole numbers, so that sums are exact.
        let all: Vec<(i64, f64)> =
            (0..30 * 60).map(|i| (start + i * 60_000, ((i * 7) % 1000) as f64)).collect();
        let (late, timely): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(t, _)| (t / HOUR_MS) % 5 == 2);
        for part in timely.chunks(700) {
            plant.numbers(&hub, 2, part).await;
        }
        let energy = plant.point("energy").await;
        for bucket in [60_000, QUARTER_MS, HOUR_MS, DAY_MS] {
            let got = rollups(&plant.readings, &energy, start, end, bucket).await;
            assert_eq!(got, naive(&timely, bucket, counting), "from memory, {bucket}");
        }
        plant.readings.compact().await.unwrap();
        assert_eq!(count(&hub, "frame").await, 2, "only what reaches into the hour that goes on is left");
        plant.numbers(&hub, 2, &late).await;
        for compacted in [false, true] {
            if compacted {
                plant.readings.compact().await.unwrap();
                plant.readings.compact().await.unwrap();
            }
            for bucket in [60_000, QUARTER_MS, HOUR_MS, DAY_MS] {
                let got = rollups(&plant.readings, &energy, start, end, bucket).await;
                assert_eq!(got, naive(&all, bucket, counting), "{compacted}, {bucket}");
            }
            let samples = plant.readings.samples(&energy, Timestamp(start), Timestamp(end)).await.unwrap();
            assert_eq!(samples.len(), all.len());
        }
        // After a start the same from the database alone.
        let again = Readings::new(&hub.ctx, plant.fleet.clone());
        again.rebuild().await.unwrap();
        assert_eq!(again.latest(energy.id), plant.readings.latest(energy.id));
        let got = rollups(&again, &energy, start, end, HOUR_MS).await;
        assert_eq!(got, naive(&all, HOUR_MS, counting));
    })
    .await;
}

#[tokio::test]
async fn gaps_texts_and_bad_readings_come_as_they_are() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let t = hub.now().as_millis() - 2 * HOUR_MS;
        let text = |s: &str| Some(Value::Text(s.into()));
        plant
            .send(
                &hub,
                &[
                    (1, t, Some(Value::Number(5.0)), Quality::Good),
                    (1, t + 10_000, None, Quality::NoReply),
                    (1, t + 20_000, Some(Value::Number(6.0)), Quality::Good),
                    (1, t + 600_000, Some(Value::Number(7.0)), Quality::Good),
                    (3, t, text("auto"), Quality::Good),
                    (3, t + 10_000, text("=1+1"), Quality::Good),
                ],
            )
            .await;
        plant.readings.compact().await.unwrap();
        let span = Span { from: Timestamp(t), to: Timestamp(t + HOUR_MS), width: 800 };
        let Course::Samples { samples: course, .. } =
            plant.readings.course(&plant.point("power").await, span).await.unwrap()
        else {
            panic!("few samples are shown as they are")
        };
        let shown: Vec<Option<f64>> =
            course.iter().map(|(_, v, _)| v.as_ref().and_then(Value::as_number)).collect();
        assert_eq!(shown, [Some(5.0), None, Some(6.0), None, Some(7.0)]);
        assert_eq!((course[1].2, course[3].2), (Quality::NoReply, Quality::Stale));

        let (power, mode) = (plant.point("power").await.id, plant.point("mode").await.id);
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let (from, to) = (Timestamp(t), Timestamp(t + HOUR_MS));
        let answer = viewer.get(&format!("/api/v1/series?points={power},{mode}&from={from}&to={to}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json["bucket_ms"], 0);
        assert_eq!(answer.json["series"][1]["value"][0], "auto");
        let csv = viewer.get(&format!("/api/v1/series.csv?points={power},{mode}&from={from}&to={to}")).await;
        assert_eq!(csv.status, StatusCode::OK);
        assert!(
            csv.text.starts_with("\u{feff}time,device,point,key,unit,value,label,quality\r\n"),
            "{}",
            csv.text
        );
        assert!(csv.text.contains(",'=1+1,,good\r\n"), "{}", csv.text);
        assert!(csv.text.contains(",,,no_reply\r\n"), "{}", csv.text);
        let latest = viewer.get(&format!("/api/v1/points/{power}")).await;
        assert_eq!(
            (&latest.json["latest"]["value"], &latest.json["latest"]["stale"]),
            (&7.0.into(), &true.into())
        );
    })
    .await;
}

#[tokio::test]
async fn a_wrong_question_says_what_is_wrong() {
    let hub = Hub::on_sqlite().await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    for (question, pointer) in [
        ("points=x&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", "?points"),
        ("points=1&from=yesterday&to=2026-01-02T00:00:00Z", "?from"),
        ("points=1&from=2026-01-03T00:00:00Z&to=2026-01-02T00:00:00Z", "?to"),
        ("points=1&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&width=0", "?width"),
    ] {
        let answer = viewer.get(&format!("/api/v1/series?{question}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{question}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{question}");
    }
    let unknown = "/api/v1/series?points=99&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    assert_eq!(viewer.get(unknown).await.status, StatusCode::NOT_FOUND);
}

/// The pieces of an answer's body, as they come.
async fn pieces(client: &mut Client, path: &str) -> Vec<Bytes> {
    let mut body = open(client, path).await.into_body();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        all.push(frame.unwrap().into_data().unwrap());
    }
    all
}

async fn open(client: &mut Client, path: &str) -> Response {
    let answer =
        client.open(Request::get(path).header("host", "hub.test").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

fn lines(pieces: &[Bytes]) -> Vec<String> {
    let text = String::from_utf8(pieces.concat()).unwrap();
    text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_month_as_drawn_comes_in_small_pieces_on_the_hubs_own_grid() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let end = hub.now().as_millis();
        let start = end - 30 * DAY_MS;
        let all: Vec<(i64, f64)> = (0..30 * 1440).map(|i| (start + i * 60_000, (i % 1000) as f64)).collect();
        for part in all.chunks(20_000) {
            plant.numbers(&hub, 1, part).await;
        }
        plant.readings.compact().await.unwrap();
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let power = plant.point("power").await;
        let (from, to) = (Timestamp(start), Timestamp(end - 1));
        let path = format!("/api/v1/series.csv?points={}&from={from}&to={to}&lang=en", power.id);
        for (bucket, grid) in [(3_240_000, HOUR_MS), (60_000, 60_000), (240_000, 300_000)] {
            let came = pieces(&mut viewer, &format!("{path}&bucket={bucket}")).await;
            assert!(came.iter().all(|p| p.len() < 80 << 10), "{:?}", came.iter().map(Bytes::len).max());
            let rows = lines(&came);
            let naive = naive(&all, grid, Counting::default());
            assert_eq!(rows.len(), naive.len() + 1, "{bucket}");
            for (row, (t, r)) in rows.iter().skip(1).zip(naive) {
                let cells: Vec<&str> = row.split(',').collect();
                assert_eq!(
                    (cells[0], cells[5]),
                    (Timestamp(t).to_string().as_str(), r.n.to_string().as_str())
                );
                assert_eq!((cells[6], cells[7]), (r.min.to_string().as_str(), r.max.to_string().as_str()));
            }
        }
        let came = pieces(&mut viewer, &path).await;
        assert!(came.iter().all(|p| p.len() < 80 << 10));
        assert_eq!(lines(&came).len(), all.len() + 1, "every sample of every day");
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_leaves_makes_room_for_the_next_one() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let start = hub.now().as_millis() - 20 * HOUR_MS;
    let all: Vec<(i64, f64)> = (0..60_000).map(|i| (start + i * 1000, 0.5)).collect();
    plant.numbers(&hub, 5, &all).await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let path = format!(
        "/api/v1/series.csv?points={}&from={}&to={}",
        plant.point("flow").await.id,
        Timestamp(start),
        hub.now()
    );
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(open(&mut viewer, &path).await);
    }
    let refused = viewer.get(&path).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    let mut left = readers.pop().unwrap().into_body();
    left.frame().await.unwrap().unwrap();
    drop(left);
    eventually("the place of the reader who left is free", async || {
        viewer.get(&path).await.status == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn the_increments_of_a_table_add_up_to_what_the_counter_counted() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let end = hub.now().as_millis();
        // One reading each ten minutes adds 90; the counter starts over at 1000.
        let all: Vec<(i64, f64)> =
            (0..288).map(|i| (end - 2 * DAY_MS + i * 600_000, ((i * 90) % 1000) as f64)).collect();
        plant.numbers(&hub, 2, &all).await;
        plant.readings.compact().await.unwrap();
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let energy = plant.point("energy").await.id;
        let (from, to) = (Timestamp(end - DAY_MS), Timestamp(end - 1));
        for bucket in [300_000, QUARTER_MS, HOUR_MS, DAY_MS] {
            let path = format!("/api/v1/series.csv?points={energy}&from={from}&to={to}&bucket={bucket}");
            let rows = lines(&pieces(&mut viewer, &path).await);
            let sum: f64 =
                rows.iter().skip(1).map(|r| r.rsplit(',').next().unwrap().parse::<f64>().unwrap()).sum();
            // All of the day, with the step into its first bucket; a day's own bucket begins at midnight.
            let steps = if bucket == DAY_MS { 48 + 144 } else { 144 };
            assert!((sum - f64::from(steps * 90)).abs() < 1e-6, "{bucket}: {sum}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_of_quarters_ends_where_it_was_asked_to_also_in_an_hour_with_late_samples() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let hour = hub.now().as_millis() - 5 * HOUR_MS;
        let all: Vec<(i64, f64)> = (0..60).map(|i| (hour + i * 60_000, 1.0)).collect();
        plant.numbers(&hub, 1, &all).await;
        plant.readings.compact().await.unwrap();
        plant.numbers(&hub, 1, &[(hour + QUARTER_MS + 7, 2.0)]).await;
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let power = plant.point("power").await.id;
        let (from, to) = (hour + QUARTER_MS, hour + 3 * QUARTER_MS - 1);
        let path = format!(
            "/api/v1/series.csv?points={power}&from={}&to={}&bucket={QUARTER_MS}",
            Timestamp(from),
            Timestamp(to)
        );
        for late in ["in memory", "compacted"] {
            let rows = lines(&pieces(&mut viewer, &path).await);
            let starts: Vec<_> = rows.iter().skip(1).map(|r| r.split(',').next().unwrap()).collect();
            let wanted = [Timestamp(from), Timestamp(from + QUARTER_MS)].map(|t| t.to_string());
            assert_eq!(starts, wanted, "{late}");
            plant.readings.compact().await.unwrap();
        }
    })
    .await;
}

/// A day of a place whose clocks are changed has 23 hours or 25: each is there, once. (Days and rotas by local time there
/// are none of here.)
#[tokio::test]
async fn fault_c5_a_day_on_which_clocks_are_changed_has_each_of_its_hours_once() {
    for (place, from, to, hours) in [
        ("Europe/Berlin, back", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00", 25),
        ("Europe/Berlin, on", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00", 23),
        ("America/New_York, back", "2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00", 25),
        ("America/New_York, on", "2025-03-09T00:00:00-05:00", "2025-03-10T00:00:00-04:00", 23),
        ("Asia/Shanghai, never", "2025-04-13T00:00:00+08:00", "2025-04-14T00:00:00+08:00", 24),
        ("UTC, after a second more", "2016-12-31T12:00:00Z", "2017-01-01T12:00:00Z", 24),
    ] {
        let hub = Hub::on_sqlite().await;
        let [first, end] = [from, to].map(|t| t.parse::<Timestamp>().unwrap().as_millis());
        hub.clock.set(Timestamp(end + HOUR_MS));
        let mut plant = Plant::at(&hub).await;
        // Each quarter adds 10; one reading before, so that the first hour has its increment.
        let all: Vec<_> =
            (-1..4 * hours).map(|i| (first + i * QUARTER_MS, ((i + 1) * 10 % 1000) as f64)).collect();
        plant.numbers(&hub, 2, &all).await;
        let mut viewer = hub.logged_in_as(Role::Viewer).await;
        let energy = plant.point("energy").await.id;
        let (zoned, last) = (from.replace('+', "%2B"), Timestamp(end - 1));
        let path = format!("/api/v1/series.csv?points={energy}&from={zoned}&to={last}&bucket={HOUR_MS}");
        for when in ["in memory", "compacted"] {
            let rows = lines(&pieces(&mut viewer, &path).await);
            let starts: Vec<_> =
                rows.iter().skip(1).map(|r| r.split(',').next().unwrap().to_owned()).collect();
            let wanted: Vec<_> = (0..hours).map(|h| Timestamp(first + h * HOUR_MS).to_string()).collect();
            assert_eq!(starts, wanted, "{place} {when}");
            let increments =
                rows.iter().skip(1).map(|r| r.rsplit(',').next().unwrap().parse::<f64>().unwrap());
            assert!(increments.into_iter().all(|i| (i - 40.0).abs() < 1e-9), "{place} {when}: {rows:?}");
            plant.readings.compact().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_table_speaks_the_language_that_was_asked_for() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let t = hub.now().as_millis() - HOUR_MS;
    plant.numbers(&hub, 4, &[(t, 2.0)]).await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let state = plant.point("state").await.id;
    let path = format!("/api/v1/series.csv?points={state}&from={}&to={}", Timestamp(t), hub.now());
    for (lang, head, row) in [
        (
            "",
            "time,device,point,key,unit,value,label,quality",
            "总表 / Main meter,点 state / =state,state,kW,2,运行 / running,good",
        ),
        ("&lang=zh", "时间,设备,测点,标识,单位,数值,含义,质量", "总表,点 state,state,kW,2,运行,正常"),
        (
            "&lang=en",
            "time,device,point,key,unit,value,label,quality",
            "Main meter,'=state,state,kW,2,running,good",
        ),
    ] {
        let rows = lines(&pieces(&mut viewer, &format!("{path}{lang}")).await);
        assert_eq!(rows, [head.to_owned(), format!("{},{row}", Timestamp(t))], "{lang}");
    }
    for wrong in ["lang=fr", "lnag=en"] {
        assert_eq!(viewer.get(&format!("{path}&{wrong}")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn zooming_into_what_is_older_than_its_samples_shows_quarters_of_an_hour() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let start = hub.now().as_millis() - DAY_MS;
        let all: Vec<(i64, f64)> = (0..1440).map(|i| (start + i * 60_000, i as f64)).collect();
        plant.numbers(&hub, 1, &all).await;
        hub.clock.advance(Duration::from_hours(1));
        plant.readings.compact().await.unwrap();
        let power = plant.point("power").await;
        let (from, to) = (start + 2 * HOUR_MS, start + 4 * HOUR_MS);
        let span = Span { from: Timestamp(from), to: Timestamp(to - 1), width: 800 };
        for (age, table) in [(KEEP_RAW, "raw"), (KEEP_HOURS, "hour")] {
            hub.clock.advance(age + Duration::from_hours(24));
            plant.readings.forget().await.unwrap();
            assert_eq!(count(&hub, table).await, 0);
            let Course::Buckets { bucket_ms, buckets } = plant.readings.course(&power, span).await.unwrap()
            else {
                panic!("there are no samples")
            };
            assert_eq!((bucket_ms, buckets.len()), (QUARTER_MS, 8));
            for bucket in [QUARTER_MS, HOUR_MS, 4 * HOUR_MS, DAY_MS] {
                let got = rollups(&plant.readings, &power, start, start + DAY_MS - 1, bucket).await;
                assert_eq!(got, naive(&all, bucket, Counting::default()), "{age:?} {bucket}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_day_of_coarse_history_is_one_line_and_meets_what_is_read_now() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let end = hub.now().as_millis();
    let live = end - 2 * HOUR_MS;
    let history: Vec<(i64, f64)> = (1..=264).rev().map(|i| (live - i * 300_000, 1.0)).collect();
    let outage = live + HOUR_MS..live + HOUR_MS + 300_000;
    let dense: Vec<(i64, f64)> =
        (0..7200).map(|i| (live + i * 1000, 2.0)).filter(|(t, _)| !outage.contains(t)).collect();
    plant.numbers(&hub, 5, &history).await;
    plant.numbers(&hub, 5, &dense).await;
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let flow = plant.point("flow").await.id;
    for compacted in [false, true] {
        if compacted {
            plant.readings.compact().await.unwrap();
        }
        for (from, gaps) in [(live - DAY_MS, 1), (live - 600_000, 1), (live - HOUR_MS, 1)] {
            for to in [live + 600_000, end] {
                let (from, to_at) = (Timestamp(from), Timestamp(to));
                let path = format!("/api/v1/series?points={flow}&from={from}&to={to_at}");
                let answer = viewer.get(&path).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
                let series = &answer.json["series"][0];
                let shown = ["value", "mean"].into_iter().find_map(|k| series[k].as_array()).unwrap();
                let nulls = shown.iter().filter(|v| v.is_null()).count();
                assert_eq!(nulls, if to == end { gaps } else { 0 }, "{compacted} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_chart_in_buckets_says_so_over_http() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let end = hub.now().as_millis();
    let start = end - DAY_MS;
    let all: Vec<(i64, f64)> = (0..8640).map(|i| (start + i * 10_000, (i % 100) as f64)).collect();
    plant.numbers(&hub, 1, &all).await;
    plant.readings.compact().await.unwrap();
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let power = plant.point("power").await.id;
    let (from, to) = (Timestamp(start), Timestamp(end));
    let answer = viewer.get(&format!("/api/v1/series?points={power}&from={from}&to={to}&width=100")).await;
    assert_eq!(answer.json["bucket_ms"], QUARTER_MS);
    let series = &answer.json["series"][0];
    assert!(series["value"].is_null() && series["left_out_before"].is_null());
    let naive = naive(&all, QUARTER_MS, Counting::default());
    assert_eq!(series["t"].as_array().unwrap().len(), naive.len());
    for (i, (t, r)) in naive.into_iter().enumerate() {
        assert_eq!((&series["t"][i], &series["min"][i]), (&t.into(), &r.min.into()));
        assert_eq!((&series["max"][i], &series["mean"][i]), (&r.max.into(), &r.mean().into()));
    }
}

#[tokio::test]
async fn a_long_course_of_a_text_is_thinned_to_its_changes_and_says_what_it_leaves_out() {
    let hub = Hub::on_sqlite().await;
    let mut plant = Plant::at(&hub).await;
    let end = hub.now().as_millis();
    let start = end - 40 * DAY_MS;
    let text = |i: i64| Some(Value::Text(if i / 1440 % 2 == 0 { "auto" } else { "hand" }.into()));
    let all: Vec<_> = (0..40 * 1440).map(|i| (3, start + i * 60_000, text(i), Quality::Good)).collect();
    for part in all.chunks(20_000) {
        plant.send(&hub, part).await;
    }
    let mut viewer = hub.logged_in_as(Role::Viewer).await;
    let mode = plant.point("mode").await.id;
    let ask =
        |from: i64| format!("/api/v1/series?points={mode}&from={}&to={}", Timestamp(from), Timestamp(end));
    let answer = viewer.get(&ask(start)).await;
    let series = &answer.json["series"][0];
    assert_eq!(series["left_out_before"], Timestamp(end - 31 * DAY_MS).to_string(), "{}", answer.text);
    assert!(series["t"].as_array().unwrap().len() < 100);
    let answer = viewer.get(&ask(end - 10 * DAY_MS)).await;
    let series = &answer.json["series"][0];
    assert!(series["left_out_before"].is_null());
    assert_eq!(series["t"].as_array().unwrap().len(), 20, "{}", answer.text);
    let narrow = viewer.get(&format!("{}&width=2", ask(end - 10 * DAY_MS))).await;
    let series = &narrow.json["series"][0];
    assert_eq!(series["t"].as_array().unwrap().len(), 4);
    assert_eq!(series["left_out_before"], Timestamp(series["t"][0].as_i64().unwrap()).to_string());
}
