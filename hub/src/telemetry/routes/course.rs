//! Series for charts, and the same as CSV.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_shared::id::PointId;
use steward_shared::time::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

use super::lists::Shown;
use crate::gateways::{Fleet, PointRow};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Query};
use crate::kernel::problem::{FieldError, Problem, ProblemBody};
use crate::telemetry::csv::{self, Language};
use crate::telemetry::model::{DAY_MS, day_of, round_up};
use crate::telemetry::readings::{Export, Readings};
use crate::telemetry::series::{Course, MOST_POINTS, MOST_SPAN, MOST_WIDTH, SeriesError, Span};

/// Bytes of one piece of a table, about.
const PIECE: usize = 64 << 10;
/// Whoever takes no piece for so long is not there any more.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);

impl From<SeriesError> for Problem {
    fn from(e: SeriesError) -> Self {
        match e {
            SeriesError::Db(e) => e.into(),
            e => Self::internal(&e),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SeriesQuery {
    /// Numbers of points with commas between them, 32 at most.
    #[param(example = "1,2")]
    pub points: String,
    /// RFC 3339; the span is ten years at most.
    #[param(example = "2026-03-01T00:00:00Z")]
    pub from: String,
    #[param(example = "2026-03-02T00:00:00Z")]
    pub to: String,
    /// Pixels of the chart: so many buckets at most. 800 unless said, 4000 at most.
    pub width: Option<u32>,
}

/// One point's course: `value` with `quality` where its samples fit the width, otherwise `min`, `max` and `mean` of
/// each bucket. A null is the edge of a gap: of a silence longer than three of the point's periods and three times the
/// pauses that are usual around it. Of a text only the ends of each run of the same words are there.
#[derive(Serialize, ToSchema)]
pub struct SeriesOfPoint {
    #[schema(value_type = i64)]
    pub point: PointId,
    /// Milliseconds since 1970; of a bucket its start.
    pub t: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Vec<Option<Shown>>>,
    /// `stale` where a sample should have been and was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Vec<Option<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Vec<Option<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<Option<f64>>>,
    /// Of a text the last month at most is shown, and of more changes than fit the width the newest: what was before
    /// this instant is left out. Absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub left_out_before: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[allow(clippy::struct_field_names, reason = "the name in the API")]
pub struct Series {
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Milliseconds of a bucket; 0 when every point is answered with its samples.
    pub bucket_ms: i64,
    /// In the order in which they were asked for.
    pub series: Vec<SeriesOfPoint>,
}

/// Courses of points between two instants, as fine as a chart of that width can show. Samples are kept for 400 days:
/// of what is older there are quarters of an hour at the finest.
#[utoipa::path(get, path = "/api/v1/series", tag = "telemetry", operation_id = "series", params(SeriesQuery),
    security(("session" = ["viewer"])),
    responses((status = 200, body = Series), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn series(State(ctx): State<Ctx>, Query(q): Query<SeriesQuery>) -> Result<Json<Series>, Problem> {
    let (from, to) = span(&q.from, &q.to)?;
    let width = match q.width.unwrap_or(800) {
        w @ 1..=MOST_WIDTH => w,
        w => {
            let detail = format!("{w} is not between 1 and {MOST_WIDTH}");
            return Err(Problem::field("?width", "out_of_range", detail));
        }
    };
    let points = rows(&ctx, &numbers(&q.points)?).await?;
    let readings = ctx.part::<Readings>();
    let (mut all, mut widest) = (Vec::with_capacity(points.len()), 0);
    for p in &points {
        let course = readings.course(p, Span { from, to, width }).await?;
        if let Course::Buckets { bucket_ms, .. } = course {
            widest = bucket_ms;
        }
        all.push(shown(p.id, course));
    }
    Ok(Json(Series { from, to, bucket_ms: widest, series: all }))
}

fn shown(point: PointId, course: Course) -> SeriesOfPoint {
    match course {
        Course::Samples { samples, left_out_before } => {
            let (mut t, mut values, mut qualities) = (Vec::new(), Vec::new(), Vec::new());
            for (at, value, quality) in samples {
                t.push(at.as_millis());
                values.push(value.map(Shown::from));
                qualities.push(quality.word());
            }
            SeriesOfPoint {
                point,
                t,
                value: Some(values),
                quality: Some(qualities),
                min: None,
                max: None,
                mean: None,
                left_out_before,
            }
        }
        Course::Buckets { buckets, .. } => SeriesOfPoint {
            point,
            t: buckets.iter().map(|(t, _)| t.as_millis()).collect(),
            value: None,
            quality: None,
            min: Some(buckets.iter().map(|(_, r)| r.map(|r| r.min)).collect()),
            max: Some(buckets.iter().map(|(_, r)| r.map(|r| r.max)).collect()),
            mean: Some(buckets.iter().map(|(_, r)| r.map(|r| r.mean())).collect()),
            left_out_before: None,
        },
    }
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    Zh,
    En,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CsvQuery {
    /// Numbers of points with commas between them, 32 at most.
    #[param(example = "1,2")]
    pub points: String,
    /// RFC 3339; the span is ten years at most.
    pub from: String,
    pub to: String,
    /// Milliseconds of a bucket, whole seconds up to a year; rounded up to the next of the hub's own: 1, 2, 5, 10, 20
    /// or 30 s, 1, 2, 5, 15 or 30 min, 1, 2, 4, 6 or 12 h, 1, 2, 5, 10, 30, 90 or 365 days, and at least 15 min where
    /// the span begins earlier than samples are kept, which is 400 days. Absent: every sample as it was read.
    #[param(example = 3_600_000)]
    pub bucket: Option<i64>,
    /// The language of heads, names, labels and qualities. Absent: English heads, names in both.
    #[param(inline)]
    pub lang: Option<Lang>,
}

/// Readings as a table for spreadsheets: UTF-8 with a byte order mark, a row for each sample or bucket. `increment` is
/// how much a counter moved since the bucket before. A reader who takes nothing for a minute is left.
#[utoipa::path(get, path = "/api/v1/series.csv", tag = "telemetry", operation_id = "series_csv", params(CsvQuery),
    security(("session" = ["viewer"])),
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, description = "too many tables are being written; \
        `Retry-After` says when to ask again", body = ProblemBody)))]
pub async fn series_csv(State(ctx): State<Ctx>, Query(q): Query<CsvQuery>) -> Result<Response, Problem> {
    let (from, to) = span(&q.from, &q.to)?;
    if let Some(b) = q.bucket
        && (!(1_000..=366 * DAY_MS).contains(&b) || b % 1_000 != 0)
    {
        let detail = "a bucket is of whole seconds, 1000 to a year in milliseconds";
        return Err(Problem::field("?bucket", "out_of_range", detail));
    }
    let points = rows(&ctx, &numbers(&q.points)?).await?;
    let readings = ctx.part::<Readings>();
    let Some(turn) = readings.export() else {
        let detail = "the hub writes as many tables as it can at once; ask again";
        return Err(Problem::unavailable("busy", 10, detail));
    };
    let language = q.lang.map_or(Language::Both, |l| match l {
        Lang::Zh => Language::Zh,
        Lang::En => Language::En,
    });
    // Written piece by piece as the reader takes it; who goes away ends it.
    let (send, pieces) = mpsc::channel(2);
    let bucket = q.bucket.map(|b| readings.bucket_from(from, round_up(b)));
    let table = Table { readings, points, from, to, bucket, language, _turn: turn };
    let written = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(table.write(send)));
    let body = futures_util::StreamExt::map(ReceiverStream::new(pieces), move |piece| {
        let _as_long_as_it_is_read = &written;
        piece
    });
    let name = format!("attachment; filename=\"steward-{}.csv\"", from.to_string().replace(':', ""));
    let head =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((head, Body::from_stream(body)).into_response())
}

struct Table {
    readings: Arc<Readings>,
    points: Vec<PointRow>,
    from: Timestamp,
    to: Timestamp,
    bucket: Option<i64>,
    language: Language,
    _turn: Export,
}

/// Where the rows go.
struct Pieces {
    send: mpsc::Sender<Result<Bytes, std::io::Error>>,
    text: String,
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Series(#[from] SeriesError),
    #[error("the reader went away, or takes nothing any more")]
    Left,
}

impl Pieces {
    /// Hands on what is there when it is large enough, or whatever its size.
    async fn hand_on(&mut self, least: usize) -> Result<(), Broken> {
        if self.text.len() < least.max(1) {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.text).into();
        self.send.send_timeout(Ok(piece), TAKEN_WITHIN).await.map_err(|_| Broken::Left)
    }
}

impl Table {
    async fn write(self, send: mpsc::Sender<Result<Bytes, std::io::Error>>) {
        let mut out = Pieces { send, text: String::with_capacity(PIECE + 256) };
        match self.rows(&mut out).await {
            Ok(()) => {}
            Err(Broken::Left) => tracing::debug!("the reader of a table of readings left"),
            Err(Broken::Series(e)) => {
                tracing::error!(error = %e, "a table of readings could not be written");
                // The head is sent already: the body breaks off, which the reader sees.
                let broken = Err(std::io::Error::other("the table broke off"));
                let _ = out.send.send_timeout(broken, TAKEN_WITHIN).await;
            }
        }
    }

