//! `cargo xtask simulate`: more worlds of the simulated link than `cargo verify` runs, or one of them again.

use std::ops::Range;

use crate::shell;
use crate::tools;

const SEEDS: u64 = 1_000;

pub fn run(args: &[&str]) -> Result<(), String> {
    let wanted = Wanted::of(args)?;
    tools::need(&[tools::C_COMPILER])?;
    let test = ["test", "--package", "steward-tests", "--test", "sim", "--locked", "--"];
    let mut command = shell::cargo(&test);
    command.args(["--exact", "--nocapture", "as_many_worlds_as_are_wanted"]);
    command.env("STEWARD_SIM_FROM", wanted.seeds.start.to_string());
    command.env("STEWARD_SIM_SEEDS", (wanted.seeds.end - wanted.seeds.start).to_string());
    if wanted.tells {
        command.env("STEWARD_SIM_TELL", "1");
    }
    shell::show(&command)
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    seeds: Range<u64>,
    /// What happens there is told.
    tells: bool,
}

impl Wanted {
    fn of(args: &[&str]) -> Result<Self, String> {
        let (mut from, mut seeds, mut tells) = (0, SEEDS, false);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let text = args.next().ok_or_else(|| format!("{arg} wants a number behind it"))?;
                text.parse::<u64>().map_err(|_| format!("{text} behind {arg} is not a number"))
            };
            match *arg {
                "--from" => from = number()?,
                "--seeds" => seeds = number()?,
                "--tell" => tells = true,
                other => {
                    return Err(format!(
                        "`{other}` is not known here; there are --seeds N, --from S, --tell"
                    ));
                }
            }
        }
        let to = from.checked_add(seeds).ok_or("there are not so many seeds")?;
        Ok(Self { seeds: from..to, tells })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_run_again_by_its_seed() {
        let one = Wanted::of(&["--from", "17", "--seeds", "1", "--tell"]).unwrap();
        assert_eq!(one, Wanted { seeds: 17..18, tells: true });
        assert_eq!(Wanted::of(&[]).unwrap().seeds, 0..SEEDS);
        for wrong in [&["--from"][..], &["--seeds", "many"], &["17"], &["--from", "18446744073709551615"]] {
            assert!(Wanted::of(wrong).is_err(), "{wrong:?}");
        }
    }
}
