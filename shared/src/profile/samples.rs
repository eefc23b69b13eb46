//! The sample frames of a profile, as its file writes them: bytes in hexadecimal (messages of MQTT as the texts that they
//! are), values by point.

use super::definition::{Framing, Language, SampleFrame, SampleValue};
use super::mqtt::TopicPattern;
use crate::document::{FromNode, Kind, Node, Table as Fields, Wrong};

/// `keys` are those of all points, also of such as have faults of their own.
pub(super) fn frames(root: &Fields<'_>, language: &Language, keys: &[String]) -> Vec<SampleFrame> {
    root.tables("frame").iter().filter_map(|fields| frame(fields, language, keys)).collect()
}

fn frame(fields: &Fields<'_>, language: &Language, keys: &[String]) -> Option<SampleFrame> {
    let source = fields.required::<String>("source");
    let made = fields.or("made", false);
    let framing = match language {
        Language::Modbus(_) => {
            let framings = [("rtu", Framing::Rtu), ("ascii", Framing::Ascii), ("tcp", Framing::Tcp)];
            fields.word("framing", &framings)
        }
        // Datagrams have no other form.
        Language::Bacnet(_) => Some(Framing::Tcp),
        _ => Some(Framing::Rtu),
    };
    let (request, response) = match language {
        // What came and under which topic, as people write it.
        Language::Mqtt(_) => {
            let topic = fields.or("topic", TopicPattern::default());
            let payload = fields.required::<String>("payload");
            (Some(topic.as_str().as_bytes().to_vec()), payload.map(String::into_bytes))
        }
        _ => (fields.required("request").map(|Bytes(b)| b), fields.required("response").map(|Bytes(b)| b)),
    };
    let table = fields.table("values");
    let values: Vec<(String, SampleValue)> = table.as_ref().map(Fields::entries).unwrap_or_default();
    if let Some(table) = &table {
        for (key, _) in values.iter().filter(|(key, _)| !keys.contains(key)) {
            let way_out = crate::document::nearest(key, keys.iter().map(String::as_str))
                .map_or_else(|| "name a point of this profile".to_owned(), |k| format!("did you mean {k}?"));
            table.fault(key, format!("there is no measured point {key}"), way_out);
        }
        if values.is_empty() {
            table.fault_here("a sample frame without values tests nothing", "add point = value");
        }
    }
    let spot = fields.spot_here();
    let (source, framing, request, response) = (source?, framing?, request?, response?);
    Some(SampleFrame { source, made, framing, request, response, values, spot })
}

/// Bytes as `"01 03 00 6B"`.
struct Bytes(Vec<u8>);

impl FromNode for Bytes {
    const EXAMPLE: &'static str = "\"01 03 02 00 6B F8 6B\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let wrong = |part: &str| {
            Wrong::new(
                format!("\"{part}\" is no byte"),
                "write bytes as two hexadecimal digits, like \"01 03 00 6B\"",
            )
        };
        let bytes = text
            .split_whitespace()
            .map(|part| {
                u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2).ok_or_else(|| wrong(part))
            })
            .collect::<Result<Vec<u8>, Wrong>>()?;
        if bytes.is_empty() { Err(wrong("")) } else { Ok(Self(bytes)) }
    }
}

impl FromNode for SampleValue {
    const EXAMPLE: &'static str = "1.0";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match &node.kind {
            Kind::Integer(i) => Ok(Self::Number(*i as f64)),
            Kind::Float(f, _) => Ok(Self::Number(*f)),
            Kind::Flag(false) => Ok(Self::Nothing),
            Kind::Text(text) => Ok(Self::Text(text.clone())),
            _ => {
                Err(Wrong::new("a value is wanted here", "write a number, a text, or false for \"no value\""))
            }
        }
    }
}
