//! BACnet's application layer, with the content of each service.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::apdu(data));
