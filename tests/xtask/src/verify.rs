//! `cargo verify`: every check that there is, cheap ones first, nothing built twice. Each step is a line of the table;
//! a suite whose tool cannot be had is SKIPPED with the command that brings it, and with CI set that is a failure.

use std::process::Command;

use crate::console;
use crate::cross;
use crate::emulation;
use crate::fetched;
use crate::files;
use crate::fuzz;
use crate::generate;
use crate::links;
use crate::packages;
use crate::peers;
use crate::programs;
use crate::rehearsal;
use crate::report::{Counts, Line, Outcome, Report, say};
use crate::shell;
use crate::signals;
use crate::stack;
use crate::stopwatch::Stopwatch;
use crate::tools::{self, Tool};

/// cargo-deny of this version is built into target/tools when it is not there.
const CARGO_DENY: &str = "0.20.2";
/// The exposure that `systemd-analyze security` may find at most, times ten.
const EXPOSURE: &str = "15";

struct Step {
    name: &'static str,
    what: &'static str,
    /// Without these the step is skipped.
    tools: &'static [Tool],
    /// Without these a part of it is, and the step itself says so.
    wishes: &'static [Tool],
    run: Check,
}

type Check = fn(&mut Counts) -> Result<(), String>;

const fn step(name: &'static str, what: &'static str, tools: &'static [Tool], run: Check) -> Step {
    Step { name, what, tools, wishes: &[], run }
}

const RUST: &[Tool] = &[tools::C_COMPILER];
const CONSOLE: &[Tool] = &[tools::NODE];
const DEMO: &[Tool] = &[tools::C_COMPILER, tools::NODE];
const BROWSER: &[Tool] = &[tools::C_COMPILER, tools::NODE, tools::CHROMIUM, tools::CHINESE_FONT];

const CROSS: &[Tool] =
    &[tools::C_COMPILER, tools::RUSTUP, cross::STANDARD_LIBRARIES, tools::PYTHON, tools::QEMU];
const PACKAGES: &[Tool] = &[
    tools::C_COMPILER,
    tools::RUSTUP,
    cross::STANDARD_LIBRARIES,
    tools::PYTHON,
    tools::DPKG,
    tools::BUSYBOX,
];

const STEPS: &[Step] = &[
    step("format", "rustfmt has nothing to change", &[], format),
    step("handbook", "every link leads somewhere", &[], handbook),
    step("dependencies", "licences, duplicates and sources (cargo deny)", &[], deny),
    step("units", "hardening of the systemd units", &[tools::SYSTEMD_ANALYZE], units),
    step("console", "install, types, lints, build", CONSOLE, console_checks),
    step("console tests", "Vitest", CONSOLE, console_tests),
    step("lints", "clippy, every target, no warning", RUST, lints),
    step("docs", "rustdoc, no warning", RUST, docs),
    step("programs", "cargo build", RUST, |_| programs::build()),
    step("generated files", "what is generated is as committed", CONSOLE, drift),
    Step {
        wishes: &[tools::POSTGRES, tools::PYTHON, tools::MOSQUITTO],
        ..step("tests", "every Rust test, with PostgreSQL and pymodbus", RUST, tests)
    },
    step("doc tests", "examples in the docs", RUST, doc_tests),
    step("fuzz", "every parser for a few seconds under libFuzzer", tools::FUZZER, fuzz::short),
    step("arm", "the static programs for ARM on the plant room, and their tests", CROSS, arm),
    step("packages", "Debian packages: looked into, installed, upgraded, purged", PACKAGES, packages::check),
    step("demo", "cargo demo starts, keeps its data and leaves nothing running", DEMO, rehearsal::run),
    step("browser tests", "Playwright against the real hub, edge and plant", BROWSER, browser_tests),
];

