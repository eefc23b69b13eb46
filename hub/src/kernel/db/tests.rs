use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use steward_shared::id::{GatewayId, Ids, RandomIds};
use steward_shared::time::Timestamp;

use super::testing::{fresh_databases, on_each_database};
use super::{Blob, Db, DbError, Migration, V, check, migrate};
use crate::params;
use crate::testing::eventually;

const TABLES: &[Migration] = &[Migration {
    number: 1,
    name: "tables",
    sql: "create table thing (id {id}, name text not null, size {int} not null, ratio {real}, body {blob}, owner text,
            constraint thing_size_range check (size between 0 and 1000));
          create unique index thing_name on thing (name);
          create table part (thing {int} not null references thing (id), no {int} not null, primary key (thing, no));
          -- only sqlite
          create trigger thing_forever before delete on thing begin select raise(abort, 'thing_kept'); end;
          -- only postgres
          create function thing_forever() returns trigger language plpgsql as
            $$ begin raise exception 'thing_kept' using errcode = 'check_violation', constraint = 'thing_kept'; end $$;
          create trigger thing_forever before delete on thing for each row execute function thing_forever();
          -- only both
          ",
}];
const MODULES: &[(&str, &[Migration])] = &[("things", TABLES)];

#[derive(Deserialize, Debug, PartialEq)]
struct Thing {
    id: i64,
    name: String,
    size: u16,
    ratio: Option<f64>,
    body: Option<Blob>,
    owner: Option<GatewayId>,
}

async fn insert(db: &Db, name: &str, size: i64) -> Result<u64, DbError> {
    db.execute("insert into thing (name, size) values ($1, $2)", params![name, size]).await
}

#[tokio::test]
async fn a_row_comes_back_as_it_went_in() {
    on_each_database(MODULES, async |db| {
        let owner = GatewayId::new(&RandomIds);
        let id: i64 = db
            .tx(async |tx| {
                tx.one(
                    "insert into thing (name, size, ratio, body, owner) values ($1, $2, $3, $4, $5) returning id",
                    params!["it's $1", 7, 0.5, vec![0_u8, 255], owner],
                )
                .await
            })
            .await
            .map_or_else(|e: DbError| panic!("{e:?}"), |id: Option<i64>| id.unwrap());
        let found: Vec<Thing> =
            db.query("select * from thing where size = $2 and name = $1", params!["it's $1", 7]).await.unwrap();
        let body = Some(Blob(vec![0, 255]));
        assert_eq!(found, [Thing { id, name: "it's $1".into(), size: 7, ratio: Some(0.5), body, owner: Some(owner) }]);
        insert(&db, "bare", 1).await.unwrap();
        let bare: Thing = db.one("select * from thing where name = $1", params!["bare"]).await.unwrap().unwrap();
        assert_eq!((bare.ratio, bare.body, bare.owner), (None, None, None));
        let pairs: Vec<(String, i64)> =
            db.query("select name, size from thing order by size", params![]).await.unwrap();
        assert_eq!(pairs, [("bare".to_owned(), 1), ("it's $1".to_owned(), 7)]);
        let sum: Option<i64> = db.one("select sum(size) from thing", params![]).await.unwrap();
        assert_eq!(sum, Some(8));
        let at: Option<Timestamp> = db.one("select max(size) from thing", params![]).await.unwrap();
        assert_eq!(at, Some(Timestamp(7)));
    })
    .await;
}

#[tokio::test]
async fn a_broken_constraint_is_told_by_its_name() {
    on_each_database(MODULES, async |db| {
        insert(&db, "a", 1).await.unwrap();
        assert!(insert(&db, "a", 1).await.unwrap_err().broke("thing_name"));
        assert!(insert(&db, "b", 5000).await.unwrap_err().broke("thing_size_range"));
        let part = "insert into part (thing, no) values ($1, $2)";
        let id: i64 = db.one("select id from thing", params![]).await.unwrap().unwrap();
        db.execute(part, params![id, 1]).await.unwrap();
        assert!(db.execute(part, params![id, 1]).await.unwrap_err().broke("part_pkey"));
        assert!(matches!(db.execute(part, params![id + 1, 1]).await.unwrap_err(), DbError::Reference));
        assert!(db.execute("delete from thing", params![]).await.unwrap_err().broke("thing_kept"));
    })
    .await;
}

