//! All profiles that a gateway knows: those of the repository, compiled in, and those of its own folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use super::definition::Profile;
use crate::document::{Fault, nearest};

/// The repository's profiles: file name and packed text. Written by `build.rs`.
const COMPILED_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// One of the repository's profiles. It is unpacked and read when somebody asks for it: a gateway has a few of them.
#[derive(Debug)]
struct Shipped {
    name: &'static str,
    packed: &'static [u8],
    read: OnceLock<Result<Arc<Profile>, Vec<Fault>>>,
}

impl Shipped {
    fn read(&self) -> Result<&Arc<Profile>, &Vec<Fault>> {
        let unpack = || {
            let bytes = miniz_oxide::inflate::decompress_to_vec(self.packed).unwrap_or_default();
            Profile::parse(self.name, &String::from_utf8_lossy(&bytes)).map(Arc::new)
        };
        self.read.get_or_init(unpack).as_ref()
    }
}

static SHIPPED: LazyLock<BTreeMap<&str, Shipped>> = LazyLock::new(|| {
    let known = COMPILED_IN.iter().map(|(name, packed)| {
        let id = name.trim_start_matches("device-profiles/").trim_end_matches(".toml");
        (id, Shipped { name, packed, read: OnceLock::new() })
    });
    known.collect()
});

/// Profiles by id.
#[derive(Clone, Debug, Default)]
pub struct Library {
    profiles: BTreeMap<String, Arc<Profile>>,
    /// Behind them, those of the repository.
    shipped: bool,
}

impl Library {
    /// The profiles of the repository, each of which is read, and every fault in them.
    pub fn compiled_in() -> Result<Self, Vec<Fault>> {
        let faults: Vec<Fault> = SHIPPED.values().filter_map(|s| s.read().err()).flatten().cloned().collect();
        let library = Self { profiles: BTreeMap::new(), shipped: true };
        if faults.is_empty() { Ok(library) } else { Err(faults) }
    }

    /// The repository's profiles, and over them those of `folders` (`<vendor>/<model>.toml`), later ones
    /// first in rank. Every fault of every file in the folders comes back; a folder that does not exist is one.
    pub fn load<P: AsRef<Path>>(folders: &[P]) -> Result<Self, Vec<Fault>> {
        let mut library = Self { profiles: BTreeMap::new(), shipped: true };
        let mut faults = Vec::new();
        for folder in folders {
            let files = read_folder(folder.as_ref(), &mut faults);
            faults.extend(library.add_all(files.iter().map(|(name, text)| (name.as_str(), text.as_str()))));
        }
        if faults.is_empty() { Ok(library) } else { Err(faults) }
    }

    pub fn get(&self, id: &str) -> Option<Arc<Profile>> {
        self.find(id).cloned()
    }

    fn find(&self, id: &str) -> Option<&Arc<Profile>> {
        let shipped = || SHIPPED.get(id).filter(|_| self.shipped)?.read().ok();
        self.profiles.get(id).or_else(shipped)
    }

    fn ids(&self) -> BTreeSet<&str> {
        let shipped = SHIPPED.keys().copied().filter(|_| self.shipped);
        self.profiles.keys().map(String::as_str).chain(shipped).collect()
    }

    /// The id that was probably meant.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.ids())
    }

    /// Those of a gateway's own folders, by id.
    pub fn own(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// All of them, by id. Those of the repository are read by it.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.ids().into_iter().filter_map(|id| self.find(id))
    }

    /// The later of two profiles with one id stands.
    pub fn add(&mut self, profile: Profile) {
        self.profiles.insert(profile.id.clone(), Arc::new(profile));
    }

    fn add_all<'f>(&mut self, files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, text) in files {
            match Profile::parse(name, text) {
                Ok(profile) => self.add(profile),
                Err(more) => faults.extend(more),
            }
        }
        faults
    }
}

fn read_folder(folder: &Path, faults: &mut Vec<Fault>) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut told = |path: &Path, error: &std::io::Error| {
        faults.push(Fault::of_file(
            &path.display().to_string(),
            format!("cannot be read: {error}"),
            "check the path and its permissions",
        ));
    };
    let mut list = |path: &Path| -> Vec<std::path::PathBuf> {
        match std::fs::read_dir(path).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect()) {
            Ok(paths) => paths,
            Err(error) => {
                told(path, &error);
                Vec::new()
            }
        }
    };
    let mut found: Vec<_> =
        list(folder).into_iter().filter(|p| p.is_dir()).flat_map(|vendor| list(&vendor)).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    found.sort();
    for path in found {
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push((path.display().to_string(), text)),
            Err(error) => told(&path, &error),
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::listing;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    const E5CC: &str = include_str!("../../../device-profiles/omron/e5cc.toml");

    #[test]
    fn a_site_overrides_and_adds_profiles() {
        let own = E5CC.replace("scale = 0.1", "scale = 1");
        let site =
            folder(&[("omron/e5cc.toml", &own), ("acme/m1.toml", E5CC), ("acme/notes.txt", "not a profile")]);
        let library = Library::load(&[site.path()]).unwrap_or_else(|f| panic!("{}", listing(&f)));
        assert_eq!(library.get("omron/e5cc").unwrap().points[0].scale, crate::profile::Decimal::ONE);
        assert_eq!(library.get("acme/m1").unwrap().model, "E5CC");
        assert!(library.get("schneider/pm5350").is_some(), "those of the repository stay");
        assert_eq!(library.iter().count(), Library::compiled_in().unwrap().iter().count() + 1);
    }

    #[test]
    fn every_broken_file_and_folder_is_told() {
        let site =
            folder(&[("acme/m1.toml", "vendor = 3\n"), ("acme/m2.toml", "= ="), ("Acme/M3.toml", E5CC)]);
        let faults = Library::load(&[site.path().to_owned(), site.path().join("missing")]).unwrap_err();
        let told = listing(&faults);
        for wanted in [
            "m1.toml:1:10: vendor: a text is wanted",
            "m2.toml:1:3: this is no TOML",
            "M3.toml: a profile is known by",
        ] {
            assert!(told.contains(wanted), "{wanted}\n{told}");
        }
        assert!(told.contains("missing: cannot be read"), "{told}");
    }

    #[test]
    fn a_slip_in_an_id_is_recognised() {
        let library = Library::compiled_in().unwrap();
        assert_eq!(library.nearest("schneider/pm5530"), Some("schneider/pm5350"));
        assert_eq!(library.nearest("nobody/knows-this"), None);
    }
}
