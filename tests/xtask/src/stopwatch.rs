//! The only clock of these commands: how long a step takes, and waiting for a state.

use std::fmt;
use std::time::{Duration, Instant};

use crate::signals;

#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the one place where these commands read the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Display for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Seconds(self.elapsed()))
    }
}

/// `0.4 s`, `12 s`, `3 min 05 s`.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 10..120 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min {:02} s", seconds / 60, seconds % 60),
        }
    }
}

/// Asks until there is an answer. `None` when the time is over or somebody pressed Ctrl-C.
pub fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if watch.elapsed() > limit || signals::stopped() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(Seconds(Duration::from_millis(430)).to_string(), "0.4 s");
        assert_eq!(Seconds(Duration::from_secs(61)).to_string(), "61 s");
        assert_eq!(Seconds(Duration::from_secs(185)).to_string(), "3 min 05 s");
    }
}
