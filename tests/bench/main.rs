//! The figures of `docs/benchmarks.md`, each beside a peer in the same run. `cargo xtask bench [NAME]` builds the programs
//! in the release profile, calls this, and puts what it prints between the marks of that page.
//!
//! | file | figure |
//! |---|---|
//! | `poll` | readings a second from one TCP server, CPU and memory; beside tokio-modbus and pymodbus |
//! | `ingest` | readings a second that the hub makes durable, on both databases; beside plain rows in the same ones |
//! | `bytes` | bytes a reading on the wire and on both disks; beside JSON and CBOR rows |
//! | `latency` | from a register's change to the number in a browser |

mod bytes;
mod figures;
mod gateway;
mod ingest;
mod latency;
mod machine;
mod poll;
mod rows;
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
        ["ingest"] => ingest::run(),
        ["bytes"] => bytes::run(),
        ["latency"] => latency::run(),
        // Another process of the same program, so that its CPU and memory can be told apart.
        ["tokio-modbus-client", port, units, ms] => {
            let period = std::time::Duration::from_millis(ms.parse()?);
            poll::tokio_modbus(port.parse()?, units.parse()?, period)
        }
        other => {
            bail!("`{}` is no benchmark; there are machine, poll, ingest, bytes, latency", other.join(" "))
        }
    }
}
