//! What the devices really said: the contents of each answer, kept for a short while beside the values that were made of
//! them, in a database of its own. It answers where a number comes from, what another profile would have made of the same
//! bytes, and it mends what a wrong profile made of them. Losing it loses no reading: whatever goes wrong with it is told
//! and polling goes on.
//!
//! | file | what it does |
//! |---|---|
//! | `settings` | how long and how much, as the gateway's file says it |
//! | `asked` | who was asked, and in which framing |
//! | `runs` | answers that repeat themselves become one run, pure |
//! | `store` | SQL: `raw.db` |
//! | `keeper` | the thread that owns the database |
//! | `explain` | where a number comes from |
//! | `rule` | how bytes become a value, in one line |
//! | `decode` | from what is kept to values, by the profile of today or another one |

mod asked;
mod decode;
mod explain;
mod keeper;
mod rule;
mod runs;
mod settings;
mod store;

pub use asked::Witnesses;
pub use decode::{Compared, Comparison, compare, fingerprint, redecoded};
pub use explain::{Explained, PartExplained, TooLong, explain};
pub use keeper::Evidence;
pub use runs::{Heard, Run};
pub use settings::EvidenceSettings;
pub use store::{EvidenceError, Others, Reader};
