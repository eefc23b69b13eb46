//! What passes on a line on which somebody else asks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::modbus::sniffer(data));
