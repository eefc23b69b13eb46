//! What happened on the network of a test, one after the other: it is waited for what is looked for, and not for ever.

use std::time::Duration;

use steward_edge::line::bacnet::Happening;
use steward_protocols::bacnet::client::Event;
use tokio::sync::mpsc;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

pub struct Happenings(pub mpsc::Receiver<Happening>);

impl Happenings {
    /// Waits for a happening that is one of those looked for; what comes before it is passed over.
    pub async fn first<T>(&mut self, what: &str, mut is_it: impl FnMut(Event) -> Option<T>) -> T {
        let looking = async {
            loop {
                match self.0.recv().await {
                    Some(Happening::Event(event)) => {
                        if let Some(found) = is_it(event) {
                            return found;
                        }
                    }
                    Some(_) => {}
                    None => panic!("the network has ended: {what}"),
                }
            }
        };
        timeout(LONG, looking).await.unwrap_or_else(|_| panic!("in vain: {what}"))
    }

    /// Waits for so many of them, in the order in which they come.
    pub async fn gather<T>(
        &mut self,
        count: usize,
        what: &str,
        mut is_it: impl FnMut(Event) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        while found.len() < count {
            found.push(self.first(what, &mut is_it).await);
        }
        found
    }
}
