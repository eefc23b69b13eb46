//! What a gateway has for its hub of times past, read from its buffer when it has stopped: nobody else may look before.

use std::path::Path;
use std::sync::Arc;

use steward_edge::buffer::{Buffer, BufferSettings};
use steward_shared::id::RandomIds;
use steward_shared::reading::Reading;
use steward_shared::time::SystemClock;
use steward_shared::wire::columns::decode;
use steward_shared::wire::message::Lane;

/// Every reading of the backfill lane, batch by batch.
pub async fn history(data: &Path) -> anyhow::Result<Vec<Reading>> {
    let buffer = Buffer::open(data, BufferSettings::default(), Arc::new(SystemClock), Arc::new(RandomIds))?;
    let (mut seq, mut readings) = (0, Vec::new());
    while let Some(batch) = buffer.after(Lane::Backfill, seq).await? {
        seq = batch.seq;
        readings.extend(decode(&batch.body)?.readings);
    }
    buffer.close().await?;
    Ok(readings)
}
