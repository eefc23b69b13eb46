//! How a person at the gateway speaks to the daemon that runs: a socket in the data folder, which only those may use who
//! may write there. The supervisor serves it, the command line asks; one line of JSON each way, one question a
//! connection. Nothing of it is reachable from the network.

mod ask;
mod redecode;
mod serve;
mod words;

pub use ask::{AskError, ask};
pub use redecode::Redecoder;
pub use serve::{bind, serve};
pub use words::{Answer, Asked, Request};
