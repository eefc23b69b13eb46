//! A value that was written for a while only: what stood there before is kept in a file of the data folder until it is
//! back. `file` is that file, `back` the way back, `guard` the daemon's look at those whose tool has died;
//! `slot` is where a command to a BACnet object stands.

mod back;
mod file;
mod guard;
mod slot;

pub use back::{
    Back, BackError, bring_back, bring_back_command, bring_back_words, read_words, shown_words, write_change,
};
pub use file::{HeldCommand, Hold, HoldError, Kept};
pub use guard::guard;
pub use slot::{Slot, commanding, is_same, shown};
