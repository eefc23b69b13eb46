//! The program that the tests of this folder start: the one that was built with them, or what `STEWARD_EDGE_PROGRAM` names, such
//! as one for another processor under its emulator. Nothing of it may depend on which it is.

use std::process::Command;

pub fn program() -> Command {
    let named = std::env::var_os("STEWARD_EDGE_PROGRAM");
    Command::new(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_steward-edge").into()))
}
