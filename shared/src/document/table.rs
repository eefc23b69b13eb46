//! A table under the reader's eyes. It remembers what was asked for: when it is dropped, each key that
//! nobody asked for is a fault, with the nearest name that somebody did ask for.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::convert::FromNode;
use super::fault::{Faults, Spot};
use super::nearest::nearest;
use super::tree::{Entry, Kind, Node, Place};

#[derive(Debug)]
pub struct Table<'a> {
    entries: Option<&'a BTreeMap<String, Entry>>,
    place: &'a Place,
    path: String,
    faults: &'a Faults,
    asked: RefCell<BTreeSet<String>>,
    strict: Cell<bool>,
}

impl<'a> Table<'a> {
    pub(super) fn new(node: &'a Node, path: String, faults: &'a Faults) -> Self {
        let entries = if let Kind::Table(entries) = &node.kind { Some(entries) } else { None };
        let table = Self {
            entries,
            place: &node.place,
            path,
            faults,
            asked: RefCell::default(),
            strict: Cell::new(true),
        };
        if entries.is_none() {
            table.faults.put(
                &node.place,
                &table.path,
                format!("a table is wanted here, this is {}", node.what()),
                "write it as [name] with its keys below, or as { key = value }".to_owned(),
            );
        }
        table
    }

    /// The value of a key that must be there.
    pub fn required<T: FromNode>(&self, key: &str) -> Option<T> {
        if self.look(key).is_none() {
            self.missing(key, T::EXAMPLE);
        }
        self.optional(key)
    }

    /// The value of a key that may be absent. A wrong value is a fault, and absent here.
    pub fn optional<T: FromNode>(&self, key: &str) -> Option<T> {
        let entry = self.look(key)?;
        T::read(&entry.node, &self.path_of(key), self.faults)
    }

    /// The value of a key, or `default` where it is absent or wrong (wrong is a fault all the same).
    pub fn or<T: FromNode>(&self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A required number inside `range`.
    pub fn within<T: FromNode + PartialOrd + Display>(
        &self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let value = self.required::<T>(key)?;
        self.check_range(key, value, &range)
    }

    /// A number inside `range`, or `default`.
    pub fn within_or<T: FromNode + PartialOrd + Display>(
        &self,
        key: &str,
        range: RangeInclusive<T>,
        default: T,
    ) -> T {
        self.optional::<T>(key).and_then(|value| self.check_range(key, value, &range)).unwrap_or(default)
    }

    /// A required word out of a list.
    pub fn word<W: Clone>(&self, key: &str, words: &[(&str, W)]) -> Option<W> {
        if self.look(key).is_none() {
            self.missing(key, &alternatives(words));
        }
        self.optional_word(key, words)
    }

    /// A word out of a list, or `default`.
    pub fn word_or<W: Clone>(&self, key: &str, words: &[(&str, W)], default: W) -> W {
        self.optional_word(key, words).unwrap_or(default)
    }

    pub fn optional_word<W: Clone>(&self, key: &str, words: &[(&str, W)]) -> Option<W> {
        let given = self.optional::<String>(key)?;
        let found = words.iter().find(|(word, _)| *word == given).map(|(_, w)| w.clone());
        if found.is_none() {
            let meant = nearest(&given, words.iter().map(|(w, _)| *w))
                .map_or_else(String::new, |w| format!("did you mean \"{w}\"? "));
            self.fault(
                key,
                format!("\"{given}\" is not known here"),
                format!("{meant}write {}", alternatives(words)),
            );
        }
        found
    }

    /// A table that must be there.
    pub fn table(&self, key: &str) -> Option<Table<'a>> {
        if self.look(key).is_none() {
            self.missing(key, "{ … }");
        }
        self.optional_table(key)
    }

