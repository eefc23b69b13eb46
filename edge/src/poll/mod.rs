//! Polling: `task` is a line's, and `owner` works in it; `round` decides whose turn it is on it (pure), `turn` is
//! what the two say to each other, `grid` gives the slots, `block`
//! what is asked again and again, `plan` what a device is asked for, `trial` over what it cannot be asked, `timing` how
//! long it takes, `load` whether the line can carry all of it, `budget` what may be wasted on the silent;
//! `window` how many questions are under way at once, `errands` what others want asked in between; `attention` says what is wrong with a load; `latest` shows what was
//! read last. `bacnet` polls a network, whose devices are asked side by side, and `mqtt` hears what devices tell a broker;
//! `teller` says what such a line has to tell.

mod attention;
mod bacnet;
mod block;
mod budget;
mod errands;
mod grid;
mod latest;
mod load;
mod mqtt;
mod owner;
mod plan;
mod round;
mod task;
mod teller;
mod timing;
mod trial;
mod turn;
mod window;

pub use attention::{named, tell};
pub use latest::{AGE_PERIODS, Described, Latest, Shown, Word};
pub use load::{Load, ROOM, impossible, load};
pub use task::{LineTask, Told};
