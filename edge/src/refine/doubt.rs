//! Whose values are doubted so long that somebody must look: once when it begins and once when it ends, whatever number
//! of samples and points lies between. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use steward_shared::id::PointNo;

/// So many in a row are no hiccup, in either direction.
const LASTS: u8 = 3;

/// Of one point: how many doubted or trusted values came in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    doubted: u8,
    trusted: u8,
}

/// Of one device: what of it is doubted, and whether that was told.
#[derive(Clone, Debug, Default)]
struct Device {
    doubted: BTreeSet<PointNo>,
    told: Option<bool>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    devices: HashMap<Arc<str>, Device>,
}

impl Doubts {
    /// Takes note of one value. Answers what is to be told: that the device's values are doubted, or that they are not
    /// any more. After a start the first that lasts is told, for it may have been otherwise before.
    pub fn note(&mut self, device: &Arc<str>, point: PointNo, run: &mut Run, doubted: bool) -> Option<bool> {
        let (count, other) =
            if doubted { (&mut run.doubted, &mut run.trusted) } else { (&mut run.trusted, &mut run.doubted) };
        *count = count.saturating_add(1);
        *other = 0;
        if *count != LASTS {
            return None;
        }
        let of_device = self.devices.entry(Arc::clone(device)).or_default();
        if doubted {
            of_device.doubted.insert(point);
        } else {
            of_device.doubted.remove(&point);
        }
        let now = !of_device.doubted.is_empty();
        (of_device.told.replace(now) != Some(now)).then_some(now)
    }

    /// Points that are configured no more are doubted no more.
    pub fn retain(&mut self, is_known: impl Fn(&PointNo) -> bool) {
        for device in self.devices.values_mut() {
            let before = device.doubted.len();
            device.doubted.retain(&is_known);
            if device.doubted.len() != before {
                // Whoever is left says so with its next values.
                device.told = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_once_when_it_begins_and_once_when_it_ends() {
        let (mut doubts, device) = (Doubts::default(), Arc::from("m"));
        let mut runs = [Run::default(); 2];
        let mut told = Vec::new();
        let mut note = |point: usize, doubted: bool| {
            told.extend(doubts.note(&device, PointNo(point as u32), &mut runs[point], doubted));
        };
        for _ in 0..5 {
            note(0, false);
        }
        for i in 0..50 {
            note(0, true);
            note(1, i < 30);
        }
        for _ in 0..5 {
            note(0, false);
        }
        assert_eq!(told, [false, true, false]);
    }

    #[test]
    fn a_value_that_is_doubted_now_and_then_is_nobodys_business() {
        let (mut doubts, device) = (Doubts::default(), Arc::from("m"));
        let mut run = Run::default();
        let told: Vec<_> =
            (0..100).filter_map(|i| doubts.note(&device, PointNo(1), &mut run, i % 3 == 0)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}
