//! The edge on one RS-485 with a Modbus device and an electricity meter that we did not write, each at its own settings:
//! pymodbus and PyPI dlt645. The far end looks at the port's settings whenever a question comes.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use steward_tests::programs::{Peer, free_tcp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(2);

#[test]
fn a_modbus_device_and_a_dlt645_meter_share_a_port_that_is_set_anew_for_each_question() {
    if !Peer::wanted("pymodbus and PyPI dlt645 on one line") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start("rs485.py", dir.path(), &[]).unwrap();
    let ready = &peer.ready;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let text = format!(
        "[gateway]\nname = \"rs485\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nnormal = \"2s\"\n\
         [profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"rs485\"\nkind = \"serial\"\nport = {}\nbaud = 19200\nstop_bits = 2\nparity = \"none\"\n\
         [[line.device]]\nname = \"modbus\"\nprofile = \"pymodbus/every-type\"\naddress = {}\n\
         [[line.device]]\nname = \"meter\"\nprofile = \"chint/ddsu666-dlt645\"\naddress = {}\n\
         serial = {{ baud = 2400, parity = \"even\" }}\n",
        dir.path().join("edge").display(),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles").display(),
        ready["serial"],
        ready["modbus"]["address"],
        ready["meter"]["address"],
    );
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, text).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();

    let wanted = ["modbus", "meter"].map(|name| (name, ready[name]["values"].as_object().unwrap()));
    let points: usize = wanted.iter().map(|(_, values)| values.len()).sum();
    let shown = eventually("every point of both was read", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        let read = values.iter().filter(|v| v["quality"].is_string()).count();
        (read == points).then_some(values)
    });
    for (name, values) in wanted {
        for (key, value) in values.iter().filter(|(_, value)| value.is_number()) {
            let read = shown.iter().find(|v| v["device"] == name && v["point"] == key.as_str()).unwrap();
            assert_eq!(read["quality"], "good", "{name} {key}: {read}");
            assert_eq!(read["value"].as_f64(), value.as_f64(), "{name} {key}: {read}");
        }
    }
    // The port goes to and fro, and nothing is ever heard at settings that are nobody's.
    let settings = ["modbus", "meter"].map(|name| ready["settings"][name].as_str().unwrap());
    let heard = eventually("both were asked many times", LONG, || {
        let text = std::fs::read_to_string(dir.path().join("heard.json")).ok()?;
        let heard: BTreeMap<String, u64> = serde_json::from_str(&text).ok()?;
        settings.iter().all(|of| heard.get(*of).is_some_and(|count| *count >= 20)).then_some(heard)
    });
    assert_eq!(heard.len(), 2, "{heard:?}");
    edge.stop().unwrap();
}
