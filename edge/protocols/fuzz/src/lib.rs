//! What the fuzzer puts to the gateway's parsers: `list` names every target, the other files hold what each one does with
//! its bytes and the good frames that it begins with. `targets/` makes a program of each; the tests of the protocol crate
//! put the same bytes to the same functions without a fuzzer.

pub mod bacnet;
pub mod capture;
#[allow(unused_imports, dead_code, reason = "the edge uses more of it than the reader needs")]
#[path = "../../../src/config/mod.rs"]
mod config;
mod evidence;
pub mod gateway;
pub mod input;
pub mod list;
pub mod meters;
pub mod modbus;
pub mod mqtt;
pub mod profile;
pub mod wire;
