//! The figures of the protocol crate's decode benchmark: criterion measures, and its medians become a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::files;
use crate::json::Json;
use crate::shell;

/// Of one language: nanoseconds for what was measured, and how many bytes or values that was.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Median {
    ns: f64,
    of: f64,
}

pub fn figures() -> Result<String, String> {
    let folder = files::target().join("criterion");
    // What was measured under another name stays there otherwise.
    files::remove(&folder)?;
    let bench =
        ["bench", "--locked", "--package", "steward-protocols", "--bench", "decode", "--", "--noplot"];
    shell::show(&shell::cargo(&bench))?;
    Ok(table(&medians(&folder.join("answers"))?, &medians(&folder.join("values"))?))
}

fn medians(group: &Path) -> Result<BTreeMap<String, Median>, String> {
    let mut found = BTreeMap::new();
    for folder in files::entries(group)?.into_iter().map(|language| language.join("new")) {
        // Beside the languages stands a report of all.
        if folder.is_dir() {
            let read = |name: &str| Json::parse(&files::read(&folder.join(name))?);
            let one = median(&read("benchmark.json")?, &read("estimates.json")?);
            found.extend([one.ok_or_else(|| format!("{} lacks a figure", folder.display()))?]);
        }
    }
    Ok(found)
}

fn median(benchmark: &Json, estimates: &Json) -> Option<(String, Median)> {
    let (_, of) = benchmark.get("throughput").members().next()?;
    let ns = estimates.get("median").get("point_estimate").number()?;
    Some((benchmark.get("function_id").text()?.to_owned(), Median { ns, of: of.number()? }))
}

fn table(answers: &BTreeMap<String, Median>, values: &BTreeMap<String, Median>) -> String {
    let mut table = String::from(
        "| language | ns a value | answer, bytes | µs an answer | MB/s |\n|---|---|---|---|---|\n",
    );
    for (language, Median { ns, of }) in answers {
        let value = values.get(language).map_or(String::new(), |value| format!("{:.0}", value.ns / value.of));
        let (each, rate) = (ns / 1000.0, of / ns * 1000.0);
        let _ = writeln!(table, "| {language} | {value} | {of:.0} | {each:.2} | {rate:.0} |");
    }
    table
        + "\nBy criterion, medians. A value: from the contents of an answer to the points' values. An answer: from the bytes of \
           a sample answer, with its check sum, to its values, and the plan of what was asked. BACnet and MQTT do both in one."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_medians_become_a_table() {
        let benchmark = r#"{"group_id":"answers","function_id":"DL/T 645","throughput":{"Bytes":20}}"#;
        let estimates = r#"{"mean":{"point_estimate":9.0},"median":{"point_estimate":4000.0}}"#;
        let parsed = |text: &str| Json::parse(text).unwrap();
        let one = median(&parsed(benchmark), &parsed(estimates)).unwrap();
        assert_eq!(one, ("DL/T 645".to_owned(), Median { ns: 4000.0, of: 20.0 }));
        let values = BTreeMap::from([("DL/T 645".to_owned(), Median { ns: 60.0, of: 4.0 })]);
        let table = table(&BTreeMap::from([one]), &values);
        assert!(table.contains("\n| DL/T 645 | 15 | 20 | 4.00 | 5 |\n"), "{table}");
        assert_eq!(median(&parsed("{}"), &parsed(estimates)), None);
    }
}