pub fn run(args: &[&str]) -> Result<(), String> {
    if args == ["--list"] {
        for step in STEPS {
            say!("{:<18} {}", step.name, step.what);
        }
        return Ok(());
    }
    if let Some(unknown) = args.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        return Err(format!("there is no step `{unknown}`; `cargo xtask verify --list` names them"));
    }
    let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let mut report = Report::new(ci);
    let steps: Vec<&Step> = STEPS.iter().filter(|s| args.is_empty() || args.contains(&s.name)).collect();
    // Said now, not after an hour of other steps.
    let tools: Vec<Tool> =
        steps.iter().flat_map(|step| step.tools.iter().chain(step.wishes)).copied().collect();
    if let Err(missing) = tools::need(&tools) {
        say!("{missing}\n");
    }
    for step in steps {
        say!("▸ {}: {}", step.name, step.what);
        let watch = Stopwatch::start();
        let mut counts = Counts::default();
        let outcome = match tools::need(step.tools) {
            Err(missing) => Outcome::Skipped(missing),
            Ok(()) => match (step.run)(&mut counts) {
                Ok(()) => Outcome::Passed,
                Err(why) => Outcome::Failed(why),
            },
        };
        if signals::stopped() {
            return Err("stopped".into());
        }
        report.add(Line { name: step.name, outcome, counts, took: watch.elapsed() });
    }
    report.close()
}

fn format(_: &mut Counts) -> Result<(), String> {
    shell::show(&shell::cargo(&["fmt", "--all", "--check"]))?;
    fuzz::formatted()
}

