//! The door with a real database behind it and a plain client before it, on loopback, by either road.

mod commanding;
mod edge;
mod enrolling;
mod identity;
mod replay;
mod slow;
mod syncing;
mod wire;
