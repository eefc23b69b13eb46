//! What may be written after `steward-edge simulate`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::super::words::{SerialWords, duration};
use crate::lab::Break;

/// Where the link to the pseudo-terminal is when nothing is said.
const LINK: &str = "steward-device";

#[derive(Debug, clap::Args)]
pub struct SimulateWords {
    /// The profiles, each with the device's address where it needs one: vendor/model, vendor/model@ADDRESS, or the path
    /// of a file.
    #[arg(value_name = "PROFILE[@ADDRESS]", required = true)]
    pub devices: Vec<String>,
    /// Answer here, like 127.0.0.1:1502: Modbus TCP, meters through a transparent converter, BACnet/IP on UDP (MS/TP is
    /// not simulated).
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Answer on a pseudo-terminal that this path leads to.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = LINK)]
    pub pty: Option<PathBuf>,
    /// Answer on this serial port.
    #[arg(long, value_name = "PORT")]
    pub port: Option<PathBuf>,
    /// How Modbus frames stand: tcp on TCP and rtu on serial lines when nothing is said; ascii and rtu on both.
    #[arg(long, value_enum, value_name = "rtu|ascii|tcp", hide_possible_values = true)]
    pub framing: Option<FramingWord>,
    #[command(flatten)]
    pub serial: SerialWords,
    /// The address of a device alone: unit, meter's number or BACnet instance. Modbus: 1 on a serial line and any on TCP,
    /// when nothing is said.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// BACnet: where broadcasts are heard, like 192.168.1.255:47808; 127.255.255.255 on the loopback, when nothing is
    /// said.
    #[arg(long, value_name = "IP:PORT")]
    pub broadcast: Option<SocketAddr>,
    /// How long a device takes before it answers; as its language usually has it, when nothing is said.
    #[arg(long, value_parser = duration)]
    pub turnaround: Option<Duration>,
    /// Fix a point, like frequency=49.2, of one of several devices like @2:frequency=49.2; may stand several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Break the devices, like "late by=200ms share=0.5"; may stand several times. Faults: silent late exception
    /// wrong-crc cut foreign false-count two-answers reboot rollover.
    #[arg(long = "break", value_name = "FAULT")]
    pub broken: Vec<Break>,
    /// Another seed, other values.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folders with profiles of one's own.
    #[arg(long, value_name = "DIR")]
    pub profiles: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FramingWord {
    Rtu,
    Ascii,
    Tcp,
}
