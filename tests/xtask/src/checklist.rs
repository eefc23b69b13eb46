//! Which faults, capabilities and controls have a test that bears their id in its name:
//! `fault_b4_a_late_reply_…`, `seed_e07_…`, `control_37_…`. The ids stand in `tests/checklist/*.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::files;
use crate::report::say;

struct Row {
    /// As it appears in a test's name: `b4`, `aa03`, `37`.
    id: String,
    title: String,
}

pub fn run(args: &[&str]) -> Result<(), String> {
    let only_missing = match args {
        [] => false,
        ["--missing"] => true,
        _ => return Err("`cargo xtask checklist` takes only --missing".into()),
    };
    let names = test_names()?;
    let mut totals = Vec::new();
    for (list, prefix) in [("faults", "fault"), ("seed", "seed"), ("controls", "control")] {
        let rows = rows(&files::read(&files::root().join(format!("tests/checklist/{list}.txt")))?)?;
        let mut covered = 0;
        say!("{list}");
        for row in &rows {
            let tests = bearing(&names, &format!("{prefix}_{}", row.id));
            covered += usize::from(!tests.is_empty());
            if tests.is_empty() == only_missing {
                say!("  {:<5} {}", row.id.to_uppercase(), row.title);
                for (name, file) in tests {
                    say!("        {name}  ({file})");
                }
            }
        }
        totals.push(format!("{list}: {covered} of {}", rows.len()));
    }
    say!("\nwith a test: {}", totals.join(", "));
    Ok(())
}

/// The page of the faults: each row, and what its tests say in their names.
pub fn faults() -> Result<String, String> {
    let names = test_names()?;
    let list = files::read(&files::root().join("tests/checklist/faults.txt"))?;
    let rows = rows(&list)?;
    let tried = rows.iter().filter(|row| !bearing(&names, &format!("fault_{}", row.id)).is_empty()).count();
    let mut out = format!(
        "# Faults that Steward is tried with\n\n<!-- made by `cargo xtask gen` from tests/checklist/faults.txt and the \
         names of the tests -->\n\n{tried} of {} rows have a test. `cargo verify` runs them all, and is red if one fails.\n\n\
         | Fault | What happens | Tried in |\n|---|---|---|\n",
        rows.len()
    );
    for row in &rows {
        let id = format!("fault_{}", row.id);
        let (mut says, mut places) = (Vec::new(), Vec::new());
        for (name, file) in bearing(&names, &id) {
            says.push(in_words(name));
            if !places.contains(&file) {
                places.push(file);
            }
        }
        let says = if says.is_empty() { "**no test yet**".to_owned() } else { says.join(";<br>") };
        let places: Vec<String> = places.iter().map(|file| format!("`{file}`")).collect();
        let (id, title) = (row.id.to_uppercase(), &row.title);
        let _ = writeln!(out, "| {id} {title} | {says} | {} |", places.join("<br>"));
    }
    Ok(out)
}

/// `fault_y1_fault_y2_a_hub_…` without its ids, as a sentence.
fn in_words(name: &str) -> String {
    let mut rest = name;
    while let Some(behind) = rest.strip_prefix("fault_") {
        rest = behind.split_once('_').map_or(behind, |(_, words)| words);
    }
    rest.replace('_', " ")
}

/// `B4 title` is one row. `E01-E25 title` stands for that many rows.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (ids, title) = line.split_once(' ').ok_or_else(|| format!("`{line}` has no title"))?;
        let title = title.trim().to_owned();
        let Some((first, last)) = ids.split_once('-') else {
            rows.push(Row { id: ids.to_lowercase(), title });
            continue;
        };
        let letters = first.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = |id: &str| id.trim_start_matches(letters).parse::<u32>();
        let (Ok(from), Ok(to)) = (number(first), number(last)) else {
            return Err(format!("`{ids}` is no range of ids"));
        };
        for n in from..=to {
            rows.push(Row { id: format!("{}{n:02}", letters.to_lowercase()), title: title.clone() });
        }
    }
    Ok(rows)
}

