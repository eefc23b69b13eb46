//! From a node to a value, with the words to say when it is none.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Faults;
use super::tree::{Kind, Node};

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub message: String,
    pub way_out: String,
}

impl Wrong {
    pub fn new(message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { message: message.into(), way_out: way_out.into() }
    }
}

/// A value that a document can hold.
pub trait FromNode: Sized {
    /// What such a value looks like, for "add key = …".
    const EXAMPLE: &'static str;

    fn from_node(node: &Node) -> Result<Self, Wrong>;

    fn read(node: &Node, path: &str, faults: &Faults) -> Option<Self> {
        match Self::from_node(node) {
            Ok(value) => Some(value),
            Err(wrong) => {
                faults.put(&node.place, path, wrong.message, wrong.way_out);
                None
            }
        }
    }
}

fn wanted(node: &Node, what: &str, example: &str) -> Wrong {
    Wrong::new(format!("{what} is wanted here, this is {}", node.what()), format!("write it like {example}"))
}

impl FromNode for String {
    const EXAMPLE: &'static str = "\"…\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match &node.kind {
            Kind::Text(text) => Ok(text.clone()),
            _ => Err(wanted(node, "a text", "\"…\", in quotes")),
        }
    }
}

impl FromNode for bool {
    const EXAMPLE: &'static str = "true";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match node.kind {
            Kind::Flag(flag) => Ok(flag),
            _ => Err(wanted(node, "true or false", "true, without quotes")),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl FromNode for $number {
            const EXAMPLE: &'static str = "1";

            fn from_node(node: &Node) -> Result<Self, Wrong> {
                let Kind::Integer(i) = node.kind else {
                    return Err(wanted(node, "a whole number", "12, without quotes"));
                };
                Self::try_from(i).map_err(|_| {
                    Wrong::new(
                        format!("{i} is out of range"),
                        format!("write a whole number from {} to {}", Self::MIN, Self::MAX),
                    )
                })
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64);

impl FromNode for f64 {
    const EXAMPLE: &'static str = "1.0";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match node.kind {
            Kind::Float(f, _) if f.is_finite() => Ok(f),
            Kind::Float(..) => Err(Wrong::new("this is no finite number", "write it like 1.5")),
            Kind::Integer(i) => Ok(i as f64),
            _ => Err(wanted(node, "a number", "1.5, without quotes")),
        }
    }
}

impl FromNode for Duration {
    const EXAMPLE: &'static str = "\"10s\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let way_out = "write a number and ms, s, min, h or d, like \"500ms\" or \"10s\"";
        let Kind::Text(text) = &node.kind else {
            return Err(Wrong::new(format!("a duration is wanted here, this is {}", node.what()), way_out));
        };
        let (number, unit) = split_number(text);
        let unit_ms = match unit {
            "us" => 0.001,
            "ms" => 1.0,
            "s" => 1_000.0,
            "min" | "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return Err(Wrong::new(format!("\"{text}\" is no duration"), way_out)),
        };
        let ms =
            number.parse::<f64>().map_err(|_| Wrong::new(format!("\"{text}\" is no duration"), way_out))?;
        Self::try_from_secs_f64((ms * unit_ms * 1000.0).round() / 1e6)
            .map_err(|_| Wrong::new(format!("\"{text}\" is too long"), way_out))
    }
}

/// A number of bytes, written `512MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl FromNode for ByteSize {
    const EXAMPLE: &'static str = "\"512MiB\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let way_out = "write a whole number and B, KiB, MiB, GiB, kB, MB or GB, like \"512MiB\"";
        let Kind::Text(text) = &node.kind else {
            return Err(Wrong::new(format!("a size is wanted here, this is {}", node.what()), way_out));
        };
        let (number, unit) = split_number(text);
        let factor: u64 = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(Wrong::new(format!("\"{text}\" is no size"), way_out)),
        };
        let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| Wrong::new(format!("\"{text}\" is no size"), way_out))
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

impl FromNode for SocketAddr {
    const EXAMPLE: &'static str = "\"127.0.0.1:8080\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        text.parse().map_err(|_| {
            Wrong::new(
                format!("\"{text}\" is no address to listen on"),
                "write IP address and port, like \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"",
            )
        })
    }
}

