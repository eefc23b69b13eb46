//! MS/TP in virtual time: a line of RS-485 with our node on it, nodes of a stack that we did not write
//! (bacnet-mstp-core of rusty-bacnet), a slave, and noise. Octets take their time on the wire, and two that speak at once
//! spoil each other's.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

mod bus;
mod frames;
mod hostile;
mod ring;
mod talk;
