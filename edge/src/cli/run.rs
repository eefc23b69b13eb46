//! `steward-edge run`: the daemon, from its file to its orderly end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_shared::document::listing;
use steward_shared::id::RandomIds;
use steward_shared::time::SystemClock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::log::start_log;
use crate::line::dial_of;
use crate::supervisor::{Setup, Supervisor, SupervisorError, Systemd, read};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Every fault of the file, one a line.
    #[error("{0}")]
    Config(String),
    #[error("signals cannot be heard")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
}

pub async fn run(path: &Path, data: Option<PathBuf>) -> Result<(), RunError> {
    let config = read(path).map_err(|faults| RunError::Config(listing(&faults)))?;
    start_log(&config.log);
    let (stop, reload) = hear_signals().map_err(RunError::Signals)?;
    let setup = Setup {
        path: path.to_owned(),
        data,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        dial: Arc::new(dial_of),
        systemd: Systemd::from_environment(),
    };
    info!(version = env!("CARGO_PKG_VERSION"), gateway = config.name, "steward-edge starts");
    Ok(Supervisor::start(setup, config).await?.run(stop, reload).await?)
}

/// SIGTERM and SIGINT stop, a second one at once; SIGHUP reads the file again. A reload that is asked for
/// while one waits is the same reload.
fn hear_signals() -> io::Result<(CancellationToken, mpsc::Receiver<()>)> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let stop = CancellationToken::new();
    let (reload, reloads) = mpsc::channel(1);
    let heard = stop.clone();
    tokio::spawn(async move {
        loop {
            // A signal that is not taken in this turn is taken in the next.
            tokio::select! {
                () = either(&mut terminate, &mut interrupt) => {
                    if heard.is_cancelled() {
                        // Without a word: the log may be what does not let the program stop.
                        std::process::exit(130);
                    }
                    heard.cancel();
                }
                Some(()) = hangup.recv() => {
                    let _ = reload.try_send(());
                }
            }
        }
    });
    Ok((stop, reloads))
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
