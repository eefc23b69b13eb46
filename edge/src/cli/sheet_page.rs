//! The commissioning sheets as one page for printing on A4: it needs nothing from anywhere, and has room for a photo and
//! for two signatures.

use std::fmt::Write;

use qrcode::QrCode;
use qrcode::render::svg;
use steward_shared::time::Timestamp;

use super::sheet::{Point, Sheet};
use super::text::{Lang, sheet as text};

const STYLE: &str = "
@page { size: A4; margin: 14mm }
body { font: 10pt/1.4 \"Noto Sans\", \"Noto Sans CJK SC\", \"Microsoft YaHei\", sans-serif; color: #111; margin: 0 auto; max-width: 182mm }
section { break-after: page; page-break-after: always }
section:last-child { break-after: auto; page-break-after: auto }
header { display: flex; justify-content: space-between; gap: 8mm; border-bottom: 2px solid #111; padding-bottom: 3mm }
h1 { font-size: 16pt; margin: 0 0 1mm }
.verdict { display: inline-block; border: 2px solid; padding: 0 4mm; font-weight: bold; font-size: 13pt }
.good { color: #17663a } .bad { color: #a31515 }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr) auto minmax(0, 1fr); gap: 0 4mm; margin: 3mm 0 }
dt { color: #555 } dd { margin: 0; font-weight: 500 }
table { width: 100%; border-collapse: collapse; font-size: 9pt }
th, td { text-align: left; border-bottom: 1px solid #ccc; padding: .6mm 1mm } thead { display: table-header-group }
th:nth-child(2), td.number { text-align: right }
td.number { font-variant-numeric: tabular-nums } tr { break-inside: avoid }
.foot { display: flex; gap: 8mm; margin-top: 6mm; break-inside: avoid }
.photo { flex: 1; height: 52mm; border: 1px dashed #777; color: #777; padding: 2mm }
.sign { flex: 1 } .sign p { border-bottom: 1px solid #111; height: 14mm; margin: 0 0 1mm; color: #555 }
svg { width: 26mm; height: 26mm; flex: none } dd { overflow-wrap: anywhere }
@media screen { body { padding: 0 4mm } section { padding: 8mm 0; border-bottom: 1px solid #ccc } }
@media screen and (max-width: 150mm) { dl { grid-template-columns: auto 1fr } .foot { flex-direction: column } .photo, .sign { flex: none } }
";

pub fn page(sheets: &[Sheet], lang: Lang) -> String {
    let tag = lang.pick("zh-CN", "en");
    let title = escape(&text::title(lang));
    let sections: String = sheets.iter().map(|sheet| section(sheet, lang)).collect();
    format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body>\n{sections}</body>\n</html>\n"
    )
}

fn section(sheet: &Sheet, lang: Lang) -> String {
    let (tone, verdict) =
        if sheet.passed { ("good", text::passed(lang)) } else { ("bad", text::failed(lang)) };
    let turnaround = sheet.turnaround_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
    let facts = [
        (text::device(lang), format!("{} ({})", sheet.title, sheet.device)),
        (text::place(lang), sheet.place.clone()),
        (text::model(lang), format!("{} ({})", sheet.model, sheet.profile)),
        (text::gateway(lang), sheet.gateway.clone()),
        (text::wire(lang), format!("{}, {}", sheet.line, sheet.wire)),
        (text::address(lang), sheet.address.clone()),
        (text::asked(lang), format!("{} / {}", sheet.requests, sheet.errors)),
        (text::turnaround(lang), turnaround),
        (text::margin(lang), format!("{:.0} %", sheet.margin * 100.0)),
        (text::at(lang), on_paper(sheet.at)),
    ];
    let facts =
        facts.map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>", escape(&name), escape(&value))).concat();
    let faults: Vec<String> =
        sheet.faults.iter().map(|fault| format!("<li class=\"bad\">{}</li>", escape(fault))).collect();
    let faults = faults.concat();
    let rows: String = sheet.points.iter().map(|point| row(point, lang)).collect();
    let mut told = String::new();
    let _ = write!(
        told,
        "<section>\n<header><div><h1>{}</h1><span class=\"verdict {tone}\">{}</span></div>{}</header>\n\
         <dl>{facts}</dl>\n<ul>{faults}</ul>\n<table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th></tr></thead>\
         <tbody>\n{rows}</tbody></table>\n\
         <div class=\"foot\"><div class=\"photo\">{}</div><div class=\"sign\"><p>{}</p><p>{}</p></div></div>\n</section>\n",
        escape(&text::title(lang)),
        escape(&verdict),
        mark(&sheet.mark()),
        escape(&text::point(lang)),
        escape(&text::value(lang)),
        escape(&text::state(lang)),
        escape(&text::display(lang)),
        escape(&text::photo(lang)),
        escape(&text::installer(lang)),
        escape(&text::customer(lang)),
    );
    told
}

/// An instant for people: to the second, with the name of its clock.
fn on_paper(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    format!("{} UTC", text.split(['.', 'Z']).next().unwrap_or_default())
}

fn row(point: &Point, lang: Lang) -> String {
    let tone = if point.is_there() { "" } else { " class=\"bad\"" };
    format!(
        "<tr><td>{} <small>{}</small></td><td class=\"number\">{}</td><td{tone}>{}</td><td></td></tr>\n",
        escape(&point.title),
        escape(&point.key),
        escape(point.shown.as_deref().unwrap_or("-")),
        escape(&text::quality(lang, &point.quality)),
    )
}

/// A QR code; nothing where the text is too long for one.
fn mark(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else { return String::new() };
    let drawn = code.render::<svg::Color<'_>>().quiet_zone(false).build();
    drawn.split_once("?>").map_or_else(|| drawn.clone(), |(_, svg)| svg.to_owned())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_on_paper_is_of_a_named_clock() {
        assert_eq!(on_paper(Timestamp(1_500)), "1970-01-01 00:00:01 UTC");
    }

    fn sheet(title: &str) -> Sheet {
        let point = |key: &str, quality: &str| Point {
            key: key.into(),
            title: key.into(),
            shown: (quality == "good").then(|| "50.0 Hz".into()),
            quality: quality.into(),
        };
        Sheet {
            gateway: "east".into(),
            line: "meters".into(),
            wire: "/dev/ttyS1 9600 8N1".into(),
            device: "main".into(),
            title: title.into(),
            place: "B1".into(),
            address: "1".into(),
            profile: "schneider/pm5350".into(),
            model: "PM5350".into(),
            at: Timestamp(1_790_000_000_000),
            passed: false,
            faults: vec!["a < b".into()],
            requests: 10,
            errors: 1,
            turnaround_ms: None,
            margin: 0.5,
            points: vec![point("frequency", "good"), point("power", "refused"), point("spare", "no_value")],
        }
    }

    #[test]
    fn the_page_stands_alone_and_no_name_breaks_it() {
        for lang in [Lang::Zh, Lang::En] {
            let page = page(&[sheet("<script>alert(1)</script>"), sheet("two")], lang);
            assert_eq!(page.matches("<section>").count(), 2);
            assert!(!page.contains("<script") && page.contains("a &lt; b"));
            let foreign = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("http") && !foreign.contains("src="), "nothing is fetched");
            assert!(page.matches("<svg").count() == 2 && !page.contains("<?xml"));
        }
    }

    #[test]
    fn what_is_missing_is_what_the_device_did_not_give() {
        assert_eq!(sheet("a").missing(), ["power"]);
        assert_eq!(sheet("a").mark(), "steward:east/main;profile=schneider/pm5350;line=meters;address=1");
    }
}
