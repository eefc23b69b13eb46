//! Series for charts, and the same as CSV.

use std::sync::Arc;

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
use crate::telemetry::csv;
use crate::telemetry::model::DAY_MS;
use crate::telemetry::readings::Readings;
use crate::telemetry::series::{Course, MOST_POINTS, MOST_SPAN, MOST_WIDTH, SeriesError, Span};

impl From<SeriesError> for Problem {
    fn from(e: SeriesError) -> Self {
        match e {
            SeriesError::Db(e) => e.into(),
            e => Self::internal(&e),
        }
    }
}

#[derive(Deserialize, IntoParams)]
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
/// each bucket. A null is the edge of a gap.
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

/// Courses of points between two instants, as fine as a chart of that width can show.
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
        Course::Samples(samples) => {
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
        },
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CsvQuery {
    /// Numbers of points with commas between them, 32 at most.
    #[param(example = "1,2")]
    pub points: String,
    /// RFC 3339; the span is ten years at most.
    pub from: String,
    pub to: String,
    /// Milliseconds of a bucket, whole seconds up to a year. Absent: every sample as it was read.
    #[param(example = 3_600_000)]
    pub bucket: Option<i64>,
}

/// Readings as a table for spreadsheets: UTF-8 with a byte order mark, a row for each sample or bucket.
#[utoipa::path(get, path = "/api/v1/series.csv", tag = "telemetry", operation_id = "series_csv", params(CsvQuery),
    security(("session" = ["viewer"])),
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn series_csv(State(ctx): State<Ctx>, Query(q): Query<CsvQuery>) -> Result<Response, Problem> {
    let (from, to) = span(&q.from, &q.to)?;
    if let Some(b) = q.bucket
        && (!(1_000..=366 * DAY_MS).contains(&b) || b % 1_000 != 0)
    {
        let detail = "a bucket is of whole seconds, 1000 to a year in milliseconds";
        return Err(Problem::field("?bucket", "out_of_range", detail));
    }
    let points = rows(&ctx, &numbers(&q.points)?).await?;
    // Written piece by piece as the reader takes it; who goes away ends it.
    let (send, pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(2);
    let table = Table { readings: ctx.part::<Readings>(), points, from, to, bucket: q.bucket };
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
}

impl Table {
    async fn write(self, out: mpsc::Sender<Result<Bytes, std::io::Error>>) {
        if let Err(e) = self.rows(&out).await {
            tracing::error!(error = %e, "a table of readings could not be written");
            // The head is sent already: the body breaks off, which the reader sees.
            let _ = out.send(Err(std::io::Error::other("the table broke off"))).await;
        }
    }

    async fn rows(&self, out: &mpsc::Sender<Result<Bytes, std::io::Error>>) -> Result<(), SeriesError> {
        let head = if self.bucket.is_some() { csv::BUCKETS_HEAD } else { csv::SAMPLES_HEAD };
        let mut piece = format!("{}{head}", csv::BOM);
        for p in &self.points {
            let names = csv::Names::of(p);
            if let Some(bucket) = self.bucket {
                for (start, r) in self.readings.rollups(p, self.from, self.to, bucket).await? {
                    csv::bucket_row(&mut piece, &names, start, &r);
                }
                if out.send(Ok(std::mem::take(&mut piece).into())).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            let mut from = self.from.as_millis();
            while from <= self.to.as_millis() {
                let to = (from + DAY_MS - 1).min(self.to.as_millis());
                for s in self.readings.samples(p, Timestamp(from), Timestamp(to)).await? {
                    csv::sample_row(&mut piece, &names, &s);
                }
                if !piece.is_empty() && out.send(Ok(std::mem::take(&mut piece).into())).await.is_err() {
                    return Ok(());
                }
                from = to + 1;
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
        return Err(Problem::field("?to", "out_of_range", "to lies before from"));
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
            let detail = format!("{:?} is no point's number", word.chars().take(32).collect::<String>());
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
