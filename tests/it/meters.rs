//! The edge on electricity meters that we did not write: PyPI dlt645, behind a transparent connection and on a serial line.
//! Both must give the values that were set in them.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::time::Duration;

use steward_tests::programs::{Peer, free_tcp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn the_meters_of_another_dlt645_read_as_they_were_set_behind_a_converter_and_on_a_serial_line() {
    if !Peer::wanted("PyPI dlt645") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_tcp_port().unwrap();
    let peer = Peer::start("meter.py", dir.path(), &[&port.to_string()]).unwrap();
    let ready = &peer.ready;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let device = |name: &str, port: &str| {
        format!(
            "[[line.device]]\nname = \"{name}\"\nprofile = \"chint/ddsu666-dlt645\"\naddress = {}\n{port}",
            ready["addresses"][name]
        )
    };
    let text = format!(
        "[gateway]\nname = \"meters\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nnormal = \"2s\"\n\
         [[line]]\nname = \"converter\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         framing = \"transparent\"\n{}\
         [[line]]\nname = \"rs485\"\nkind = \"serial\"\nport = {}\nbaud = 9600\n{}",
        dir.path().join("edge").display(),
        device("tcp", ""),
        ready["serial"],
        device("serial", "serial = { baud = 9600, parity = \"even\" }\n"),
    );
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, text).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    let wanted = ready["values"].as_object().unwrap();
    let shown = eventually("every point of both meters was read", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        let read = values.iter().filter(|v| v["quality"] == "good").count();
        (read == 2 * wanted.len()).then_some(values)
    });
    for meter in ["tcp", "serial"] {
        for (key, value) in wanted {
            let read = shown.iter().find(|v| v["device"] == meter && v["point"] == key.as_str()).unwrap();
            assert_eq!(read["value"].as_f64(), value.as_f64(), "{meter} {key}: {read}");
        }
    }
    edge.stop().unwrap();
}
