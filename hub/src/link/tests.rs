//! The door with a real database behind it and a plain quinn client before it, on loopback.

mod edge;
mod enrolling;
mod identity;
mod syncing;
