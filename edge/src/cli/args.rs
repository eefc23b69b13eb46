//! What may be written after `steward-edge`. `main` reads it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Steward on the gateway: polls the plant room, keeps every reading, syncs to the hub.
#[derive(Debug, Parser)]
#[command(name = "steward-edge", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Poll, keep and send, until SIGTERM; SIGHUP has the gateway's file read again.
    Run {
        /// The gateway's file.
        #[arg(long, default_value = "edge.toml")]
        config: PathBuf,
        /// Keep readings, alarms and identity here instead of where the file says.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Make this gateway known to its hub, with the one-time code from the hub's page.
    Enrol {
        /// The gateway's file.
        #[arg(long, default_value = "edge.toml")]
        config: PathBuf,
        /// Keep the identity here instead of where the file says.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The code, STW-...
        code: String,
    },
    /// Read a gateway's file and its profiles and tell every fault: file, line, column and the way out.
    Check {
        /// The gateway's file.
        #[arg(default_value = "edge.toml")]
        config: PathBuf,
    },
}
