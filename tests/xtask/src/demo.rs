//! `cargo demo`: from a fresh clone to a page with live values, in one command. It keeps its data in `demo-data/`.
//! While it runs, `cargo demo stop hub`, `cargo demo break …` and their opposites show what happens then.

use std::path::PathBuf;
use std::time::Duration;

use crate::claim;
use crate::console;
use crate::files;
use crate::programs;
use crate::report::{say, step};
use crate::shell;
use crate::signals;
use crate::stack::{self, Part, Stack};
use crate::stopwatch::Stopwatch;
use crate::tools;

#[derive(Debug, PartialEq, Eq)]
struct Wishes {
    days: u32,
    port: u16,
    fresh: bool,
    folder: PathBuf,
}

pub fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["stop", part, rest @ ..] => stack::wish(&folder(rest)?, part_of(part)?, true),
        ["start", part, rest @ ..] => stack::wish(&folder(rest)?, part_of(part)?, false),
        ["break", device, fault, rest @ ..] => plant(&["break", "--device", device, fault], rest),
        ["mend", rest @ ..] => plant(&["mend"], rest),
        ["list", rest @ ..] => plant(&["list"], rest),
        ["stop" | "start", ..] => Err("say which: edge, hub or plant".into()),
        ["break", ..] => Err("say what breaks and how: `cargo demo break meter-chillers silent --for 60s`; \
                              `cargo demo list --values` names the devices, `cargo demo break x y` the faults"
            .into()),
        _ => serve(&wishes(args)?),
    }
}

fn serve(wishes: &Wishes) -> Result<(), String> {
    step("tools", || tools::need(&[tools::C_COMPILER, tools::NODE]))?;
    step("console", console::build)?;
    step("programs", programs::build)?;
    let watch = Stopwatch::start();
    let mut stack = stack::for_demo(&wishes.folder, wishes.days, wishes.port, wishes.fresh)?;
    say!("{}", welcome(&stack, watch));
    while !signals::stopped() {
        stack.tend()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    say!("\nstopping; the data stays in {}", stack.folder().display());
    drop(stack);
    Ok(())
}

fn wishes(args: &[&str]) -> Result<Wishes, String> {
    let mut wishes = Wishes { days: 30, port: 8080, fresh: false, folder: files::root().join("demo-data") };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = arg.split_once('=').map_or((*arg, None), |(name, value)| (name, Some(value)));
        let mut value = || inline.or_else(|| rest.next().copied()).unwrap_or("");
        let mut number = |least: u16, most: u16| {
            let value = value();
            let number = value.parse().ok().filter(|n| (least..=most).contains(n));
            number.ok_or_else(|| format!("{name} wants a number from {least} to {most}, not `{value}`"))
        };
        match name {
            "--days" => wishes.days = number(0, 300)?.into(),
            "--port" => wishes.port = number(1, u16::MAX)?,
            "--fresh" => wishes.fresh = true,
            "--dir" => wishes.folder = absolute(value())?,
            other => {
                return Err(format!(
                    "`cargo demo` does not know {other}; it takes --days N, --port P, --fresh, --dir D, and \
                     while it runs stop, start, break, mend, list"
                ));
            }
        }
    }
    Ok(wishes)
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() {
        return Err("--dir wants a folder".into());
    }
    std::path::absolute(path).map_err(|e| format!("{path} is no folder: {e}"))
}

/// What a command for a running demo says, and the folder of that demo.
fn addressed<'a>(rest: &[&'a str]) -> Result<(Vec<&'a str>, PathBuf), String> {
    let mut words = rest.to_vec();
    let Some(at) = words.iter().position(|word| *word == "--dir") else {
        return Ok((words, files::root().join("demo-data")));
    };
    let path = words.drain(at..words.len().min(at + 2)).nth(1).unwrap_or("");
    Ok((words, absolute(path)?))
}

/// The folder of the running demo where a command has nothing else to say.
fn folder(rest: &[&str]) -> Result<PathBuf, String> {
    match addressed(rest)? {
        (words, folder) if words.is_empty() => Ok(folder),
        (words, _) => Err(format!("`{}` is not understood here; only --dir D is", words.join(" "))),
    }
}

