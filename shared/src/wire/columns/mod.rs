//! Readings in columns: the body of a batch on the wire and in the gateway's buffer ([`encode`], [`decode`]),
//! and one point's samples in a chunk of the hub's store ([`encode_series`], [`decode_series`]).
//! Values come back bit for bit. Bytes come from peers and old disks: nothing here panics on them, and
//! nothing is allocated for what they merely announce.
//!
//! | file | what it holds |
//! |---|---|
//! | `batch` | many points: the CBOR envelope and its columns |
//! | `series` | one point: the chunk |
//! | `numbers` | values as decimals, single or double floats, per point |
//! | `integers` | a column of integers: runs of steps, steps, or pco |
//! | `floats` | a column of floats: bare or pco |
//! | `packed` | pco itself, with what it may allocate bounded |
//! | `runs` | run lengths of bytes: qualities and presence |
//! | `varint` | LEB128 and the cursor that reads it |

mod batch;
mod error;
mod floats;
mod integers;
mod numbers;
mod packed;
mod runs;
mod series;
mod varint;

pub use batch::{Body, Header, decode, encode};
pub use error::{ColumnsError, MAX_READINGS};
pub use series::{Sample, decode_series, encode_series};
