//! Ctrl-C and its relatives set a flag; whoever waits looks at it and ends what it started.
//! A second Ctrl-C ends the process at once; its children then get SIGTERM from the kernel (see `child`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static STOPPED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Called once, first thing in `main`.
pub fn listen() {
    let flag = STOPPED.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        // Registered in this order, the second signal finds the flag set and ends the process.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
    }
}

pub fn stopped() -> bool {
    STOPPED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}
