//! The Python side of the tests: a virtual environment in `.venv` with the pinned packages of `tests/peers`.

use std::path::PathBuf;

use crate::fetched;
use crate::files;

/// The interpreter of the environment; made or renewed when the requirements changed.
pub fn python() -> Result<PathBuf, String> {
    let programs = fetched::python(&files::root().join(".venv"), "tests/peers/requirements.txt")?;
    Ok(programs.join("python"))
}
