//! IEC 62056-21, heard, put to a meter, and as a readout.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::meters::iec62056(data));
