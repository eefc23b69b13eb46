//! What a person writes to a running simulator, one order a line. The command reads them from its standard input.

use std::str::FromStr;

use super::breaks::{Break, BreakFault};

#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// The point shows this from now on; the text as it was written, `none` for "no value".
    Set {
        key: String,
        value: String,
    },
    /// The point moves again; without a key all do.
    Free {
        key: Option<String>,
    },
    Break(Break),
    /// Everything that is broken is mended.
    Mend,
    /// What every point shows now.
    Values,
    Help,
    Quit,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    #[error("\"{0}\" is no order; write set key=value, free [key], break FAULT, mend, values, help or quit")]
    Word(String),
    #[error("write set key=value, like set frequency=49.2")]
    Set,
    #[error(transparent)]
    Break(#[from] BreakFault),
}

impl FromStr for Order {
    type Err = OrderFault;

    fn from_str(line: &str) -> Result<Self, OrderFault> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        Ok(match word {
            "set" => {
                let (key, value) = rest.split_once('=').ok_or(OrderFault::Set)?;
                Self::Set { key: key.trim().to_owned(), value: value.trim().to_owned() }
            }
            "free" => Self::Free { key: (!rest.is_empty()).then(|| rest.to_owned()) },
            "break" => Self::Break(rest.parse()?),
            "mend" => Self::Mend,
            "values" => Self::Values,
            "help" | "?" => Self::Help,
            "quit" | "exit" => Self::Quit,
            other => return Err(OrderFault::Word(other.chars().take(40).collect())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_line_and_what_is_none_says_what_would_be() {
        let set = Order::Set { key: "frequency".into(), value: "49.2".into() };
        assert_eq!("set frequency = 49.2\n".parse(), Ok(set));
        assert_eq!("free".parse(), Ok(Order::Free { key: None }));
        assert!(matches!("break late by=2s".parse(), Ok(Order::Break(_))));
        assert!("sett x=1".parse::<Order>().unwrap_err().to_string().contains("write set key=value, free"));
        assert_eq!("set frequency".parse::<Order>(), Err(OrderFault::Set));
        assert!("break".parse::<Order>().is_err());
    }
}
