//! `cargo demo`: from a fresh clone to a page with live values, in one command. It keeps its data in `demo-data/`.

use std::time::Duration;

use crate::console;
use crate::files;
use crate::programs;
use crate::report::step;
use crate::signals;
use crate::stack::{self, Stack};
use crate::stopwatch::Stopwatch;
use crate::tools;

#[derive(Debug, PartialEq, Eq)]
struct Wishes {
    days: u32,
    port: u16,
    fresh: bool,
}

pub fn run(args: &[&str]) -> Result<(), String> {
    let wishes = wishes(args)?;
    step("tools", || tools::need(&[tools::C_COMPILER, tools::NODE]))?;
    step("console", console::build)?;
    step("programs", programs::build)?;
    let folder = files::root().join("demo-data");
    if wishes.fresh {
        files::remove_folder(&folder)?;
    }
    let watch = Stopwatch::start();
    let mut stack = stack::for_demo(&folder, wishes.days, wishes.port)?;
    println!("{}", welcome(&stack, watch));
    while !signals::stopped() {
        stack.check()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("\nstopping; the data stays in demo-data/");
    drop(stack);
    Ok(())
}

fn wishes(args: &[&str]) -> Result<Wishes, String> {
    let mut wishes = Wishes { days: 30, port: 8080, fresh: false };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = arg.split_once('=').map_or((*arg, None), |(name, value)| (name, Some(value)));
        let mut number = |least: u16, most: u16| {
            let value = inline.or_else(|| rest.next().copied()).unwrap_or("");
            let number = value.parse().ok().filter(|n| (least..=most).contains(n));
            number.ok_or_else(|| format!("{name} wants a number from {least} to {most}, not `{value}`"))
        };
        match name {
            "--days" => wishes.days = number(0, 400)?.into(),
            "--port" => wishes.port = number(1, u16::MAX)?,
            "--fresh" => wishes.fresh = true,
            other => {
                return Err(format!(
                    "`cargo demo` does not know {other}; it takes --days N, --port P, --fresh"
                ));
            }
        }
    }
    Ok(wishes)
}

fn welcome(stack: &Stack, watch: Stopwatch) -> String {
    format!(
        "\n  Steward is running: {} points have values, {watch} after the programs were started.\n\n    \
         address   {}\n    user      {}\n    password  {}\n\n  \
         Ctrl-C stops everything. What was recorded stays in demo-data/; `cargo demo --fresh` forgets it.",
        stack.points,
        stack.url(),
        stack::USER,
        stack.password(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_understood_or_refused_with_a_reason() {
        let all = wishes(&["--days", "7", "--port=9000", "--fresh"]).unwrap();
        assert_eq!(all, Wishes { days: 7, port: 9000, fresh: true });
        assert!(wishes(&["--days"]).unwrap_err().contains("--days wants a number"));
        assert!(wishes(&["--port", "70000"]).is_err());
        assert!(wishes(&["--quick"]).unwrap_err().contains("--quick"));
    }
}
