//! TOML for people: configuration and profiles are read through this, so that every fault of a file is told
//! at once with file, line, column, path and the way out. Nothing here guesses: an unknown key is a fault.
//!
//! A reader first asks for everything and only then uses `?`: what it did not ask for counts as unknown.
//!
//! ```
//! use steward_shared::document::Document;
//!
//! let document = Document::parse("edge.toml", "[http]\nlisten = \"localhost\"\ntimout = \"5s\"\n").unwrap();
//! let faults = document
//!     .read(|root| {
//!         let http = root.table("http")?;
//!         let listen = http.required::<std::net::SocketAddr>("listen");
//!         let timeout = http.or("timeout", std::time::Duration::from_secs(10));
//!         Some((listen?, timeout))
//!     })
//!     .unwrap_err();
//! assert_eq!(faults.len(), 2);
//! assert!(faults[1].to_string().starts_with("edge.toml:3:1: http.timout: "));
//! ```

mod convert;
mod difference;
mod edit;
mod fault;
mod layer;
mod nearest;
mod table;
mod tree;

pub use convert::{ByteSize, FromNode, HostPort, Wrong};
pub use difference::{Change, difference};
pub use edit::{EditError, Setting, edit, settings};
pub use fault::{Fault, Faults, Spot, listing};
pub use nearest::nearest;
pub use table::Table;
pub use tree::{Document, Kind, Node, Place};
