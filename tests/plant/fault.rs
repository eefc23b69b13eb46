//! What can be broken on command: in the room, at an instrument, on the wire. Each is visible in the data.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The sensors' values stay where they are.
    Stuck,
    /// The counters stay where they are, the rest goes on.
    Frozen,
    /// Gauges jump about by a fifth of their value.
    Noisy,
    /// The machine has tripped: it stands, and the room follows.
    Tripped,
    /// The device does not answer.
    Silent,
    /// This share of the answers has a wrong check sum (RTU), or a wrong number of the request (TCP, which has none).
    WrongCrc { share: f64 },
    /// Answers come this much later than they should.
    Late { by_ms: u64 },
    /// This share of the answers ends early.
    Short { share: f64 },
    /// This share of the answers carries another unit id.
    Foreign { share: f64 },
    /// This share of the answers announces another byte count than it has.
    Lie { share: f64 },
    /// Every request is refused with this exception code.
    Exception { code: u8 },
    /// The line itself: port gone, connection refused.
    Unplugged,
    /// Bytes that nobody asked for come on the line.
    Babble,
}

/// The words for the command line, with what each option means there.
pub const WORDS: [&str; 13] = [
    "stuck",
    "frozen",
    "noisy",
    "tripped",
    "silent",
    "wrong-crc",
    "late",
    "short",
    "foreign",
    "lie",
    "exception",
    "unplugged",
    "babble",
];

/// The numbers that a fault may take.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub share: f64,
    pub by: Duration,
    pub code: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { share: 1.0, by: Duration::from_millis(1500), code: 4 }
    }
}

impl Fault {
    pub fn from_word(word: &str, options: Options) -> Result<Self, UnknownFault> {
        let share = options.share.clamp(0.0, 1.0);
        Ok(match word {
            "stuck" => Self::Stuck,
            "frozen" => Self::Frozen,
            "noisy" => Self::Noisy,
            "tripped" => Self::Tripped,
            "silent" => Self::Silent,
            "wrong-crc" => Self::WrongCrc { share },
            "late" => Self::Late { by_ms: u64::try_from(options.by.as_millis()).unwrap_or(u64::MAX) },
            "short" => Self::Short { share },
            "foreign" => Self::Foreign { share },
            "lie" => Self::Lie { share },
            "exception" => Self::Exception { code: options.code },
            "unplugged" => Self::Unplugged,
            "babble" => Self::Babble,
            other => return Err(UnknownFault(other.chars().take(40).collect())),
        })
    }

    /// Whether it happens to a line and not to one device on it.
    pub const fn is_of_a_line(self) -> bool {
        matches!(self, Self::Unplugged | Self::Babble)
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        Self::from_word(word, Options::default())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuck => f.write_str("stuck"),
            Self::Frozen => f.write_str("frozen counters"),
            Self::Noisy => f.write_str("noisy"),
            Self::Tripped => f.write_str("tripped"),
            Self::Silent => f.write_str("silent"),
            Self::WrongCrc { share } => write!(f, "wrong check sum in {:.0} % of its answers", share * 100.0),
            Self::Late { by_ms } => write!(f, "answers {by_ms} ms late"),
            Self::Short { share } => write!(f, "cuts {:.0} % of its answers short", share * 100.0),
            Self::Foreign { share } => write!(f, "foreign unit id in {:.0} % of its answers", share * 100.0),
            Self::Lie { share } => write!(f, "false byte count in {:.0} % of its answers", share * 100.0),
            Self::Exception { code } => write!(f, "refuses with exception {code}"),
            Self::Unplugged => f.write_str("unplugged"),
            Self::Babble => f.write_str("babbles"),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no fault of this plant; there are: {list}", list = WORDS.join(", "))]
pub struct UnknownFault(pub String);

/// One thing that is broken now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Break {
    /// Name of the device or of the line.
    pub at: String,
    #[serde(flatten)]
    pub fault: Fault,
    /// When it broke, milliseconds since 1970.
    pub since_ms: i64,
    /// When it mends itself.
    pub until_ms: Option<i64>,
}

impl Break {
    pub fn holds(&self, now_ms: i64) -> bool {
        self.until_ms.is_none_or(|until| now_ms < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_fault_and_another_is_refused_with_the_list() {
        for word in WORDS {
            assert!(word.parse::<Fault>().is_ok(), "{word}");
        }
        let refusal = "on-fire".parse::<Fault>().unwrap_err().to_string();
        assert!(refusal.contains("\"on-fire\"") && refusal.contains("wrong-crc"), "{refusal}");
    }

    #[test]
    fn a_break_ends_by_itself() {
        let b = Break { at: "x".into(), fault: Fault::Silent, since_ms: 0, until_ms: Some(10) };
        assert!(b.holds(9) && !b.holds(10));
        let text = serde_json::to_string(&b).unwrap();
        assert_eq!(serde_json::from_str::<Break>(&text).unwrap(), b);
    }
}
