//! The gateway's daemon on a meter of TCP that says what a test wants, from its file to what lies in the buffer: which
//! values are believed, kept and told. Each test has a folder, a meter and a daemon of its own.

#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

mod clocks;
mod counters;
mod derived;
mod evidence;
mod house;
mod plausible;
#[path = "../started/program.rs"]
mod program;
