//! The file of a capture.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::capture::file(data));
