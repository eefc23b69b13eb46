//! MQTT in a profile: nothing is asked, a device tells. Under which topic each point's messages come, where its value
//! stands in them, and what says whether the device is there.

use super::definition::Place;
use super::language::{Form, Placed};
use crate::document::{FromNode, Kind, Node, Table as Fields, Wrong};

/// What is common to the messages of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mqtt {
    /// Where the device, or the broker in its place, says whether it is there.
    pub availability: Option<Availability>,
    /// Messages hold only what changed: one without a point's value says nothing of the point. Otherwise it is a fault.
    pub partial: bool,
}

/// A topic that says whether a device is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    pub topic: TopicPattern,
    /// JSON pointer to the word; without it the payload is the word.
    pub path: Option<Pointer>,
    pub online: String,
    pub offline: String,
}

/// Where a point's values come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub topic: TopicPattern,
    /// JSON pointer to the value; without it the payload is the value.
    pub path: Option<Pointer>,
    /// JSON pointer to the instant of the value.
    pub time: Option<Pointer>,
    pub data: JsonType,
    /// What words, numbers and booleans mean.
    pub values: Vec<(String, f64)>,
    /// A retained message without an instant is taken as the present state when the gateway comes to the broker.
    pub retained: bool,
}

/// What a value is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    Number,
    /// A whole number.
    Whole,
    /// true and false, or 1 and 0.
    Flag,
    Text,
}

/// A topic behind the device's own, or one that holds the device's own as `{device}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPattern(String);

/// RFC 6901, such as `/em1:0/act_power`; it begins with `/`, and the empty one is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(String);

const DEVICE: &str = "{device}";
const LONGEST_TOPIC: usize = 128;
const LONGEST_POINTER: usize = 256;

impl TopicPattern {
    /// The topic for a device.
    pub fn of(&self, device: &str) -> String {
        if self.0.contains(DEVICE) {
            self.0.replacen(DEVICE, device, 1)
        } else if self.0.is_empty() {
            device.to_owned()
        } else {
            format!("{device}/{}", self.0)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pointer {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What cannot stand in a topic that is subscribed to: whoever subscribes to all would take whatever comes.
pub fn topic_fault(text: &str) -> Option<&'static str> {
    if text.contains(['+', '#']) {
        Some("a topic here is one topic: + and # stand for many")
    } else if text.chars().any(char::is_control) {
        Some("a topic has no control characters")
    } else if text.len() > LONGEST_TOPIC {
        Some("a topic here has at most 128 bytes")
    } else {
        None
    }
}

impl FromNode for TopicPattern {
    const EXAMPLE: &'static str = "\"status/em:0\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let way_out =
            "write what stands behind the device's topic, or the whole with {device} for the device's";
        if let Some(fault) = topic_fault(&text) {
            return Err(Wrong::new(fault, way_out));
        }
        let rest = text.replacen(DEVICE, "", 1);
        if rest.contains(['{', '}']) {
            return Err(Wrong::new("only one {device} can stand in a topic", way_out));
        }
        Ok(Self(text))
    }
}

impl FromNode for Pointer {
    const EXAMPLE: &'static str = "\"/temperature\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let way_out = "write a JSON pointer (RFC 6901): \"/ENERGY/Power\", \"/values/0\"; ~1 is a / in a name and ~0 a ~";
        if !text.is_empty() && !text.starts_with('/') {
            return Err(Wrong::new(format!("\"{text}\" is no JSON pointer"), way_out));
        }
        let tildes = text.split('~').skip(1).all(|behind| behind.starts_with(['0', '1']));
        if !tildes || text.len() > LONGEST_POINTER {
            return Err(Wrong::new(format!("\"{text}\" is no JSON pointer"), way_out));
        }
        Ok(Self(text))
    }
}

/// A number of a table of values.
struct Code(f64);

impl FromNode for Code {
    const EXAMPLE: &'static str = "1";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match &node.kind {
            Kind::Integer(i) => Ok(Self(*i as f64)),
            Kind::Float(f, _) if f.is_finite() => Ok(Self(*f)),
            _ => Err(Wrong::new(
                "a number is wanted here",
                "write what the word means, like { ON = 1, OFF = 0 }",
            )),
        }
    }
}

pub(super) fn limits(fields: &Fields<'_>) -> Mqtt {
    let availability = fields.optional_table("availability").and_then(|table| {
        let topic = table.required::<TopicPattern>("topic");
        let path = table.optional::<Pointer>("path");
        let online = table.or("online", "online".to_owned());
        let offline = table.or("offline", "offline".to_owned());
        if online == offline {
            table.fault("offline", "one word cannot mean both", "write what the device says when it is gone");
        }
        Some(Availability { topic: topic?, path, online, offline })
    });
    Mqtt { availability, partial: fields.or("partial", false) }
}

