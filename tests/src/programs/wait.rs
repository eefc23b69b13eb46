//! Waiting for a state instead of for a time.

use std::time::Duration;

use tokio::time::Instant;

/// Asks again and again until `state` gives something; after `within` the test fails and says what it waited
/// for. A `bool` can be waited for with `bool::then_some(())`.
///
/// # Panics
/// When the state does not come in time.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut state: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(begun.elapsed() < within, "waited {within:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_comes_is_returned() {
        let mut n = 0;
        let found = eventually("three", Duration::from_secs(5), || {
            n += 1;
            (n == 3).then_some(n)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "in vain: the moon")]
    fn a_state_that_does_not_come_fails_the_test_by_name() {
        eventually("the moon", Duration::from_millis(60), || None::<()>);
    }
}
