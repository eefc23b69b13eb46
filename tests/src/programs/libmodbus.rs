//! The device that libmodbus serves, from `tests/peers/libmodbus_device.c`: built for the test, and killed when it is over.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::Process;

const UP: Duration = Duration::from_secs(30);

/// It runs until it is dropped.
#[derive(Debug)]
pub struct Libmodbus {
    _process: Process,
    /// The path of its serial line.
    pub serial: String,
}

impl Libmodbus {
    /// Whether tests with it are wanted here at all. Says so where they are not.
    pub fn wanted() -> bool {
        let wanted = std::env::var_os("STEWARD_WITHOUT_LIBMODBUS").is_none();
        if !wanted {
            println!("STEWARD_WITHOUT_LIBMODBUS is set: NOT tested on libmodbus");
        }
        wanted
    }

    /// Builds and starts it in a folder; it serves on a port of the loopback and on its serial line.
    pub fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/libmodbus_device.c");
        let program = folder.join("libmodbus-device");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-o"]).arg(&program).arg(source).args(["-lmodbus", "-lpthread"]);
        anyhow::ensure!(cc.status()?.success(), "libmodbus' device cannot be built; is libmodbus-dev there?");
        let words = [folder.display().to_string(), port.to_string()];
        let words = words.each_ref().map(String::as_str);
        let mut process = Process::start(&program, &words, &folder.join("libmodbus.log"))?;
        let path = folder.join("serial");
        let serial = process.until("its serial line", UP, || std::fs::read_to_string(&path).ok())?;
        Ok(Self { _process: process, serial })
    }
}
