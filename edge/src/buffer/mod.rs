//! What the gateway keeps until the hub has it: readings in batches, events one by one, commands and what is reported of
//! them, the numbers of points and the catalogue. Polling, alarms and commands write, the uplink reads and acknowledges;
//! all go through [`Buffer`], a handle onto one thread that alone touches the two databases.
//!
//! | file | what it holds |
//! |---|---|
//! | `handle` | [`Buffer`]: what the other rooms call |
//! | `writer` | the thread: commands, the flush, what is due after it |
//! | `space` | the ballast, which keeps room for events |
//! | `catalogue` | the present configuration merged with the former ones |
//! | `store` | SQL: `telemetry.db`, `alarms.db`, and how they are opened |
//! | `boot` | the machine: which run of it this is, its monotonic clock, a thread |
//!
//! A batch that was committed survives `kill -9` and a power cut (WAL with `synchronous=FULL`). It leaves when the hub
//! has acknowledged it and the retention is over, or when space runs out: then acknowledged batches go first, then
//! history, then live telemetry, each oldest first; events only beyond a quota of their own, which takes years. A
//! database that is damaged is moved aside, at the start or in use; points keep their numbers when it is in use.

mod boot;
mod catalogue;
mod error;
mod handle;
mod settings;
mod space;
mod store;
mod writer;

pub use boot::Machine;
pub(crate) use boot::{SAME_MS, is_same_clock, offset_of};
pub use error::BufferError;
pub use handle::Buffer;
pub use settings::{
    BufferSettings, BufferState, BufferStats, CommandRow, Correction, Heads, Moved, StoredBatch,
    StoredCounter,
};

#[cfg(test)]
pub(crate) mod tests;
