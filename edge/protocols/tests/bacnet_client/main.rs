//! The client of BACnet in virtual time: loss, duplicates, reordering, gaps between segments, devices that lack
//! abilities, networks that lie.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

mod asking;
mod device;
mod line;
mod network;
mod reading;
mod subscribing;
mod world;
