//! A text setting by setting, and one setting of it changed while everything else stays as somebody has written it:
//! comments, order and spelling. For forms; whether a value is right is its reader's to say.

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::difference::{NAME, by_name, is_tables, shown};
use super::tree::{Document, Kind, Node};

/// One setting and where it stands; a table of a list goes by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub path: Vec<String>,
    /// As TOML has it.
    pub value: String,
}

/// Why a text cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the text is no TOML; mend it first")]
    NoDocument,
    #[error("{0} is no value of TOML")]
    NoValue(String),
    #[error("there is no {0} in the text")]
    Nowhere(String),
    #[error("{0} is written in a way that only the text can be changed")]
    Unusual(String),
}

/// All of them, in the order of the keys.
pub fn settings(document: &Document) -> Vec<Setting> {
    let mut all = Vec::new();
    collect(&mut Vec::new(), &document.root, &mut all);
    all
}

fn collect(path: &mut Vec<String>, node: &Node, all: &mut Vec<Setting>) {
    let mut below = |key: String, node: &Node| {
        path.push(key);
        collect(path, node, all);
        path.pop();
    };
    match &node.kind {
        Kind::Table(table) => {
            for (key, entry) in table {
                below(key.clone(), &entry.node);
            }
        }
        Kind::List(list) if is_tables(list) => {
            for (name, node) in by_name(list) {
                below(name, node);
            }
        }
        _ => all.push(Setting { path: path.clone(), value: shown(node) }),
    }
}

/// Sets one setting, or takes it out where there is no value. Tables on the way are made; a list's are not.
pub fn edit(text: &str, path: &[String], value: Option<&str>) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::NoDocument)?;
    let value = match value {
        Some(value) => Some(value.parse::<Value>().map_err(|_| EditError::NoValue(value.to_owned()))?),
        None => None,
    };
    let Some((key, way)) = path.split_last() else { return Err(EditError::Nowhere(String::new())) };
    set_in(document.as_table_mut(), way, key, value, true)?;
    Ok(document.to_string())
}

fn set_in(
    table: &mut dyn TableLike,
    way: &[String],
    key: &str,
    value: Option<Value>,
    is_root: bool,
) -> Result<(), EditError> {
    let Some((step, rest)) = way.split_first() else {
        set(table, key, value);
        return Ok(());
    };
    if !table.contains_key(step) {
        if value.is_none() {
            return Ok(());
        }
        // A header of its own at the top; within a device it would end the device.
        let new = if is_root { Item::Table(Table::new()) } else { Value::from(InlineTable::new()).into() };
        table.insert(step, new);
    }
    match table.get_mut(step) {
        Some(Item::ArrayOfTables(list)) => {
            let (name, rest) = rest.split_first().ok_or_else(|| EditError::Unusual(step.to_owned()))?;
            set_in(named(list, name)?, rest, key, value, false)
        }
        Some(item) => {
            let below = item.as_table_like_mut().ok_or_else(|| EditError::Unusual(step.to_owned()))?;
            set_in(below, rest, key, value, false)
        }
        None => Err(EditError::Nowhere(step.to_owned())),
    }
}

fn named<'l>(list: &'l mut ArrayOfTables, name: &str) -> Result<&'l mut Table, EditError> {
    let is_it = |table: &&mut Table| table.get(NAME).and_then(Item::as_str) == Some(name);
    list.iter_mut().find(is_it).ok_or_else(|| EditError::Nowhere(name.to_owned()))
}

fn set(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    match (value, table.get_mut(key).and_then(Item::as_value_mut)) {
        (None, _) => drop(table.remove(key)),
        (Some(mut value), Some(present)) => {
            // What stands behind it in its line is somebody's comment.
            *value.decor_mut() = present.decor().clone();
            *present = value;
        }
        (Some(value), None) => drop(table.insert(key, value.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[gateway]\nname = \"t\" # keep\n[[line]]\nname = \"chw\"\nport = 502\n\n[[line.device]]\nname = \"m 1\"\n\
                        title = { zh = \"表\" }\n[[line.device]]\nname = \"m2\"\n";

    fn path(words: &str) -> Vec<String> {
        words.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn one_setting_is_changed_and_the_rest_stays_as_it_is_written() {
        let edited = |way: &str, value| edit(FILE, &path(way), value).unwrap();
        assert_eq!(edited("gateway/name", Some("\"u\"")), FILE.replace("\"t\" # keep", "\"u\" # keep"));
        assert_eq!(edited("line/chw/port", Some("5020")), FILE.replace("502", "5020"));
        let title = edited("line/chw/device/m 1/title/en", Some("\"Meter\""));
        assert_eq!(title, FILE.replace("{ zh = \"表\" }", "{ zh = \"表\" , en = \"Meter\" }"));
        let made = edited("line/chw/device/m2/periods/slow", Some("\"60s\""));
        assert_eq!(made, format!("{FILE}periods = {{ slow = \"60s\" }}\n"));
        let top = edited("periods/slow", Some("\"60s\""));
        assert!(top.contains("[periods]\nslow = \"60s\"\n"), "{top}");
        assert!(Document::parse("", &top).is_ok() && top.starts_with("# ours\n[gateway]"), "{top}");
    }

    #[test]
    fn what_is_taken_out_is_gone_and_what_was_never_there_changes_nothing() {
        assert_eq!(edit(FILE, &path("line/chw/port"), None).unwrap(), FILE.replace("port = 502\n", ""));
        assert_eq!(edit(FILE, &path("line/chw/device/m2/periods/slow"), None).unwrap(), FILE);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let told = |way: &str, value| edit(FILE, &path(way), Some(value)).unwrap_err();
        assert_eq!(told("line/pumps/port", "1"), EditError::Nowhere("pumps".into()));
        assert_eq!(told("gateway/name/zh", "1"), EditError::Unusual("name".into()));
        assert_eq!(told("line/port", "1"), EditError::Unusual("line".into()));
        assert_eq!(told("gateway/name", "not toml"), EditError::NoValue("not toml".into()));
        assert_eq!(edit("a = ", &path("a"), Some("1")), Err(EditError::NoDocument));
    }

    #[test]
    fn every_setting_is_told_with_its_place() {
        let all = settings(&Document::parse("edge.toml", FILE).unwrap());
        let told: Vec<_> = all.iter().map(|s| format!("{}={}", s.path.join("/"), s.value)).collect();
        assert_eq!(
            told,
            [
                "gateway/name=\"t\"",
                "line/chw/device/m 1/name=\"m 1\"",
                "line/chw/device/m 1/title/zh=\"表\"",
                "line/chw/device/m2/name=\"m2\"",
                "line/chw/name=\"chw\"",
                "line/chw/port=502",
            ]
        );
    }
}
