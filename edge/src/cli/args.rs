//! What may be written after `steward-edge`. `parse` reads it, `execute` does it. The doc comments are the English help;
//! the Chinese one stands in `text/help.rs`, and a test holds the two together.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use steward_shared::time::Timestamp;

use super::capture::CaptureWords;
use super::device::{IdentifyWords, OrdersWords, ReadWords, ScanWords, WatchWords, WriteWords};
use super::doctor::DoctorWords;
use super::lint::LintWords;
use super::replay::ReplayWords;
use super::sheet::SheetWords;
use super::simulate::SimulateWords;
use super::sniff::SniffWords;
use super::text::Lang;

/// Where the gateway's file is when nothing is said.
pub const FILE: &str = "edge.toml";

/// Steward on the gateway: polls the plant room, keeps every reading, syncs to the hub.
#[derive(Debug, Parser)]
#[command(name = "steward-edge", version)]
pub struct Args {
    /// Speak Chinese or English; else the one that LC_ALL or LANG names.
    #[arg(long, global = true, value_enum, value_name = "zh|en", hide_possible_values = true)]
    pub lang: Option<Lang>,
    /// Say it as JSON, for programs; the log of `run` too.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Poll, keep and send, until SIGTERM; SIGHUP has the gateway's file read again.
    Run {
        #[command(flatten)]
        file: File,
        /// Keep readings, alarms and identity here instead of where the file says.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Make this gateway known to its hub, with the one-time code from the hub's page.
    Enrol {
        /// The gateway's file.
        #[arg(long, default_value = FILE)]
        config: PathBuf,
        /// Keep the identity here instead of where the file says.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The code, STW-...
        code: String,
    },
    /// The counters of this gateway: what they show, and the totals that go on through rollover and new meters.
    Ledger(Ledger),
    /// What the hub wanted written into this gateway's devices, and what became of it.
    Commands(Commands),
    /// Say where a number comes from: the bytes, the rule and the profile behind it.
    Explain(Explain),
    /// Show what another profile would make of the newest answers.
    Preview(Preview),
    /// Make readings anew of answers that another profile had read, and send them as corrections.
    Redecode(Redecode),
    /// Read a gateway's file and its profiles and tell every fault: file, line, column and the way out.
    Check {
        #[command(flatten)]
        file: File,
    },
    /// Answer as devices of profiles (all but MQTT's, which answer nobody), with values that move and faults on command.
    Simulate(SimulateWords),
    /// Write down every byte of a line with its instant: one that is polled meanwhile, or a port that is listened to.
    Capture(CaptureWords),
    /// Answer as a capture did, or try a profile on it.
    Replay(ReplayWords),
    /// Show what passes on a line where another master asks; nothing is sent.
    Sniff(SniffWords),
    /// Ask a device once, and show its points or registers.
    Read(ReadWords),
    /// Ask it again and again, and mark what has changed.
    Watch(WatchWords),
    /// Write a value into a point that its profile allows, check it, and bring the old one back when it is for a while.
    Write(WriteWords),
    /// Find who answers on a line, at which speed and parity, and which profile it may have.
    Scan(ScanWords),
    /// Compare a device with the profiles of the library.
    Identify(IdentifyWords),
    /// Find the type, order and scale that make registers say what a display shows, and the lines for the profile.
    Orders(OrdersWords),
    /// Draw a profile's registers and tell what is odd about it.
    Lint(LintWords),
    /// Say what is wrong with the wires of the lines that the running program polls.
    Doctor(DoctorWords),
    /// Make the commissioning sheet of a device that the running program polls: pass or fail, values, what is missing.
    Sheet(SheetWords),
}

/// Asks the program that runs.
#[derive(Debug, clap::Args)]
pub struct Ledger {
    #[command(flatten)]
    pub told: Told,
    #[command(subcommand)]
    pub act: Option<LedgerAct>,
}

#[derive(Debug, Subcommand)]
pub enum LedgerAct {
    /// All counters, or one with all that happened to it. What is done when nothing is said.
    List {
        /// The counter, DEVICE/POINT.
        of: Option<String>,
    },
    /// Say that the meter behind a counter was replaced.
    Confirm {
        /// The counter, DEVICE/POINT.
        of: String,
        /// What the new meter showed when it was put in.
        #[arg(long, allow_negative_numbers = true)]
        start: f64,
        /// What the old meter showed last, where that is not what was read of it last.
        #[arg(long, allow_negative_numbers = true)]
        end: Option<f64>,
    },
}

/// Asks the program that runs.
#[derive(Debug, clap::Args)]
pub struct Commands {
    #[command(flatten)]
    pub told: Told,
    /// How many at most, the newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub most: u32,
}

/// Reads the raw answers.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The point, DEVICE/POINT.
    pub of: String,
    #[command(flatten)]
    pub told: Told,
    /// The value of this instant or the last before it (RFC 3339); the newest, when nothing is said.
    #[arg(long, value_parser = super::evidence::instant)]
    pub at: Option<Timestamp>,
}

/// Reads the raw answers.
#[derive(Debug, clap::Args)]
pub struct Preview {
    /// The profile's file, VENDOR/MODEL.toml.
    pub profile: PathBuf,
    #[command(flatten)]
    pub told: Told,
    /// By the answers of this instant or the last before it (RFC 3339); the newest, when nothing is said.
    #[arg(long, value_parser = super::evidence::instant)]
    pub at: Option<Timestamp>,
}

/// Asks the program that runs.
#[derive(Debug, clap::Args)]
pub struct Redecode {
    #[command(flatten)]
    pub told: Told,
    /// From which instant on (RFC 3339).
    #[arg(long, value_parser = super::evidence::instant)]
    pub since: Timestamp,
}

/// Where the data folder is.
#[derive(Debug, clap::Args)]
pub struct Told {
    /// The gateway's file.
    #[arg(long, default_value = FILE, global = true)]
    pub config: PathBuf,
    /// The data folder, instead of where the file says.
    #[arg(long, global = true)]
    pub data: Option<PathBuf>,
}

/// The gateway's file, with or without `--config` before it.
#[derive(Debug, clap::Args)]
pub struct File {
    /// The gateway's file (edge.toml, when nothing is said).
    #[arg(value_name = "FILE")]
    bare: Option<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE", conflicts_with = "bare")]
    config: Option<PathBuf>,
}

impl File {
    pub fn path(self) -> PathBuf {
        self.bare.or(self.config).unwrap_or_else(|| FILE.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(words: &[&str]) -> Option<PathBuf> {
        match Args::try_parse_from([&["steward-edge"], words].concat()).ok()?.command {
            Command::Run { file, .. } | Command::Check { file } => Some(file.path()),
            Command::Enrol { config, .. } => Some(config),
            Command::Ledger(ledger) => Some(ledger.told.config),
            _ => None,
        }
    }

    #[test]
    fn the_file_is_named_with_or_without_the_flag() {
        for command in ["run", "check"] {
            assert_eq!(file_of(&[command]), Some("edge.toml".into()));
            assert_eq!(file_of(&[command, "a.toml"]), Some("a.toml".into()));
            assert_eq!(file_of(&[command, "--config", "a.toml"]), Some("a.toml".into()));
            assert_eq!(file_of(&[command, "a.toml", "--config", "b.toml"]), None, "which one?");
        }
        assert_eq!(file_of(&["enrol", "--config", "a.toml", "STW-1"]), Some("a.toml".into()));
    }
}
