//! Which run of the machine this is and how long it runs, from Linux itself: `/proc/sys/kernel/random/boot_id` and
//! `/proc/uptime` (CLOCK_BOOTTIME, so that a suspended machine keeps counting). Where they cannot be read, a
//! run of the program stands for a run of the machine.

use std::fs;

use steward_shared::id::{BootId, Ids};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::Header;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot {
    id: BootId,
    opened: Timestamp,
}

impl Boot {
    pub fn read(ids: &dyn Ids, now: Timestamp) -> Self {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let id = id.and_then(|t| t.trim().parse().ok()).unwrap_or_else(|| BootId::new(ids));
        Self { id, opened: now }
    }

    pub fn id(self) -> BootId {
        self.id
    }

    pub fn header(self, now: Timestamp) -> Header {
        let mono_ms = uptime_ms().unwrap_or_else(|| now.since(self.opened).as_millis() as u64);
        Header { boot: self.id, mono_ms, wall: now }
    }
}

fn uptime_ms() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1000 + hundredths.parse::<u64>().ok()? * 10)
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;

    use super::*;

    #[test]
    fn two_looks_in_one_run_of_the_machine_agree() {
        let (a, b) = (Boot::read(&RandomIds, Timestamp(0)), Boot::read(&RandomIds, Timestamp(5)));
        if cfg!(target_os = "linux") {
            assert_eq!(a.id(), b.id());
            assert!(a.header(Timestamp(9)).mono_ms > 0);
        }
    }
}
