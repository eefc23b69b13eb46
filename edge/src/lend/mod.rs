//! A line for an engineer's tool while the daemon runs: the tool borrows it through a socket in the data folder, the
//! line's owner closes its wire, and takes it back when the tool has ended, however it ended.
//!
//! `loan` is what the line's owner sees, `errand` a single question that it puts for somebody else, `serve` the daemon's end
//! of the socket, `borrow` the tool's, `reach` the tool's way to the line, whether a daemon runs or not, and `network` to
//! a BACnet network.

mod borrow;
mod errand;
mod loan;
mod network;
mod reach;
mod serve;

pub use borrow::{BorrowError, Borrowed, borrow};
pub use errand::{Class, Errand, ErrandFailure, ForErrand, What};
pub use loan::{Door, Doors, Loan, Visits};
pub use network::NetworkReach;
pub use reach::{Reach, is_held};
pub use serve::serve;

/// The socket, in the data folder. Whoever may write there may borrow.
const SOCKET: &str = "lines.sock";
