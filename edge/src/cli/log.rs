//! How the program speaks: to standard error, as text for people or as JSON for a collector.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use crate::config::{Log, LogFormat};

/// Starts the log of this process, once. Our own rooms speak at the level of the file; others at `warn`.
pub fn start_log(log: &Log) {
    let ours = ["steward_edge", "steward_protocols", "steward_shared"].map(|room| (room, log.level));
    let filter = Targets::new().with_default(LevelFilter::WARN).with_targets(ours);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let heard = registry().with(filter);
    let started = match log.format {
        LogFormat::Text => heard.with(layer.with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => heard.with(layer.json().flatten_event(true)).try_init(),
    };
    if let Err(e) = started {
        eprintln!("the log was started before: {e}");
    }
}
