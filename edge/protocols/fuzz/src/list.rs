//! THE LIST of targets. One line makes a target known to the program that writes the corpora and to the tests; beside it
//! stands a program of the same name in `targets/`. The readers of the gateway's file and of captures stand apart (`gateway`,
//! `capture`), for the tests of the protocol crate cannot reach them.

use crate::{bacnet, meters, modbus, mqtt, profile, wire};

pub struct Target {
    pub name: &'static str,
    /// Takes whatever bytes there are; panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Good frames and files, with which it begins.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

pub const TARGETS: &[Target] = &[
    target("modbus_rtu", modbus::rtu, modbus::rtu_seeds),
    target("modbus_ascii", modbus::ascii, modbus::ascii_seeds),
    target("modbus_tcp", modbus::tcp, modbus::tcp_seeds),
    target("modbus_values", modbus::values, modbus::values_seeds),
    target("modbus_device", modbus::device, modbus::device_seeds),
    target("modbus_sniffer", modbus::sniffer, modbus::sniffer_seeds),
    target("bacnet_bvlc", bacnet::bvlc, bacnet::bvlc_seeds),
    target("bacnet_npdu", bacnet::npdu, bacnet::npdu_seeds),
    target("bacnet_apdu", bacnet::apdu, bacnet::apdu_seeds),
    target("bacnet_value", bacnet::value, bacnet::value_seeds),
    target("bacnet_client", bacnet::client, bacnet::client_seeds),
    target("bacnet_device", bacnet::device, bacnet::device_seeds),
    target("bacnet_mstp", bacnet::mstp, bacnet::mstp_seeds),
    target("mqtt_packets", mqtt::packets, mqtt::packets_seeds),
    target("mqtt_payload", mqtt::payload, mqtt::payload_seeds),
    target("dlt645", meters::dlt645, meters::dlt645_seeds),
    target("cjt188", meters::cjt188, meters::cjt188_seeds),
    target("mbus", meters::mbus, meters::mbus_seeds),
    target("iec62056", meters::iec62056, meters::iec62056_seeds),
    target("profile", profile::profile, profile::seeds),
    target("wire_message", wire::message, wire::message_seeds),
    target("wire_columns", wire::columns, wire::columns_seeds),
];
