//! The edge on libmodbus, a device in C that we did not write, over TCP and over RTU: both must give the values that
//! libmodbus put into its registers, and a register that it does not have is refused.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use steward_tests::programs::{Libmodbus, free_tcp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

/// What libmodbus_device.c says that its registers are.
const VALUES: [(&str, f64); 10] = [
    ("u16", 48_879.0),
    ("i32", -2_000_000_001.0),
    ("i64", -9_007_199_254_740_991.0),
    ("f32-abcd", 49.98_f32 as f64),
    ("f32-cdab", -1.5e-7_f32 as f64),
    ("input-i16", -77.0),
    ("coil-on", 1.0),
    ("coil-off", 0.0),
    ("discrete-off", 0.0),
    ("discrete-on", 1.0),
];

#[test]
fn what_libmodbus_puts_into_its_registers_is_read_over_tcp_and_rtu() {
    if !Libmodbus::wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_tcp_port().unwrap();
    let device = Libmodbus::start(dir.path(), port).unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let of = |name: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"libmodbus/registers\"\naddress = 3\n")
    };
    let text = format!(
        "[gateway]\nname = \"libmodbus\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nnormal = \"1s\"\n\
         [profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"tcp\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n{}\
         [[line]]\nname = \"rtu\"\nkind = \"serial\"\nport = \"{}\"\nbaud = 19200\nstop_bits = 2\nparity = \"none\"\n{}",
        dir.path().join("edge").display(),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles").display(),
        of("over-tcp"),
        device.serial,
        of("over-rtu"),
    );
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, text).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    let shown = eventually("every point of both was read", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        let read = values.iter().filter(|v| v["quality"].is_string()).count();
        (read == 2 * (VALUES.len() + 1)).then_some(values)
    });
    for name in ["over-tcp", "over-rtu"] {
        let read = |key: &str| shown.iter().find(|v| v["device"] == name && v["point"] == key).unwrap();
        for (key, value) in VALUES {
            let read = read(key);
            assert_eq!(
                (read["quality"].as_str(), read["value"].as_f64()),
                (Some("good"), Some(value)),
                "{name} {read}"
            );
        }
        assert_eq!(read("absent")["quality"], "refused", "{name}");
    }
    edge.stop().unwrap();
}