fn part_of(word: &str) -> Result<Part, String> {
    let part = Part::ALL.into_iter().find(|part| part.name() == word);
    part.ok_or_else(|| format!("there is no `{word}` in the demo; it has edge, hub and plant"))
}

/// Hands a command to the running plant room.
fn plant(words: &[&str], rest: &[&str]) -> Result<(), String> {
    let (own, dir) = addressed(rest)?;
    if claim::holder(&dir).is_none() {
        return Err(format!("no demo runs in {}; start one with `cargo demo`", dir.display()));
    }
    let dir = dir.join(stack::PLANT).display().to_string();
    let mut args = words.to_vec();
    args.extend(own);
    args.extend_from_slice(&["--dir", &dir]);
    shell::show(&shell::command(programs::path("steward-plant"), &args, &files::root()))
}

fn welcome(stack: &Stack, watch: Stopwatch) -> String {
    let folder = stack.folder();
    let dir = if folder == files::root().join("demo-data") {
        String::new()
    } else {
        format!(" --dir {}", quoted(&folder.display().to_string()))
    };
    format!(
        "\n  Steward is running: {} of {} points have values, {watch} after the programs were started.\n\n    \
         address   {}\n    user      {}\n    password  {}\n\n  \
         In another terminal, see what happens when\n    \
         a meter falls silent   cargo demo break meter-chillers silent --for 60s{dir}\n    \
         a pump trips           cargo demo break chw-pump-1 tripped --for 5m{dir}\n    \
         the hub stands still   cargo demo stop hub{dir}, and after a while: cargo demo start hub{dir}\n\n  \
         Ctrl-C stops everything. What was recorded stays in {}; `cargo demo --fresh{dir}` forgets it.",
        stack.points.0,
        stack.points.1,
        stack.url(),
        stack::USER,
        stack.password(),
        folder.display(),
    )
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    if path.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_understood_or_refused_with_a_reason() {
        let all = wishes(&["--days", "7", "--port=9000", "--fresh", "--dir", "/tmp/d"]).unwrap();
        assert_eq!(all, Wishes { days: 7, port: 9000, fresh: true, folder: "/tmp/d".into() });
        assert!(wishes(&["--days"]).unwrap_err().contains("--days wants a number"));
        assert!(wishes(&["--port", "70000"]).is_err());
        assert!(wishes(&["--quick"]).unwrap_err().contains("--quick"));
        assert!(wishes(&["--dir"]).is_err());
    }

    #[test]
    fn a_path_is_one_word_for_the_shell() {
        assert_eq!(quoted("/srv/演示/demo-1"), "/srv/演示/demo-1");
        assert_eq!(quoted("/home/a b/it's"), r"'/home/a b/it'\''s'");
    }

    #[test]
    fn the_folder_may_stand_anywhere_in_a_command() {
        let own = addressed(&["--dir", "/d", "--values"]).unwrap();
        assert_eq!(own, (vec!["--values"], "/d".into()));
        assert_eq!(addressed(&["--for", "60s", "--dir", "/d"]).unwrap(), (vec!["--for", "60s"], "/d".into()));
        assert!(addressed(&["--dir"]).is_err());
        assert!(folder(&["--values", "--dir", "/d"]).unwrap_err().contains("`--values`"));
    }

    #[test]
    fn a_running_demo_is_told_what_to_do_in_words() {
        assert_eq!(part_of("hub"), Ok(Part::Hub));
        assert!(part_of("hob").unwrap_err().contains("edge, hub and plant"));
        assert!(run(&["stop"]).unwrap_err().contains("say which"));
        assert!(run(&["break", "chw-pump-1"]).unwrap_err().contains("cargo demo break"));
        let nobody = ["list", "--dir", "/tmp/no-demo-here"];
        assert!(run(&nobody).unwrap_err().contains("no demo runs in /tmp/no-demo-here"));
    }
}
