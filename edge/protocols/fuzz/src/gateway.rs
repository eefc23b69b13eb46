//! The gateway's file, as people write it. Folders of profiles that it names are not looked for.

use std::path::Path;

use steward_shared::document::listing;

use crate::config;
use crate::list::{Target, target};

pub const TARGET: Target = target("gateway_file", file, seeds);

pub fn file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let nowhere = ("STEWARD_EDGE__PROFILES__FOLDERS".to_owned(), "[]".to_owned());
    match config::parse("edge.toml", text, Path::new("/nowhere"), [nowhere]) {
        Ok(config) => assert!(!config.name.trim().is_empty()),
        Err(faults) => assert!(!listing(&faults).is_empty(), "refused, and nobody says why"),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    [include_str!("../../../edge.default.toml"), LINES].map(|text| text.as_bytes().to_vec()).into()
}

const LINES: &str = r#"
[gateway]
name = "east-plant"
title = { zh = "东楼", en = "East" }
data = "data"
[hub]
address = "hub.example:4433"
[[line]]
name = "meters"
kind = "serial"
port = "/dev/ttyUSB0"
baud = 9600
parity = "even"
timeout = "500ms"
[[line.device]]
name = "m1"
profile = "eastron/sdm120"
address = 1
[[line.device]]
name = "m2"
profile = "dlt645/single-phase"
address = "000000000161"
[[line]]
name = "heat"
kind = "tcp"
host = "10.0.0.7"
port = 502
framing = "rtu"
[[line.device]]
name = "h"
profile = "kamstrup/multical-601"
address = 5
[line.device.periods]
fast = "2s"
[[line]]
name = "ahu"
kind = "bacnet"
listen = "0.0.0.0:47808"
[[line.device]]
name = "a"
profile = "flexit/nordic"
instance = 1001
"#;
