//! The kernel as THE LIST sees it: its own tables, the audit trail's routes, its jobs.

use std::sync::Arc;
use std::time::Duration;

use super::db::Migration;
use super::jobs::Job;
use super::module::Module;
use super::{audit, files, idempotency, outbox};

const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "kernel", sql: include_str!("migrations/0001_kernel.sql") }];

pub const TABLES: (&str, &[Migration]) = ("kernel", MIGRATIONS);

pub fn module() -> Module {
    Module {
        name: "kernel",
        migrations: MIGRATIONS,
        routes: audit::routes(),
        jobs: vec![
            Job {
                name: "kernel.audit_anchor",
                every: Duration::from_hours(1),
                run: |ctx| Box::pin(async { Ok(audit::anchor(ctx).await?) }),
            },
            Job {
                name: "kernel.audit_verify",
                every: Duration::from_hours(24),
                run: |ctx| Box::pin(async { Ok(audit::verify_all(ctx).await?) }),
            },
            outbox::job(),
            files::job(),
            Job {
                name: "kernel.idempotency_keys",
                every: Duration::from_hours(1),
                run: |ctx| Box::pin(async move { Ok(idempotency::forget_old(&ctx).await?) }),
            },
        ],
        setup: Some(|ctx| {
            Box::pin(async move {
                ctx.put(Arc::new(idempotency::Key::open(&ctx.settings.data).await?));
                Ok(outbox::try_all_again(&ctx.db).await?)
            })
        }),
        ..Module::default()
    }
}
