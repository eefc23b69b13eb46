//! What a master hears over TCP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::modbus::tcp(data));
