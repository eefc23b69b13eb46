//! Does what the command line says, and turns the end into an exit code: 0 done, 1 a fault that somebody must mend, 2 a
//! wrong command line.

use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::args::{Args, Command};
use super::out::Out;
use super::text::{Lang, common};
use super::{
    capture, check, commands, device, doctor, enrol, evidence, ledger, lint, replay, run, sheet, simulate,
    sniff,
};

/// A gateway has few cores, and the work is waiting: more threads would only cost memory.
const THREADS: usize = 2;

pub fn execute(args: Args, lang: Lang) -> ExitCode {
    let out = Out::new(lang, args.json);
    match done(args.command, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            out.failed(&why);
            ExitCode::FAILURE
        }
    }
}

/// What could not be done, in the reader's language.
fn done(command: Command, out: Out) -> Result<(), String> {
    match command {
        Command::Check { file } => check::check(&file.path(), out),
        Command::Enrol { config, data, code } => {
            runtime(out)?.block_on(enrol::enrol(&config, data, &code, out))
        }
        Command::Commands(args) => commands::commands(&args, out),
        Command::Ledger(args) => ledger::ledger(args, out),
        Command::Sheet(words) => sheet::sheet(&words, out),
        Command::Doctor(words) => doctor::doctor(&words, out),
        Command::Lint(words) => lint::lint(&words, out),
        Command::Capture(words) => runtime(out)?.block_on(capture::capture(words, out)),
        Command::Replay(words) if words.checks() => replay::replay_check(&words, out),
        Command::Replay(words) => runtime(out)?.block_on(replay::replay(words, out)),
        Command::Sniff(words) => runtime(out)?.block_on(sniff::sniff(words, out)),
        Command::Simulate(words) => runtime(out)?.block_on(simulate::simulate(words, out)),
        Command::Explain(args) => evidence::explain(&args, out),
        Command::Preview(args) => evidence::preview(&args, out),
        Command::Redecode(args) => evidence::redecode(&args, out),
        Command::Read(words) => runtime(out)?.block_on(device::read(words, out)),
        Command::Watch(words) => runtime(out)?.block_on(device::watch(words, out)),
        Command::Write(words) => runtime(out)?.block_on(device::write(words, out)),
        Command::Scan(words) => runtime(out)?.block_on(device::scan(words, out)),
        Command::Identify(words) => runtime(out)?.block_on(device::identify(words, out)),
        Command::Orders(words) => runtime(out)?.block_on(device::orders(words, out)),
        Command::Run { file, data } => runtime(out)?.block_on(run::run(&file.path(), data, out)),
    }
}

fn runtime(out: Out) -> Result<Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|e| format!("{}: {e}", common::runtime(out.lang)))
}

/// An error with everything that caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
