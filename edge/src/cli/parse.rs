//! From the words of the command line to what is to be done, in the language of the reader: help and faults too.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use super::args::Args;
use super::device::with_minus;
use super::text::{Lang, common, help, values};

/// The command line as it was understood; or the exit code, when everything was said already.
pub fn parse(
    words: Vec<OsString>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Args, Lang), ExitCode> {
    let lang = Lang::of(words.iter().filter_map(|word| word.to_str()), variable);
    match understood(words, lang) {
        Ok(args) => Ok((args, lang)),
        Err(told) if matches!(told.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{}", told.render());
            Err(ExitCode::SUCCESS)
        }
        Err(told) => {
            eprintln!("{}", fault(&told, lang));
            Err(ExitCode::from(2))
        }
    }
}

fn understood(words: Vec<OsString>, lang: Lang) -> Result<Args, clap::Error> {
    let command = match lang {
        Lang::En => Args::command(),
        Lang::Zh => in_chinese(Args::command(), ""),
    };
    let matches = command.try_get_matches_from(with_minus(words))?;
    Args::from_arg_matches(&matches)
}

fn in_chinese(command: Command, name: &str) -> Command {
    let word = |long: &'static str, short: char, action: ArgAction| {
        let text = help::zh("", Some(long)).unwrap_or_default();
        Arg::new(long).short(short).long(long).action(action).help(text).help_heading(help::ZH_OPTIONS)
    };
    let mut command = command
        .mut_args(|arg| {
            let heading = if arg.is_positional() { help::ZH_ARGUMENTS } else { help::ZH_OPTIONS };
            let text = help::zh(name, Some(arg.get_id().as_str())).unwrap_or_default();
            let arg = arg.help(text).long_help(None::<&str>).help_heading(heading);
            let has_default = !arg.get_default_values().is_empty();
            if has_default { arg.hide_default_value(true) } else { arg }
        })
        .about(help::zh(name, None).unwrap_or_default())
        .long_about(None::<&str>)
        .help_template(help::ZH_TEMPLATE)
        .subcommand_help_heading(help::ZH_COMMANDS)
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .arg(word("help", 'h', ArgAction::Help));
    if name.is_empty() {
        command = command.disable_version_flag(true).arg(word("version", 'V', ArgAction::Version));
    }
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for sub in names {
        command = command.mut_subcommand(sub.clone(), |command| in_chinese(command, &sub));
    }
    command
}

