//! How well a device looks like a profile: a few of the profile's points are read, and what comes is weighed. Pure: the
//! engineer's tool asks, and hands in what came.
//!
//! A weight is the logarithm of how much likelier it is that a device of the profile says so than that any other does.
//!
//! | part | what it knows |
//! |---|---|
//! | `probes` | the points that are worth asking for |
//! | `values` | what their values say |
//! | `alike` | how little several of one kind add to one |
//! | `common` | how much the device says the same everywhere |
//! | `places` | at which addresses it answers at all |
//! | `rank` | likelihoods of the sums |

mod alike;
mod common;
mod places;
mod probes;
mod rank;
mod values;

pub use alike::Alike;
pub use common::Common;
pub use places::{Area, Places};
pub use probes::{probes, probes_where};
pub use rank::{Match, Strength, rank, strength};
pub use values::{identity_weight, weight};
