//! A capture's file. Lines of text, in the order in which things happened:
//!
//! ```text
//! # steward capture 1
//! # line = pumps
//! # port = /dev/ttyUSB0
//! # framing = rtu                 or tcp
//! # character = 9600 8N1          serial lines only
//! # began = 2026-11-28T05:13:11.123Z
//! 0.000000 > 01 03 0B ED 00 06 57 D5      to the device; seconds since it began
//! 0.031250 < 01 03 0C 43 66 80 00         from the device, as the port handed it over
//! 0.050000 ? 01 03 02 00 01               heard on a line where somebody else asks
//! 0.060000 ! closed                       what happened besides
//! = frequency 49.97                       what a point must read as by here; nothing where it has no value
//! ```
//!
//! Other lines that begin with `#`, and empty ones, are for people.

use std::fmt;
use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use steward_protocols::hex::hex;
use steward_shared::document::Fault;
use steward_shared::profile::Framing;
use steward_shared::time::Timestamp;

const FIRST: &str = "# steward capture 1";

/// Where a capture comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub line: String,
    pub port: String,
    pub framing: Framing,
    /// None where there is no wire of its own: TCP.
    pub character: Option<Character>,
    pub began: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    pub header: Header,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the capture began; what is stated stands where the event before it does.
    pub at: Duration,
    pub what: What,
    /// In the file, from 1.
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Sent(Vec<u8>),
    Received(Vec<u8>),
    Heard(Vec<u8>),
    Note(String),
    /// A point's key, and the value as it was written; none where there is no value.
    Stated {
        key: String,
        value: Option<String>,
    },
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let framing = match self.framing {
            Framing::Tcp => "tcp",
            Framing::Rtu => "rtu",
            Framing::Ascii => "ascii",
        };
        writeln!(f, "{FIRST}\n# line = {}\n# port = {}\n# framing = {framing}", self.line, self.port)?;
        if let Some(character) = self.character {
            writeln!(f, "# character = {character}")?;
        }
        writeln!(f, "# began = {}", self.began)
    }
}

/// An event as a line of the file, without its end.
pub fn line_of(at: Duration, what: &What) -> String {
    let (mark, bytes) = match what {
        What::Sent(bytes) => ('>', bytes),
        What::Received(bytes) => ('<', bytes),
        What::Heard(bytes) => ('?', bytes),
        What::Note(note) => return format!("{} ! {}", seconds(at), note.replace('\n', " ")),
        What::Stated { key, value } => {
            return value.as_ref().map_or_else(|| format!("= {key}"), |value| format!("= {key} {value}"));
        }
    };
    format!("{} {mark} {}", seconds(at), hex(bytes))
}

fn seconds(at: Duration) -> String {
    format!("{}.{:06}", at.as_secs(), at.subsec_micros())
}

impl Capture {
    /// Reads a capture's text; every fault of it comes back.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { name, faults: Vec::new() };
        let capture = reader.read(text);
        match capture {
            Some(capture) if reader.faults.is_empty() => Ok(capture),
            _ => Err(reader.faults),
        }
    }
}