    async fn rows(&self, out: &mut Pieces) -> Result<(), Broken> {
        out.text.push_str(csv::BOM);
        out.text.push_str(match self.bucket {
            Some(_) => self.language.buckets_head(),
            None => self.language.samples_head(),
        });
        for p in &self.points {
            match self.bucket {
                Some(bucket_ms) => self.buckets(p, bucket_ms, out).await?,
                None => self.samples(p, out).await?,
            }
        }
        out.hand_on(0).await
    }

    async fn samples(&self, p: &PointRow, out: &mut Pieces) -> Result<(), Broken> {
        let names = csv::Names::of(p, self.language);
        let mut from = self.from.as_millis();
        while from <= self.to.as_millis() {
            let to = (day_of(from) + DAY_MS - 1).min(self.to.as_millis());
            for s in self.readings.samples(p, Timestamp(from), Timestamp(to)).await? {
                csv::sample_row(&mut out.text, &names, &s);
                out.hand_on(PIECE).await?;
            }
            from = to + 1;
        }
        Ok(())
    }

    async fn buckets(&self, p: &PointRow, bucket_ms: i64, out: &mut Pieces) -> Result<(), Broken> {
        let (names, counting) = (csv::Names::of(p, self.language), p.shape().counting);
        let first = self.from.as_millis().div_euclid(bucket_ms) * bucket_ms;
        // What is before gives the step into the first bucket.
        let lead = Timestamp(first - bucket_ms.max(DAY_MS));
        let mut walk = self.readings.walk(p, lead, self.to, bucket_ms);
        let mut before: Option<f64> = None;
        while let Some(piece) = walk.next().await? {
            for (start, r) in piece.buckets {
                let step = before.map_or(0.0, |before| counting.step(before, r.first));
                before = Some(r.last);
                if start >= first {
                    csv::bucket_row(&mut out.text, &names, start, &r, r.inc + step);
                    out.hand_on(PIECE).await?;
                }
            }
        }
        Ok(())
    }
}

fn span(from: &str, to: &str) -> Result<(Timestamp, Timestamp), Problem> {
    let mut errors = Vec::new();
    let mut read = |name: &str, text: &str| match text.parse::<Timestamp>() {
        Ok(t) => t,
        Err(e) => {
            errors.push(FieldError::new(name, "no_instant", e.to_string()));
            Timestamp(0)
        }
    };
    let (from, to) = (read("?from", from), read("?to", to));
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    if from >= to {
        return Err(Problem::field("?to", "out_of_range", "to lies before from; exchange them"));
    }
    if to.since(from) > MOST_SPAN {
        return Err(Problem::field("?to", "out_of_range", "ten years are the longest span; ask in pieces"));
    }
    Ok((from, to))
}

pub fn numbers(text: &str) -> Result<Vec<PointId>, Problem> {
    let mut out = Vec::new();
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let Ok(n) = word.parse::<i64>() else {
            let word: String = word.chars().take(32).collect();
            let detail = format!("{word:?} is no point's number; GET /api/v1/points lists them");
            return Err(Problem::field("?points", "no_number", detail));
        };
        if !out.contains(&PointId(n)) {
            out.push(PointId(n));
        }
    }
    Ok(out)
}

async fn rows(ctx: &Ctx, points: &[PointId]) -> Result<Vec<PointRow>, Problem> {
    if points.is_empty() || points.len() > MOST_POINTS {
        let detail = format!("ask for 1 to {MOST_POINTS} points");
        return Err(Problem::field("?points", "out_of_range", detail));
    }
    let fleet = ctx.part::<Fleet>();
    let mut out = Vec::with_capacity(points.len());
    for p in points {
        out.push(fleet.point(*p).await?.ok_or_else(|| Problem::not_found("point").with("point", p.0))?);
    }
    Ok(out)
}
