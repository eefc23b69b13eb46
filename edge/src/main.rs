//! The program: from the words of the command line to an exit code (0 done, 1 a fault that somebody must mend, 2 a
//! wrong command line).

use std::process::ExitCode;

use steward_edge::cli::{execute, parse};

fn main() -> ExitCode {
    match parse(std::env::args_os().collect(), |name| std::env::var(name).ok()) {
        Ok((args, lang)) => execute(args, lang),
        Err(code) => code,
    }
}