    pub fn optional_table(&self, key: &str) -> Option<Table<'a>> {
        let entry = self.look(key)?;
        let table = Table::new(&entry.node, self.path_of(key), self.faults);
        table.entries.is_some().then_some(table)
    }

    /// A list of tables (`[[key]]`); an absent one is empty.
    pub fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let Some(entry) = self.look(key) else { return Vec::new() };
        let Kind::List(nodes) = &entry.node.kind else {
            self.fault(
                key,
                format!("a list of tables is wanted here, this is {}", entry.node.what()),
                format!("write [[{key}]] once for each"),
            );
            return Vec::new();
        };
        let path = self.path_of(key);
        nodes
            .iter()
            .enumerate()
            .map(|(i, node)| Table::new(node, format!("{path}[{i}]"), self.faults))
            .filter(|table| table.entries.is_some())
            .collect()
    }

    /// All keys with their values, for a table whose keys are names given by the writer.
    pub fn entries<T: FromNode>(&self) -> Vec<(String, T)> {
        self.keys().into_iter().filter_map(|key| self.optional(&key).map(|value| (key, value))).collect()
    }

    pub fn keys(&self) -> Vec<String> {
        self.entries.map(|e| e.keys().cloned().collect()).unwrap_or_default()
    }

    pub fn has(&self, key: &str) -> bool {
        self.look(key).is_some()
    }

    /// Says that this key's value is wrong, for a reason that only the reader knows.
    pub fn fault(&self, key: &str, message: impl Into<String>, way_out: impl Into<String>) {
        self.faults.push(&self.spot(key), message, way_out);
    }

    /// Whether a text that stands at `key` can be kept wherever it goes; a fault where it cannot.
    pub fn check_text(&self, key: &str, text: &str, most: usize) -> bool {
        let bytes = text.len();
        if bytes > most {
            let way_out = format!("write at most {most} bytes; a Chinese character takes three");
            self.fault(key, format!("this text has {bytes} bytes"), way_out);
        } else if text.contains('\0') {
            self.fault(key, "this text holds the character of code 0", "remove it");
        } else {
            return true;
        }
        false
    }

    /// Says that the table as a whole is wrong.
    pub fn fault_here(&self, message: impl Into<String>, way_out: impl Into<String>) {
        self.faults.put(self.place, &self.path, message.into(), way_out.into());
    }

    /// Where the key's value stands (or the table, when the key is absent), to judge it later.
    pub fn spot(&self, key: &str) -> Spot {
        let place = self.entries.and_then(|e| e.get(key)).map_or(self.place, |entry| &entry.node.place);
        Spot { place: place.clone(), path: self.path_of(key) }
    }

    /// Where the table itself stands.
    pub fn spot_here(&self) -> Spot {
        Spot { place: self.place.clone(), path: self.path.clone() }
    }

    pub fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// Tells nothing of keys that nobody asked for: for a reader that gives up half-way.
    pub fn ignore_rest(&self) {
        self.strict.set(false);
    }

    fn look(&self, key: &str) -> Option<&'a Entry> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries?.get(key)
    }

    fn missing(&self, key: &str, example: &str) {
        if self.entries.is_some() {
            self.faults.put(
                self.place,
                &self.path_of(key),
                "this key is missing".to_owned(),
                format!("add {key} = {example}"),
            );
        }
    }

    fn check_range<T: PartialOrd + Display>(
        &self,
        key: &str,
        value: T,
        range: &RangeInclusive<T>,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        self.fault(
            key,
            format!("{value} is out of range"),
            format!("write a value from {} to {}", range.start(), range.end()),
        );
        None
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        let (Some(entries), true) = (self.entries, self.strict.get()) else { return };
        let asked = self.asked.borrow();
        for (name, entry) in entries.iter().filter(|(name, _)| !asked.contains(*name)) {
            let way_out = match nearest(name, asked.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => {
                    format!("remove it; known here: {}", asked.iter().cloned().collect::<Vec<_>>().join(", "))
                }
            };
            self.faults.put(&entry.key, &self.path_of(name), "this key is not known".to_owned(), way_out);
        }
    }
}

fn alternatives<W>(words: &[(&str, W)]) -> String {
    words.iter().map(|(w, _)| format!("\"{w}\"")).collect::<Vec<_>>().join(" or ")
}
