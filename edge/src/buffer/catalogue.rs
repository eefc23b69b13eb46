//! The catalogue that the hub gets: the present configuration, and with it whatever was configured before, because
//! stored batches may still speak of it. The writer calls this; pure.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use steward_shared::wire::frame::{FrameError, MAX_FRAME, from_cbor, to_cbor};
use steward_shared::wire::message::Catalogue;

/// What goes into one message to the hub, with room for what is around it.
pub(super) const MOST: usize = MAX_FRAME - 64;

/// `present` with the former devices and points that it lacks, those as not in use. Sorted, so that the same
/// content has the same hash.
pub(super) fn merge(mut present: Catalogue, former: Catalogue) -> Catalogue {
    let devices: HashSet<String> = present.devices.iter().map(|d| d.key.clone()).collect();
    let points: HashSet<_> = present.points.iter().map(|p| p.no).collect();
    for mut d in former.devices {
        if !devices.contains(&d.key) {
            d.in_use = false;
            present.devices.push(d);
        }
    }
    for mut p in former.points {
        if !points.contains(&p.no) {
            p.in_use = false;
            present.points.push(p);
        }
    }
    present.devices.sort_by(|a, b| a.key.cmp(&b.key));
    present.points.sort_by_key(|p| p.no);
    present
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
    use steward_shared::wire::message::{CatalogueDevice, CataloguePoint, Names, PointKind};

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
            }],
        }
    }

    fn seal(catalogue: &Catalogue) -> Vec<u8> {
        Sealed::of(catalogue).unwrap().hash
    }

    #[test]
    fn what_was_configured_before_stays_known_and_is_not_in_use() {
        let merged = merge(with("new", 2), with("old", 1));
        let used: Vec<_> = merged.points.iter().map(|p| (p.no.0, p.in_use)).collect();
        assert_eq!(used, [(1, false), (2, true)]);
        assert_eq!(merged.devices.iter().filter(|d| d.in_use).count(), 1);
    }

    #[test]
    fn what_comes_back_is_in_use_again_and_hashes_as_before() {
        let one = merge(with("a", 1), Catalogue::default());
        let two = merge(with("b", 2), one.clone());
        let back = merge(with("a", 1), two.clone());
        assert!(back.points.iter().any(|p| p.no == PointNo(1) && p.in_use));
        assert_ne!(seal(&two), seal(&back));
        assert_eq!(seal(&back), seal(&merge(with("a", 1), back.clone())));
    }
}
