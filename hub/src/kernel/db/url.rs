//! Where the database is: `sqlite:<file>` or `postgres://…`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Box<tokio_postgres::Config>),
}

#[derive(Debug, thiserror::Error)]
pub enum NotADatabase {
    #[error("{0} is no database; write sqlite:steward.db or postgres://user@host/name?host=/run/postgresql")]
    Unknown(String),
    #[error(
        "the hub does not speak TLS to PostgreSQL; leave sslmode away, and reach the server by its socket, on this \
         machine or through a tunnel"
    )]
    WantsTls,
}

impl FromStr for DatabaseUrl {
    type Err = NotADatabase;

    fn from_str(text: &str) -> Result<Self, NotADatabase> {
        if let Some(file) = text.strip_prefix("sqlite:") {
            let file = file.strip_prefix("//").unwrap_or(file);
            if file.is_empty() {
                return Err(NotADatabase::Unknown(text.to_owned()));
            }
            return Ok(Self::Sqlite(PathBuf::from(file)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let settings = text.split_once('?').map_or("", |(_, settings)| settings);
            if settings.contains("sslmode=require") || settings.contains("sslmode=verify") {
                return Err(NotADatabase::WantsTls);
            }
            let config = text
                .parse()
                .map_err(|e| NotADatabase::Unknown(format!("the address of PostgreSQL ({e})")))?;
            return Ok(Self::Postgres(Box::new(config)));
        }
        Err(NotADatabase::Unknown(format!("{:?}", text.split('@').next_back().unwrap_or_default())))
    }
}

/// Without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Postgres(c) => {
                write!(f, "postgres://{}/{}", c.get_user().unwrap_or("?"), c.get_dbname().unwrap_or("?"))
            }
        }
    }
}
