//! What the log says of connections that came to nothing. Anybody can send thousands of them a second: some of each second
//! are told, and how many were not.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const TOLD: u32 = 10;
const EACH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Refused(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Refused {
    pub fn note(&self, from: SocketAddr, error: &dyn Display) {
        let untold = self.0.lock().unwrap_or_else(PoisonError::into_inner).tell(Instant::now());
        if let Some(untold) = untold {
            tracing::info!(%from, %error, untold, "a connection was refused");
        }
    }
}

impl Count {
    /// How many were not told before this one, where this one is to be told.
    fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= EACH) {
            (self.since, self.told) = (Some(now), 0);
        }
        if self.told == TOLD {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_t6_of_a_flood_some_are_told_each_second_and_the_others_are_counted() {
        let (mut count, begun) = (Count::default(), Instant::now());
        let told: Vec<_> = (0..5000).filter_map(|_| count.tell(begun)).collect();
        assert_eq!(told, [0; 10]);
        assert_eq!(count.tell(begun + EACH), Some(4990));
        assert_eq!(count.tell(begun + EACH), Some(0));
    }
}
