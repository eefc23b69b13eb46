//! Readings in columns.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::wire::columns(data));
