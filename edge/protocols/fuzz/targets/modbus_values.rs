//! What points make of registers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::modbus::values(data));
