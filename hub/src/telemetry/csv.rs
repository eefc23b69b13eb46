//! Readings as CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, one row a sample or bucket, heads and
//! words in the language asked for. A text that a spreadsheet would take for a formula gets an apostrophe in front.

use std::fmt::Write;

use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Label;

use super::model::Sample;
use super::rollup::Rollup;
use crate::gateways::PointRow;

pub const BOM: &str = "\u{feff}";

/// The language of a table. Both: English heads, and names in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Both,
    Zh,
    En,
}

impl Language {
    pub const fn samples_head(self) -> &'static str {
        match self {
            Self::Zh => "时间,设备,测点,标识,单位,数值,含义,质量\r\n",
            Self::Both | Self::En => "time,device,point,key,unit,value,label,quality\r\n",
        }
    }

    pub const fn buckets_head(self) -> &'static str {
        match self {
            Self::Zh => "时间,设备,测点,标识,单位,个数,最小值,最大值,平均值,首值,末值,增量\r\n",
            Self::Both | Self::En => "time,device,point,key,unit,count,min,max,mean,first,last,increment\r\n",
        }
    }

    fn of(self, zh: &str, en: &str) -> String {
        match (self, zh, en) {
            (_, "", only) | (_, only, "") | (Self::Zh, only, _) | (Self::En, _, only) => only.to_owned(),
            (Self::Both, zh, en) if zh == en => zh.to_owned(),
            (Self::Both, zh, en) => format!("{zh} / {en}"),
        }
    }

    fn quality(self, quality: Quality) -> String {
        let words = match quality {
            Quality::Good => "正常",
            Quality::Stale => "已过期",
            Quality::NoValue => "设备无值",
            Quality::Undecodable => "无法解读",
            Quality::NoReply => "无应答",
            Quality::BadReply => "应答错误",
            Quality::LineDown => "线路中断",
            Quality::OutOfRange => "超出合理范围",
            Quality::TooFast => "变化过快",
            Quality::Stuck => "长时间不变",
            Quality::HeldBack => "暂扣待确认",
            Quality::Refused(e) if self == Self::Zh => return format!("设备拒绝（异常码 {e}）"),
            Quality::Refused(_) => "",
        };
        if self == Self::Zh { words.to_owned() } else { quality.to_string() }
    }
}

/// The words of a point's rows, ready to stand between commas.
pub struct Names {
    language: Language,
    point: String,
    labels: Vec<(f64, String)>,
}

impl Names {
    pub fn of(p: &PointRow, language: Language) -> Self {
        let point = format!(
            "{},{},{},{}",
            cell(&language.of(&p.device_title_zh, &p.device_title_en)),
            cell(&language.of(&p.title_zh, &p.title_en)),
            cell(&p.key),
            cell(&p.unit)
        );
        let labels: Vec<Label> = serde_json::from_str(&p.labels).unwrap_or_default();
        let labels = labels
            .into_iter()
            .map(|l| (l.code as f64, cell(&language.of(&l.names.zh, &l.names.en))))
            .collect();
        Self { language, point, labels }
    }

    fn label(&self, value: f64) -> &str {
        self.labels.iter().find(|(code, _)| code.total_cmp(&value).is_eq()).map_or("", |(_, label)| label)
    }
}

pub fn sample_row(out: &mut String, names: &Names, s: &Sample) {
    let (value, label) = match &s.value {
        Some(Value::Number(n)) => (n.to_string(), names.label(*n)),
        Some(Value::Text(t)) => (cell(t), ""),
        None => (String::new(), ""),
    };
    let quality = cell(&names.language.quality(s.quality));
    // Writing to a String cannot fail.
    let _ = write!(out, "{},{},{value},{label},{quality}\r\n", s.at, names.point);
}

/// `increment` is how much a counter moved since the bucket before.
pub fn bucket_row(out: &mut String, names: &Names, start: i64, r: &Rollup, increment: f64) {
    let _ = write!(
        out,
        "{},{},{},{},{},{},{},{},{increment}\r\n",
        Timestamp(start),
        names.point,
        r.n,
        r.min,
        r.max,
        r.mean(),
        r.first,
        r.last,
    );
}

/// One text as a cell.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
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
        for start in ["\r", "\n"] {
            assert_eq!(cell(&format!("{start}=1")), format!("\"'{start}=1\""));
        }
    }

    #[test]
    fn commas_quotes_and_lines_are_quoted() {
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("冷冻水供水温度"), "冷冻水供水温度");
    }

    fn point() -> PointRow {
        let id = steward_shared::id::PointId(1);
        let ids = steward_shared::id::RandomIds;
        PointRow {
            id,
            device: steward_shared::id::DeviceId::new(&ids),
            gateway: steward_shared::id::GatewayId::new(&ids),
            key: "mode".into(),
            title_zh: "模式".into(),
            title_en: "Mode".into(),
            unit: "1".into(),
            kind: "enumeration".into(),
            labels: r#"[{"code":-2,"names":{"zh":"自动","en":"auto, remote"}}]"#.into(),
            period_ms: 1000,
            decimals: 0,
            modulus: None,
            in_use: true,
            writing: None,
            device_title_zh: "水泵".into(),
            device_title_en: "Pump".into(),
        }
    }

    fn row(language: Language, value: f64, quality: Quality) -> String {
        let mut out = String::new();
        let s = Sample { at: Timestamp(0), value: Some(Value::Number(value)), quality };
        sample_row(&mut out, &Names::of(&point(), language), &s);
        out
    }

    #[test]
    fn a_negative_number_is_a_number_and_no_formula() {
        let zero = "1970-01-01T00:00:00.000Z";
        let both = row(Language::Both, -3.5, Quality::Good);
        assert_eq!(both, format!("{zero},水泵 / Pump,模式 / Mode,mode,1,-3.5,,good\r\n"));
    }

    #[test]
    fn names_labels_and_qualities_are_in_the_language_asked_for() {
        let zero = "1970-01-01T00:00:00.000Z";
        let zh = row(Language::Zh, -2.0, Quality::Good);
        assert_eq!(zh, format!("{zero},水泵,模式,mode,1,-2,自动,正常\r\n"));
        let en = row(Language::En, -2.0, Quality::Refused(2));
        assert_eq!(en, format!("{zero},Pump,Mode,mode,1,-2,\"auto, remote\",refused (exception 2)\r\n"));
        for head in [Language::samples_head, Language::buckets_head] {
            assert_eq!(head(Language::Zh).split(',').count(), head(Language::En).split(',').count());
        }
    }
}
