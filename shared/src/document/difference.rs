//! What differs between two documents, setting by setting: for people who are to see what a change means, not which lines
//! of text moved. Comments, order of keys and spelling are no difference. Pure; nothing here judges a value.

use std::collections::BTreeMap;

use super::tree::{Document, Entry, Kind, Node};

/// What a table of a list goes by, wherever it stands in the list.
pub(super) const NAME: &str = "name";

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `line[chw].device[main-meter].periods.normal`; a table of a list goes by its name, without one by its place.
    pub path: String,
    /// As TOML has it; none where it was not there.
    pub before: Option<String>,
    /// None where it is gone.
    pub after: Option<String>,
}

/// In the order of the keys; a table that is new or gone is one change.
pub fn difference(before: &Document, after: &Document) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &before.root, &after.root, &mut changes);
    changes
}

fn compare(path: &str, before: &Node, after: &Node, changes: &mut Vec<Change>) {
    match (&before.kind, &after.kind) {
        (Kind::Table(b), Kind::Table(a)) => {
            let at = |key: &str| {
                let key = bare(key);
                if path.is_empty() { key } else { format!("{path}.{key}") }
            };
            each(&by_key(b), &by_key(a), at, changes);
        }
        (Kind::List(b), Kind::List(a)) if is_tables(b) && is_tables(a) => {
            each(&by_name(b), &by_name(a), |name| format!("{path}[{name}]"), changes);
        }
        _ => {
            let (before, after) = (shown(before), shown(after));
            if before != after {
                changes.push(Change { path: path.to_owned(), before: Some(before), after: Some(after) });
            }
        }
    }
}

pub(super) type Named<'n> = BTreeMap<String, &'n Node>;

fn each(before: &Named<'_>, after: &Named<'_>, at: impl Fn(&str) -> String, changes: &mut Vec<Change>) {
    for (key, node) in before {
        match after.get(key) {
            Some(after) => compare(&at(key), node, after, changes),
            None => changes.push(Change { path: at(key), before: Some(shown(node)), after: None }),
        }
    }
    for (key, node) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        changes.push(Change { path: at(key), before: None, after: Some(shown(node)) });
    }
}

fn by_key(table: &BTreeMap<String, Entry>) -> Named<'_> {
    table.iter().map(|(key, entry)| (key.clone(), &entry.node)).collect()
}

/// A second one of the same name is told apart by its place.
pub(super) fn by_name(list: &[Node]) -> Named<'_> {
    let mut named = Named::new();
    for (place, node) in list.iter().enumerate() {
        let name = name(node).filter(|name| !named.contains_key(name));
        named.insert(name.unwrap_or_else(|| format!("#{}", place + 1)), node);
    }
    named
}

fn name(node: &Node) -> Option<String> {
    let Kind::Table(table) = &node.kind else { return None };
    match &table.get(NAME)?.node.kind {
        Kind::Text(name) => Some(name.clone()),
        _ => None,
    }
}

pub(super) fn is_tables(list: &[Node]) -> bool {
    !list.is_empty() && list.iter().all(|node| matches!(node.kind, Kind::Table(_)))
}

pub(super) fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => quoted(text),
        Kind::Integer(number) => number.to_string(),
        Kind::Float(number, _) => number.to_string(),
        Kind::Flag(flag) => flag.to_string(),
        Kind::Instant(instant) => instant.clone(),
        Kind::List(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Kind::Table(table) if table.is_empty() => "{}".to_owned(),
        Kind::Table(table) => {
            let entry = |(key, entry): (&String, &Entry)| format!("{} = {}", bare(key), shown(&entry.node));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn bare(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> Vec<String> {
        let read = |text: &str| Document::parse("edge.toml", text).unwrap();
        let told = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        difference(&read(before), &read(after))
            .into_iter()
            .map(|c| format!("{}: {} > {}", c.path, told(c.before), told(c.after)))
            .collect()
    }

    const FILE: &str = "[hub]\naddress = \"h:1\"\n[[line]]\nname = \"chw\"\nport = 502\n[[line.device]]\nname = \"m1\"\n\
                        periods = { normal = \"10s\" }\n[[line.device]]\nname = \"m2\"\n";

    #[test]
    fn a_setting_is_told_by_the_names_of_what_it_belongs_to() {
        let after = FILE.replace("\"10s\"", "\"5s\"").replace("502", "5020");
        let told = ["line[chw].device[m1].periods.normal: \"10s\" > \"5s\"", "line[chw].port: 502 > 5020"];
        assert_eq!(changes(FILE, &after), told);
    }

    #[test]
    fn comments_order_and_spelling_are_no_difference() {
        let after = "# moved\n[[line]]\nport = 0x1f6\nname = 'chw'\n[[line.device]]\nname = \"m2\"\n[[line.device]]\n\
                     name = \"m1\"\nperiods.normal = \"10s\"\n[hub]\naddress = \"h:1\"\n";
        assert_eq!(changes(FILE, after), [""; 0]);
    }

    #[test]
    fn what_is_new_or_gone_is_one_change_each() {
        let after = FILE.replace("\"m2\"", "\"m 3\"").replace("[hub]\naddress = \"h:1\"\n", "");
        let told = [
            "hub: { address = \"h:1\" } > -",
            "line[chw].device[m2]: { name = \"m2\" } > -",
            "line[chw].device[m 3]: - > { name = \"m 3\" }",
        ];
        assert_eq!(changes(FILE, &after), told);
        assert_eq!(changes("a = [{ name = \"x\" }, { name = \"x\" }]", "a = [{ name = \"x\" }]").len(), 1);
    }
}
