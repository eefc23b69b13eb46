//! The audit trail: who did what to which thing, from where, with what result. Rows are appended in the
//! transaction of the act and never changed; each holds a hash over itself and the row before it.

mod record;
mod routes;
mod store;
#[cfg(test)]
mod tests;
mod verify;

pub use record::{Entry, record, record_alone};
pub use routes::routes;
pub use verify::{Verdict, anchor, verify, verify_all};
