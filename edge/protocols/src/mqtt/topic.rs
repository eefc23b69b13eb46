//! The topic under which a device tells, which is its address: one topic of up to 128 bytes.

use std::fmt;
use std::str::FromStr;

use steward_shared::profile::mqtt::topic_fault;

const MOST: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    len: u8,
    text: [u8; MOST],
}

impl Topic {
    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.len))
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}

/// What is no topic of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TopicFault(&'static str);

impl FromStr for Topic {
    type Err = TopicFault;

    fn from_str(text: &str) -> Result<Self, TopicFault> {
        if let Some(fault) = topic_fault(text) {
            return Err(TopicFault(fault));
        }
        let mut topic = Self { len: text.len() as u8, text: [0; MOST] };
        let room = topic.text.get_mut(..text.len()).filter(|room| !room.is_empty());
        room.ok_or(TopicFault("a topic has at least one character"))?.copy_from_slice(text.as_bytes());
        Ok(topic)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_one_topic_and_not_longer_than_its_room() {
        let long = "温".repeat(42);
        assert_eq!(long.parse::<Topic>().unwrap().as_str(), long);
        for bad in ["", "a/#", "a/+/b", "a\0", &"x".repeat(129)] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?}");
        }
    }
}