const TYPES: [(&str, JsonType); 4] = [
    ("number", JsonType::Number),
    ("whole", JsonType::Whole),
    ("flag", JsonType::Flag),
    ("text", JsonType::Text),
];

pub(super) fn place(fields: &Fields<'_>) -> Placed {
    let topic = if fields.has("topic") {
        fields.required::<TopicPattern>("topic")
    } else {
        Some(TopicPattern::default())
    };
    let path = fields.optional::<Pointer>("path");
    let time = fields.optional::<Pointer>("time");
    let retained = fields.or("retained", false);
    let values: Vec<_> = fields.optional_table("values").map(|t| t.entries::<Code>()).unwrap_or_default();
    let usual = if values.is_empty() { JsonType::Number } else { JsonType::Whole };
    let data = if fields.has("type") { fields.word("type", &TYPES) } else { Some(usual) };
    if data == Some(JsonType::Text) && !values.is_empty() {
        fields.fault("values", "a text is kept as it is", "remove values, or the type");
    }
    if data == Some(JsonType::Flag) && values.iter().any(|(_, Code(code))| ![0.0, 1.0].contains(code)) {
        fields.fault("values", "a flag is 0 or 1", "use kind = \"enumeration\" for more");
    }
    if matches!(data, Some(JsonType::Whole)) && values.iter().any(|(_, Code(code))| code.fract() != 0.0) {
        fields.fault("values", "codes are whole numbers", "write type = \"number\" for others");
    }
    if retained && time.is_some() {
        let way_out = "remove retained: a retained message with an instant is taken for what it is";
        fields.fault("retained", "this point has instants of its own", way_out);
    }
    let form = data.map(|data| match data {
        JsonType::Number => Form::Float { bits: 64 },
        JsonType::Whole => Form::Whole { bits: 64 },
        JsonType::Flag => Form::Bit,
        JsonType::Text => Form::Text,
    });
    let values = values.into_iter().map(|(word, Code(code))| (word, code)).collect();
    let place =
        topic.zip(data).map(|(topic, data)| Place::Mqtt(Told { topic, path, time, data, values, retained }));
    Placed { place, form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn parsed(limits: &str, point: &str) -> Result<Profile, Vec<String>> {
        let text = format!(
            "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n[mqtt]\n{limits}\n\
             [[point]]\nkey = \"p\"\ntitle = {{ zh = \"点\", en = \"P\" }}\n{point}"
        );
        Profile::parse("a/m.toml", &text).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn told(limits: &str, point: &str) -> String {
        let told = parsed(limits, point).unwrap_err();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    }

    #[test]
    fn a_topic_stands_behind_the_devices_or_holds_it() {
        let of = |pattern: &str| TopicPattern(pattern.to_owned()).of("plant/m1");
        assert_eq!(of(""), "plant/m1");
        assert_eq!(of("status/em:0"), "plant/m1/status/em:0");
        assert_eq!(of("tele/{device}/SENSOR"), "tele/plant/m1/SENSOR");
    }

    #[test]
    fn a_point_says_where_its_value_stands_and_what_words_mean() {
        let profile = parsed(
            "partial = true\navailability = { topic = \"{device}/availability\", path = \"/state\" }",
            "topic = \"state\"\npath = \"/valve\"\nvalues = { OPEN = 1, CLOSED = 0 }\nkind = \"flag\"\nmax_age = \"2h\"",
        )
        .unwrap();
        let Place::Mqtt(place) = &profile.points[0].place else { panic!("a topic") };
        assert_eq!(place.path.as_ref().map(Pointer::as_str), Some("/valve"));
        assert_eq!(place.values, [("CLOSED".to_owned(), 0.0), ("OPEN".to_owned(), 1.0)]);
        assert_eq!((place.data, place.retained), (JsonType::Whole, false));
    }

    #[test]
    fn what_cannot_be_is_told_with_the_way_out() {
        let unit = "unit = \"Cel\"\n";
        assert!(told("", &format!("{unit}topic = \"a/#\"")).contains("+ and # stand for many"));
        assert!(told("", &format!("{unit}topic = \"{{device}}/{{device}}\"")).contains("only one {device}"));
        assert!(told("", &format!("{unit}path = \"temperature\"")).contains("no JSON pointer"));
        assert!(told("", &format!("{unit}path = \"/a~2\"")).contains("no JSON pointer"));
        assert!(
            told("", "kind = \"flag\"\ntype = \"flag\"\nvalues = { on = 2 }").contains("a flag is 0 or 1")
        );
        assert!(told("", &format!("{unit}time = \"/t\"\nretained = true")).contains("instants of its own"));
        let both = "availability = { topic = \"a\", online = \"x\", offline = \"x\" }";
        assert!(told(both, unit).contains("cannot mean both"));
    }
}
