//! `steward-edge` for the processors that gateways have: one static program each, which asks nothing of the machine but a
//! Linux kernel. Called by `cargo xtask cross` for what is given away, by `emulation` and `packages` for what is tried.
//! Compiler, linker and C library are Zig's, from PyPI; nothing is fetched while a program runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elf::Elf;
use crate::emulation;
use crate::fetched;
use crate::files;
use crate::packages;
use crate::report::{say, step};
use crate::shell;
use crate::tools::{self, Tool};

/// The profile of what is given away.
pub const GATEWAY: &str = "gateway";
/// A larger program does not leave the house.
const LARGEST: u64 = 13_000_000;
/// What is only tried has what link-time optimisation would take away.
const LARGEST_TRIED: u64 = 16_000_000;

/// A processor, by Debian's name.
#[derive(Debug)]
pub struct Arch {
    pub name: &'static str,
    pub triple: &'static str,
    /// Zig's name of it.
    pub zig: &'static str,
    /// `e_machine` of its programs.
    pub machine: u16,
    /// What runs its programs on another processor; `None` where they run as they are.
    pub emulator: Option<&'static str>,
    /// C whose functions stand in for what the emulator does wrong; in no program that is given away.
    pub mended_by: &'static [&'static str],
}

pub const AMD64: Arch = Arch {
    name: "amd64",
    triple: "x86_64-unknown-linux-musl",
    zig: "x86_64-linux-musl",
    machine: 62,
    emulator: None,
    mended_by: &[],
};
pub const ARM64: Arch = Arch {
    name: "arm64",
    triple: "aarch64-unknown-linux-musl",
    zig: "aarch64-linux-musl",
    machine: 183,
    emulator: Some("qemu-aarch64-static"),
    mended_by: &[],
};
pub const ARMHF: Arch = Arch {
    name: "armhf",
    triple: "armv7-unknown-linux-musleabihf",
    zig: "arm-linux-musleabihf",
    machine: 40,
    emulator: Some("qemu-arm-static"),
    mended_by: &["cross/mremap.c"],
};
pub const ALL: [&Arch; 3] = [&AMD64, &ARM64, &ARMHF];

impl Arch {
    /// Where cargo puts this program.
    pub fn program(&self, profile: &str) -> PathBuf {
        files::target().join(self.triple).join(profile).join("steward-edge")
    }

    /// `CARGO_TARGET_<TRIPLE>_<what>`.
    pub fn setting(&self, what: &str) -> String {
        format!("CARGO_TARGET_{}_{what}", self.triple.to_uppercase().replace('-', "_"))
    }
}

/// `cargo xtask cross [ARCH ...]`.
pub fn run(args: &[&str]) -> Result<(), String> {
    let wanted = wanted(args)?;
    tools::need(&[tools::PYTHON, tools::RUSTUP, STANDARD_LIBRARIES, tools::DPKG])?;
    let cross = Cross::ready()?;
    let folder = files::target().join("packages");
    files::remove(&folder)?;
    files::make_folder(&folder)?;
    for arch in wanted {
        step(arch.name, || {
            let program = cross.build(arch, GATEWAY)?;
            say!("  {}: {} bytes", program.display(), size(&program)?);
            let version = emulation::version(arch, &program)?;
            let without = "not tried: QEMU is missing (sudo apt-get install --yes qemu-user-static)";
            say!("  {}", version.map_or_else(|| without.to_owned(), |version| format!("it says: {version}")));
            let bare = folder.join(format!("steward-edge-{}", arch.name));
            std::fs::copy(&program, &bare).map_err(|e| format!("cannot write {}: {e}", bare.display()))?;
            packages::make(arch, GATEWAY, &folder).map(drop)
        })?;
    }
    let sums = packages::write_sums(&folder)?;
    say!("\n{sums}\nin {}", folder.display());
    Ok(())
}

fn wanted(args: &[&str]) -> Result<Vec<&'static Arch>, String> {
    if args.is_empty() {
        return Ok(ALL.to_vec());
    }
    let named = |name: &&str| {
        let found = ALL.into_iter().find(|arch| arch.name == *name);
        found.ok_or_else(|| {
            format!("there is no processor `{name}`; there are {}", ALL.map(|arch| arch.name).join(", "))
        })
    };
    args.iter().map(named).collect()
}

/// The compiler for other processors, ready to be used.
pub struct Cross {
    programs: PathBuf,
}

impl Cross {
    pub fn ready() -> Result<Self, String> {
        let folder = files::target().join("tools/cross");
        Ok(Self { programs: fetched::python(&folder, "cross/requirements.txt")? })
    }

    /// Builds `steward-edge`, and refuses what is not static, is for another processor or too large.
    pub fn build(&self, arch: &Arch, profile: &str) -> Result<PathBuf, String> {
        let args = ["--package", "steward-edge", "--bins", "--profile", profile];
        shell::show(&self.command(arch, "zigbuild", &args)?)?;
        let program = arch.program(profile);
        let largest = if profile == GATEWAY { LARGEST } else { LARGEST_TRIED };
        look_at(arch, &program, largest)?;
        Ok(program)
    }