fn lints(_: &mut Counts) -> Result<(), String> {
    shell::show(&shell::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn docs(_: &mut Counts) -> Result<(), String> {
    let mut command = shell::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::show(&command)
}

fn cargo_deny(args: &[&str]) -> Result<Command, String> {
    Ok(shell::command(fetched::program("cargo-deny", CARGO_DENY, &[])?, args, &files::root()))
}

fn deny(_: &mut Counts) -> Result<(), String> {
    let strict = ["-D", "unmatched-skip", "-D", "unnecessary-skip"];
    let mut args = vec!["--locked", "check"];
    args.extend_from_slice(&strict);
    args.extend_from_slice(&["bans", "licenses", "sources"]);
    shell::output(&cargo_deny(&args)?).map(drop)
}

/// A command of its own: the advisory database is fetched from a git host, and a check that needs the network would
/// make every run without it red.
pub fn advisories() -> Result<(), String> {
    shell::show(&cargo_deny(&["--locked", "check", "advisories"])?).map_err(|error| {
        format!("{error}\nwithout a way to github.com the advisory database cannot be fetched, and nothing is said about advisories")
    })
}

fn units(counts: &mut Counts) -> Result<(), String> {
    let units = files::below(&[files::root().join("systemd")], &[]);
    for unit in units.iter().filter(|path| path.extension().is_some_and(|e| e == "service")) {
        let unit = unit.display().to_string();
        let threshold = format!("--threshold={EXPOSURE}");
        let args = ["security", "--offline=true", "--no-pager", &threshold, &unit];
        shell::output(&shell::command("systemd-analyze", &args, &files::root()))?;
        counts.passed += 1;
    }
    if counts.passed == 0 { Err("there is no unit in systemd/".into()) } else { Ok(()) }
}

fn handbook(_: &mut Counts) -> Result<(), String> {
    match links::broken()? {
        broken if broken.is_empty() => Ok(()),
        broken => Err(broken.join("\n")),
    }
}

fn console_checks(_: &mut Counts) -> Result<(), String> {
    console::install()?;
    console::npm(&["run", "types"])?;
    console::npm(&["run", "lint"])?;
    console::build()
}

fn console_tests(counts: &mut Counts) -> Result<(), String> {
    console::install()?;
    let command = shell::command("npm", &["test"], &console::folder());
    shell::watch(&command, |line| {
        if line.trim_start().starts_with("Tests ") {
            counts.add(Counts::read(line));
        }
    })
}

fn drift(_: &mut Counts) -> Result<(), String> {
    console::install()?;
    programs::build()?;
    let stale = generate::renew()?;
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("out of date, and now renewed: {}; commit what `cargo xtask gen` makes", stale.join(", ")))
}

fn tests(counts: &mut Counts) -> Result<(), String> {
    // Some tests start the real programs; this builds nothing that the tests would not.
    programs::build()?;
    let nextest = shell::exists("cargo-nextest");
    let args: &[&str] = if nextest {
        &["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]
    } else {
        &["test", "--workspace", "--lib", "--bins", "--tests", "--locked", "--no-fail-fast"]
    };
    let mut command = shell::cargo(args);
    let mut without = |setting, part, missing: Result<(), String>| match missing {
        Ok(()) => {
            command.env_remove(setting);
        }
        Err(missing) => {
            say!("  NOT tested: {part}\n{missing}");
            counts.skipped += 1;
            command.env(setting, "1");
        }
    };
    without("STEWARD_WITHOUT_POSTGRES", "the stores on PostgreSQL", tools::need(&[tools::POSTGRES]));
    without("STEWARD_WITHOUT_MOSQUITTO", "MQTT with a broker", tools::need(&[tools::MOSQUITTO]));
    let libmodbus = tools::need(&[tools::C_COMPILER, tools::LIBMODBUS]);
    without("STEWARD_WITHOUT_LIBMODBUS", "the edge on libmodbus", libmodbus);
    without("STEWARD_WITHOUT_POWER_CUTS", "power cuts", tools::need(&[tools::C_COMPILER]));
    let python = tools::need(&[tools::PYTHON]).and_then(|()| peers::python());
    without("STEWARD_WITHOUT_PEERS", "the edge on pymodbus", python.as_ref().map(drop).map_err(Clone::clone));
    command.env("STEWARD_PYTHON", python.unwrap_or_default());
    shell::watch(&command, |line| {
        let line = line.trim_start();
        // What a failed test has printed holds the other one's words too.
        if line.starts_with(if nextest { "Summary [" } else { "test result:" }) {
            counts.add(Counts::read(line));
        }
    })
}

/// The edge's own tests are tried on one of them, since to build them takes as long as all the rest; on the other it is tried
/// as a program, and its parts by their tests.
fn arm(counts: &mut Counts) -> Result<(), String> {
    for arch in [&cross::ARM64, &cross::ARMHF] {
        emulation::own_tests(arch, emulation::PARTS, counts)?;
        emulation::scenarios(arch, counts)?;
    }
    emulation::own_tests(&cross::ARM64, emulation::EDGE, counts)
}

fn doc_tests(counts: &mut Counts) -> Result<(), String> {
    shell::watch(&shell::cargo(&["test", "--workspace", "--doc", "--locked"]), |line| {
        if line.starts_with("test result:") {
            counts.add(Counts::read(line));
        }
    })
}

fn browser_tests(counts: &mut Counts) -> Result<(), String> {
    console::build()?;
    programs::build()?;
    let stack = stack::for_tests()?;
    let mut command = shell::command("npm", &["run", "e2e"], &console::folder());
    command.env("STEWARD_URL", stack.url());
    command.env("STEWARD_USER", stack::USER);
    command.env("STEWARD_PASSWORD", stack.password());
    command.env("STEWARD_PLANT_DIR", stack.folder().join(stack::PLANT));
    command.env("STEWARD_CHROMIUM", tools::chromium()?);
    // Its closing lines are alone on their lines: "  12 passed (31.4s)", "  1 skipped".
    shell::watch(&command, |line| {
        let mut words = line.split_whitespace();
        let number = words.next().is_some_and(|word| word.parse::<usize>().is_ok());
        if number && words.next().is_some_and(|word| matches!(word, "passed" | "failed" | "skipped")) {
            counts.add(Counts::read(line));
        }
    })
}
