//! What several commands of the bench share: how a serial line is set, how a time is written, how an end is heard.

use std::time::Duration;

use clap::ValueEnum;
use steward_protocols::character::{Character, Parity};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SerialWords {
    /// Speed of the serial line.
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(300..=921_600))]
    baud: u32,
    /// Its parity; none when nothing is said.
    #[arg(long, value_enum, value_name = "none|even|odd", hide_possible_values = true)]
    parity: Option<ParityWord>,
    /// Its data bits; 7 for ASCII when nothing is said, else 8.
    #[arg(long, value_parser = clap::value_parser!(u8).range(7..=8))]
    data_bits: Option<u8>,
    /// Its stop bits.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    stop_bits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParityWord {
    None,
    Even,
    Odd,
}

impl SerialWords {
    pub const fn character(self) -> Character {
        self.character_for(false)
    }

    /// The same where characters of ASCII frames have seven bits and a parity.
    pub const fn character_for(self, ascii: bool) -> Character {
        let parity = match self.parity {
            Some(ParityWord::Even) => Parity::Even,
            Some(ParityWord::Odd) => Parity::Odd,
            None if ascii => Parity::Even,
            Some(ParityWord::None) | None => Parity::None,
        };
        let data_bits = match self.data_bits {
            Some(bits) => bits,
            None if ascii => 7,
            None => 8,
        };
        Character::new(self.baud, data_bits, parity, self.stop_bits)
    }
}

/// Why the value of a word is not taken. The Chinese stands in `text/values.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("this is no time; write it like 500ms, 60s, 5min or 2h")]
    Time,
    #[error("this is no range of instance numbers; write it like 1000-1999")]
    Instances,
    #[error("these are no addresses; write them like 1-32,100")]
    Addresses,
    #[error("this is no port of a host; write 1 … 65535 behind the colon, like 10.0.0.20:502")]
    Port,
    #[error("this is no host; a serial port is named by its path, like /dev/ttyUSB0 or /dev/ttyS0")]
    SerialPort,
}

/// A time like 60s, 500ms, 5min, 2h.
pub fn duration(text: &str) -> Result<Duration, Unfit> {
    crate::lab::duration(text).ok_or(Unfit::Time)
}

/// Waits for SIGINT or SIGTERM.
pub async fn interrupted() -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    // Either ends it.
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        serial: SerialWords,
    }

    #[test]
    fn a_line_may_have_seven_data_bits_whatever_stands_on_it() {
        let said = |words: &[&str], ascii| {
            let words = Words::try_parse_from([&["x"], words].concat()).map_err(|e| e.to_string())?;
            Ok::<_, String>(words.serial.character_for(ascii).to_string())
        };
        let mode_c = said(&["--baud", "300", "--parity", "even", "--data-bits", "7"], false);
        assert_eq!(mode_c.as_deref(), Ok("300 7E1"));
        assert_eq!(said(&[], false).as_deref(), Ok("9600 8N1"));
        assert_eq!(said(&[], true).as_deref(), Ok("9600 7E1"));
        assert_eq!(said(&["--data-bits", "8"], true).as_deref(), Ok("9600 8E1"));
        assert!(said(&["--data-bits", "5"], false).is_err());
    }
}