struct Reader<'n> {
    name: &'n str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Option<Capture> {
        if text.lines().next().map(str::trim) != Some(FIRST) {
            self.fault(1, "this is no capture", "a capture begins with \"# steward capture 1\"");
            return None;
        }
        let mut events: Vec<Event> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let before = events.last().map_or(Duration::ZERO, |event| event.at);
            let Some((at, what)) = self.event(line, text, before) else { continue };
            if at < before {
                self.fault(
                    line,
                    "this happened before the line above it",
                    "the lines stand in the order of time",
                );
            }
            events.push(Event { at, what, line });
        }
        let header = self.header(text)?;
        Some(Capture { header, events })
    }

    fn header(&mut self, text: &str) -> Option<Header> {
        let find = |key: &str| {
            let mut entries = text.lines().zip(1..).filter_map(|(line, number)| {
                let (found, value) = line.strip_prefix('#')?.split_once('=')?;
                (found.trim() == key).then_some((value.trim(), number))
            });
            entries.next()
        };
        let framing = match find("framing") {
            Some(("tcp", _)) => Some(Framing::Tcp),
            Some(("rtu", _)) => Some(Framing::Rtu),
            Some(("ascii", _)) => Some(Framing::Ascii),
            other => {
                self.fault(
                    other.map_or(1, |(_, line)| line),
                    "the framing is not told",
                    "write # framing = rtu, ascii or tcp",
                );
                None
            }
        };
        let character = find("character").and_then(|(word, line)| {
            let character = character(word);
            if character.is_none() {
                self.fault(line, "this is no setting of a port", "write it like # character = 9600 8N1");
            }
            character
        });
        let began = find("began").and_then(|(word, line)| {
            let began = word.parse().ok();
            if began.is_none() {
                self.fault(line, "this is no instant", "write it like # began = 2026-11-28T05:13:11Z");
            }
            began
        });
        let word = |key| find(key).map(|(value, _)| value.to_owned()).unwrap_or_default();
        Some(Header {
            line: word("line"),
            port: word("port"),
            framing: framing?,
            character,
            began: began.unwrap_or_default(),
        })
    }

    fn event(&mut self, line: usize, text: &str, before: Duration) -> Option<(Duration, What)> {
        if let Some(stated) = text.strip_prefix('=') {
            let stated = stated.trim();
            let (key, value) = stated.split_once(char::is_whitespace).unwrap_or((stated, ""));
            if key.is_empty() {
                self.fault(line, "no point is named", "write = key value");
                return None;
            }
            let value = Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
            return Some((before, What::Stated { key: key.to_owned(), value }));
        }
        let mut parts = text.splitn(3, char::is_whitespace);
        let (at, mark, rest) = (parts.next()?, parts.next(), parts.next().unwrap_or_default());
        let Some(at) = at.parse::<f64>().ok().and_then(|at| Duration::try_from_secs_f64(at).ok()) else {
            self.fault(
                line,
                format!("\"{at}\" is no time"),
                "write seconds since the beginning, like 0.031250",
            );
            return None;
        };
        let what = match mark {
            Some(">") => What::Sent(self.bytes(line, rest)?),
            Some("<") => What::Received(self.bytes(line, rest)?),
            Some("?") => What::Heard(self.bytes(line, rest)?),
            Some("!") => What::Note(rest.to_owned()),
            _ => {
                self.fault(line, "the direction is not told", "write >, <, ? or ! behind the time");
                return None;
            }
        };
        Some((at, what))
    }

    fn bytes(&mut self, line: usize, text: &str) -> Option<Vec<u8>> {
        let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
        let bytes: Option<Vec<u8>> = text.split_whitespace().map(byte).collect();
        if bytes.as_ref().is_none_or(Vec::is_empty) {
            self.fault(line, "these are no bytes", "write each as two hexadecimal digits, like 01 03 00 6B");
        }
        bytes.filter(|bytes| !bytes.is_empty())
    }

    fn fault(&mut self, line: usize, message: impl Into<String>, way_out: &str) {
        self.faults.push(Fault { line, column: 1, ..Fault::of_file(self.name, message, way_out) });
    }
}

/// `9600 8N1`.
fn character(text: &str) -> Option<Character> {
    let (baud, shape) = text.split_once(' ')?;
    let [data, parity, stop] = *shape.as_bytes() else { return None };
    let parity = match parity {
        b'N' => Parity::None,
        b'E' => Parity::Even,
        b'O' => Parity::Odd,
        _ => return None,
    };
    let (data, stop) = (data.checked_sub(b'0')?, stop.checked_sub(b'0')?);
    let fits = matches!(data, 7 | 8) && matches!(stop, 1 | 2);
    let baud = baud.parse().ok().filter(|baud| *baud > 0)?;
    fits.then(|| Character::new(baud, data, parity, stop))
}

#[cfg(test)]
mod tests {
    use steward_shared::document::listing;

    use super::*;

    const TEXT: &str = include_str!("example.capture");

    #[test]
    fn a_capture_is_written_as_it_is_read() {
        let capture = Capture::parse("a.capture", TEXT).unwrap_or_else(|f| panic!("{}", listing(&f)));
        assert_eq!(capture.events.len(), 5);
        let mut written = capture.header.to_string();
        for event in &capture.events {
            written += &(line_of(event.at, &event.what) + "\n");
        }
        assert_eq!(written, TEXT);
    }

    #[test]
    fn every_fault_of_a_capture_is_told_with_its_line() {
        let broken = TEXT
            .replace("framing = rtu", "framing = udp")
            .replace("9600 8E1", "9600 9X1")
            .replace("02 2B\n", "2 2B\n")
            .replace("0.033000", "0.013000")
            .replace("= level 555", "=")
            .replace("1.500000 !", "soon !");
        let told = listing(&Capture::parse("a.capture", &broken).unwrap_err());
        for wanted in [
            "a.capture:4:1: the framing is not told",
            "a.capture:5:1: this is no setting of a port",
            "a.capture:8:1: these are no bytes",
            "a.capture:10:1: no point is named",
            "a.capture:11:1: \"soon\" is no time",
        ] {
            assert!(told.contains(wanted), "{wanted}\n{told}");
        }
        let told = listing(&Capture::parse("a", &TEXT.replace("0.033000", "0.013000")).unwrap_err());
        assert!(told.contains("a:9:1: this happened before the line above it"), "{told}");
        assert!(listing(&Capture::parse("a", "GIF89a").unwrap_err()).contains("this is no capture"));
    }
}
