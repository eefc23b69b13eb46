//! BACnet's network layer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::npdu(data));
