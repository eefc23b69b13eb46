use std::path::Path;
use std::sync::Arc;

use steward_shared::id::RandomIds;
use steward_shared::time::{ManualClock, Timestamp};
use tempfile::TempDir;

use super::{Entry, anchor, record_alone, verify};
use crate::kernel::base;
use crate::kernel::ctx::Ctx;
use crate::kernel::db::testing::on_each_database;
use crate::kernel::db::{Db, DbError};
use crate::kernel::settings::Settings;
use crate::params;

async fn with_rows(db: &Db) -> TempDir {
    for i in 0..5 {
        let entry = Entry::by_system("test.act").on("thing", i).after(&serde_json::json!({"i": i}));
        record_alone(db, Timestamp(i), entry).await.unwrap();
    }
    TempDir::new().unwrap()
}

/// What somebody does who has the database's password: the triggers go first.
async fn tamper(db: &Db, sql: &str) {
    let done: Result<(), DbError> = db
        .tx(async |tx| {
            if tx.is_postgres() {
                tx.execute("alter table audit disable trigger user", params![]).await?;
            } else {
                tx.execute("drop trigger audit_no_update", params![]).await?;
                tx.execute("drop trigger audit_no_delete", params![]).await?;
            }
            tx.execute(sql, params![]).await?;
            Ok(())
        })
        .await;
    done.unwrap();
}

fn ctx_of(db: &Db, data: &Path) -> Ctx {
    let settings = Settings { data: data.to_owned(), ..Settings::default() };
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    Ctx::new(db.clone(), clock, Arc::new(RandomIds), settings)
}

#[tokio::test]
async fn fault_h3_rows_of_the_audit_trail_cannot_be_changed_or_removed() {
    on_each_database(&[base::TABLES], async |db| {
        let _dir = with_rows(&db).await;
        for sql in ["update audit set actor_name = 'x'", "delete from audit where no = 2"] {
            let refused = db.execute(sql, params![]).await.unwrap_err();
            assert!(refused.broke("audit_append_only"), "{refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn fault_h3_every_way_of_tampering_is_found() {
    for (sql, row) in [
        ("update audit set actor_name = 'nobody' where no = 3", 3),
        ("delete from audit where no = 2", 2),
        ("update audit set no = case no when 3 then 104 else 103 end where no in (3, 4)", 3),
        ("update audit set hash = (select hash from audit a where a.no = 1) where no = 5", 5),
    ] {
        on_each_database(&[base::TABLES], async |db| {
            let dir = with_rows(&db).await;
            assert!(verify(&db, dir.path()).await.unwrap().whole);
            tamper(&db, sql).await;
            let verdict = verify(&db, dir.path()).await.unwrap();
            assert_eq!((verdict.whole, verdict.broken_at), (false, Some(row)), "{sql}");
        })
        .await;
    }
}

#[tokio::test]
async fn fault_h3_a_trail_whose_end_was_cut_off_is_found_by_its_anchor() {
    on_each_database(&[base::TABLES], async |db| {
        let dir = with_rows(&db).await;
        let ctx = ctx_of(&db, dir.path());
        anchor(ctx.clone()).await.unwrap();
        assert!(verify(&db, dir.path()).await.unwrap().whole);
        tamper(&db, "delete from audit where no > 3").await;
        let verdict = verify(&db, dir.path()).await.unwrap();
        assert_eq!((verdict.whole, verdict.broken_at), (false, Some(4)));
        // What is left is not written down as the new end.
        anchor(ctx).await.unwrap();
        assert!(!verify(&db, dir.path()).await.unwrap().whole);
    })
    .await;
}

#[tokio::test]
async fn fault_h3_what_is_new_is_checked_each_hour_and_all_of_it_each_day() {
    for (sql, anchors) in [
        ("update audit set actor_name = 'x' where no = 2", 2),
        ("update audit set actor_name = 'x' where no = 6", 1),
        ("update audit set hash = 'x' where no = 5", 1),
    ] {
        on_each_database(&[base::TABLES], async |db| {
            let dir = with_rows(&db).await;
            let ctx = ctx_of(&db, dir.path());
            anchor(ctx.clone()).await.unwrap();
            record_alone(&db, Timestamp(6), Entry::by_system("test.act").on("thing", 6)).await.unwrap();
            tamper(&db, sql).await;
            anchor(ctx).await.unwrap();
            let written = std::fs::read_to_string(dir.path().join("audit-heads.log")).unwrap();
            assert_eq!(written.lines().count(), anchors, "{sql}");
            assert!(!verify(&db, dir.path()).await.unwrap().whole, "{sql}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_at_once_each_have_their_row_and_the_chain_is_whole() {
    on_each_database(&[base::TABLES], async |db| {
        let acts = (0..6).map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                record_alone(&db, Timestamp(i), Entry::by_system("test.act").on("thing", i)).await
            })
        });
        for act in acts.collect::<Vec<_>>() {
            act.await.unwrap().unwrap();
        }
        let verdict = verify(&db, TempDir::new().unwrap().path()).await.unwrap();
        assert_eq!((verdict.whole, verdict.rows), (true, 6));
    })
    .await;
}
