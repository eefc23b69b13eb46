//! What must be on the machine besides Rust. Debian packages are installed when we are root and apt-get is there;
//! otherwise what is missing is named, each with the command that installs it. Nothing is ever asked.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::say;
use crate::shell;

/// Something that a step needs.
#[derive(Clone, Copy)]
pub struct Tool {
    pub name: &'static str,
    pub why: &'static str,
    /// Debian packages that bring it.
    pub packages: &'static [&'static str],
    /// `None`: it is there. Otherwise what is wrong.
    pub lacks: fn() -> Option<String>,
}

pub const C_COMPILER: Tool = Tool {
    name: "a C compiler",
    why: "SQLite and ring are built from C",
    packages: &["gcc", "libc6-dev"],
    lacks: || absent(&["cc"]),
};

pub const CPP_COMPILER: Tool = Tool {
    name: "a C++ compiler",
    why: "libFuzzer is built from it",
    packages: &["g++"],
    lacks: || absent(&["c++"]),
};

/// What the fuzz targets are built with.
pub const FUZZER: &[Tool] = &[C_COMPILER, CPP_COMPILER];

pub const NODE: Tool = Tool {
    name: "Node.js 20.19 or newer",
    why: "the console is built with it",
    packages: &["nodejs", "npm"],
    lacks: node_lacks,
};

pub const CHROMIUM: Tool = Tool {
    name: "Chromium",
    why: "the browser tests drive it",
    packages: &["chromium"],
    lacks: || absent(BROWSERS),
};

/// Programs that are Chromium, the system's own first.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser that all who drive one are given, so that nobody looks for another.
pub fn chromium() -> Result<PathBuf, String> {
    let found = BROWSERS.iter().find_map(|name| shell::found(name));
    found.ok_or_else(|| format!("none of {} is there", BROWSERS.join(", ")))
}

pub const CHINESE_FONT: Tool = Tool {
    name: "a Chinese font",
    why: "the browser tests look at Chinese pages",
    packages: &["fonts-noto-cjk", "fontconfig"],
    lacks: || {
        let list = Command::new("fc-list").arg(":lang=zh").output();
        let found = list.is_ok_and(|o| !o.stdout.is_empty());
        (!found).then(|| "not found".to_owned())
    },
};

pub const POSTGRES: Tool = Tool {
    name: "PostgreSQL's server programs",
    why: "every store test runs on PostgreSQL too, on a server that the tests start",
    packages: &["postgresql"],
    lacks: || {
        let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let packaged = packaged.into_iter().any(|version| version.path().join("bin/initdb").is_file());
        if packaged { None } else { absent(&["initdb"]) }
    },
};

pub const PYTHON: Tool = Tool {
    name: "Python 3 with venv",
    why: "pymodbus is the device that we did not write",
    packages: &["python3", "python3-venv"],
    lacks: || {
        let venv = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
        let works = venv.is_ok_and(|o| o.status.success());
        (!works).then(|| "not found".to_owned())
    },
};

pub const MOSQUITTO: Tool = Tool {
    name: "Eclipse Mosquitto",
    why: "it is the broker of MQTT that we did not write",
    packages: &["mosquitto"],
    lacks: || {
        let found = Path::new("/usr/sbin/mosquitto").is_file();
        if found { None } else { absent(&["mosquitto"]) }
    },
};

pub const LIBMODBUS: Tool = Tool {
    name: "libmodbus, to build with",
    why: "it is a device that we did not write, and a peer of the benchmarks",
    packages: &["libmodbus-dev"],
    lacks: || (!Path::new("/usr/include/modbus/modbus.h").is_file()).then(|| "not found".to_owned()),
};

pub const SYSTEMD_ANALYZE: Tool = Tool {
    name: "systemd-analyze",
    why: "it scores the hardening of the units",
    packages: &["systemd"],
    lacks: || absent(&["systemd-analyze"]),
};

pub const RUSTUP: Tool = Tool {
    name: "rustup",
    why: "it brings Rust's standard library for other processors",
    packages: &["rustup"],
    lacks: || absent(&["rustup"]),
};

