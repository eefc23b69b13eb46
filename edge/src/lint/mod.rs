//! What is odd about a profile, and a picture of its registers. The commands `lint` and `check` call it; polling never
//! does.
//!
//! | file | what |
//! |---|---|
//! | `map` | the address space: wanted, read over, not read; what overlaps, what a sample frame verifies |
//! | `rules` | what contradicts itself or cannot be |
//! | `picture` | the map as text and as SVG |
//! | `load` | how much of a serial line the profile takes |

mod load;
mod map;
mod picture;
mod rules;

pub use load::{Load, load};
pub use map::{Cell, Map, Run, map};
pub use picture::{Legend, svg, text};
pub use rules::{Finding, Rank, rules};
