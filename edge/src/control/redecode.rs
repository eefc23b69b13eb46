//! Readings that a wrong profile made of right answers, made anew by the profile in force: sent as history, with the
//! instants that they had. The hub keeps the later word of two about one instant, so they take the former ones' place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::profile::Derived;
use steward_shared::reading::Reading;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;
use tokio::sync::watch;

use crate::buffer::Buffer;
use crate::evidence::{Evidence, EvidenceError, Reader, fingerprint, redecoded};
use crate::refine::{Book, Refinery};

/// Readings that go to the buffer at once.
const MOST: usize = 10_000;
/// Answers of so long are read again at once: what is made of them must not take the gateway's memory.
const TURN: Duration = Duration::from_mins(10);

/// What it takes to read the raw answers again.
#[derive(Clone)]
pub struct Redecoder {
    pub data: PathBuf,
    pub buffer: Buffer,
    pub evidence: Evidence,
    pub book: watch::Receiver<Arc<Book>>,
}

impl Redecoder {
    /// How many readings of each device were made anew.
    pub async fn redecode(&self, since: Timestamp) -> Result<BTreeMap<String, usize>, String> {
        let book = Arc::clone(&self.book.borrow());
        let mut counts = BTreeMap::new();
        let evidence = self.evidence.clone();
        let flushed = tokio::task::spawn_blocking(move || evidence.flush()).await;
        flushed.map_err(|e| e.to_string())?;
        for (device, (profile, numbers)) in &book.devices {
            let (mut refinery, mut ready, mut count) =
                (Refinery::new(Arc::clone(&book), Vec::new()), Vec::new(), 0);
            let (name, print) = (device.clone(), fingerprint(profile));
            let looked = self.read(device, move |reader| {
                let others = reader.others(&name, &print)?;
                let first = reader.first(&others, since)?;
                Ok((others, first))
            });
            let (others, first) = looked.await?;
            let others = Arc::new(others);
            let mut from = first.map(|first| first.max(since));
            while let Some(begin) = from {
                let (of, numbers, others) = (Arc::clone(profile), numbers.clone(), Arc::clone(&others));
                let read = move |reader: &Reader| {
                    let end = begin.plus(TURN);
                    let blocks = redecoded(reader, &others, &of, &numbers, &(begin..end))?;
                    // Where there was nothing, nothing may be for long.
                    let next = if blocks.is_empty() { reader.first(&others, end)? } else { Some(end) };
                    Ok((blocks, next.map(|next| next.max(end))))
                };
                let blocks;
                (blocks, from) = self.read(device, read).await?;
                for block in blocks {
                    // All of them, whatever a deadband would keep: what the wrong profile kept must not stay for one.
                    ready.extend(refinery.take(block).seen.into_iter().filter(|r| !is_total(&book, r)));
                    if ready.len() >= MOST {
                        count += self.import(&mut ready).await?;
                    }
                }
            }
            count += self.import(&mut ready).await?;
            if count > 0 {
                counts.insert(device.clone(), count);
            }
        }
        Ok(counts)
    }

    /// Looks into the raw answers, off the runtime's threads.
    async fn read<T: Send + 'static>(
        &self,
        device: &str,
        read: impl FnOnce(&Reader) -> Result<T, EvidenceError> + Send + 'static,
    ) -> Result<T, String> {
        let data = self.data.clone();
        match tokio::task::spawn_blocking(move || read(&Reader::open(&data)?)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(e @ EvidenceError::None(_))) => Err(e.to_string()),
            Ok(Err(e)) => Err(format!("{device}: {e}")),
            Err(e) => Err(format!("{device}: {e}")),
        }
    }

    async fn import(&self, ready: &mut Vec<Reading>) -> Result<usize, String> {
        let readings = std::mem::take(ready);
        let count = readings.len();
        if count > 0 {
            self.buffer.import(Lane::Backfill, readings).await.map_err(|e| e.to_string())?;
        }
        Ok(count)
    }
}

/// What a ledger said then stands: its offsets of that time, and what people confirmed, are not to be had from answers.
fn is_total(book: &Book, reading: &Reading) -> bool {
    let derived = book.points.get(reading.point).and_then(|known| known.derived.as_deref());
    matches!(derived, Some((Derived::Total(_), _)))
}
