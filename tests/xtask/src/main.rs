//! The commands of the workspace: `cargo demo`, `cargo verify` and what stands behind them (`cargo xtask help`).
//! Called by people and by `.ci/run`. It asks no questions, and what it starts ends with it.

mod api;
mod bench;
mod checklist;
mod child;
mod claim;
mod console;
mod cross;
mod decode;
mod demo;
mod elf;
mod emulation;
mod fetched;
mod files;
mod fuzz;
mod generate;
mod group;
mod http;
mod installation;
mod json;
mod links;
mod packages;
mod peers;
mod pictures;
mod ports;
mod programs;
mod rehearsal;
mod report;
mod shell;
mod signals;
mod simulate;
mod stack;
mod stopwatch;
mod tools;
mod verify;

use std::process::ExitCode;

const HELP: &str = "\
cargo demo [--days N] [--port P] [--fresh]
    builds everything, starts a simulated plant room, an edge and a hub, and says where the page is
    --days N    days of history written at the first start (30)
    --port P    port of the page (8080, or the next free one)
    --fresh     forget what the last run kept in demo-data/
    --dir D     keep it in another folder
    while it runs, in another terminal:
    cargo demo stop hub        stops the hub (or edge, or plant); `start` starts it again
    cargo demo break DEVICE FAULT [--for 60s]
                               breaks a device of the plant room; `mend [DEVICE]` mends it,
                               `list [--values]` says what is broken, and every device
cargo verify [STEP ...]
    runs every check, or the named ones; `cargo xtask verify --list` names them
cargo xtask gen            renews everything that is generated
cargo xtask checklist      which faults, capabilities and controls have a test (--missing: those without)
cargo xtask bench [NAME]   makes the figures of docs/benchmarks.md
cargo xtask fuzz [--seconds N] [TARGET ...]
    puts inputs to the parsers, guided by the code that they reach; 60 s for each target
    try TARGET FILE    puts one input to it again
    keep [TARGET ...]  keeps what the runs have found, for the runs and tests to come
cargo xtask simulate [--seeds N] [--from S] [--tell]
    runs the link between gateway and hub in N simulated worlds (1000), from seed S (0); --tell says what happens there
cargo xtask cross [ARCH ...]
    builds steward-edge for amd64, arm64 and armhf, or the named ones: static programs, Debian packages and checksums
cargo xtask console        builds the console only
cargo xtask pictures       takes the pictures of the README anew
cargo xtask advisories     fetches the advisory database and checks the dependencies against it
";

fn main() -> ExitCode {
    signals::listen();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("demo") => demo::run(&rest),
        Some("verify") => verify::run(&rest),
        Some("gen") => generate::run(&rest),
        Some("checklist") => checklist::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("fuzz") => fuzz::run(&rest),
        Some("simulate") => simulate::run(&rest),
        Some("cross") => cross::run(&rest),
        Some("console") => console::build(),
        Some("pictures") => pictures::run(),
        Some("advisories") => verify::advisories(),
        None | Some("help" | "--help" | "-h") => {
            report::say!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("there is no command `{other}`; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if signals::stopped() => ExitCode::from(130),
        // Everything has been said.
        Err(message) if message.is_empty() => ExitCode::FAILURE,
        Err(message) => {
            use std::io::Write as _;
            // Nobody may be there to read it any more.
            let _ = writeln!(std::io::stderr(), "\n{message}");
            ExitCode::FAILURE
        }
    }
}
