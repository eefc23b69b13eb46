//! The gateway's file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::gateway::file(data));
