//! The door with a real database behind it and a plain client before it, on loopback, by either road.

mod commanding;
mod edge;
mod enrolling;
mod first_packets;
mod golden;
mod hostile;
mod identity;
mod replayed;
mod returning;
mod slow;
mod syncing;
mod wire;
