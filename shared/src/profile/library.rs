//! All profiles that a gateway knows: those of the repository, compiled in, and those of its own folders.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::definition::Profile;
use crate::document::{Fault, nearest};

/// The repository's profiles: file name and text. Written by `build.rs`.
const COMPILED_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// Profiles by id.
#[derive(Clone, Debug, Default)]
pub struct Library {
    profiles: BTreeMap<String, Arc<Profile>>,
}

impl Library {
    /// The profiles of the repository. They are read once in a process.
    pub fn compiled_in() -> Result<Self, Vec<Fault>> {
        static READ: LazyLock<Result<Library, Vec<Fault>>> = LazyLock::new(|| {
            let mut library = Library::default();
            let faults = library.add_all(COMPILED_IN.iter().map(|(name, text)| (*name, *text)));
            if faults.is_empty() { Ok(library) } else { Err(faults) }
        });
        READ.clone()
    }

    /// The repository's profiles, and over them those of `folders` (`<vendor>/<model>.toml`), later ones
    /// first in rank. Every fault of every file comes back; a folder that does not exist is one.
    pub fn load<P: AsRef<Path>>(folders: &[P]) -> Result<Self, Vec<Fault>> {
        let (mut library, mut faults) = match Self::compiled_in() {
            Ok(library) => (library, Vec::new()),
            Err(faults) => (Self::default(), faults),
        };
        for folder in folders {
            let files = read_folder(folder.as_ref(), &mut faults);
            faults.extend(library.add_all(files.iter().map(|(name, text)| (name.as_str(), text.as_str()))));
        }
        if faults.is_empty() { Ok(library) } else { Err(faults) }
    }

    pub fn get(&self, id: &str) -> Option<Arc<Profile>> {
        self.profiles.get(id).cloned()
    }

    /// The id that was probably meant.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.profiles.keys().map(String::as_str))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
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
