//! A datagram of BACnet/IP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::bacnet::bvlc(data));
