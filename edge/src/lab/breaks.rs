//! What can be broken at a simulated device, as a person writes it: `late by=200ms for=1min`. The device asks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The words, in the order in which they are offered.
pub const WORDS: [&str; 10] = [
    "silent",
    "late",
    "exception",
    "wrong-crc",
    "cut",
    "foreign",
    "false-count",
    "two-answers",
    "reboot",
    "rollover",
];

/// What is wrong with the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It does not answer.
    Silent,
    /// It answers so much later than it should.
    Late(Duration),
    /// It refuses everything with this code.
    Exception(u8),
    /// The check sum is wrong; over TCP the request's number is.
    WrongCrc,
    /// Its answers end early.
    Cut,
    /// Its answers bear another unit.
    Foreign,
    /// Its answers announce another byte count than they have.
    FalseCount,
    /// A second device with its address answers as well, so much later.
    TwoAnswers(Duration),
    /// It is silent, then busy (exception 6), then counts its running time from zero.
    Reboot,
    /// Its counters are about to start over: they reach their end within ten seconds.
    Rollover,
}

/// A fault with how often and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Break {
    pub fault: Fault,
    /// Share of the answers that it befalls, 0.0 to 1.0.
    pub share: f64,
    /// Until it mends itself; none where it stays.
    pub lasts: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakFault {
    #[error("\"{0}\" is no fault of a device; there are: {words}", words = WORDS.join(", "))]
    Word(String),
    #[error("\"{0}\" is no option of a fault; write share=0.5, by=200ms, code=4 or for=30s")]
    Option(String),
    #[error("the fault is not named; begin with one of: {words}", words = WORDS.join(", "))]
    Empty,
}

/// A reboot takes so long unless something else is said.
const REBOOT: Duration = Duration::from_secs(6);

impl FromStr for Break {
    type Err = BreakFault;

    fn from_str(text: &str) -> Result<Self, BreakFault> {
        let mut parts = text.split([' ', ',']).filter(|part| !part.is_empty());
        let word = parts.next().ok_or(BreakFault::Empty)?;
        let (mut share, mut by, mut code, mut lasts) = (1.0, None, 4, None);
        for part in parts {
            let wrong = || BreakFault::Option(part.chars().take(40).collect());
            match part.split_once('=').ok_or_else(wrong)? {
                ("share", n) => {
                    share = n.parse().ok().filter(|s| (0.0..=1.0).contains(s)).ok_or_else(wrong)?;
                }
                ("by", time) => by = Some(duration(time).ok_or_else(wrong)?),
                ("code", n) => code = n.parse().ok().filter(|c| (1..=127).contains(c)).ok_or_else(wrong)?,
                ("for", time) => lasts = Some(duration(time).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        let fault = match word {
            "silent" => Fault::Silent,
            "late" => Fault::Late(by.unwrap_or(Duration::from_millis(1500))),
            "exception" => Fault::Exception(code),
            "wrong-crc" => Fault::WrongCrc,
            "cut" => Fault::Cut,
            "foreign" => Fault::Foreign,
            "false-count" => Fault::FalseCount,
            "two-answers" => Fault::TwoAnswers(by.unwrap_or(Duration::from_millis(4))),
            "reboot" => {
                lasts = lasts.or(Some(REBOOT));
                Fault::Reboot
            }
            "rollover" => Fault::Rollover,
            other => return Err(BreakFault::Word(other.chars().take(40).collect())),
        };
        Ok(Self { fault, share, lasts })
    }
}

/// As it would be written.
impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Silent => f.write_str("silent"),
            Fault::Late(by) => write!(f, "late by={}ms", by.as_millis()),
            Fault::Exception(code) => write!(f, "exception code={code}"),
            Fault::WrongCrc => f.write_str("wrong-crc"),
            Fault::Cut => f.write_str("cut"),
            Fault::Foreign => f.write_str("foreign"),
            Fault::FalseCount => f.write_str("false-count"),
            Fault::TwoAnswers(by) => write!(f, "two-answers by={}ms", by.as_millis()),
            Fault::Reboot => f.write_str("reboot"),
            Fault::Rollover => f.write_str("rollover"),
        }?;
        if self.share < 1.0 {
            write!(f, " share={}", self.share)?;
        }
        self.lasts.map_or(Ok(()), |lasts| write!(f, " for={}s", lasts.as_secs_f64()))
    }
}

/// A time like 60s, 500ms, 5min, 2h.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let n: u32 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(n.into())),
        "s" => Some(Duration::from_secs(n.into())),
        "m" | "min" => Some(Duration::from_secs(u64::from(n) * 60)),
        "h" => Some(Duration::from_secs(u64::from(n) * 3600)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_written_as_it_is_read() {
        for text in [
            "silent",
            "late by=200ms share=0.5",
            "exception code=2 for=30s",
            "two-answers by=3ms",
            "reboot for=6s",
            "rollover",
        ] {
            assert_eq!(text.parse::<Break>().unwrap().to_string(), text);
        }
        assert_eq!("late,by=2s".parse::<Break>().unwrap().fault, Fault::Late(Duration::from_secs(2)));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_is_one() {
        let refused = |text: &str| text.parse::<Break>().unwrap_err().to_string();
        assert!(refused("slient").contains("\"slient\" is no fault of a device; there are: silent, late"));
        for text in
            ["late by=2", "late by=fast", "cut share=1.5", "exception code=0", "cut often", "late to=2s"]
        {
            assert!(refused(text).contains("is no option of a fault"), "{text}");
        }
        assert!(refused("  ").contains("the fault is not named"));
    }
}
