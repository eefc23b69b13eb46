//! Peers from other registries: the Python side of the tests, a virtual environment in `.venv` with the pinned packages of
//! `tests/peers`, and Node-RED for a benchmark.

use std::path::PathBuf;

use crate::fetched;
use crate::files;

/// The interpreter of the environment; made or renewed when the requirements changed.
pub fn python() -> Result<PathBuf, String> {
    let programs = fetched::python(&files::root().join(".venv"), "tests/peers/requirements.txt")?;
    Ok(programs.join("python"))
}

/// The folder with the packages that `tests/bench/node-red` pins, outside the sources; renewed when the lock file changed.
pub fn node_red() -> Result<PathBuf, String> {
    let (sources, folder) =
        (files::root().join("tests/bench/node-red"), files::target().join("tools/node-red"));
    files::make_folder(&folder)?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        files::write(&folder.join(name), files::read(&sources.join(name))?)?;
    }
    fetched::npm(&folder)?;
    Ok(folder)
}
