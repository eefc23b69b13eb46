//! The profile that a command names: by its id, out of the library or a folder of one's own, or by the path of its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_shared::document::listing;
use steward_shared::profile::{Library, Profile};

use super::text::{Lang, profile as text};

pub fn find(word: &str, folders: &[PathBuf], lang: Lang) -> Result<Arc<Profile>, String> {
    if Path::new(word).extension().is_some_and(|extension| extension == "toml") {
        let told = std::fs::read_to_string(word).map_err(|e| text::unreadable(lang, word, &e.to_string()))?;
        return Profile::parse(word, &told).map(Arc::new).map_err(|faults| listing(&faults));
    }
    let library = Library::load(folders).map_err(|faults| listing(&faults))?;
    library.get(word).ok_or_else(|| match library.nearest(word) {
        Some(meant) => text::meant(lang, word, meant),
        None => text::unknown(lang, word),
    })
}
