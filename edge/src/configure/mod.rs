//! A configuration from the hub at the gateway: what it may change (`guard`), what is kept of it (`record`), and when one
//! that is tried goes back by itself (`trial`). Nothing here opens a wire or knows the hub.
//!
//! | state of the record | in force | power lost here, after the restart |
//! |---|---|---|
//! | nothing from the hub | the file on site | the same |
//! | trial | what is tried | it is tried anew, its time begins anew; from the third start on it goes back |
//! | stands | what was kept | the same |
//! | any, and the file on site was changed | the file on site | the same |
//!
//! The whole record is one file, replaced at once: there is no moment at which half of a step is on the disk.

mod guard;
mod link;
mod present;
mod record;
mod stage;
mod trial;
mod verify;

pub use guard::holds_stay;
pub use link::{Incoming, Link, short, told};
pub use present::{NAME, Present, load, present, wanted};
pub use record::{Held, InForce, NotTaken, Record, RecordError, digest, set_aside};
pub use stage::only_line;
pub use trial::{Seen, Trial, Verdict, Worse};
pub use verify::verified;