#[tokio::test]
async fn a_refused_transaction_leaves_nothing() {
    on_each_database(MODULES, async |db| {
        let refused: Result<(), DbError> = db
            .tx(async |tx| {
                tx.execute_many(
                    "insert into thing (name, size) values ($1, $2)",
                    (0..600).map(|i| params![format!("n{i}"), i]).collect(),
                )
                .await?;
                Err(DbError::Over)
            })
            .await;
        assert!(matches!(refused, Err(DbError::Over)));
        // After a statement that failed nothing more is done, even when the work hides the failure.
        let hidden: Result<(), DbError> = db
            .tx(async |tx| {
                tx.execute("insert into thing (name, size) values ('x', 1)", params![]).await?;
                let _ = tx.execute("insert into thing (name, size) values ('y', 9999)", params![]).await;
                Ok(())
            })
            .await;
        assert!(matches!(hidden, Err(DbError::Over)), "{hidden:?}");
        let left: Option<i64> = db.one("select count(*) from thing", params![]).await.unwrap();
        assert_eq!(left, Some(0));
        insert(&db, "later", 1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_transaction_whose_caller_went_away_is_undone() {
    on_each_database(MODULES, async |db| {
        let (reached, waits) = tokio::sync::oneshot::channel::<()>();
        let reached = std::sync::Mutex::new(Some(reached));
        let other = db.clone();
        let going = tokio::spawn(async move {
            let done: Result<(), DbError> = other
                .tx(async |tx| {
                    tx.execute("insert into thing (name, size) values ('gone', 1)", params![]).await?;
                    let told = reached.lock().unwrap().take();
                    if let Some(told) = told {
                        let _ = told.send(());
                    }
                    std::future::pending::<()>().await;
                    Ok(())
                })
                .await;
            done
        });
        waits.await.unwrap();
        going.abort();
        let _ = going.await;
        insert(&db, "next", 1).await.unwrap();
        let names: Vec<String> = db.query("select name from thing", params![]).await.unwrap();
        assert_eq!(names, ["next"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_collide_all_count() {
    on_each_database(MODULES, async |db| {
        insert(&db, "counter", 0).await.unwrap();
        let db = Arc::new(db);
        let writers = (0..8).map(|_| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                for _ in 0..5 {
                    let done: Result<(), DbError> = db
                        .tx(async |tx| {
                            let n: Option<i64> =
                                tx.one("select size from thing where name = 'counter'", params![]).await?;
                            let next = n.unwrap_or_default() + 1;
                            tx.execute("update thing set size = $1 where name = 'counter'", params![next])
                                .await?;
                            Ok(())
                        })
                        .await;
                    done.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let n: Option<i64> = db.one("select size from thing", params![]).await.unwrap();
        assert_eq!(n, Some(40));
    })
    .await;
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_refused() {
    for fresh in fresh_databases().await {
        migrate(&fresh.db, MODULES, 1).await.unwrap();
        migrate(&fresh.db, MODULES, 2).await.unwrap();
        let changed = [Migration { sql: "select 1", ..TABLES[0] }];
        assert!(matches!(migrate(&fresh.db, &[("things", &changed)], 3).await, Err(DbError::Changed { .. })));
        let older = migrate(&fresh.db, &[], 3).await.unwrap_err();
        assert!(older.to_string().contains("newer than this program (things 1)"), "{older}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    for fresh in fresh_databases().await {
        let broken: &[Migration] =
            &[Migration { number: 2, name: "broken", sql: "create table later (a {int}); create tabel x;" }];
        assert!(migrate(&fresh.db, &[("a", TABLES), ("b", broken)], 1).await.is_err());
        migrate(&fresh.db, &[("a", TABLES)], 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_looked_at_without_being_changed() {
    for fresh in fresh_databases().await {
        let foreign = check(&fresh.db, MODULES).await.unwrap_err();
        assert!(matches!(foreign, DbError::Foreign(_)), "{foreign:?}");
        migrate(&fresh.db, &[], 1).await.unwrap();
        let older = check(&fresh.db, MODULES).await.unwrap_err();
        assert!(older.to_string().contains("older than this program (things 1 is missing)"), "{older}");
        migrate(&fresh.db, MODULES, 1).await.unwrap();
        check(&fresh.db, MODULES).await.unwrap();
        assert!(matches!(check(&fresh.db, &[]).await, Err(DbError::Newer { .. })));
        Db::open_existing(&fresh.url).await.unwrap();
    }
}

/// Time stands still but for deadlines: whatever waits for the server would run into one at once.
#[tokio::test]
async fn a_migration_takes_the_time_it_needs() {
    let slow = |sql| [Migration { number: 1, name: "slow", sql }];
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let ours = slow(
            "select pg_sleep(0.2);
             do $$ begin
               if current_setting('statement_timeout') <> '0' then raise exception 'there is a deadline'; end if;
             end $$",
        );
        tokio::time::pause();
        migrate(&fresh.db, &[("slow", &ours)], 1).await.unwrap();
        // Anything else has its deadline.
        let late = fresh.db.one::<String>("select cast(pg_sleep(10) as text)", params![]).await;
        assert!(matches!(late, Err(DbError::Deadline(_))), "{late:?}");
    }
}

#[tokio::test]
async fn a_handle_is_dead_after_its_transaction() {
    on_each_database(MODULES, async |db| {
        let kept = std::sync::Mutex::new(None);
        let done: Result<(), DbError> = db
            .tx(async |tx| {
                *kept.lock().unwrap() = Some(tx.clone());
                Ok(())
            })
            .await;
        done.unwrap();
        let tx = kept.lock().unwrap().take().unwrap();
        assert!(matches!(tx.one::<i64>("select 1", params![]).await, Err(DbError::Over)));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_closed_all_connections_is_asked_on_new_ones() {
    for fresh in fresh_databases().await {
        if !fresh.db.is_postgres() {
            continue;
        }
        migrate(&fresh.db, MODULES, 0).await.unwrap();
        for name in ["a", "b"] {
            insert(&fresh.db, name, 1).await.unwrap();
            let other = Db::open(&fresh.url).await.unwrap();
            let ended = other
                .query::<i64>(
                    "select cast(cast(pg_terminate_backend(pid) as int) as bigint) from (select pid from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()) others",
                    params![],
                )
                .await
                .unwrap();
            assert!(!ended.is_empty());
            let read: Option<i64> = fresh.db.one("select count(*) from thing", params![]).await.unwrap();
            assert!(read.is_some());
        }
        insert(&fresh.db, "c", 1).await.unwrap();
    }
}

/// The servers' processes that have, or wait for, the claim.
async fn claiming(db: &Db, granted: bool) -> Vec<i64> {
    db.query(
        "select cast(pid as bigint) from pg_locks where locktype = 'advisory' and granted = ($1 = 1)
           and database = (select oid from pg_database where datname = current_database())",
        params![i64::from(granted)],
    )
    .await
    .unwrap()
}

/// Ends the connection that has the claim, and gives its number.
async fn break_claim(db: &Db) -> i64 {
    let holder = claiming(db, true).await[0];
    let sql = "select cast(cast(pg_terminate_backend(cast($1 as int)) as int) as bigint)";
    assert_eq!(db.one::<i64>(sql, params![holder]).await.unwrap(), Some(1));
    holder
}

const AT_ONCE: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_database_has_one_hub_and_the_next_one_when_that_has_ended() {
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let (one, other) = (&fresh.db, Db::open(&fresh.url).await.unwrap());
        let claim = one.claim(AT_ONCE).await.unwrap();
        let refused = other.claim(AT_ONCE).await.err().unwrap();
        assert!(matches!(refused, DbError::Claimed), "{refused:?}");
        drop(claim);
        other.claim(LONG).await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_whose_connection_broke_is_taken_again() {
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let claim = fresh.db.claim(LONG).await.unwrap();
        let keeping = tokio::spawn(claim.keep());
        let before = break_claim(&fresh.db).await;
        eventually("the claim again", async || {
            claiming(&fresh.db, true).await.first().is_some_and(|holder| *holder != before)
        })
        .await;
        assert!(!keeping.is_finished());
        keeping.abort();
    }
}

#[tokio::test]
async fn a_hub_whose_claim_another_one_took_ends() {
    for fresh in fresh_databases().await.into_iter().filter(|f| f.db.is_postgres()) {
        let claim = fresh.db.claim(AT_ONCE).await.unwrap();
        let keeping = tokio::spawn(claim.keep());
        let other = Db::open(&fresh.url).await.unwrap();
        let waiting = tokio::spawn(async move { other.claim(LONG).await });
        eventually("the other hub's wish", async || claiming(&fresh.db, false).await.len() == 1).await;
        break_claim(&fresh.db).await;
        let _held = waiting.await.unwrap().unwrap();
        let ended = keeping.await.unwrap();
        assert!(matches!(ended, DbError::Claimed), "{ended:?}");
    }
}

#[test]
fn tls_to_postgresql_is_refused_with_the_way_out() {
    use super::DatabaseUrl;
    for mode in ["require", "verify-full"] {
        let refused = format!("postgres://steward@db/steward?sslmode={mode}").parse::<DatabaseUrl>();
        assert!(refused.unwrap_err().to_string().contains("through a tunnel"), "{mode}");
    }
    assert!("postgres://steward@db/steward?sslmode=prefer".parse::<DatabaseUrl>().is_ok());
}

#[test]
fn a_dollar_in_a_text_is_no_parameter() {
    assert_eq!(super::lite::numbered("select '$1', $1, $12"), "select '$1', ?1, ?12");
    assert_eq!(V::from(None::<i64>), V::Null);
    assert_ne!(RandomIds.new_uuid(), RandomIds.new_uuid());
}
