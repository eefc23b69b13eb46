//! What happens now, as server-sent events. Who falls behind is let go: a page that comes again loads everything anew.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::IntoParams;

use super::course::numbers;
use crate::kernel::ctx::Ctx;
use crate::kernel::events::Live;
use crate::kernel::http::Query;
use crate::kernel::problem::{Problem, ProblemBody};
use crate::telemetry::readings::{Readings, value_json};

const BEAT: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(15) };
const MOST_POINTS: usize = 2_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// Numbers of points whose values are wanted, with commas between them; 2000 at most.
    #[param(example = "1,2")]
    pub points: Option<String>,
}

/// Events `value` {point, at, value, quality} of the points asked for, beginning with their latest; `gateway`
/// {id, state} when its state, a line or a device of it changed; `event` with a gateway's event; `command` {id, gateway,
/// state} when a command is in another state; `site` and `catalogue` when those changed; `beat` at the beginning and each 15 s, whatever else comes. While a point is watched, its
/// gateway sends every sample at once; of what a gateway catches up on only the newest is told. The stream ends for
/// who reads too slowly: come again and load anew. `Last-Event-ID` is ignored: what was missed is asked for at
/// `/api/v1/series`.
#[utoipa::path(get, path = "/api/v1/live", tag = "telemetry", operation_id = "live", params(LiveQuery),
    security(("session" = ["viewer"])),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 422, body = ProblemBody)))]
pub async fn live(
    State(ctx): State<Ctx>,
    Query(q): Query<LiveQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let points = numbers(q.points.as_deref().unwrap_or_default())?;
    if points.len() > MOST_POINTS {
        let detail = format!("{MOST_POINTS} points are the most that one stream watches");
        return Err(Problem::field("?points", "out_of_range", detail));
    }
    let readings = ctx.part::<Readings>();
    let heard = ctx.live.watch();
    let watching = readings.watch(points.clone());
    let latest: Vec<Event> = points
        .iter()
        .filter_map(|p| {
            Some(Event::default().event("value").data(value_json(*p, &readings.latest(*p)?).to_string()))
        })
        .collect();
    let wanted: HashSet<i64> = points.into_iter().map(|p| p.0).collect();
    // Events and no comments: a page cannot hear comments, and would take a dead connection for a quiet one.
    let beat = || Event::default().event("beat").data("1");
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats.reset();
    // The guard lives in the stream's state: when the browser goes, the wish goes.
    let news = stream::unfold((heard, beats, wanted, watching), move |mut state| async move {
        let (heard, beats, wanted, _) = &mut state;
        loop {
            // Losing either branch is harmless: both are cancel safe. The beat comes first, so that nothing delays it.
            let live = tokio::select! {
                biased;
                _ = beats.tick() => return Some((beat(), state)),
                live = heard.recv() => live,
            };
            match live {
                Ok(Live { name, point, json }) if point.is_none_or(|p| wanted.contains(&p)) => {
                    let event = Event::default().event(name).data(&*json);
                    return Some((event, state));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    metrics::counter!("steward_hub_live_streams_lagged_total").increment(1);
                    tracing::debug!(missed, "a live stream fell behind and ends");
                    return None;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Ok(Sse::new(stream::iter([beat()]).chain(stream::iter(latest)).chain(news).map(Ok)))
}
