//! The gateways' configurations: what each says that it runs, and what people want it to run. A version is checked by the
//! gateway itself (`check`), signed and kept (`request`), sent and reported (`report`); whether it stands is the gateway's
//! to say.
//!
//! | state | becomes |
//! |---|---|
//! | queued | sent, cancelled |
//! | sent | trying, kept, refused, taken_back |
//! | trying | kept, taken_back |
//! | kept | taken_back (the file on site was changed) |
//! | refused, taken_back, cancelled | - |
//!
//! What is under way and of which the gateway will say nothing more is ended by the hub, as forgotten.

mod check;
mod error;
mod report;
mod request;
mod store;
#[cfg(test)]
mod tests;

pub use check::{Checks, Question, Questions, changes, check_size};
pub use error::ConfigError;
pub use report::{DueConfig, tidy_faults};
pub use request::NewText;
pub use store::{ConfigRow, PastRow, Progress, VersionRow};
