//! The program: reads the command line, makes the runtime, and turns the end into an exit code (0 done, 1 a
//! fault that somebody must mend, 2 a wrong command line).

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use steward_edge::cli::{Args, Command, check, enrol, run};

/// A gateway has few cores, and the work is waiting: more threads would only cost memory.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Check { file } => match check(&file.path()) {
            Ok(summary) => {
                println!("{summary}");
                Ok(())
            }
            Err(faults) => Err(anyhow::anyhow!(faults)),
        },
        Command::Enrol { config, data, code } => runtime().and_then(|runtime| {
            let gateway = runtime.block_on(enrol(&config, data, &code))?;
            println!("enrolled; this gateway is {gateway}. A program that runs connects within seconds");
            Ok(())
        }),
        Command::Run { file, data } => {
            runtime().and_then(|runtime| Ok(runtime.block_on(run(&file.path(), data))?))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("the runtime cannot be made")
}
