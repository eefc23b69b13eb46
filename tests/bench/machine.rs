//! What the figures were made on, and what a process uses of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

/// One line for the head of the page.
pub fn describe() -> anyhow::Result<()> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("unknown")
        .trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).context("/proc/meminfo is empty")?.parse()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let rustc = Command::new("rustc").arg("--version").output()?;
    println!(
        "{cores} cores of {model}, {} GiB, Linux {}, {}; everything on loopback of one machine.",
        kib / (1 << 20),
        kernel.trim(),
        String::from_utf8_lossy(&rustc.stdout).trim(),
    );
    Ok(())
}

/// CPU time that a process has used so far.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold blanks; the fields after its bracket are numbered from 3.
    let rest = stat.rsplit_once(')').context("a process has a name")?.1;
    let field = |n: usize| rest.split_whitespace().nth(n - 3).and_then(|f| f.parse::<u64>().ok());
    let ticks = field(14).context("no user time")? + field(15).context("no system time")?;
    // USER_HZ is 100 on every Linux that we run on.
    Ok(Duration::from_millis(ticks * 10))
}

/// The most memory that a process has held, in bytes.
pub fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no peak of the memory")?;
    let kib: u64 = line.split_whitespace().next().context("no number")?.parse()?;
    Ok(kib << 10)
}

/// Bytes of a file, or of all files below a folder whose names begin so.
pub fn bytes_of(folder: &Path, beginning: &str) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|e| e.file_name().to_string_lossy().starts_with(beginning));
    named.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}
