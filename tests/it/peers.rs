//! The edge on a device that we did not write: pymodbus, over TCP, RTU and ASCII, read through a profile that has every
//! type and order. All lines must give the values that pymodbus encoded.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use steward_tests::programs::{Peer, free_tcp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

/// The gateway's file: the same device on a TCP line, on one with four questions under way, and on two serial ones.
fn gateway_file(dir: &Path, http: SocketAddr, port: u16, serial: [&str; 2], unit: u64) -> PathBuf {
    let [serial, ascii] = serial;
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let device = |name: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"pymodbus/every-type\"\naddress = {unit}\n")
    };
    let text = format!(
        "[gateway]\nname = \"peers\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nnormal = \"2s\"\n[profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"tcp\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n{}\
         [[line]]\nname = \"tcp-4\"\nkind = \"tcp\"\nhost = \"localhost\"\nport = {port}\nin_flight = 4\n{}\
         [[line]]\nname = \"rtu\"\nkind = \"serial\"\nport = \"{serial}\"\nbaud = 19200\nstop_bits = 2\n{}\
         [[line]]\nname = \"ascii\"\nkind = \"serial\"\nport = \"{ascii}\"\nframing = \"ascii\"\nbaud = 19200\ndata_bits = 8\nparity = \"none\"\n{}",
        dir.join("edge").display(),
        profiles.display(),
        device("over-tcp"),
        device("over-tcp-4"),
        device("over-rtu"),
        device("over-ascii"),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn every_type_and_order_of_pymodbus_reads_as_it_was_written_over_tcp_rtu_and_ascii() {
    if !Peer::wanted("pymodbus") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_tcp_port().unwrap();
    let peer = Peer::start("device.py", dir.path(), &[&port.to_string()]).unwrap();
    let ready = &peer.ready;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let unit = ready["unit"].as_u64().unwrap();
    let ends = [&ready["serial"], &ready["ascii"]].map(|path| path.as_str().unwrap());
    let file = gateway_file(dir.path(), http, port, ends, unit);
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    let wanted = ready["values"].as_object().unwrap();
    let shown = eventually("every point of all lines was read", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        let read = values.iter().filter(|v| v["quality"].is_string()).count();
        (read == 4 * wanted.len()).then_some(values)
    });
    for line in ["over-tcp", "over-tcp-4", "over-rtu", "over-ascii"] {
        for (key, value) in wanted {
            let read = shown.iter().find(|v| v["device"] == line && v["point"] == key.as_str()).unwrap();
            assert!(agrees(read, value), "{line} {key}: {value} was written, {read} was read");
        }
    }
    edge.stop().unwrap();
}

/// Equal to the last bit; numbers are compared as doubles, and a bit is 0 or 1.
fn agrees(read: &Value, wanted: &Value) -> bool {
    let (value, quality) = (&read["value"], read["quality"].as_str().unwrap_or_default());
    match wanted {
        Value::Null => value.is_null() && quality == "no_value",
        Value::String(word) if ["refused", "undecodable"].contains(&word.as_str()) => {
            value.is_null() && quality == word
        }
        Value::Bool(bit) => quality == "good" && value.as_f64() == Some(f64::from(u8::from(*bit))),
        Value::Number(number) => quality == "good" && value.as_f64() == number.as_f64(),
        other => quality == "good" && value == other,
    }
}
