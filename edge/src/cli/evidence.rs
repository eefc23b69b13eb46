//! `steward-edge explain`, `preview` and `redecode`: where a number comes from, what another profile would make of the
//! same answers, and readings made anew by a mended one. The first two read the raw answers beside the daemon (and ask it
//! for what a ledger adds), the last one asks it.

use std::path::Path;

use steward_shared::document::listing;
use steward_shared::profile::{Derived, PointDef, Profile};
use steward_shared::time::{Clock, NotAnInstant, SystemClock, Timestamp};

use super::args::{Explain, Preview, Redecode, Told};
use super::out::Out;
use super::table::table;
use super::text::Lang;
use super::text::sheet::quality;
use crate::config::Config;
use crate::configure::load;
use crate::control::{Answer, Request, ask};
use crate::evidence::{Compared, Comparison, EvidenceError, Explained, PartExplained, Reader, TooLong};
use crate::poll::Word;

pub fn explain(args: &Explain, out: Out) -> Result<(), String> {
    let (config, reader) = open(&args.told, out.lang)?;
    let at = args.at.unwrap_or_else(|| SystemClock.now());
    let unknown = || match out.lang {
        Lang::Zh => format!("没有点位 {}；请写成 设备/点位", args.of),
        Lang::En => format!("there is no point {}; write it as DEVICE/POINT", args.of),
    };
    let (name, key) = args.of.split_once('/').ok_or_else(unknown)?;
    let found = config.lines.iter().find_map(|line| {
        let device = line.devices.iter().find(|device| device.name == name)?;
        Some((device, device.profile.point(key)?))
    });
    let (device, point) = found.ok_or_else(unknown)?;
    let data = args.told.data.as_ref().unwrap_or(&config.data);
    let added = |counter: &PointDef, at: Timestamp| {
        let of = Some(format!("{name}/{}", counter.key));
        match ask(data, &Request::Ledgers { of }) {
            Ok(Answer::Ledgers(accounts)) => accounts.first()?.added_at(at, counter.modulus),
            _ => None,
        }
    };
    let explained = crate::evidence::explain(&reader, device, point, at, &added);
    let Some(explained) = explained.map_err(|e| told(&e, out.lang))? else {
        return Err(match out.lang {
            Lang::Zh => format!("没有保存 {} 在 {at} 或之前的应答", args.of),
            Lang::En => format!("no answer of {at} or before is kept that has {} in it", args.of),
        });
    };
    let mut text = lines(&explained, out.lang);
    if matches!(point.derived(), Some(Derived::Total(_))) && explained.added.is_none() {
        let zh = "账上加了多少要问正在运行的 steward-edge，它没有回答";
        let en = "the daemon knows what the ledger adds, and it does not answer";
        text = format!("{text}\n\n{}", out.lang.pick(zh, en));
    }
    out.text(text);
    out.value(&explained);
    Ok(())
}

pub fn preview(args: &Preview, out: Out) -> Result<(), String> {
    let (config, reader) = open(&args.told, out.lang)?;
    let at = args.at.unwrap_or_else(|| SystemClock.now());
    let profile = read_profile(&args.profile)?;
    let (mut all, mut unseen) = (Vec::new(), Vec::new());
    let devices = config.lines.iter().flat_map(|line| &line.devices);
    for device in devices.filter(|device| device.profile.id == profile.id) {
        let compared = crate::evidence::compare(&reader, device, &profile, at);
        let Comparison { changed, unseen: of_it } = compared.map_err(|e| told(&e, out.lang))?;
        let name = |point: &str| format!("{}/{point}", device.name);
        all.extend(changed.into_iter().map(|c| Compared { point: name(&c.point), ..c }));
        unseen.extend(of_it.iter().map(|point| name(point)));
    }
    out.text(differences(&all, out.lang));
    if !unseen.is_empty() {
        let head = out.lang.pick("没有找到这些点位的应答", "no answer was found of");
        out.text(format!("{head}: {}", unseen.join(", ")));
    }
    out.value(&all);
    Ok(())
}

pub fn redecode(args: &Redecode, out: Out) -> Result<(), String> {
    let config = load(&args.told.config, args.told.data.as_deref()).map_err(|faults| listing(&faults))?;
    let data = args.told.data.clone().unwrap_or(config.data);
    let answer = ask(&data, &Request::Redecode { since: args.since }).map_err(|e| match out.lang {
        Lang::Zh => format!("{} 中的 steward-edge 没有回答：它在运行吗？", data.display()),
        Lang::En => e.to_string(),
    })?;
    match answer {
        Answer::Redecoded(counts) => {
            let rows: Vec<Vec<String>> = counts.iter().map(|(d, n)| vec![d.clone(), n.to_string()]).collect();
            let none = out.lang.pick("没有需要重新解读的应答", "no answer wants to be read anew");
            out.text(if rows.is_empty() { none.to_owned() } else { table(&rows) });
            out.value(&counts);
            Ok(())
        }
        Answer::Failed(why) => Err(format!("{}: {why}", out.lang.pick("没有做成", "it was not done"))),
        Answer::Ledgers(_) | Answer::Refused(_) | Answer::Commands(_) => {
            Err(out.lang.pick("回答不对", "the answer is not one to this question").to_owned())
        }
    }
}

fn open(told_by: &Told, lang: Lang) -> Result<(Config, Reader), String> {
    let config = load(&told_by.config, told_by.data.as_deref()).map_err(|faults| listing(&faults))?;
    let data = told_by.data.as_ref().unwrap_or(&config.data);
    let reader = Reader::open(data).map_err(|e| told(&e, lang))?;
    Ok((config, reader))
}

