//! Who does work that blocks or computes for long: the runtime's blocking threads. In a simulation it is done where it
//! is asked for, so that nothing runs beside and every run is the same, and takes as long as the simulation says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Workers(Option<Took>);

/// A piece of work: with a thread, or done and so long in coming.
enum Begun<T> {
    There(JoinHandle<T>),
    Done(T, Duration),
}

/// How long a piece of work took.
type Took = Arc<dyn Fn() -> Duration + Send + Sync>;

impl Workers {
    /// None but whoever asks; each piece of work takes so long.
    pub fn none(took: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(took)))
    }

    /// Begins the work at once, and gives what comes of it: an error only where it panicked.
    pub fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let begun = match &self.0 {
            None => Begun::There(spawn_blocking(work)),
            Some(took) => Begun::Done(work(), took()),
        };
        async move {
            match begun {
                Begun::There(work) => work.await,
                Begun::Done(done, Duration::ZERO) => Ok(done),
                Begun::Done(done, took) => {
                    tokio::time::sleep(took).await;
                    Ok(done)
                }
            }
        }
    }

    /// Work that nobody waits for. Where there is no runtime any more it is left.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) {
        match (&self.0, tokio::runtime::Handle::try_current()) {
            (None, Ok(runtime)) => drop(runtime.spawn_blocking(work)),
            (None, Err(_)) => {}
            (Some(_), _) => work(),
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "none" } else { "threads" })
    }
}
