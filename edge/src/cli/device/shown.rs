//! Values as people and programs read them.

use serde_json::json;
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::Value;
use steward_shared::unit::symbol;

use super::super::text::Lang;
use super::points::Read;

/// A value with its unit, or the word for a code.
pub fn value(point: &PointDef, value: &Value, lang: Lang) -> String {
    let number = match value {
        Value::Text(text) => return format!("\"{text}\""),
        Value::Number(number) => *number,
    };
    let label = point.labels.iter().find(|label| Some(label.code) == code(number));
    let unit = symbol(&point.unit);
    let (space, unit) = if unit.is_empty() || unit == "1" { ("", "") } else { (" ", unit) };
    let text = format!("{number:.*}{space}{unit}", usize::from(point.decimals));
    match label {
        Some(label) => format!("{text} ({})", lang.pick(&label.names.zh, &label.names.en)),
        None => text,
    }
}

/// The code that a number is.
pub fn code(number: f64) -> Option<i64> {
    (number.trunc() - number == 0.0).then_some(number as i64)
}

/// One line for each point: its key, its value or why there is none, its title.
pub fn lines(profile: &Profile, reads: &[Read], lang: Lang) -> Vec<(String, String)> {
    let rows: Vec<_> = reads
        .iter()
        .filter_map(|read| {
            let point = profile.points.get(read.point)?;
            let shown = match &read.value {
                Some(v) => value(point, v, lang),
                None => format!("- ({})", read.why.as_deref().unwrap_or_default()),
            };
            Some((point, shown))
        })
        .collect();
    let widest = |of: &dyn Fn(&(&PointDef, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (keys, values) = (widest(&|(p, _)| p.key.len()), widest(&|(_, v)| v.chars().count()).min(24));
    rows.iter()
        .map(|(p, v)| {
            let title = lang.pick(&p.title.zh, &p.title.en);
            (p.key.clone(), format!("{:keys$}  {v:values$}  {title}", p.key))
        })
        .collect()
}

pub fn json(device: &str, profile: &Profile, read: &Read) -> serde_json::Value {
    let point = profile.points.get(read.point);
    let value = match &read.value {
        Some(Value::Number(number)) => json!(number),
        Some(Value::Text(text)) => json!(text),
        None => json!(null),
    };
    json!({
        "device": device,
        "point": point.map(|p| &p.key),
        "value": value,
        "unit": point.map(|p| &p.unit),
        "quality": read.quality.word(),
        "why": read.why,
    })
}
