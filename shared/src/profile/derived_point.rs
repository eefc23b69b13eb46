//! A point that is reckoned of others, as a profile's file writes it: `expression` or `total_of` in the place of where it
//! stands in the device. The profile's reader calls this when it has read the measured points.

use std::sync::Arc;

use super::decimal::Decimal;
use super::definition::{PeriodClass, Place, PointDef};
use super::derived::{Derived, Expression, ExpressionFault};
use super::parse::{checked_key, names, unit_code};
use super::rules::Rules;
use crate::document::Table as Fields;
use crate::wire::message::PointKind;

/// A point that is reckoned of the measured ones.
pub(super) fn derived_point(fields: &Fields<'_>, points: &[PointDef]) -> Option<PointDef> {
    let key = checked_key(fields, fields.required::<String>("key"));
    let title = names(fields, "title");
    let expression = fields.optional::<String>("expression");
    let total_of = fields.optional::<String>("total_of");
    let (derived, unit, kind, decimals) = match (&expression, &total_of) {
        (Some(_), Some(_)) => {
            fields.fault("total_of", "a point is reckoned in one way", "remove one of the two keys");
            fields.ignore_rest();
            return None;
        }
        (Some(text), None) => {
            let unit = unit_code(fields, true);
            let made = unit.as_ref().and_then(|unit| match Expression::new(text, unit, points) {
                Ok(expression) => Some(Derived::Expression(expression)),
                Err(ExpressionFault(message, way_out)) => {
                    fields.fault("expression", message, way_out);
                    None
                }
            });
            (made, unit, PointKind::Gauge, fields.within_or("decimals", 0..=9, 2))
        }
        (None, of) => {
            let counter = of.as_ref().and_then(|of| points.iter().find(|point| point.key == *of));
            let counter = counter.filter(|point| point.kind == PointKind::Counter && point.rules.ledger);
            if let (Some(of), None) = (of, counter) {
                fields.fault(
                    "total_of",
                    format!("{of} is no counter with a ledger"),
                    "name one of the profile",
                );
            }
            let unit = counter.map(|point| point.unit.clone());
            let decimals = counter.map_or(0, |point| point.decimals);
            let made = counter.map(|point| Derived::Total(point.key.clone()));
            (made, unit, PointKind::Counter, fields.within_or("decimals", 0..=9, decimals))
        }
    };
    let rules = Rules { ledger: false, ..Rules::read(fields, &Rules::default(), kind) };
    let inputs = derived.as_ref().map(Derived::inputs).unwrap_or_default();
    let of_inputs = points.iter().filter(|point| inputs.contains(&point.key)).map(|point| point.class);
    Some(PointDef {
        // It is reckoned when all of them are there: no oftener for sure than the slowest comes.
        class: of_inputs.max().unwrap_or(PeriodClass::Normal),
        key: key?,
        title: title?,
        place: Place::Derived(derived?),
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        unit: unit?,
        decimals,
        kind,
        labels: Vec::new(),
        alarm: false,
        sentinels: Vec::new(),
        modulus: None,
        rules: Arc::new(rules),
        role: None,
        write: None,
    })
}