/// A host name or address with its port, to connect to: `hub.example:7443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromNode for HostPort {
    const EXAMPLE: &'static str = "\"hub.example:7443\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let parts = text.rsplit_once(':').and_then(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let port = port.parse::<u16>().ok().filter(|p| *p > 0)?;
            let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
            (!host.is_empty() && host.chars().all(known)).then(|| Self { host: host.to_owned(), port })
        });
        parts.ok_or_else(|| {
            Wrong::new(
                format!("\"{text}\" is no host with a port"),
                "write it like \"hub.example:7443\" or \"10.0.0.5:7443\"",
            )
        })
    }
}

impl FromNode for PathBuf {
    const EXAMPLE: &'static str = "\"/var/lib/…\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        if text.is_empty() {
            return Err(Wrong::new("the path is empty", "name a file or folder"));
        }
        Ok(Self::from(text))
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    const EXAMPLE: &'static str = "[…]";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match &node.kind {
            Kind::List(nodes) => nodes.iter().map(T::from_node).collect(),
            _ => Err(wanted(node, "a list", "[…, …]")),
        }
    }

    /// Tells every wrong element, not only the first.
    fn read(node: &Node, path: &str, faults: &Faults) -> Option<Self> {
        let Kind::List(nodes) = &node.kind else {
            let wrong = wanted(node, "a list", "[…, …]");
            faults.put(&node.place, path, wrong.message, wrong.way_out);
            return None;
        };
        let read: Vec<_> =
            nodes.iter().enumerate().map(|(i, n)| T::read(n, &format!("{path}[{i}]"), faults)).collect();
        read.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;

    fn read<T: FromNode>(text: &str) -> Result<T, String> {
        let document = Document::parse("t.toml", &format!("v = {text}\n")).unwrap();
        document.read(|t| t.required("v")).map_err(|faults| super::super::listing(&faults))
    }

    #[test]
    fn durations_and_sizes_carry_their_units() {
        assert_eq!(read::<Duration>("\"500ms\"").unwrap(), Duration::from_millis(500));
        assert_eq!(read::<Duration>("\"1.75ms\"").unwrap(), Duration::from_micros(1750));
        assert_eq!(read::<Duration>("\"7d\"").unwrap(), Duration::from_hours(7 * 24));
        assert_eq!(read::<Duration>("\"15 min\"").unwrap(), Duration::from_mins(15));
        assert_eq!(read::<ByteSize>("\"512MiB\"").unwrap(), ByteSize(512 << 20));
        assert!(read::<Duration>("10").unwrap_err().contains("like \"500ms\""));
        assert!(read::<Duration>("\"10\"").unwrap_err().contains("is no duration"));
        assert!(read::<Duration>("\"-1s\"").is_err());
        assert!(read::<ByteSize>("\"99999999999GiB\"").unwrap_err().contains("is no size"));
    }

    #[test]
    fn a_number_out_of_range_says_the_range() {
        let told = read::<u8>("300").unwrap_err();
        assert_eq!(told, "t.toml:1:5: v: 300 is out of range; write a whole number from 0 to 255");
        assert!(read::<u16>("\"3\"").unwrap_err().contains("without quotes"));
        assert!(read::<f64>("nan").is_err());
    }

    #[test]
    fn every_wrong_element_of_a_list_is_told() {
        let told = read::<Vec<u8>>("[1, \"two\", 3, 400]").unwrap_err();
        assert!(told.contains("v[1]") && told.contains("v[3]"), "{told}");
    }

    #[test]
    fn addresses_are_checked_when_they_are_read() {
        assert!(read::<SocketAddr>("\"localhost\"").unwrap_err().contains("127.0.0.1:8080"));
        assert_eq!(read::<HostPort>("\"hub:7443\"").unwrap().to_string(), "hub:7443");
        assert_eq!(read::<HostPort>("\"[::1]:7443\"").unwrap().host, "::1");
        assert!(read::<HostPort>("\"hub\"").is_err());
        assert!(read::<HostPort>("\"hub:0\"").is_err());
        assert!(read::<HostPort>("\"https://hub:1\"").is_err());
    }
}
