//! What the machine says about this process and its disk: /proc and statvfs. The reporter calls it every ten
//! seconds; what cannot be read is zero, because a gateway without /proc still has meters to read.

use std::path::{Path, PathBuf};

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    pub rss_bytes: u64,
    /// Processor time used since the process began, in milliseconds.
    pub cpu_ms: u64,
    pub disk_free_bytes: u64,
    pub disk_total_bytes: u64,
}

#[derive(Debug)]
pub struct Machine {
    data: PathBuf,
}

impl Machine {
    /// `data` is the folder whose disk is looked at.
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// Blocks for some microseconds; on a hanging network disk for as long as that hangs.
    pub fn look(&self) -> Look {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let disk = nix::sys::statvfs::statvfs(&self.data).ok();
        let block = disk.map_or(0, |d| widen(d.fragment_size()));
        Look {
            rss_bytes: rss_bytes(&status).unwrap_or(0),
            cpu_ms: cpu_ms(&stat).unwrap_or(0),
            disk_free_bytes: disk.map_or(0, |d| widen(d.blocks_available()).saturating_mul(block)),
            disk_total_bytes: disk.map_or(0, |d| widen(d.blocks()).saturating_mul(block)),
        }
    }
}

/// These counts are 32 bits wide on 32-bit ARM and 64 bits elsewhere.
fn widen(count: impl TryInto<u64>) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

/// `VmRSS:     5424 kB` (proc_pid_status(5)).
fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

/// Fields 14 and 15, utime and stime, in hundredths of a second (proc_pid_stat(5); Linux reports USER_HZ = 100
/// on every architecture that we run on). The second field is a name in brackets that may hold blanks.
fn cpu_ms(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user = fields.next()?.parse::<u64>().ok()?;
    let system = fields.next()?.parse::<u64>().ok()?;
    Some((user + system) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(cpu_ms(stat), Some(2000));
    }

    #[test]
    fn this_process_uses_memory_and_its_disk_has_a_size() {
        let look = Machine::new(&std::env::temp_dir()).look();
        assert!(look.rss_bytes > 100_000, "{look:?}");
        assert!(look.disk_total_bytes >= look.disk_free_bytes && look.disk_total_bytes > 0, "{look:?}");
    }
}
