//! The program: from the words of the command line to an exit code (0 done, 1 a fault that somebody must mend, 2 a
//! wrong command line).

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use steward_edge::cli::{execute, parse};

/// One heap for all threads: glibc's, with one for each thread, takes a fifth more memory, and musl's, which gateways would
/// have, more time.
#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    match parse(std::env::args_os().collect(), |name| std::env::var(name).ok()) {
        Ok((args, lang)) => execute(args, lang),
        Err(code) => code,
    }
}
