//! Tells systemd that the hub works: while tasks get their turn and the database answers. When it is told no more for
//! `WatchdogSec` of the unit, systemd kills the hub and starts it again; the journal keeps why.

use std::time::Duration;

use steward_shared::systemd::{ALIVE, READY, STOPPING, Systemd};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::db::Db;
use super::faults::chain;

const EVERY: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(5) };
const ANSWER: Duration = Duration::from_secs(10);

/// A task among the others, so that it stands still when they do.
pub async fn beat(db: Db, systemd: Systemd, stopping: CancellationToken) {
    systemd.tell(READY);
    let mut silent: Option<Instant> = None;
    loop {
        match db.answers(ANSWER).await {
            Ok(()) => {
                systemd.tell(ALIVE);
                if let Some(since) = silent.take() {
                    tracing::info!(seconds = since.elapsed().as_secs(), "the database answers again");
                }
            }
            Err(e) if silent.is_none() => {
                silent = Some(Instant::now());
                tracing::error!(
                    error = chain(&e),
                    "the database does not answer; if it goes on like this, systemd starts the hub again"
                );
            }
            Err(_) => {}
        }
        // Losing the wait is harmless: the hub stops.
        if timeout(EVERY, stopping.cancelled()).await.is_ok() {
            systemd.tell(STOPPING);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;

    use super::*;
    use crate::kernel::db::migrate;
    use crate::kernel::db::testing::{fresh_postgres, fresh_sqlite};

    /// Longer than between two words of a hub that works.
    const LONG: Duration = Duration::from_secs(3);
    const PATIENCE: Duration = Duration::from_mins(1);

    /// What systemd hears.
    struct Heard(UnixDatagram, tempfile::TempDir);

    impl Heard {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
            Self(socket, folder)
        }

        fn systemd(&self) -> Systemd {
            Systemd::at(self.1.path().join("notify").into_os_string())
        }

        fn next(&self, within: Duration) -> Option<String> {
            self.0.set_read_timeout(Some(within)).unwrap();
            let mut bytes = [0; 64];
            let n = self.0.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes[..n]).into_owned())
        }

        /// Waits until nothing has been said for long.
        fn falls_silent(&self) {
            let begun = Instant::now();
            while self.next(LONG).is_some() {
                assert!(begun.elapsed() < PATIENCE, "it goes on saying that it works");
            }
        }
    }

    #[test]
    fn fault_h6_when_no_task_gets_its_turn_systemd_is_not_told_that_the_hub_works() {
        let heard = Heard::new();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let test = runtime.block_on(fresh_sqlite());
        runtime.block_on(migrate(&test.db, &[], 0)).unwrap();
        let stopping = CancellationToken::new();
        let beating = runtime.spawn(beat(test.db.clone(), heard.systemd(), stopping.clone()));
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(READY));
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(ALIVE));
        let (let_go, held) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ = held.recv();
        });
        heard.falls_silent();
        let_go.send(()).unwrap();
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(ALIVE));
        stopping.cancel();
        runtime.block_on(beating).unwrap();
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(STOPPING));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_h6_while_the_database_answers_nothing_systemd_is_not_told_that_the_hub_works() {
        let test = fresh_postgres().await;
        migrate(&test.db, &[], 0).await.unwrap();
        let heard = Heard::new();
        let stopping = CancellationToken::new();
        let beating = tokio::spawn(beat(test.db.clone(), heard.systemd(), stopping.clone()));
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(READY));
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(ALIVE));
        test.db
            .tx(async |tx| {
                tx.execute("lock table schema_migration in access exclusive mode", Vec::new()).await?;
                heard.falls_silent();
                Ok::<_, crate::kernel::db::DbError>(())
            })
            .await
            .unwrap();
        assert_eq!(heard.next(PATIENCE).as_deref(), Some(ALIVE));
        stopping.cancel();
        beating.await.unwrap();
    }
}
