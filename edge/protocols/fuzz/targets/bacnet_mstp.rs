//! Octets of a BACnet MS/TP line.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::mstp(data));
