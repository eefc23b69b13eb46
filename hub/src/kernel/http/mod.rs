//! What every request passes before and after its handler: id and log, size and depth, origin, policy,
//! idempotency, headers; and the extractors that refuse in the API's own words.

mod body;
mod deadline;
mod guard;
mod headers;
mod input;
mod layers;
mod policy;
mod progress;
mod serve;
mod stream;
mod trace;

pub use guard::token_of;
pub use input::{IfMatch, Json, Path, Query};
pub use layers::dress;
pub use policy::{Policies, Policy};
pub use serve::{Limits, serve};
