//! `steward-edge run`: the daemon, from its file to its orderly end.

use std::io;
use std::path::{Path, PathBuf};

use steward_shared::document::listing;
use steward_shared::systemd::Systemd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::execute::chain;
use super::log::start_log;
use super::out::Out;
use super::text::common;
use crate::config::LogFormat;
use crate::supervisor::{Setup, Supervisor, read};

pub async fn run(path: &Path, data: Option<PathBuf>, out: Out) -> Result<(), String> {
    let mut config = read(path).map_err(|faults| listing(&faults))?;
    if out.json {
        config.log.format = LogFormat::Json;
    }
    start_log(&config.log);
    let (stop, reload) = hear_signals().map_err(|e| format!("{}: {e}", common::signals(out.lang)))?;
    let setup = Setup { data, systemd: Systemd::from_environment(), ..Setup::of(path.to_owned()) };
    info!(version = env!("CARGO_PKG_VERSION"), gateway = config.name, "steward-edge starts");
    let supervisor = Supervisor::start(setup, config).await.map_err(|e| chain(&e))?;
    Box::pin(supervisor.run(stop, reload)).await.map_err(|e| chain(&e))
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
