//! What comes from package registries and is pinned: Python packages in an environment of their own, npm packages, programs
//! that cargo builds into `target/tools`. Fetched once; who asks for one that is there gets it as it is.

use std::path::{Path, PathBuf};

use crate::files;
use crate::report::say;
use crate::shell;
use crate::tools;

/// The environment in `folder` with what `requirements` (from the root) pins, made or renewed when that file changed; gives
/// its folder of programs.
pub fn python(folder: &Path, requirements: &str) -> Result<PathBuf, String> {
    let programs = folder.join("bin");
    let python = programs.join("python");
    let root = files::root();
    let requirements = root.join(requirements);
    let print = files::fingerprint(std::slice::from_ref(&requirements), &[]);
    let stamp = folder.join(".steward-requirements");
    if python.is_file() && files::read(&stamp).is_ok_and(|known| known == print) {
        return Ok(programs);
    }
    tools::need(&[tools::PYTHON])?;
    files::remove(folder)?;
    let folder = folder.display().to_string();
    shell::output(&shell::command("python3", &["-m", "venv", &folder], &root))?;
    let requirements = requirements.display().to_string();
    let args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements];
    shell::output(&shell::command(&python, &args, &root))?;
    files::write(&stamp, print)?;
    Ok(programs)
}

/// `npm ci` in `folder`, unless what is installed there came from its very lock file; tells whether it was called.
pub fn npm(folder: &Path) -> Result<bool, String> {
    tools::need(&[tools::NODE])?;
    let stamp = folder.join("node_modules/.steward-lock");
    let print = files::fingerprint(&[folder.join("package-lock.json")], &[]);
    if files::read(&stamp).is_ok_and(|known| known == print) {
        return Ok(false);
    }
    // No package of ours has an install script; none shall get one unseen.
    shell::show(&shell::command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder))?;
    files::write(&stamp, print)?;
    Ok(true)
}

/// A program of cargo's from the PATH, or built by us once. Its development profile builds in half the time and is fast
/// enough.
pub fn program(name: &str, version: &str, wishes: &[&str]) -> Result<PathBuf, String> {
    if let Some(found) = shell::found(name) {
        return Ok(found);
    }
    let folder = files::target().join("tools");
    let own = folder.join("bin").join(name);
    if own.is_file() && is_of_version(&folder, name, version) {
        return Ok(own);
    }
    say!("  {name} {version} is missing; building it into target/tools");
    let build = folder.join("build");
    let (root, crate_name) = (folder.display().to_string(), format!("{name}@{version}"));
    let mut args = vec!["install", "--locked", "--debug", "--quiet", "--force", "--root", &root];
    args.extend_from_slice(wishes);
    args.push(&crate_name);
    let mut command = shell::cargo(&args);
    command.env("CARGO_TARGET_DIR", &build);
    shell::show(&command)?;
    files::remove(&build)?;
    Ok(own)
}

/// By the list that cargo keeps of what it has installed.
fn is_of_version(folder: &Path, name: &str, version: &str) -> bool {
    let list = files::read(&folder.join(".crates.toml")).unwrap_or_default();
    list.contains(&format!("\"{name} {version} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        for requirements in ["tests/peers/requirements.txt", "cross/requirements.txt"] {
            let text = files::read(&files::root().join(requirements)).unwrap();
            let packages: Vec<&str> =
                text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            assert!(!packages.is_empty(), "{requirements}");
            assert!(packages.iter().all(|line| line.contains("==")), "{packages:?}");
        }
    }

    #[test]
    fn a_program_of_another_version_is_not_the_wanted_one() {
        let folder = files::target().join("xtask-fetched-test");
        let list = "[v1]\n\"cargo-deb 3.8.0 (registry+https://example.org/index)\" = [\"cargo-deb\"]\n";
        files::write(&folder.join(".crates.toml"), list).unwrap();
        assert!(is_of_version(&folder, "cargo-deb", "3.8.0"));
        assert!(!is_of_version(&folder, "cargo-deb", "3.8"));
        assert!(!is_of_version(&folder, "cargo-deny", "3.8.0"));
        files::remove(&folder).unwrap();
    }
}
