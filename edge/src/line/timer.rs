//! A timer that is finer than the runtime's, which counts whole milliseconds: the silence between two frames is four of
//! them at 9600 baud and less than two above 19200, so that rounding up would waste a tenth of a fast line. The wire
//! waits by it on a port of this machine.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the kernel, in nanoseconds.
#[derive(Debug)]
pub struct Timer(AsyncFd<Fd>);

#[derive(Debug)]
struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[allow(
            deprecated,
            reason = "what took its place is unsafe to call; the timer stays open while it is registered"
        )]
        let timer = AsyncFd::with_interest(Fd(timer), Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Waits until `until`, counted from `now`. May be dropped at any time.
    pub async fn wait(&self, until: Instant, now: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(now).max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(left));
        // Setting it anew takes back what it had to say from before.
        self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?;
        loop {
            let mut ready = self.0.readable().await?;
            // Readiness of before, without an end of the time: it is waited for again.
            if let Ok(done) = ready.try_io(|fd| Ok(fd.get_ref().0.wait()?)) {
                return done;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_ends_too_early_and_can_be_set_again() {
        let timer = Timer::new().unwrap();
        let now = || tokio::time::Instant::now().into_std();
        for micros in [0, 300, 1750, 4010] {
            let begun = now();
            let until = begun + Duration::from_micros(micros);
            // One that was given up leaves nothing behind.
            let _ = tokio::time::timeout(Duration::ZERO, timer.wait(begun + Duration::from_micros(1), begun))
                .await;
            timer.wait(until, now()).await.unwrap();
            assert!(now() >= until, "{micros}");
        }
    }
}