/// Names that begin with `fault_`, `seed_` or `control_`, each with the file that holds it.
fn test_names() -> Result<BTreeMap<String, String>, String> {
    let root = files::root();
    let folders = ["shared", "edge", "hub", "tests"].map(|dir| root.join(dir));
    let mut names = BTreeMap::new();
    for path in files::below(&folders, &["node_modules", "dist", "target", "xtask", "checklist"]) {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if !matches!(ending, "rs" | "ts" | "tsx" | "py") {
            continue;
        }
        let text = files::read(&path)?;
        let file = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        for name in names_in(&text) {
            names.insert(name.to_owned(), file.clone());
        }
    }
    Ok(names)
}

/// Only where a test is named: `fn fault_…`, `def test_fault_…`, `test("fault_… …")`.
fn names_in(text: &str) -> Vec<&str> {
    let openings = ["fn ", "def test_", "test(\"", "test('", "it(\"", "it('"];
    let mut found = Vec::new();
    for opening in openings {
        for (at, _) in text.match_indices(opening) {
            let rest = &text[at + opening.len()..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let name = &rest[..end];
            if ["fault_", "seed_", "control_"].iter().any(|prefix| name.starts_with(prefix)) {
                found.push(name);
            }
        }
    }
    found
}

/// A test may bear several ids: `fault_y1_fault_y2_…`.
fn bearing<'a>(names: &'a BTreeMap<String, String>, id: &str) -> Vec<(&'a String, &'a String)> {
    let id = format!("_{id}_");
    names.iter().filter(|(name, _)| format!("_{name}_").contains(&id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_says_is_its_name_without_the_ids() {
        assert_eq!(in_words("fault_y1_fault_y2_a_hub_killed_at_any_moment"), "a hub killed at any moment");
        assert_eq!(in_words("fault_b4_late"), "late");
    }

    #[test]
    fn a_range_stands_for_its_rows() {
        let rows = rows("# note\nN1 link down\nAA01-AA03 pay\n").unwrap();
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["n1", "aa01", "aa02", "aa03"]);
    }

    #[test]
    fn only_names_of_tests_count_and_n1_is_not_n10() {
        let text =
            "fn fault_n10_x() {}\n// fault_n2_in_words\ntest('fault_n3_page', …)\ndef test_fault_b4_late():";
        assert_eq!(names_in(text), ["fault_n10_x", "fault_b4_late", "fault_n3_page"]);
        let names: BTreeMap<String, String> = [("fault_n10_x".to_owned(), String::new())].into();
        assert!(bearing(&names, "fault_n1").is_empty());
        assert_eq!(bearing(&names, "fault_n10").len(), 1);
        let names: BTreeMap<String, String> = [("fault_y1_fault_y2_x".to_owned(), String::new())].into();
        assert_eq!([bearing(&names, "fault_y1").len(), bearing(&names, "fault_y2").len()], [1, 1]);
    }

    #[test]
    fn a_fault_that_has_had_a_test_keeps_one() {
        let had = "n1 n5 n6 n7 n8 n9 n12 t1 t3 t8 y1 y2 y3 y5 s1 s5 b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 h7 \
                   wrong_toml wrong_password wrong_query";
        let names = test_names().unwrap();
        let lost: Vec<&str> =
            had.split(' ').filter(|id| bearing(&names, &format!("fault_{id}")).is_empty()).collect();
        assert!(lost.is_empty(), "no test bears the id of {lost:?} any more");
    }

    #[test]
    fn the_lists_of_the_project_are_whole() {
        let count = |list: &str| {
            let text = files::read(&files::root().join(format!("tests/checklist/{list}.txt"))).unwrap();
            rows(&text).unwrap().len()
        };
        assert_eq!((count("faults"), count("seed"), count("controls")), (100, 438, 58));
    }
}