pub const QEMU: Tool = Tool {
    name: "QEMU's user-mode emulation",
    why: "the programs for ARM are tried under it",
    packages: &["qemu-user-static"],
    lacks: || absent(&["qemu-aarch64-static"]).or_else(|| absent(&["qemu-arm-static"])),
};

pub const DPKG: Tool = Tool {
    name: "dpkg",
    why: "the packages are for it",
    packages: &["dpkg"],
    lacks: || absent(&["dpkg-deb"]).or_else(|| absent(&["dpkg"])),
};

pub const BUSYBOX: Tool = Tool {
    name: "a static busybox",
    why: "it is all that the throw-away system has in which a package is installed",
    packages: &["busybox-static"],
    lacks: || absent(&["busybox"]),
};

fn absent(names: &[&str]) -> Option<String> {
    (!names.iter().any(|name| shell::exists(name))).then(|| "not found".to_owned())
}

fn node_lacks() -> Option<String> {
    if !shell::exists("node") || !shell::exists("npm") {
        return Some("not found".into());
    }
    let said = shell::output(&shell::command("node", &["--version"], Path::new("/"))).unwrap_or_default();
    (!is_new_enough(said.trim())).then(|| format!("{} is too old", said.trim()))
}

/// Vite 8 wants 20.19, or 22.12 and newer.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match major {
        20 => minor >= 19,
        22 => minor >= 12,
        other => other > 22,
    }
}

/// Makes sure that the tools are there. The error names every one that is not, with its command.
pub fn need(tools: &[Tool]) -> Result<(), String> {
    let missing = |tools: &[Tool]| -> Vec<Tool> {
        let mut lacking: Vec<Tool> = Vec::new();
        for tool in tools.iter().filter(|t| (t.lacks)().is_some()) {
            if !lacking.iter().any(|other| other.name == tool.name) {
                lacking.push(*tool);
            }
        }
        lacking
    };
    let lacking = missing(tools);
    if lacking.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = lacking.iter().flat_map(|tool| tool.packages).copied().collect();
    if !packages.is_empty() && shell::exists("apt-get") && is_root() {
        for tool in &lacking {
            say!("  {} is missing ({}); installing it", tool.name, tool.why);
        }
        // What could not be installed is found by looking again, and named below.
        if let Err(error) = apt(&packages) {
            say!("  {error}");
        }
    }
    let lacking = missing(tools);
    if lacking.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = Vec::new();
    for tool in &lacking {
        let state = (tool.lacks)().unwrap_or_default();
        lines.push(format!("{} is needed: {} ({state})", tool.name, tool.why));
        lines.push(format!("    sudo apt-get install --yes {}", tool.packages.join(" ")));
        if tool.name == NODE.name {
            lines.push("    or, where the system's is too old: https://nodejs.org/en/download".into());
        }
    }
    Err(lines.join("\n"))
}

fn is_root() -> bool {
    shell::output(&shell::command("id", &["-u"], Path::new("/"))).is_ok_and(|uid| uid.trim() == "0")
}

/// On the screen: a browser is a hundred megabytes, and who waits wants to see why.
fn apt(packages: &[&str]) -> Result<(), String> {
    let run = |args: &[&str]| {
        let mut command = shell::command("apt-get", args, Path::new("/"));
        command.env("DEBIAN_FRONTEND", "noninteractive");
        shell::show(&command)
    };
    // Lists of last week may still do.
    let updated = run(&["update", "--quiet"]);
    let mut args = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    args.extend_from_slice(packages);
    run(&args).and(updated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_told_apart() {
        for good in ["v20.19.0", "v20.20.2", "v22.12.1", "v24.0.0"] {
            assert!(is_new_enough(good), "{good}");
        }
        for bad in ["v18.20.4", "v20.18.3", "v22.11.0", "v21.7.0", "", "node"] {
            assert!(!is_new_enough(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_command() {
        let tool = Tool { name: "a unicorn", why: "w", packages: &[], lacks: || Some("not found".into()) };
        let error = need(&[tool]).unwrap_err();
        assert!(
            error.contains("a unicorn is needed: w (not found)") && error.contains("apt-get install"),
            "{error}"
        );
    }
}
