//! The live bus: what happens now, for whoever watches now. Nothing is kept here; a watcher that falls behind
//! loses the oldest and is told so by its receiver.

use std::sync::Arc;

use tokio::sync::broadcast;

/// Messages that wait for the slowest watcher; the oldest are dropped first.
const WAITING: usize = 4096;

/// One happening, ready to be sent: its name and its JSON, made once for all watchers.
#[derive(Clone, Debug)]
pub struct Live {
    /// The event's name for the browser: `value`, `gateway`, `event`, `site`, …
    pub name: &'static str,
    /// What the watchers filter by: a point's number, or nothing.
    pub point: Option<i64>,
    pub json: Arc<str>,
}

#[derive(Clone, Debug)]
pub struct Bus(broadcast::Sender<Live>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Bus {
    /// Tells all watchers; without watchers it costs nothing.
    pub fn tell(&self, name: &'static str, point: Option<i64>, what: &impl serde::Serialize) {
        if self.0.receiver_count() == 0 {
            return;
        }
        match serde_json::to_string(what) {
            Ok(json) => drop(self.0.send(Live { name, point, json: json.into() })),
            Err(e) => tracing::error!(error = %e, name, "a live message cannot be written as JSON"),
        }
    }

    pub fn watch(&self) -> broadcast::Receiver<Live> {
        self.0.subscribe()
    }
}
