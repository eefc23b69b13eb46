//! M-Bus, heard, put to a meter, and as records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::meters::mbus(data));
