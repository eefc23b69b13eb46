//! The daemon's look at holds whose tool has died (kill -9, a power cut): when their time is over it brings them back.
//! The supervisor starts it; it borrows the line like any tool. What it has settled it never settles again, also where
//! the file cannot be removed: it would overwrite what people have set since.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steward_shared::time::{Clock, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::back::{Back, bring_back};
use super::file::{Hold, Kept};
use crate::config::Config;
use crate::configure::load;

const LOOK: Duration = Duration::from_secs(5);

/// Looks until `cancel`. What cannot be brought back now is tried again at the next look.
pub async fn guard(file: PathBuf, data: PathBuf, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let looks = async {
        let mut seen = Seen::default();
        loop {
            sleep(LOOK).await;
            seen.tell_unreadable(Kept::unreadable(&data));
            let due = seen.due(Kept::orphans(&data), clock.now());
            if due.is_empty() {
                continue;
            }
            let Some(config) = config(&file, &data).await else {
                warn!("holds are overdue, and the gateway's file is broken");
                continue;
            };
            for kept in due {
                seen.settled.extend(settle(&config, kept).await);
            }
        }
    };
    tokio::select! {
        // A way back that is broken off leaves its file: it is gone at the next start.
        () = looks => {}
        () = cancel.cancelled() => {}
    }
}

async fn config(file: &Path, data: &Path) -> Option<Config> {
    let (file, data) = (file.to_owned(), data.to_owned());
    tokio::task::spawn_blocking(move || load(&file, Some(&data)).ok()).await.ok()?
}

/// What the looks before this one have seen.
#[derive(Default)]
struct Seen {
    /// Brought back already, and their files are still there.
    settled: Vec<Hold>,
    unreadable: Vec<PathBuf>,
}

impl Seen {
    /// What is to be brought back now. A hold whose file has gone at last is forgotten.
    fn due(&mut self, orphans: Vec<Kept>, now: Timestamp) -> Vec<Kept> {
        self.settled.retain(|hold| orphans.iter().any(|kept| kept.hold == *hold));
        orphans
            .into_iter()
            .filter(|kept| kept.hold.until <= now && !self.settled.contains(&kept.hold))
            .collect()
    }

    /// Each is told once.
    fn tell_unreadable(&mut self, files: Vec<PathBuf>) {
        for file in files.iter().filter(|file| !self.unreadable.contains(file)) {
            error!(
                file = %file.display(),
                "the file of a hold cannot be read, so its value is not brought back; write --back does it, as root"
            );
        }
        self.unreadable = files;
    }
}

/// Brings it back. The hold, where that is done and its file cannot be removed.
async fn settle(config: &Config, kept: Kept) -> Option<Hold> {
    let (device, point) = (kept.hold.device.clone(), kept.hold.point.clone());
    match bring_back(config, &kept.hold).await {
        Ok(back) => {
            let how = match back {
                Back::Restored => "what stood before stands again",
                Back::ChangedSince => "somebody has written since; it is left so",
            };
            warn!(
                device,
                point,
                by = kept.hold.by,
                "a value was written for a while and its tool died; {how}"
            );
            let hold = kept.hold.clone();
            let error = kept.end().err()?;
            error!(%error, device, point, "the file of the hold cannot be removed; remove it as root");
            Some(hold)
        }
        Err(error) => {
            let error = &error as &(dyn std::error::Error + 'static);
            info!(error, device, point, "a held value cannot be brought back yet");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_back_is_never_due_again_though_its_file_stays() {
        let data = tempfile::tempdir().unwrap();
        let hold = |until: i64| Hold {
            device: "ahu".to_owned(),
            point: "setpoint".to_owned(),
            before: vec![225],
            written: vec![240],
            command: None,
            until: Timestamp::from_millis(until),
            by: "anna".to_owned(),
        };
        let look = |seen: &mut Seen, now| {
            let due = seen.due(Kept::orphans(data.path()), Timestamp::from_millis(now));
            due.into_iter().map(|kept| kept.hold.clone()).collect::<Vec<_>>()
        };
        drop(Kept::begin(data.path(), hold(1000)).unwrap());
        let mut seen = Seen::default();
        assert!(look(&mut seen, 999).is_empty(), "its time is not over");
        assert_eq!(look(&mut seen, 1000), [hold(1000)]);
        seen.settled.push(hold(1000));
        assert!(look(&mut seen, 1005).is_empty());
        std::fs::remove_file(data.path().join("holds/ahu.setpoint.json")).unwrap();
        assert!(look(&mut seen, 1010).is_empty());
        drop(Kept::begin(data.path(), hold(2000)).unwrap());
        assert_eq!(look(&mut seen, 2000), [hold(2000)], "another hold of the same point is its own");
    }
}
