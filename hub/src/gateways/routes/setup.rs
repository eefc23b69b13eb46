//! The gateways module as THE LIST sees it.

use std::sync::Arc;
use std::time::Duration;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{commands, configs, fleet as api, quarantine};
use crate::gateways::ca::Ca;
use crate::gateways::fleet::Fleet;
use crate::gateways::store::MIGRATIONS;
use crate::kernel::jobs::Job;
use crate::kernel::module::{BoxError, Module};

pub fn module() -> Module {
    Module {
        name: "gateways",
        migrations: MIGRATIONS,
        routes: OpenApiRouter::new()
            .routes(routes!(api::list, api::create))
            .routes(routes!(api::read, api::change, api::delete))
            .routes(routes!(api::code))
            .routes(routes!(api::revoke))
            .routes(routes!(api::events))
            .routes(routes!(quarantine::list))
            .routes(routes!(quarantine::read, quarantine::discard))
            .routes(routes!(quarantine::body))
            .routes(routes!(configs::read))
            .routes(routes!(configs::check))
            .routes(routes!(configs::edit_text))
            .routes(routes!(configs::list, configs::create))
            .routes(routes!(configs::one))
            .routes(routes!(configs::cancel))
            .routes(routes!(configs::past))
            .routes(routes!(configs::past_one))
            .routes(routes!(commands::list, commands::create))
            .routes(routes!(commands::read))
            .routes(routes!(commands::approve))
            .routes(routes!(commands::reject))
            .routes(routes!(commands::cancel)),
        jobs: vec![
            Job {
                name: "gateways.look_round",
                every: Duration::from_secs(5),
                run: |ctx| Box::pin(async move { Ok(ctx.part::<Fleet>().look_round().await?) }),
            },
            Job {
                name: "gateways.expire_commands",
                every: Duration::from_secs(5),
                run: |ctx| Box::pin(async move { Ok(ctx.part::<Fleet>().expire_commands().await?) }),
            },
            Job {
                name: "gateways.forget",
                every: Duration::from_hours(1),
                run: |ctx| Box::pin(async move { Ok(ctx.part::<Fleet>().forget().await?) }),
            },
        ],
        setup: Some(|ctx| {
            Box::pin(async move {
                let (dir, clock, ids) = (ctx.settings.data.join("ca"), ctx.clock.clone(), ctx.ids.clone());
                let ca = tokio::task::spawn_blocking(move || Ca::open(&dir, clock, ids)).await??;
                let fleet = Fleet::new(&ctx, Arc::new(ca));
                fleet.expect_all().await?;
                ctx.put(Arc::new(fleet));
                Ok::<_, BoxError>(())
            })
        }),
        ..Module::default()
    }
}
