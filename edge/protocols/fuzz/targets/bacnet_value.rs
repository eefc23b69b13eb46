//! Values of BACnet.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::value(data));
