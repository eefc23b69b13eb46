//! The way to a line, with what stands in it told to people.

use std::path::Path;

use steward_shared::reading::Quality;

use super::super::out::Out;
use super::super::text::device as text;
use crate::config::{Config, LineConfig, WireConfig};
use crate::lend::{BorrowError, Reach, is_held};
use crate::line::Failure;

/// A line of the gateway's file.
pub async fn by_file(config: &Config, line: &LineConfig, out: Out) -> Result<Reach, String> {
    Reach::by_file(&config.data, line).await.map_err(|e| not_lent(&e, &config.data, &line.name, out))
}

pub fn not_lent(error: &BorrowError, data: &Path, line: &str, out: Out) -> String {
    match error {
        BorrowError::Forbidden => text::socket_forbidden(out.lang, data),
        BorrowError::NoSuchLine => text::daemon_knows_no_line(out.lang, line),
        BorrowError::Busy => text::line_is_lent(out.lang, line),
        BorrowError::Broken(e) => text::daemon_is_deaf(out.lang, &e.to_string()),
    }
}

/// What came instead of an answer, in words, and what to do where that is known.
pub fn why(reach: &Reach, failure: &Failure, out: Out) -> String {
    match failure {
        Failure::Lost(e) => match &reach.target {
            WireConfig::Serial(serial) if is_held(e) => {
                let holder = holder(&serial.path).unwrap_or_else(|| text::somebody(out.lang));
                text::port_is_held(out.lang, &serial.path, &holder)
            }
            WireConfig::Serial(serial) => text::port_fails(out.lang, &serial.path, &e.to_string()),
            WireConfig::Listen(_) | WireConfig::Bacnet(_) | WireConfig::Mstp(_) | WireConfig::Mqtt(_) => {
                text::no_answer(out.lang, Quality::NoReply, &e.to_string())
            }
            WireConfig::Tcp { host, port, .. } => text::host_fails(out.lang, host, *port, &e.to_string()),
        },
        Failure::HungUp(_) => text::hung_up(out.lang),
        Failure::Babbling => text::babbling(out.lang),
        Failure::Device { quality, why } => text::no_answer(out.lang, *quality, why),
    }
}

/// Which programs have a port open, as far as this user may know.
fn holder(port: &str) -> Option<String> {
    let port = std::fs::canonicalize(port).ok()?;
    let holds = |file: &Path| std::fs::read_link(file).is_ok_and(|open| open == port);
    let one = |process: &Path| {
        let id = process.file_name()?.to_str()?.parse::<u32>().ok()?;
        let mut files = std::fs::read_dir(process.join("fd")).ok()?;
        files.any(|file| file.is_ok_and(|file| holds(&file.path()))).then_some(())?;
        let name = std::fs::read_to_string(process.join("comm")).ok()?;
        Some(format!("{} ({id})", name.trim()))
    };
    let processes = std::fs::read_dir("/proc").ok()?;
    let names: Vec<_> = processes.filter_map(|process| one(&process.ok()?.path())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
