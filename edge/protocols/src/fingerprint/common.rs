//! How much a device says the same everywhere. One that answers all ones, or one number wherever it is asked, would fit
//! into many profiles: what it says everywhere speaks for none.

use std::collections::BTreeMap;

/// The words that a device answered, each as often as it came.
#[derive(Clone, Debug, Default)]
pub struct Common {
    words: BTreeMap<u16, usize>,
    all: usize,
}

impl Common {
    /// Takes an answer down: registers as they stood on the wire.
    pub fn heard(&mut self, contents: &[u8]) {
        for word in words(contents) {
            *self.words.entry(word).or_default() += 1;
            self.all += 1;
        }
    }

    /// How much an answer is its own, 0 to 1: 1 where its rarest word came nowhere else.
    pub fn own(&self, contents: &[u8]) -> f64 {
        let times = |word| self.words.get(&word).copied().unwrap_or_default();
        let rarest = words(contents).map(times).min().unwrap_or_default();
        1.0 - rarest.saturating_sub(1) as f64 / self.all.saturating_sub(1).max(1) as f64
    }
}

fn words(contents: &[u8]) -> impl Iterator<Item = u16> {
    contents.chunks(2).map(|two| two.iter().fold(0, |word, byte| word << 8 | u16::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_everywhere_is_nobodys_own() {
        let mut common = Common::default();
        for _ in 0..20 {
            common.heard(&[0xFF, 0xFF]);
        }
        assert!(common.own(&[0xFF, 0xFF]) < 0.01);
        common.heard(&[0x43, 0x66, 0x19, 0x9A]);
        assert!(common.own(&[0x43, 0x66, 0x19, 0x9A]) > 0.99 && common.own(&[0xFF, 0xFF]) < 0.2);
    }
}
