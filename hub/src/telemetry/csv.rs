//! Readings as CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, one row a sample or bucket. A text that
//! a spreadsheet would take for a formula gets an apostrophe in front.

use std::fmt::Write;

use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::model::Sample;
use super::rollup::Rollup;
use crate::gateways::PointRow;

pub const BOM: &str = "\u{feff}";
pub const SAMPLES_HEAD: &str = "time,device,point,key,unit,value,quality\r\n";
pub const BUCKETS_HEAD: &str = "time,device,point,key,unit,count,min,max,mean,first,last,increment\r\n";

/// The names of a point's rows, ready to stand between commas.
pub struct Names(String);

impl Names {
    pub fn of(p: &PointRow) -> Self {
        let title = |zh: &str, en: &str| match (zh, en) {
            ("", only) | (only, "") => only.to_owned(),
            (zh, en) if zh == en => zh.to_owned(),
            (zh, en) => format!("{zh} / {en}"),
        };
        Self(format!(
            "{},{},{},{}",
            cell(&title(&p.device_title_zh, &p.device_title_en)),
            cell(&title(&p.title_zh, &p.title_en)),
            cell(&p.key),
            cell(&p.unit)
        ))
    }
}

pub fn sample_row(out: &mut String, names: &Names, s: &Sample) {
    let value = match &s.value {
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Text(t)) => cell(t),
        None => String::new(),
    };
    let quality = match s.quality {
        Quality::Good => "good".into(),
        other => cell(&other.to_string()),
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "{},{},{value},{quality}\r\n", s.at, names.0);
}

pub fn bucket_row(out: &mut String, names: &Names, start: i64, r: &Rollup) {
    let _ = write!(
        out,
        "{},{},{},{},{},{},{},{},{}\r\n",
        Timestamp(start),
        names.0,
        r.n,
        r.min,
        r.max,
        r.mean(),
        r.first,
        r.last,
        r.inc
    );
}

/// One text as a cell.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_a_formula_is_neutralised() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        for start in ["+1", "-1", "@x", "\tx"] {
            assert!(cell(start).starts_with('\''), "{start}");
        }
        assert_eq!(cell("\r=1"), "\"'\r=1\"");
    }

    #[test]
    fn commas_quotes_and_lines_are_quoted() {
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("冷冻水供水温度"), "冷冻水供水温度");
    }

    #[test]
    fn a_negative_number_is_a_number_and_no_formula() {
        let mut out = String::new();
        let s = Sample { at: Timestamp(0), value: Some(Value::Number(-3.5)), quality: Quality::Good };
        sample_row(&mut out, &Names("d,p,k,kW".into()), &s);
        assert_eq!(out, "1970-01-01T00:00:00.000Z,d,p,k,kW,-3.5,good\r\n");
    }
}
