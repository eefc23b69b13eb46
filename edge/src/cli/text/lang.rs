//! In which language the program speaks, and how a sentence is written down: `texts!` makes a function of each, and one
//! without both languages does not compile. Programs read `--json`, whose words are the same in every language.

use clap::ValueEnum;

use crate::chinese::chinese;

/// A language that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// 中文
    Zh,
    /// English
    #[default]
    En,
}

/// What was told in English far from the reader, in his language.
pub fn told(lang: Lang, told: &str) -> String {
    match lang {
        Lang::Zh => chinese(told),
        Lang::En => told.to_owned(),
    }
}

impl Lang {
    /// What `--lang` says among the words of the command line, else what the environment says. Read before the command
    /// line is, for its help and its faults are told in the language too.
    pub fn of<'w>(
        words: impl IntoIterator<Item = &'w str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let given = match word.strip_prefix("--lang") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('='),
                None => continue,
            };
            if let Some(lang) = given.and_then(|given| Self::from_str(given, true).ok()) {
                return lang;
            }
        }
        // The first that is set decides (POSIX.1-2024, XBD 8.2).
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|v| !v.is_empty());
        if set.is_some_and(|v| v.to_ascii_lowercase().starts_with("zh")) { Self::Zh } else { Self::En }
    }

    /// One of two, by the language.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// Sentences: `name(argument: Type) zh("…") en("…")`, both as `format!` takes them.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),* $(,)?) zh($($zh:tt)*) en($($en:tt)*))*) => {$(
        $(#[$doc])*
        pub fn $name(lang: $crate::cli::text::Lang $(, $argument: $kind)*) -> String {
            match lang {
                $crate::cli::text::Lang::Zh => format!($($zh)*),
                $crate::cli::text::Lang::En => format!($($en)*),
            }
        }
    )*};
}
pub(super) use texts;

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(words: &[&str], variables: &[(&str, &str)]) -> Lang {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Lang::of(words.iter().copied(), variable)
    }

    #[test]
    fn the_command_line_decides_then_the_environment_in_its_order() {
        assert_eq!(lang(&["check"], &[]), Lang::En);
        assert_eq!(lang(&["check"], &[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(lang(&["check"], &[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(lang(&["check"], &[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        for words in [["--lang", "zh"].as_slice(), &["check", "--lang=zh"], &["check", "--lang", "ZH"]] {
            assert_eq!(lang(words, &[("LANG", "en_US")]), Lang::Zh, "{words:?}");
        }
        assert_eq!(
            lang(&["--lang", "fr"], &[("LANG", "zh_CN")]),
            Lang::Zh,
            "the command line's fault is told so"
        );
    }
}
