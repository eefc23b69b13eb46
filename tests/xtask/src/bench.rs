//! `cargo xtask bench [NAME]`: makes the figures of docs/benchmarks.md and writes them there, each between its marks. The
//! programs are those of the release profile; steward-edge is the one that gateways get.

use std::path::PathBuf;

use crate::console;
use crate::cross::{self, Cross};
use crate::decode;
use crate::files;
use crate::peers;
use crate::report::say;
use crate::shell;
use crate::tools;

const PAGE: &str = "docs/benchmarks.md";
const ALL: [&str; 9] = ["poll", "rtu", "dead", "plan", "bacnet", DECODE, "ingest", "bytes", "latency"];
/// The protocol crate's own.
const DECODE: &str = "decode";

pub fn run(args: &[&str]) -> Result<(), String> {
    let wanted = if args.is_empty() { &ALL[..] } else { args };
    if let Some(unknown) = wanted.iter().find(|name| !ALL.contains(name)) {
        return Err(format!("there is no benchmark `{unknown}`; there are {}", ALL.join(", ")));
    }
    tools::need(&[
        tools::C_COMPILER,
        tools::NODE,
        tools::LIBMODBUS,
        tools::PYTHON,
        tools::POSTGRES,
        tools::CHROMIUM,
        tools::RUSTUP,
        cross::STANDARD_LIBRARIES,
    ])?;
    let own = cross::ALL.into_iter().find(|arch| arch.triple.starts_with(std::env::consts::ARCH));
    let own =
        own.ok_or_else(|| format!("no gateway has a processor like this one, {}", std::env::consts::ARCH))?;
    let peers = [
        ("STEWARD_EDGE_PROGRAM", Cross::ready()?.build(own, cross::GATEWAY)?),
        ("STEWARD_PYTHON", peers::python()?),
        ("STEWARD_CHROMIUM", tools::chromium()?),
        ("STEWARD_NODE_RED", peers::node_red()?),
    ];
    console::build()?;
    let programs = ["build", "--release", "--locked", "--workspace", "--exclude", "xtask", "--bins"];
    shell::show(&shell::cargo(&programs))?;
    let page = files::root().join(PAGE);
    for name in std::iter::once(&"machine").chain(wanted) {
        let figures = if *name == DECODE { decode::figures()? } else { measured(name, &peers)? };
        say!("{figures}");
        files::write(&page, filled(&files::read(&page)?, name, &figures)?)?;
    }
    say!("{PAGE} has the new figures");
    Ok(())
}

/// What a benchmark of `tests/bench` prints.
fn measured(name: &str, peers: &[(&str, PathBuf)]) -> Result<String, String> {
    let bench = ["bench", "--quiet", "--locked", "--package", "steward-tests", "--bench", "steward-bench"];
    let mut command = shell::cargo(&bench);
    command.args(["--", name]).envs(peers.iter().map(|(variable, path)| (*variable, path)));
    shell::output(&command)
}

/// The page with these figures between `<!-- NAME -->` and `<!-- end of NAME -->`.
fn filled(page: &str, name: &str, figures: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let marks = || format!("{PAGE} lacks the marks `{}` and `{end}`", begin.trim_end());
    let (before, rest) = page.split_once(&begin).ok_or_else(marks)?;
    let (_, after) = rest.split_once(&end).ok_or_else(marks)?;
    Ok(format!("{before}{begin}{}\n{end}{after}", figures.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_the_place_of_the_former_ones_and_nothing_else() {
        let page = "a\n<!-- poll -->\nold\n<!-- end of poll -->\nb\n";
        let new = filled(page, "poll", "new\n\n").unwrap();
        assert_eq!(new, "a\n<!-- poll -->\nnew\n<!-- end of poll -->\nb\n");
        assert!(filled(page, "bytes", "").unwrap_err().contains("<!-- bytes -->"));
    }

    #[test]
    fn the_page_has_a_place_for_every_figure() {
        let page = files::read(&files::root().join(PAGE)).unwrap();
        for name in std::iter::once("machine").chain(ALL) {
            assert!(filled(&page, name, "").is_ok(), "{name}");
        }
    }
}
