//! How the program speaks: to standard error, as text for people or as JSON for a collector.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts the log of this process, once. Our own rooms speak at the level of the file; others at `warn`.
pub fn start_log(log: &Log) {
    let level = log.level.as_str().to_lowercase();
    let filter =
        EnvFilter::new(format!("warn,steward_edge={level},steward_protocols={level},steward_shared={level}"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    if let Err(e) = started {
        eprintln!("the log was started before: {e}");
    }
}
