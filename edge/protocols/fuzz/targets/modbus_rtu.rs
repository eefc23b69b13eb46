//! What a master hears in RTU.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::modbus::rtu(data));
