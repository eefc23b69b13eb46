//! DL/T 645, heard, put to a meter, and as contents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::meters::dlt645(data));
