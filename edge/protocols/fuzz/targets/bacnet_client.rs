//! Datagrams to a BACnet client that has everything under way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::client(data));
