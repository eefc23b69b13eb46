//! The daemon's look at holds whose tool has died (kill -9, a power cut): when their time is over it brings them back.
//! The supervisor starts it; it borrows the line like any tool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steward_shared::time::Clock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::back::{Back, bring_back};
use super::file::Kept;
use crate::config::{Config, load};

const LOOK: Duration = Duration::from_secs(5);

/// Looks until `cancel`. What cannot be brought back now is tried again at the next look.
pub async fn guard(file: PathBuf, data: PathBuf, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let looks = async {
        loop {
            sleep(LOOK).await;
            let due = Kept::orphans(&data).into_iter().filter(|kept| kept.hold.until <= clock.now());
            let due: Vec<_> = due.collect();
            if due.is_empty() {
                continue;
            }
            let Some(config) = config(&file, &data).await else {
                warn!("holds are overdue, and the gateway's file is broken");
                continue;
            };
            for kept in due {
                settle(&config, kept).await;
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
    let file = file.to_owned();
    let config = tokio::task::spawn_blocking(move || load(&file).ok()).await.ok()??;
    Some(Config { data: data.to_owned(), ..config })
}

async fn settle(config: &Config, kept: Kept) {
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
            if let Err(error) = kept.end() {
                error!(%error, device, point, "the file of the hold cannot be removed");
            }
        }
        Err(error) => {
            let error = &error as &(dyn std::error::Error + 'static);
            info!(error, device, point, "a held value cannot be brought back yet");
        }
    }
}
