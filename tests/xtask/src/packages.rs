//! The Debian packages of `steward-edge`: made by cargo-deb from `[package.metadata.deb]` of edge/Cargo.toml, looked into, and
//! (`installation`) one of them installed. Called by `cargo xtask cross` and by `verify`; never touches the machine's own
//! packages.

use std::path::{Path, PathBuf};

use crate::cross::{self, Arch, Cross};
use crate::emulation;
use crate::fetched;
use crate::files;
use crate::installation;
use crate::report::{Counts, say};
use crate::shell;

/// cargo-deb of this version is built into target/tools when it is not there.
const CARGO_DEB: &str = "3.8.0";

/// What a package has in it: mode, place.
const CONTENTS: &[(&str, &str)] = &[
    ("-rw-r--r--", "./etc/steward/edge.toml"),
    ("-rwxr-xr-x", "./usr/bin/steward-edge"),
    ("-rw-r--r--", "./usr/lib/systemd/system/steward-edge.service"),
    ("-rw-r--r--", "./usr/lib/udev/rules.d/61-steward-edge.rules"),
    ("-rwxr-xr-x", "./usr/lib/udev/steward-port"),
    ("-rw-r--r--", "./usr/share/doc/steward-edge/copyright"),
    ("-rw-r--r--", "./usr/share/doc/steward-edge/edge.default.toml"),
];

/// The step of `verify`: every package looked into, the one for this machine installed and purged.
pub fn check(counts: &mut Counts) -> Result<(), String> {
    let folder = files::target().join("packages-test");
    files::remove(&folder)?;
    files::make_folder(&folder)?;
    let cross = Cross::ready()?;
    let mut made = Vec::new();
    for arch in cross::ALL {
        let program = cross.build(arch, profile_of(arch))?;
        let package = make(arch, profile_of(arch), &folder)?;
        look_into(&package, arch, &program, &folder.join("extracted"))?;
        counts.passed += 1;
        made.push(package);
    }
    let sums = write_sums(&folder)?;
    say!("{sums}");
    let older = make_of_version(&cross::AMD64, profile_of(&cross::AMD64), &folder, "0.0.1-1")?;
    let newer = made.first().ok_or("no package was made")?;
    installation::rehearse(newer, &older, &folder.join("root"), counts)
}

/// What is emulated is built already. The largest is that for this machine: it is tried as it is given away.
fn profile_of(arch: &Arch) -> &'static str {
    if arch.emulator.is_some() { emulation::PROFILE } else { cross::GATEWAY }
}

/// Packs the program that lies ready, into `folder`.
pub fn make(arch: &Arch, profile: &str, folder: &Path) -> Result<PathBuf, String> {
    make_of_version(arch, profile, folder, &version())
}

fn version() -> String {
    format!("{}-1", env!("CARGO_PKG_VERSION"))
}

fn make_of_version(arch: &Arch, profile: &str, folder: &Path, version: &str) -> Result<PathBuf, String> {
    let cargo_deb = fetched::program("cargo-deb", CARGO_DEB, &["--features", "static-lzma"])?;
    let package = folder.join(format!("steward-edge_{version}_{}.deb", arch.name));
    let output = package.display().to_string();
    let mut args = vec!["--quiet", "--no-build", "--no-strip", "--no-dbgsym", "--locked"];
    args.extend_from_slice(&["--package", "steward-edge", "--target", arch.triple, "--profile", profile]);
    args.extend_from_slice(&["--deb-version", version, "--output", &output]);
    shell::output(&shell::cargos(&cargo_deb, &args))?;
    Ok(package)
}

/// `SHA256SUMS` of all that lies in the folder, as `sha256sum --check` reads it.
pub fn write_sums(folder: &Path) -> Result<String, String> {
    let names: Vec<String> = files::entries(folder)?
        .iter()
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let args: Vec<&str> = names.iter().map(String::as_str).collect();
    let sums = shell::output(&shell::command("sha256sum", &args, folder))?;
    files::write(&folder.join("SHA256SUMS"), &sums)?;
    Ok(sums.trim_end().to_owned())
}

