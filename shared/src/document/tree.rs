//! A document as a tree whose every node knows where it was written. Layers are merged here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::fault::{Fault, Faults};
use super::table::Table;

/// More would rather be echoes of the first than faults of their own.
const MOST_SYNTAX_FAULTS: usize = 5;

/// A text that nodes came from.
#[derive(Debug)]
pub(super) struct Source {
    pub name: String,
    text: String,
    /// False for what has no lines: an environment variable, the empty document.
    lines: bool,
}

/// Where a node was written.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    /// Line and column, both from 1, columns in characters; (0, 0) where there are no lines.
    pub fn position(&self) -> (usize, usize) {
        if !self.source.lines {
            return (0, 0);
        }
        let before = self.source.text.get(..self.span.start).unwrap_or(&self.source.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    pub fn file(&self) -> &str {
        &self.source.name
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    Text(String),
    Integer(i64),
    /// With the digits as written, for those who need them exactly.
    Float(f64, String),
    Flag(bool),
    /// A date or time; nothing here uses them, so that they are told as what they are.
    Instant(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) place: Place,
    pub kind: Kind,
}

impl Node {
    /// In the words of a message: "a text", "a number with a fraction".
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "a text",
            Kind::Integer(_) => "a whole number",
            Kind::Float(..) => "a number with a fraction",
            Kind::Flag(_) => "true or false",
            Kind::Instant(_) => "a date or time",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }
}

/// A whole document, of one or more layers.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) root: Node,
}

impl Document {
    /// Reads one file's text. Where it is no TOML, only that is told: what it says cannot be judged yet.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned(), lines: true });
        let faults = Faults::default();
        let mut readable = text.to_owned();
        let mut last = None;
        for _ in 0..MOST_SYNTAX_FAULTS {
            let error = match toml_edit::Document::parse(readable.as_str()) {
                Ok(_) if !faults.is_empty() => break,
                Ok(parsed) => return Ok(Self { root: Builder { source }.table(parsed.as_table(), 0..0) }),
                Err(error) => error,
            };
            let place = Place { source: Arc::clone(&source), span: error.span().unwrap_or(0..0) };
            // The line right behind a fault is rather its echo: an array or a text that was not closed.
            let line = place.position().0;
            if last.is_some_and(|last| (last..=last + 1).contains(&line)) {
                break;
            }
            last = Some(line);
            let (start, end) = line_around(&readable, place.span.start);
            let told: Vec<&str> = error.message().lines().collect();
            let way_out = "mend this first, more may follow".to_owned();
            faults.put(&place, "", format!("this is no TOML: {}", told.join(", ")), way_out);
            // Reading goes on without the line, as long as there is one to leave out.
            let blank = " ".repeat(end - start);
            if readable.get(start..end).is_none_or(|line| line == blank) {
                break;
            }
            readable.replace_range(start..end, &blank);
        }
        Err(faults.into_sorted())
    }

    /// Lets `upper` override: tables are merged key by key, everything else is replaced.
    #[must_use]
    pub fn overridden_by(mut self, upper: Self) -> Self {
        merge(&mut self.root, upper.root);
        self
    }

    /// Runs a reader over the document. Either it finds everything in order, or every fault comes back.
    pub fn read<T>(&self, reader: impl FnOnce(&Table<'_>) -> Option<T>) -> Result<T, Vec<Fault>> {
        let faults = Faults::default();
        let read = {
            let root = Table::new(&self.root, String::new(), &faults);
            reader(&root)
        };
        let faults = faults.into_sorted();
        match read {
            Some(value) if faults.is_empty() => Ok(value),
            None if faults.is_empty() => Err(vec![Fault::of_file(
                self.root.place.file(),
                "something is missing",
                "compare it with the documentation",
            )]),
            _ => Err(faults),
        }
    }

    pub(super) fn leaf(source_name: String, node: impl FnOnce(Place) -> Node) -> Node {
        let source = Arc::new(Source { name: source_name, text: String::new(), lines: false });
        node(Place { source, span: 0..0 })
    }

    pub(super) fn parse_value(name: &str, text: &str) -> Option<Node> {
        let line = format!("v = {text}\n");
        let parsed = toml_edit::Document::parse(line.as_str()).ok()?;
        let source = Arc::new(Source { name: name.to_owned(), text: String::new(), lines: false });
        let item = parsed.as_table().get("v").filter(|_| parsed.as_table().len() == 1)?;
        Builder { source }.item(item, 0..0)
    }
}

