//! What a catalogue may hold. The hub refuses what is over it, for good and each time anew; so the gateway's file, its
//! profiles and what the gateway remembers of former configurations are held against the same limits.

use std::collections::HashSet;

use super::message::{Catalogue, CatalogueDevice, CataloguePoint, Names};

/// Those of former configurations too, as with the points.
pub const MAX_DEVICES: usize = 2_000;
pub const MAX_POINTS: usize = 50_000;
/// Of one point.
pub const MAX_LABELS: usize = 256;
/// Bytes of one text.
pub const MAX_TEXT: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueFault {
    #[error(
        "the catalogue has {0} devices or points; {MAX_DEVICES} devices and {MAX_POINTS} points are the most"
    )]
    TooLarge(usize),
    #[error(
        "a text of the catalogue is longer than {MAX_TEXT} bytes, or one of its numbers is out of range: {0}"
    )]
    Field(String),
    #[error("the point {point} is on {device}, a device that the catalogue does not have")]
    NoSuchDevice { point: String, device: String },
    #[error("the catalogue names {0} twice")]
    Twice(String),
}

pub fn check(catalogue: &Catalogue) -> Result<(), CatalogueFault> {
    let Catalogue { devices, points } = catalogue;
    if devices.len() > MAX_DEVICES || points.len() > MAX_POINTS {
        return Err(CatalogueFault::TooLarge(devices.len().max(points.len())));
    }
    let mut keys = HashSet::with_capacity(devices.len());
    for d in devices {
        device(d)?;
        if d.key.is_empty() || !keys.insert(d.key.as_str()) {
            return Err(CatalogueFault::Twice(d.key.clone()));
        }
    }
    let (mut numbers, mut names) =
        (HashSet::with_capacity(points.len()), HashSet::with_capacity(points.len()));
    for p in points {
        point(p)?;
        if !keys.contains(p.device.as_str()) {
            return Err(CatalogueFault::NoSuchDevice { point: p.key.clone(), device: p.device.clone() });
        }
        if !numbers.insert(p.no) || !names.insert((p.device.as_str(), p.key.as_str())) {
            return Err(CatalogueFault::Twice(format!("{}.{}", p.device, p.key)));
        }
    }
    Ok(())
}

fn device(d: &CatalogueDevice) -> Result<(), CatalogueFault> {
    let CatalogueDevice { key, title, profile, vendor, model, place, line, address, in_use: _ } = d;
    names(title)?;
    [key, profile, vendor, model, place, line, address].into_iter().try_for_each(|t| text(t))
}

fn point(p: &CataloguePoint) -> Result<(), CatalogueFault> {
    [&p.device, &p.key, &p.unit].into_iter().try_for_each(|t| text(t))?;
    names(&p.title)?;
    p.labels.iter().try_for_each(|l| names(&l.names))?;
    let modulus_fits = p.modulus.is_none_or(|m| m.is_finite() && m > 0.0);
    let write_fits = p.write.is_none_or(|w| {
        let range = [w.min, w.max].into_iter().flatten().all(f64::is_finite);
        range && w.step.is_finite() && w.step > 0.0
    });
    if p.labels.len() > MAX_LABELS || !modulus_fits || !write_fits || i64::try_from(p.period_ms).is_err() {
        return Err(CatalogueFault::Field(p.key.clone()));
    }
    Ok(())
}

fn names(n: &Names) -> Result<(), CatalogueFault> {
    text(&n.zh)?;
    text(&n.en)
}

/// PostgreSQL cannot hold a NUL in a text.
fn text(t: &str) -> Result<(), CatalogueFault> {
    if t.len() > MAX_TEXT || t.contains('\0') {
        return Err(CatalogueFault::Field(t.chars().filter(|c| *c != '\0').take(40).collect()));
    }
    Ok(())
}
