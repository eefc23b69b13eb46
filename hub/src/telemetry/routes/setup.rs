//! The telemetry module as THE LIST sees it.

use std::sync::Arc;
use std::time::Duration;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{course, lists, live};
use crate::gateways::Fleet;
use crate::kernel::jobs::Job;
use crate::kernel::module::{BoxError, Module, Task};
use crate::telemetry::MIGRATIONS;
use crate::telemetry::readings::{COMPACT_JOB, Readings};

pub fn module() -> Module {
    let commit = Task {
        name: "telemetry.commit",
        run: |ctx, stop| {
            Box::pin(async move {
                ctx.part::<Readings>().commit_groups(stop).await;
                Ok::<_, BoxError>(())
            })
        },
    };
    Module {
        name: "telemetry",
        migrations: MIGRATIONS,
        routes: OpenApiRouter::new()
            .routes(routes!(lists::devices))
            .routes(routes!(lists::device))
            .routes(routes!(lists::points))
            .routes(routes!(lists::point))
            .routes(routes!(course::series))
            .routes(routes!(course::series_csv))
            .routes(routes!(live::live)),
        jobs: vec![
            Job {
                name: COMPACT_JOB,
                every: Duration::from_mins(1),
                run: |ctx| Box::pin(async move { Ok(ctx.part::<Readings>().compact().await?) }),
            },
            Job {
                name: "telemetry.forget",
                every: Duration::from_hours(6),
                run: |ctx| Box::pin(async move { Ok(ctx.part::<Readings>().forget().await?) }),
            },
        ],
        setup: Some(|ctx| {
            Box::pin(async move {
                let readings = Arc::new(Readings::new(&ctx, ctx.part::<Fleet>()));
                readings.rebuild().await?;
                ctx.put(readings);
                Ok::<_, BoxError>(())
            })
        }),
        tasks: vec![commit],
        ..Module::default()
    }
}