fn read_profile(path: &Path) -> Result<Profile, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()))?;
    Profile::parse(&path.display().to_string(), &text).map_err(|faults| listing(&faults))
}

fn told(e: &EvidenceError, lang: Lang) -> String {
    match (lang, e) {
        (Lang::Zh, EvidenceError::None(folder)) => {
            format!("{folder} 中没有原始应答；保存多久由网关文件的 [evidence] keep 决定")
        }
        (Lang::Zh, EvidenceError::Database(e)) => format!("无法读取原始应答：{e}"),
        (Lang::En, e) => super::execute::chain(e),
    }
}

fn lines(e: &Explained, lang: Lang) -> String {
    let row = |zh: &str, en: &str, value: String| vec![lang.pick(zh, en).to_owned(), value];
    let mut rows = vec![
        row("点位", "point", e.point.clone()),
        row("数值", "value", number(e.value.as_ref(), Some(&e.unit))),
        row("质量", "quality", e.quality.map_or_else(|| "-".to_owned(), |word| quality(lang, word))),
        row("时间", "at", e.at.to_string()),
        row("规则", "rule", e.rule.clone()),
        row("设备档案", "profile", e.profile.clone()),
    ];
    if e.profile_changed {
        let zh = "应答之后改过；当时保存的数值可能不同";
        let en = "changed since the device answered; another value may have been kept";
        rows.push(row("", "", lang.pick(zh, en).to_owned()));
    }
    if e.unasked {
        rows.push(row("设备上报", "told by", e.asked.clone()));
    } else if !e.asked.is_empty() {
        rows.push(row("当时询问", "asked", e.asked.clone()));
    }
    if let Some(topic) = &e.topic {
        rows.push(row("主题", "topic", topic.clone()));
        let payload = e.payload.as_ref().map_or_else(|| e.contents.clone(), |text| on_one_line(text));
        rows.extend((!payload.is_empty()).then(|| row("载荷", "payload", payload)));
    } else if e.parts.is_empty() {
        rows.extend((!e.request.is_empty()).then(|| row("请求", "request", e.request.clone())));
        rows.extend(e.response.clone().map(|response| row("应答", "response", response)));
        rows.extend((!e.contents.is_empty()).then(|| row("应答内容", "contents", e.contents.clone())));
    }
    for part in &e.parts {
        let of =
            if part.of.is_empty() { lang.pick("载荷", "payload") } else { lang.pick("其中", "of it") };
        rows.push(vec![of.to_owned(), part_told(part, lang)]);
    }
    if let (Some(bytes), Some(offset)) = (&e.bytes, e.offset) {
        rows.push(match lang {
            Lang::Zh => row("其中字节", "", format!("{bytes}（从第 {offset} 个起）")),
            Lang::En => row("", "bytes", format!("{bytes} (at offset {offset})")),
        });
    }
    let mut text = table(&rows);
    for input in &e.of {
        text.push_str("\n\n");
        text.push_str(&lines(input, lang));
    }
    text
}

/// What one property or one place of a message says: `analog-input 2 present-value: 44 41 A8 00 00 = REAL 21`.
fn part_told(part: &PartExplained, lang: Lang) -> String {
    let PartExplained { of, bytes, says, too_long } = part;
    let said = match (bytes, says, too_long) {
        (Some(bytes), Some(says), _) => format!("{bytes} = {}", on_one_line(says)),
        (None, Some(says), _) => on_one_line(says),
        (_, None, Some(TooLong { bytes, most })) => match lang {
            Lang::Zh => format!("共 {bytes} 字节；超过 {most} 字节的不保存"),
            Lang::En => format!("{bytes} bytes came; what has more than {most} is not kept"),
        },
        (_, None, None) => lang.pick("设备没有说", "the device did not say").to_owned(),
    };
    if of.is_empty() { said } else { format!("{of}: {said}") }
}

/// What a device sends must not spoil the terminal.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn differences(all: &[Compared], lang: Lang) -> String {
    if all.is_empty() {
        return lang.pick("数值没有变化", "no value would change").to_owned();
    }
    let head = match lang {
        Lang::Zh => ["点位", "现在", "改后", "时间"],
        Lang::En => ["point", "now", "then", "at"],
    };
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|c| {
        let side = |value: &Option<Word>, unit: &Option<String>| number(value.as_ref(), unit.as_deref());
        vec![
            c.point.clone(),
            side(&c.before, &c.before_unit),
            side(&c.after, &c.after_unit),
            c.at.to_string(),
        ]
    }));
    table(&rows)
}

fn number(value: Option<&Word>, unit: Option<&str>) -> String {
    let shown = match value {
        Some(Word::Number(n)) => n.to_string(),
        Some(Word::Text(t)) => on_one_line(t),
        None => "-".to_owned(),
    };
    format!("{shown} {}", unit.unwrap_or_default()).trim_end().to_owned()
}

/// An instant as it is written at the terminal.
pub(super) fn instant(text: &str) -> Result<Timestamp, NotAnInstant> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_sends_does_not_reach_the_terminal_raw() {
        let says = Some("AHU\n\u{1b}]0;x".to_owned());
        let part =
            |bytes| PartExplained { of: "description".into(), bytes, says: says.clone(), too_long: None };
        let told = [None, Some("75 06".to_owned())].map(|bytes| part_told(&part(bytes), Lang::En));
        let shown = number(Some(&Word::Text(says.clone().unwrap())), None);
        assert!(told.iter().chain([&shown]).all(|text| !text.contains(char::is_control)), "{told:?} {shown}");
    }
}
