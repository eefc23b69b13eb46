//! Packets of an MQTT server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| steward_fuzz::mqtt::packets(data));
