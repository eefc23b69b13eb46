//! What can go wrong between a store and its database. Broken constraints are refusals and carry their name;
//! everything else is a fault of the database, the way to it, or the program.

use std::time::Duration;

use super::row::RowError;
use super::{lite, pg};

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique index, primary key (`<table>_pkey`), check or trigger, by its name in the migration.
    #[error("the constraint {0} forbids this")]
    Constraint(String),
    /// A foreign key: what is referred to is missing, or what is removed is still referred to.
    #[error("a row that is referred to is missing, or is still in use")]
    Reference,
    /// PostgreSQL keeps no NUL character in a text.
    #[error("a text holds a character that the database cannot keep")]
    Unstorable,
    /// Another writer was faster, more often than we try again.
    #[error("the database is busy; try again")]
    Busy,
    #[error("the database did not answer within {0:?}")]
    Deadline(Duration),
    #[error("the transaction is over or broken; nothing more can be done in it")]
    Over,
    #[error("cannot open the database {place}; {way_out}")]
    Open {
        place: String,
        way_out: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    #[error(
        "another hub serves this database, and one database serves one hub; stop the other one first, or give this \
         one a database of its own as [database] url"
    )]
    Claimed,
    #[error("the database is newer than this program ({module} {number}); install the newer program")]
    Newer { module: String, number: i64 },
    #[error(
        "the database is older than this program ({module} {number} is missing); start the hub, which brings it up \
         to date"
    )]
    Older { module: String, number: i64 },
    #[error("there are no tables of a hub in this database; is it the right one?")]
    Foreign(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("migration {module} {number} was changed after it had been applied; restore its text")]
    Changed { module: String, number: i64 },
    #[error("SQLite {0} is too old; 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    #[error("a row does not fit the type that reads it")]
    Row(#[source] RowError),
    #[error("the statement failed: {sql}")]
    Statement {
        sql: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the connection to the database broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DbError {
    /// Whether it was this constraint that refused.
    pub fn broke(&self, constraint: &str) -> bool {
        matches!(self, Self::Constraint(name) if name == constraint)
    }

    /// Whether the values are at fault: with them the same statement fails for ever, whatever becomes of the disk, the
    /// server and the way to it.
    pub fn is_of_the_values(&self) -> bool {
        match self {
            Self::Constraint(_) | Self::Reference | Self::Row(_) => true,
            Self::Statement { source, .. } => {
                lite::is_of_the_values(source.as_ref()) || pg::is_of_the_values(source.as_ref())
            }
            _ => false,
        }
    }

    /// Whether the same transaction may succeed when it is tried again.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

/// A statement's first words, for messages: the text is ours and holds no values.
pub(super) fn abridged(sql: &str) -> String {
    let mut words: Vec<&str> = sql.split_whitespace().take(12).collect();
    if sql.split_whitespace().nth(12).is_some() {
        words.push("…");
    }
    words.join(" ")
}
