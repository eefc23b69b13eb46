//! The figures of `docs/benchmarks.md`, each beside a peer in the same run. `cargo xtask bench [NAME]` builds the programs
//! in the release profile, calls this, and puts what it prints between the marks of that page.
//!
//! | file | figure |
//! |---|---|
//! | `poll` | readings a second from ten TCP servers, CPU and memory; beside tokio-modbus, libmodbus, pymodbus and Node-RED |
//! | `serial` | `rtu`: how much of a serial line is used, beside the same; `dead`: what a dead device takes of it |
//! | `plan` | line time of what is asked, beside the least that any plan takes |
//! | `bacnet` | readings a second from BACnet devices and datagrams for each; beside bacpypes3 |
//! | `ingest` | readings a second that the hub makes durable, on both databases; beside plain rows in the same ones |
//! | `bytes` | bytes a reading on the wire and on both disks; beside JSON and CBOR rows |
//! | `latency` | from a register's change to the number in a browser |

mod bacnet;
mod bytes;
mod figures;
mod gateway;
mod ingest;
mod latency;
mod machine;
mod modbus;
mod node_red;
mod plan;
mod poll;
mod rows;
mod serial;
mod server;
mod workload;

use std::process::ExitCode;

use anyhow::bail;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match act(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steward-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(words: &[&str]) -> anyhow::Result<()> {
    match words {
        ["machine"] => machine::describe(),
        ["poll"] => poll::run(),
        ["rtu"] => serial::rtu(),
        ["dead"] => serial::dead(),
        ["bacnet"] => bacnet::run(),
        ["plan"] => plan::run(),
        ["ingest"] => ingest::run(),
        ["bytes"] => bytes::run(),
        ["latency"] => latency::run(),
        // Another process of the same program.
        ["tokio-modbus-client", words @ ..] => modbus::tokio_modbus(words),
        other => {
            bail!(
                "`{}` is no benchmark; there are machine, poll, rtu, dead, plan, bacnet, ingest, bytes, latency",
                other.join(" ")
            )
        }
    }
}
