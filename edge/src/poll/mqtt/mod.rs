//! The line that asks nobody: devices tell a broker, and the broker tells us. `broker` owns the session and hears, `routes`
//! knows whose a topic is, `gate` keeps a device that tells too much from the others, `news` makes readings of messages,
//! `ages` knows who has told nothing for too long.
//!
//! A message is news only where it is known when it was told: one that the broker has kept (retained) and that bears no
//! instant is left out, for it may be of last year. The session is a clean one for the same reason: what was told while
//! nobody was here would come as if it were told now.

mod ages;
mod broker;
mod gate;
mod news;
mod routes;

pub(super) use broker::run;
