//! The Python side of the tests: a virtual environment in `.venv` with the pinned packages of `tests/peers`.

use std::path::PathBuf;

use crate::files;
use crate::shell;
use crate::tools;

/// The interpreter of the environment; made or renewed when the requirements changed.
pub fn python() -> Result<PathBuf, String> {
    let folder = files::root().join(".venv");
    let python = folder.join("bin/python");
    let requirements = files::root().join("tests/peers/requirements.txt");
    let print = files::fingerprint(std::slice::from_ref(&requirements), &[]);
    let stamp = folder.join(".steward-requirements");
    if python.is_file() && files::read(&stamp).is_ok_and(|known| known == print) {
        return Ok(python);
    }
    tools::need(&[tools::PYTHON])?;
    files::remove(&folder)?;
    let root = files::root();
    shell::output(&shell::command("python3", &["-m", "venv", ".venv"], &root))?;
    let requirements = requirements.display().to_string();
    let args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements];
    shell::output(&shell::command(&python, &args, &root))?;
    files::write(&stamp, print)?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        let text = files::read(&files::root().join("tests/peers/requirements.txt")).unwrap();
        let packages: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(!packages.is_empty());
        assert!(packages.iter().all(|line| line.contains("==")), "{packages:?}");
    }
}
