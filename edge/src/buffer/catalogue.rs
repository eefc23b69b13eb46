//! The catalogue that the hub gets: the present configuration, and with it whatever was configured before, because
//! stored batches may still speak of it. The writer calls this; pure.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use steward_shared::wire::catalogue::{MAX_DEVICES, MAX_POINTS};
use steward_shared::wire::frame::{FrameError, MAX_FRAME, from_cbor, to_cbor};
use steward_shared::wire::message::{Catalogue, CatalogueDevice, CataloguePoint};

/// What goes into one message to the hub, with room for what is around it.
const MOST: usize = MAX_FRAME - 64;

/// `present` with the former devices and points that it lacks, those as not in use. Of them as many as the hub takes: the
/// oldest give way.
pub(super) fn merge(present: &Catalogue, former: &Catalogue) -> Result<(Catalogue, Sealed), FrameError> {
    let mut room = former.points.len();
    loop {
        let merged = with_former(present.clone(), former, room);
        let sealed = Sealed::of(&merged)?;
        if sealed.bytes.len() <= MOST || room == 0 {
            return Ok((merged, sealed));
        }
        room /= 2;
    }
}

/// At most `room` former points. Sorted, so that the same content has the same hash.
fn with_former(mut merged: Catalogue, former: &Catalogue, room: usize) -> Catalogue {
    let numbers: HashSet<_> = merged.points.iter().map(|p| p.no).collect();
    let mut devices: HashSet<_> = merged.devices.iter().map(|d| d.key.clone()).collect();
    let known: HashMap<_, _> = former.devices.iter().map(|d| (&d.key, d)).collect();
    let mut gone: Vec<_> = former.points.iter().filter(|p| !numbers.contains(&p.no)).collect();
    // Numbers are given one after the other.
    gone.sort_by_key(|p| Reverse(p.no));
    let most = MAX_POINTS.min(merged.points.len() + room);
    for p in gone {
        if merged.points.len() >= most {
            break;
        }
        if !devices.contains(&p.device) {
            let Some(device) = known.get(&p.device).filter(|_| devices.len() < MAX_DEVICES) else { continue };
            merged.devices.push(CatalogueDevice { in_use: false, ..(*device).clone() });
            devices.insert(p.device.clone());
        }
        merged.points.push(CataloguePoint { in_use: false, ..p.clone() });
    }
    merged.devices.sort_by(|a, b| a.key.cmp(&b.key));
    merged.points.sort_by_key(|p| p.no);
    merged
}

/// A catalogue as it is stored and sent: its bytes, and their SHA-256.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub bytes: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Sealed {
    pub fn of(catalogue: &Catalogue) -> Result<Self, FrameError> {
        to_cbor(catalogue).map(Self::from_bytes)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { hash: Sha256::digest(&bytes).to_vec(), bytes }
    }

    pub fn read(&self) -> Result<Catalogue, FrameError> {
        from_cbor(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointNo;
    use steward_shared::wire::catalogue::check;
    use steward_shared::wire::message::{Names, PointKind};

    use super::*;

    fn with(device: &str, no: u32) -> Catalogue {
        let names = Names { zh: device.into(), en: device.into() };
        Catalogue {
            devices: vec![CatalogueDevice {
                key: device.into(),
                title: names.clone(),
                profile: "a/b".into(),
                vendor: "a".into(),
                model: "b".into(),
                place: String::new(),
                line: "l".into(),
                address: "1".into(),
                in_use: true,
            }],
            points: vec![CataloguePoint {
                no: PointNo(no),
                device: device.into(),
                key: "power".into(),
                title: names,
                unit: "kW".into(),
                kind: PointKind::Gauge,
                labels: vec![],
                period_ms: 10_000,
                decimals: 1,
                modulus: None,
                in_use: true,
                write: None,
            }],
        }
    }

    #[test]
    fn what_was_configured_before_stays_known_and_is_not_in_use() {
        let (merged, _) = merge(&with("new", 2), &with("old", 1)).unwrap();
        let used: Vec<_> = merged.points.iter().map(|p| (p.no.0, p.in_use)).collect();
        assert_eq!(used, [(1, false), (2, true)]);
        assert_eq!(merged.devices.iter().filter(|d| d.in_use).count(), 1);
    }

    #[test]
    fn what_comes_back_is_in_use_again_and_hashes_as_before() {
        let (one, _) = merge(&with("a", 1), &Catalogue::default()).unwrap();
        let (two, of_two) = merge(&with("b", 2), &one).unwrap();
        let (back, of_back) = merge(&with("a", 1), &two).unwrap();
        assert!(back.points.iter().any(|p| p.no == PointNo(1) && p.in_use));
        assert_ne!(of_two.hash, of_back.hash);
        assert_eq!(of_back.hash, merge(&with("a", 1), &back).unwrap().1.hash);
    }

    #[test]
    fn whatever_was_configured_before_the_hub_takes_the_catalogue_and_the_newest_of_it() {
        let all = |device: &dyn Fn(u32) -> String, numbers: std::ops::Range<u32>| {
            let mut all = Catalogue::default();
            for no in numbers {
                let one = with(&device(no), no);
                if all.devices.last().is_none_or(|d| d.key != one.devices[0].key) {
                    all.devices.extend(one.devices);
                }
                let key = format!("p{no}");
                all.points.extend(one.points.into_iter().map(|p| CataloguePoint { key: key.clone(), ..p }));
            }
            all
        };
        let present = with("new", 60_000);
        let (many_points, _) = merge(&present, &all(&|_| "old".into(), 0..MAX_POINTS as u32)).unwrap();
        let (many_devices, _) =
            merge(&present, &all(&|no| format!("old-{no:05}"), 0..MAX_DEVICES as u32)).unwrap();
        for (merged, lacks) in [(&many_points, "p0"), (&many_devices, "p0")] {
            assert_eq!(check(merged), Ok(()));
            assert!(merged.points.iter().all(|p| p.key != lacks), "the oldest gives way");
            assert!(merged.points.iter().any(|p| p.key == "p1"), "and no other");
            assert!(merged.points.iter().any(|p| p.no == PointNo(60_000) && p.in_use));
        }
    }
}
