//! A package installed, upgraded, taken back, removed and purged, by dpkg itself in a throw-away system that has a busybox and
//! nothing else. Called by `packages`. The machine's own packages, services and files are never touched: dpkg is told
//! another root, and its scripts run in there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::files;
use crate::report::{Counts, say};
use crate::shell;

/// What somebody has written.
const SITE: &str = "[gateway]\nname = \"east-plant\"\n";
const FILE: &str = "etc/steward/edge.toml";

/// `root` is removed first and afterwards.
pub fn rehearse(newer: &Path, older: &Path, root: &Path, counts: &mut Counts) -> Result<(), String> {
    if shell::output(&shell::command("id", &["-u"], Path::new("/")))?.trim() != "0" {
        say!(
            "  NOT tested: installing a package; only root may change its root folder: sudo cargo verify packages"
        );
        counts.skipped += 1;
        return Ok(());
    }
    let gateway = Gateway::bare(root)?;
    gateway.begins_unconfigured(newer, counts)?;
    gateway.keeps_what_was_written(newer, older, counts)?;
    gateway.goes_away(counts)?;
    let gateway = Gateway::bare(root)?;
    gateway.begins_configured(newer, counts)?;
    files::remove(root)
}

struct Gateway {
    root: PathBuf,
}

impl Gateway {
    fn bare(root: &Path) -> Result<Self, String> {
        files::remove(root)?;
        let gateway = Self { root: root.to_owned() };
        for folder in ["bin", "etc", "run/systemd/system", "usr/bin", "var/log"] {
            files::make_folder(&gateway.at(folder))?;
        }
        for folder in ["info", "updates", "triggers"] {
            files::make_folder(&gateway.at("var/lib/dpkg").join(folder))?;
        }
        files::write(&gateway.at("var/lib/dpkg/status"), "")?;
        // A plain file takes what the scripts throw away.
        files::write(&gateway.at("dev/null"), "")?;
        let busybox = shell::found("busybox").ok_or("busybox is gone")?;
        let copy = gateway.at("bin/busybox");
        std::fs::copy(&busybox, &copy).map_err(|e| format!("cannot copy {}: {e}", busybox.display()))?;
        gateway.inside(&["/bin/busybox", "--install", "-s", "/bin"])?;
        // It says what it was asked, and does nothing.
        let script = gateway.at("usr/bin/systemctl");
        files::write(&script, "#!/bin/sh\necho \"$*\" >> /asked\n")?;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&script, mode)
            .map_err(|e| format!("cannot mark {}: {e}", script.display()))?;
        Ok(gateway)
    }

    fn begins_unconfigured(&self, package: &Path, counts: &mut Counts) -> Result<(), String> {
        self.dpkg(&["--install"], Some(package))?;
        let asked = self.asked();
        holds(counts, "it is enabled", asked.contains("enable --quiet steward-edge.service"), &asked)?;
        holds(counts, "it is not started without a file", !asked.contains("\nstart"), &asked)?;
        let file = files::read(&self.at(FILE))?;
        holds(counts, "the file is empty, which the unit waits for", file.is_empty(), &file)?;
        let unit = files::read(&self.at("usr/lib/systemd/system/steward-edge.service"))?;
        let waits = unit.contains(&format!("\nConditionFileNotEmpty=/{FILE}\n"));
        holds(counts, "the unit waits for the file", waits, &unit)?;
        let said = self.inside(&["/usr/bin/steward-edge", "--version"])?;
        let version = format!("steward-edge {}", env!("CARGO_PKG_VERSION"));
        holds(counts, "the program needs nothing else", said.trim() == version, &said)
    }

    fn keeps_what_was_written(&self, newer: &Path, older: &Path, counts: &mut Counts) -> Result<(), String> {
        files::write(&self.at(FILE), SITE)?;
        let said = self.inside(&["/usr/bin/steward-edge", "check", &format!("/{FILE}")])?;
        holds(counts, "the written file is in order", said.contains("is in order"), &said)?;
        files::write(&self.at("var/lib/private/steward-edge/telemetry.db"), "readings")?;
        std::os::unix::fs::symlink("private/steward-edge", self.at("var/lib/steward-edge"))
            .map_err(|e| format!("cannot make a link: {e}"))?;
        for (what, package) in [("an older package", older), ("the newer one again", newer)] {
            self.forget_asked()?;
            self.dpkg(&["--install"], Some(package))?;
            let file = files::read(&self.at(FILE))?;
            holds(counts, &format!("{what} leaves the file as it is"), file == SITE, &file)?;
            let asked = self.asked();
            let as_meant = asked == "daemon-reload\ntry-restart steward-edge.service\n";
            holds(counts, &format!("{what} takes over and is not enabled anew"), as_meant, &asked)?;
        }
        self.holds_the_readings(counts, "upgrades keep the readings", true)
    }

    fn goes_away(&self, counts: &mut Counts) -> Result<(), String> {
        self.forget_asked()?;
        self.dpkg(&["--remove", "steward-edge"], None)?;
        let asked = self.asked();
        let as_meant = asked.starts_with("stop steward-edge.service\ndisable --quiet steward-edge.service\n");
        holds(counts, "a removed one is stopped and disabled", as_meant, &asked)?;
        let program = self.at("usr/bin/steward-edge");
        holds(counts, "a removed program is gone", !program.exists(), "")?;
        holds(counts, "its file stays", self.at(FILE).is_file(), "")?;
        self.holds_the_readings(counts, "its readings stay", true)?;
        self.dpkg(&["--purge", "steward-edge"], None)?;
        self.holds_the_readings(counts, "a purge takes the readings", false)?;
        let ours = |path: &Path| path.display().to_string().contains("steward");
        let left: Vec<String> = everything_below(&self.root)
            .iter()
            .filter_map(|path| path.strip_prefix(&self.root).ok())
            .filter(|path| ours(path))
            .map(|path| path.display().to_string())
            .collect();
        holds(counts, "a purge leaves nothing", left.is_empty(), &left.join("\n"))
    }

    fn begins_configured(&self, package: &Path, counts: &mut Counts) -> Result<(), String> {
        files::write(&self.at(FILE), SITE)?;
        self.dpkg(&["--force-confold", "--install"], Some(package))?;
        let file = files::read(&self.at(FILE))?;
        holds(counts, "a file that was there first is kept", file == SITE, &file)?;
        let asked = self.asked();
        holds(counts, "and it is started", asked.contains("\nstart steward-edge.service\n"), &asked)
    }

    fn holds_the_readings(&self, counts: &mut Counts, what: &str, wanted: bool) -> Result<(), String> {
        let there = self.at("var/lib/private/steward-edge/telemetry.db").is_file()
            && self.at("var/lib/steward-edge").is_symlink();
        holds(counts, what, there == wanted, "")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// What was asked of systemctl, one call a line.
    fn asked(&self) -> String {
        std::fs::read_to_string(self.at("asked")).unwrap_or_default()
    }

    fn forget_asked(&self) -> Result<(), String> {
        files::remove(&self.at("asked"))
    }

    fn inside(&self, words: &[&str]) -> Result<String, String> {
        let root = self.root.display().to_string();
        let args: Vec<&str> = std::iter::once(root.as_str()).chain(words.iter().copied()).collect();
        shell::output(&shell::command("chroot", &args, Path::new("/")))
    }

    /// Nobody is asked anything: a question would be a failure.
    fn dpkg(&self, words: &[&str], package: Option<&Path>) -> Result<(), String> {
        let root = format!("--root={}", self.root.display());
        let log = format!("--log={}", self.at("var/log/dpkg.log").display());
        let mut args = vec![root.as_str(), log.as_str(), "--force-unsafe-io"];
        args.extend_from_slice(words);
        let package = package.map(|path| path.display().to_string());
        args.extend(package.as_deref());
        let mut command = shell::command("dpkg", &args, Path::new("/"));
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        shell::output(&command).map(drop)
    }
}

/// Links as they are: one of them leads to nowhere once the readings are gone.
fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() && !path.is_symlink() {
            open.extend(files::entries(&path).unwrap_or_default());
        }
        found.push(path);
    }
    found
}

fn holds(counts: &mut Counts, what: &str, is_so: bool, found: &str) -> Result<(), String> {
    if is_so {
        counts.passed += 1;
        return Ok(());
    }
    Err(format!("the package: {what}: that is not so:\n{found}"))
}