/// First byte and end of the line in which `at` lies.
fn line_around(text: &str, at: usize) -> (usize, usize) {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end =
        text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| start + newline);
    (start, end)
}

fn merge(lower: &mut Node, upper: Node) {
    match (&mut lower.kind, upper.kind) {
        (Kind::Table(below), Kind::Table(above)) => {
            for (name, entry) in above {
                match below.get_mut(&name) {
                    Some(present) => {
                        present.key = entry.key;
                        merge(&mut present.node, entry.node);
                    }
                    None => {
                        below.insert(name, entry);
                    }
                }
            }
            lower.place = upper.place;
        }
        (_, kind) => *lower = Node { place: upper.place, kind },
    }
}

struct Builder {
    source: Arc<Source>,
}

impl Builder {
    fn place(&self, span: Range<usize>) -> Place {
        Place { source: Arc::clone(&self.source), span }
    }

    fn entry(&self, key: &toml_edit::Key, item: &toml_edit::Item) -> Option<(String, Entry)> {
        let span = key.span().or_else(|| item.span()).unwrap_or(0..0);
        let node = self.item(item, span.clone())?;
        Some((key.get().to_owned(), Entry { key: self.place(span), node }))
    }

    fn item(&self, item: &toml_edit::Item, fallback: Range<usize>) -> Option<Node> {
        match item {
            toml_edit::Item::None => None,
            toml_edit::Item::Value(value) => Some(self.value(value, fallback)),
            toml_edit::Item::Table(table) => Some(self.table(table, fallback)),
            toml_edit::Item::ArrayOfTables(tables) => {
                let nodes = tables.iter().map(|t| self.table(t, fallback.clone())).collect();
                Some(Node { place: self.place(tables.span().unwrap_or(fallback)), kind: Kind::List(nodes) })
            }
        }
    }

    fn table(&self, table: &toml_edit::Table, fallback: Range<usize>) -> Node {
        let entries = table
            .iter()
            .filter_map(|(name, item)| table.key(name).and_then(|key| self.entry(key, item)))
            .collect();
        Node { place: self.place(table.span().unwrap_or(fallback)), kind: Kind::Table(entries) }
    }

    fn value(&self, value: &toml_edit::Value, fallback: Range<usize>) -> Node {
        use toml_edit::Value;
        let span = value.span().unwrap_or(fallback);
        let kind = match value {
            Value::String(s) => Kind::Text(s.value().clone()),
            Value::Integer(i) => Kind::Integer(*i.value()),
            Value::Float(f) => {
                let digits = self.source.text.get(span.clone()).map(str::trim).filter(|d| !d.is_empty());
                Kind::Float(*f.value(), digits.map_or_else(|| f.value().to_string(), ToOwned::to_owned))
            }
            Value::Boolean(b) => Kind::Flag(*b.value()),
            Value::Datetime(d) => Kind::Instant(d.value().to_string()),
            Value::Array(list) => Kind::List(list.iter().map(|v| self.value(v, span.clone())).collect()),
            Value::InlineTable(table) => Kind::Table(
                table
                    .iter()
                    .filter_map(|(name, value)| {
                        let key = table.key(name)?;
                        let place = self.place(key.span().unwrap_or_else(|| span.clone()));
                        Some((name.to_owned(), Entry { key: place, node: self.value(value, span.clone()) }))
                    })
                    .collect(),
            ),
        };
        Node { place: self.place(span), kind }
    }
}
