//! Node-RED with node-red-contrib-modbus, which many a plant room has, as a peer: each block is read by a node of its own and
//! given to nobody. Its packages are those of `bench/node-red`, which `cargo xtask bench` installs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::modbus::{BLOCK, REGISTERS};

/// Reads every block of every unit of each server once a period.
pub fn start(dir: &Path, ports: &[u16], units: u8, period: Duration) -> anyhow::Result<Child> {
    let installed = std::env::var_os("STEWARD_NODE_RED")
        .context("STEWARD_NODE_RED is not set; use `cargo xtask bench`")?;
    let modules = Path::new(&installed).join("node_modules");
    let own = dir.join("node-red");
    std::fs::create_dir_all(&own)?;
    std::fs::write(own.join("settings.js"), settings(&modules)?)?;
    std::fs::write(own.join("flows.json"), serde_json::to_vec(&flows(ports, units, period))?)?;
    let mut command = Command::new("node");
    command.arg(modules.join("node-red/red.js")).arg("--userDir").arg(&own);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}

/// No editor, nothing that asks the network, nothing in the log but faults.
fn settings(modules: &Path) -> anyhow::Result<String> {
    let settings = json!({
        "flowFile": "flows.json",
        "nodesDir": modules.join("node-red-contrib-modbus"),
        "httpAdminRoot": false,
        "httpNodeRoot": false,
        "uiHost": "127.0.0.1",
        "uiPort": steward_tests::programs::free_tcp_port()?,
        "logging": { "console": { "level": "error" } },
        "telemetry": { "enabled": false },
    });
    Ok(format!("module.exports = {}\n", serde_json::to_string(&settings)?))
}

fn flows(ports: &[u16], units: u8, period: Duration) -> Vec<Value> {
    let mut nodes = vec![json!({ "id": "flow", "type": "tab", "label": "blocks" })];
    for port in ports {
        let line = format!("line-{port}");
        nodes.push(json!({
            "id": line, "type": "modbus-client", "name": "", "clienttype": "tcp", "tcpHost": "127.0.0.1",
            "tcpPort": port, "tcpType": "DEFAULT", "unit_id": 1, "bufferCommands": true,
            "parallelUnitIdsAllowed": true, "commandDelay": 1, "clientTimeout": 1000,
            "reconnectOnTimeout": true, "reconnectTimeout": 2000,
        }));
        for unit in 1..=units {
            for address in (0..REGISTERS).step_by(usize::from(BLOCK)) {
                nodes.push(json!({
                    "id": format!("{line}-{unit}-{address}"), "type": "modbus-read", "z": "flow", "name": "",
                    "server": line, "unitid": unit, "dataType": "HoldingRegister", "adr": address,
                    "quantity": BLOCK, "rate": period.as_millis() as u64, "rateUnit": "ms",
                    "delayOnStart": false, "x": 1, "y": 1, "wires": [[], []],
                }));
            }
        }
    }
    nodes
}