/// What is wrong with the command line. English readers get clap's own words.
fn fault(told: &clap::Error, lang: Lang) -> String {
    if lang == Lang::En {
        return told.render().to_string().trim_end().to_owned();
    }
    let context = |kind| match told.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        _ => String::new(),
    };
    let (word, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let what = match told.kind() {
        ErrorKind::UnknownArgument => help::unknown_word(lang, &word),
        ErrorKind::InvalidSubcommand => help::unknown_word(lang, &context(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => help::no_value(lang, &word),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match reason(told, lang) {
            Some(why) => help::wrong_value_because(lang, &word, &value, &why),
            None => help::wrong_value(lang, &word, &value),
        },
        ErrorKind::ArgumentConflict => help::conflict(lang, &word, &context(ContextKind::PriorArg)),
        ErrorKind::MissingRequiredArgument => help::missing(lang, &word),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            help::no_command(lang)
        }
        _ => help::malformed(lang),
    };
    format!("{}\n{}", common::error(lang, &what), help::see_help(lang))
}

/// Why a value is not taken: what may be chosen, or what its reader says.
fn reason(told: &clap::Error, lang: Lang) -> Option<String> {
    match told.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) if !words.is_empty() => {
            Some(help::one_of(lang, &words.join(lang.pick("、", ", "))))
        }
        _ => told.source().and_then(values::zh),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        std::iter::once("steward-edge").chain(words.iter().copied()).map(OsString::from).collect()
    }

    fn told(given: &[&str], lang: Lang) -> String {
        let error = understood(words(given), lang).unwrap_err();
        if error.use_stderr() { fault(&error, lang) } else { error.render().to_string() }
    }

    #[test]
    fn every_command_and_word_is_explained_in_chinese_too() {
        fn look(command: &Command, name: &str, missing: &mut Vec<String>) {
            if help::zh(name, None).is_none() {
                missing.push(name.to_owned());
            }
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                if help::zh(name, Some(id)).is_none() {
                    missing.push(format!("{name}.{id}"));
                }
                assert!(arg.get_help().is_some(), "{name}.{id} is not explained in English");
            }
            for sub in command.get_subcommands() {
                look(sub, sub.get_name(), missing);
            }
        }
        let mut missing = Vec::new();
        look(&Args::command(), "", &mut missing);
        assert!(missing.is_empty(), "text/help.rs lacks {missing:?}");
        in_chinese(Args::command(), "").debug_assert();
    }

    #[test]
    fn a_shown_value_below_zero_is_no_option() {
        for given in [["orders", "-5.5°C", "--words", "FFC9"], ["orders", "--words", "FFC9", "-5.5°C"]] {
            assert!(understood(words(&given), Lang::En).is_ok(), "{given:?}");
        }
        assert!(understood(words(&["orders", "-x"]), Lang::En).is_err());
    }

    #[test]
    fn help_is_in_the_language_of_the_reader() {
        let zh = told(&["check", "--help"], Lang::Zh);
        assert!(zh.contains("用法：") && zh.contains("选项:") && zh.contains("网关文件"), "{zh}");
        for english in ["Usage", "Options", "Print", "The gateway"] {
            assert!(!zh.contains(english), "{english} in\n{zh}");
        }
        let whole = told(&["--help"], Lang::Zh);
        assert!(
            whole.contains("命令:") && whole.contains("登记本网关") && !whole.contains("Poll"),
            "{whole}"
        );
        assert!(told(&["check", "--help"], Lang::En).contains("The gateway's file"));
    }

    #[test]
    fn a_wrong_command_line_is_told_in_the_language_of_the_reader() {
        for (given, wanted) in [
            (["chekc"].as_slice(), "不认识“chekc”"),
            (&["check", "--bogus"], "不认识“--bogus”"),
            (&["check", "a.toml", "--config", "b.toml"], "不能一起写"),
            (&["enrol"], "缺少 <CODE>"),
            (&["check", "--lang", "fr"], "“fr”不对"),
            (&[], "没有写命令"),
            (&["check", "--lang", "fr"], "可以写 zh、en"),
            (&["write", "a/b", "1", "--for", "5"], "“5”不对：这不是时间；可以写 500ms、60s、5min 或 2h"),
            (&["write", "a/b", "1", "--for"], "--for <TIME> 后面没有写值"),
            (&["write", "a/b", "1", "--priority", "17"], "要在 1 到 16 之间"),
            (&["read", "--line", "x", "--address", "x"], "要写整数"),
            (&["read", "--line", "x", "--table", "coils"], "可以写 coil、discrete、holding、input"),
            (&["scan", "--line", "x", "--addresses", "300"], "这不是地址；可以写 1-32,100"),
            (&["scan", "--bacnet", "x"], "要写 IP 地址和端口"),
            (&["scan", "--bacnet", "--range", "9-1"], "实例号的范围"),
            (&["explain", "a/b", "--at", "yesterday"], "这不是时刻"),
            (&["ledger", "confirm", "a/b", "--start", "x"], "要写数字"),
            (
                &["simulate", "a/b", "--break", "late by=2parsec"],
                "“by=2parsec”不是故障的选项；可以写 share=0.5",
            ),
            (&["simulate", "a/b", "--break", "sleepy"], "没有“sleepy”这种设备故障；可以写 silent、late"),
        ] {
            let said = told(given, Lang::Zh);
            assert!(said.contains(wanted) && said.contains("--help"), "{given:?}: {said}");
        }
        assert!(told(&["chekc"], Lang::En).contains("unrecognized subcommand"));
    }
}
