// The system's browser, for the browser tests, the pictures and the bench. `cargo xtask` says where it is.
export const executablePath = process.env.STEWARD_CHROMIUM ?? "/usr/bin/chromium";