    /// One file of C as an object for this processor, in `folder`. Cargo looks at its name only, so another content has
    /// another name.
    pub fn compile_c(&self, arch: &Arch, source: &str, folder: &Path) -> Result<PathBuf, String> {
        let print = files::fingerprint(&[files::root().join(source)], &[]);
        let object = folder.join(format!("{print}.o"));
        let to = object.display().to_string();
        let flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-c", source, "-o", &to];
        let mut args = vec!["cc", "-target", arch.zig];
        args.extend_from_slice(&flags);
        let mut command = shell::command(self.programs.join("python-zig"), &args, &files::root());
        command.env("ZIG_GLOBAL_CACHE_DIR", files::target().join("tools/cross-cache"));
        shell::output(&command)?;
        Ok(object)
    }

    /// `zigbuild`, `rustc` or `test` of cargo-zigbuild for this processor, its C parts by Zig.
    pub fn command(&self, arch: &Arch, verb: &str, args: &[&str]) -> Result<Command, String> {
        let library = standard_library(arch)?;
        let mut words = vec![verb, "--locked", "--target", arch.triple];
        if library == Library::FromSource {
            words.push("-Zbuild-std=std,panic_unwind,test");
        }
        words.extend_from_slice(args);
        let mut command = shell::cargos(&self.programs.join("cargo-zigbuild"), &words);
        if library == Library::FromSource {
            command.env("RUSTC_BOOTSTRAP", "1");
            // Build scripts look at that setting: in one folder with the others, each build would undo the former one.
            command.env("CARGO_BUILD_BUILD_DIR", files::target().join("from-source"));
            // What a C program begins and ends with comes from Zig too, where rustup brings none.
            command.env(arch.setting("RUSTFLAGS"), "-Clink-self-contained=no");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = std::iter::once(self.programs.clone()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(places).map_err(|e| format!("PATH is broken: {e}"))?);
        let cache = files::target().join("tools/cross-cache").display().to_string();
        command.env("CARGO_ZIGBUILD_CACHE_DIR", &cache).env("ZIG_GLOBAL_CACHE_DIR", &cache);
        Ok(command)
    }
}

/// What the steps of `verify` are skipped without.
pub const STANDARD_LIBRARIES: Tool = Tool {
    name: "Rust's standard library for the processors of gateways, or its source",
    why: "rustup brings it, for toolchains that are its own",
    packages: &["rustup"],
    lacks: || ALL.iter().find_map(|arch| standard_library(arch).err()),
};

/// Rust's standard library for a processor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    Built,
    FromSource,
}

/// As rustup brings it, or where it brings none for this processor, its source. Not every mirror has every processor.
fn standard_library(arch: &Arch) -> Result<Library, String> {
    let root = files::root();
    let sysroot = shell::output(&shell::command("rustc", &["--print", "sysroot"], &root))?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let rustup = |args: &[&str]| shell::output(&shell::command("rustup", args, &root));
    let is_there = || rustlib.join(arch.triple).join("lib").is_dir();
    if is_there() || (rustup(&["target", "add", arch.triple]).is_ok() && is_there()) {
        return Ok(Library::Built);
    }
    if !rustlib.join("src/rust/library").is_dir() {
        rustup(&["component", "add", "rust-src"])?;
    }
    Ok(Library::FromSource)
}

fn size(program: &Path) -> Result<u64, String> {
    let meta = std::fs::metadata(program);
    meta.map(|meta| meta.len()).map_err(|e| format!("cannot read {}: {e}", program.display()))
}

fn look_at(arch: &Arch, program: &Path, largest: u64) -> Result<(), String> {
    let (elf, size, shown) = (Elf::read(program)?, size(program)?, program.display());
    if elf.machine != arch.machine {
        return Err(format!("{shown} is for machine {}, not for {}", elf.machine, arch.name));
    }
    if !elf.is_static {
        return Err(format!("{shown} asks for a loader of the gateway's; it must be static"));
    }
    if size > largest {
        return Err(format!("{shown} has {size} bytes; {largest} are the most"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_asked_for_by_name() {
        let names = |args: &[&str]| wanted(args).map(|all| all.iter().map(|a| a.name).collect::<Vec<_>>());
        assert_eq!(names(&[]), Ok(vec!["amd64", "arm64", "armhf"]));
        assert_eq!(names(&["armhf"]), Ok(vec!["armhf"]));
        assert!(names(&["mips"]).unwrap_err().contains("amd64, arm64, armhf"));
    }

    #[test]
    fn a_program_of_this_machine_is_not_given_away() {
        let own = std::env::current_exe().unwrap();
        assert!(look_at(&AMD64, &own, LARGEST).unwrap_err().contains("static"));
        assert!(look_at(&ARMHF, &own, LARGEST).unwrap_err().contains("not for armhf"));
    }

    #[test]
    fn settings_of_cargo_bear_the_processor() {
        assert_eq!(ARM64.setting("RUNNER"), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER");
    }
}
