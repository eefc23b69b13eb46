//! What is wrong with a document, where, and what to do. Readers push, nobody stops at the first.

use std::cell::RefCell;
use std::fmt;

use super::tree::Place;

/// One fault. Shown as `edge.toml:12:9: line[0].baud: 9601 is no baud rate; take one of 1200, 2400, …`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Fault {
    /// The file's name, or `environment variable STEWARD_…`.
    pub file: String,
    /// From 1; 0 where there are no lines (the environment).
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// `a.b[2].c`; empty where the whole document is meant.
    pub path: String,
    pub message: String,
    /// What to do about it; empty where the message says it.
    pub way_out: String,
}

impl Fault {
    /// A fault of a whole file: it cannot be read, it stands twice.
    pub fn of_file(file: &str, message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            path: String::new(),
            message: message.into(),
            way_out: way_out.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if self.way_out.is_empty() { Ok(()) } else { write!(f, "; {}", self.way_out) }
    }
}

/// One line a fault, for logs and terminals.
pub fn listing(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Where a value stands: kept by a reader that judges it later, when more is known.
#[derive(Clone, Debug)]
pub struct Spot {
    pub(super) place: Place,
    pub path: String,
}

impl Spot {
    /// For what is found out after the document was read.
    pub fn fault(&self, message: impl Into<String>, way_out: impl Into<String>) -> Fault {
        let (line, column) = self.place.position();
        let (file, path) = (self.place.file().to_owned(), self.path.clone());
        Fault { file, line, column, path, message: message.into(), way_out: way_out.into() }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub fn push(&self, spot: &Spot, message: impl Into<String>, way_out: impl Into<String>) {
        self.0.borrow_mut().push(spot.fault(message, way_out));
    }

    pub(super) fn put(&self, place: &Place, path: &str, message: String, way_out: String) {
        self.push(&Spot { place: place.clone(), path: path.to_owned() }, message, way_out);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// In the order of the file.
    pub(super) fn into_sorted(self) -> Vec<Fault> {
        let mut all = self.0.into_inner();
        all.sort();
        all.dedup();
        all
    }
}