fn look_into(package: &Path, arch: &Arch, program: &Path, extracted: &Path) -> Result<(), String> {
    let name = package.display().to_string();
    let ask = |args: &[&str]| shell::output(&shell::command("dpkg-deb", args, &files::root()));
    let fields = ask(&["--field", &name])?;
    for (field, wanted) in [
        ("Package", Some("steward-edge")),
        ("Version", Some(version().as_str())),
        ("Architecture", Some(arch.name)),
        ("Depends", None),
        ("Pre-Depends", None),
    ] {
        let found = field_of(&fields, field);
        if found != wanted {
            return Err(format!("{name}: {field} is {found:?}, not {wanted:?}"));
        }
    }
    let conffiles = ask(&["--info", &name, "conffiles"])?;
    if conffiles.trim() != "/etc/steward/edge.toml" {
        return Err(format!("{name}: its conffiles are {conffiles:?}"));
    }
    let wrong = differences(&ask(&["--contents", &name])?);
    if !wrong.is_empty() {
        return Err(format!("{name}:\n{}", wrong.join("\n")));
    }
    files::remove(extracted)?;
    let to = extracted.display().to_string();
    ask(&["--raw-extract", &name, &to])?;
    let bytes = |path: &Path| std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()));
    if bytes(&extracted.join("usr/bin/steward-edge"))? != bytes(program)? {
        return Err(format!("{name}: its program is not {}", program.display()));
    }
    for script in ["postinst", "prerm", "postrm"] {
        let script = extracted.join("DEBIAN").join(script).display().to_string();
        shell::output(&shell::command("sh", &["-n", &script], &files::root()))?;
    }
    files::remove(extracted)
}

/// An empty field is none.
fn field_of<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        .filter(|v| !v.is_empty())
}

/// What a listing of `dpkg-deb --contents` has otherwise than `CONTENTS`; folders aside.
fn differences(listing: &str) -> Vec<String> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut wrong = Vec::new();
    for line in listing.lines().filter(|line| !line.starts_with('d')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, .., place] = words.as_slice() else { continue };
        if *owner != "0/0" {
            wrong.push(format!("{place} belongs to {owner}"));
        }
        found.push((mode, place));
    }
    wrong.extend(CONTENTS.iter().filter(|c| !found.contains(c)).map(|(m, p)| format!("{m} {p} is missing")));
    wrong.extend(found.iter().filter(|f| !CONTENTS.contains(f)).map(|(m, p)| format!("{m} {p} is too much")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_compared_file_by_file() {
        let line = |(mode, place): &(&str, &str)| format!("{mode} 0/0      1234 2026-01-02 03:04 {place}\n");
        let whole: String = CONTENTS.iter().map(line).collect();
        let folder = "drwxr-xr-x 0/0         0 2026-01-02 03:04 ./etc/\n";
        assert_eq!(differences(&format!("{folder}{whole}")), Vec::<String>::new());
        let other = whole.replacen("-rw-r--r-- 0/0", "-rw-r--r-- 1000/1000", 1).replace(
            "-rwxr-xr-x 0/0      1234 2026-01-02 03:04 ./usr/lib/udev",
            "-rw-r--r-- 0/0 1 2026-01-02 03:04 ./usr/lib/udev",
        );
        let wrong = differences(&other);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].contains("edge.toml belongs to 1000/1000"));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let fields = "Package: steward-edge\nPre-Depends: x\nDepends: \nArchitecture: arm64\n";
        assert_eq!(field_of(fields, "Architecture"), Some("arm64"));
        assert_eq!(field_of(fields, "Depends"), None);
    }

    /// The paths are those that people show of their machines; the four digits are what POSIX `cksum` says of the part
    /// before `-usb-`.
    #[test]
    fn serial_ports_get_short_names_that_stay_with_the_socket() {
        let script = files::root().join("systemd/package/steward-port");
        let name = |args: &[&str]| {
            let said = shell::output(&shell::command(&script, args, Path::new("/")));
            said.map(|name| name.trim().to_owned())
        };
        for (args, wanted) in [
            (&["pci-0000:00:14.0-usb-0:2:1.0", "0"][..], "usb-2-1098"),
            (&["pci-0000:00:14.0-usb-0:2:1.0"], "usb-2-1098"),
            (&["platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.2:1.0", "0"], "usb-1.2-1d6f"),
            (&["platform-3f980000.usb-usb-0:1.2:1.0", "3"], "usb-1.2-port3-72e5"),
            (&["platform-xhci-hcd.1.auto-usb-0:1.4.3:1.1", ""], "usb-1.4.3-if1-84ff"),
        ] {
            assert_eq!(name(args).as_deref(), Ok(wanted), "{args:?}");
        }
        assert!(name(&["platform-serial8250"]).is_err(), "it is not behind USB");
    }
}
