//! `cargo xtask pictures`: the pictures of the README, taken from the running product. No test compares them: live values
//! differ each time; `verify` sees that they are there.

use crate::console;
use crate::files;
use crate::programs;
use crate::shell;
use crate::stack;
use crate::tools;

pub fn run() -> Result<(), String> {
    tools::need(&[tools::C_COMPILER, tools::NODE, tools::CHROMIUM, tools::CHINESE_FONT])?;
    console::build()?;
    programs::build()?;
    let stack = stack::for_tests()?;
    let folder = files::root().join("docs/images");
    files::make_folder(&folder)?;
    let folder = folder.display().to_string();
    let args = ["scripts/pictures.mjs", &stack.url(), stack::USER, stack.password(), &folder];
    let mut command = shell::command("node", &args, &console::folder());
    command.env("STEWARD_CHROMIUM", tools::chromium()?);
    shell::show(&command)
}
