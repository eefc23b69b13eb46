//! What a master hears in ASCII.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::modbus::ascii(data));
