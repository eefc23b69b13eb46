//! From what was read to what is kept. The recorder hands each line's readings to [`Refinery`], the one owner of what is
//! remembered of the points; everything below it is pure. What a device could not mean loses its good quality here, what
//! did not change is not kept twice, and somebody is told of what lasts, once. No reading is ever made better than it
//! came.
//!
//! | file | what it does |
//! |---|---|
//! | `book` | what is known of each point: made of the configuration, replaced with it |
//! | `refinery` | the owner: a block of readings in, what is shown, kept and told out |
//! | `plausible` | limits, rate of change, stuck values |
//! | `clock` | what a device's clock says |
//! | `doubt` | which devices' values are doubted so long that somebody must look |
//! | `ledger` | one counter: rollover, replacement, another ratio, jumps held back |
//! | `pace` | how much a counter may rise |
//! | `accounts` | all of them, and what is not stored yet |
//! | `said` | what is told of them: a sentence and its facts |
//! | `reckon` | points that are made of others |
//! | `keeper` | deadband and longest silence |

mod accounts;
mod book;
mod clock;
mod doubt;
mod keeper;
mod ledger;
mod pace;
mod plausible;
mod reckon;
mod refinery;
mod said;

pub use accounts::Account;
pub use book::{Book, Counter, Known, book};
pub use ledger::{ConfirmFault, Entry, What};
pub(crate) use plausible::can_be;
pub use refinery::{Refined, Refinery};
