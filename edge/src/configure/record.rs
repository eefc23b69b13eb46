//! What is kept of configurations from the hub: `configuration.json` in the data folder, replaced at once and synced
//! before anything is done by it. Versions only grow: one that was taken before, kept or refused, is never taken again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steward_shared::wire::config::ConfigOutcome;

use super::trial::Seen;
use crate::owner::hand_over;

const FILE: &str = "configuration.json";
/// Starts of the program with a configuration that is tried; then it is what ends the program.
const STARTS: u32 = 2;

/// A configuration from the hub, and the file on site whose place it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub version: u64,
    pub text: String,
    /// Digest of the file on site as it was; another one takes its place back.
    pub site: String,
    pub by: String,
    pub why: String,
    /// The line on which it is tried first.
    #[serde(default)]
    pub first: Option<String>,
}

/// Fields are only ever appended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The last version that was taken, whatever became of it.
    pub taken: u64,
    pub stands: Option<Held>,
    pub trial: Option<Held>,
    /// Starts of the program since the trial began.
    pub starts: u32,
    /// How the devices fared before it.
    #[serde(default)]
    pub before: BTreeMap<String, Seen>,
    /// What became of the version that was taken last.
    #[serde(default)]
    pub outcome: Option<ConfigOutcome>,
}

/// Why a configuration is not tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("version {version} is not newer than {taken}, which this gateway has taken already")]
    OldVersion { version: u64, taken: u64 },
    #[error(
        "it was made for another configuration than the one in force; look at that one and change it anew"
    )]
    OtherBase,
    #[error("version {0} is being tried; wait for its end")]
    Trying(u64),
}

#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be used")]
pub struct RecordError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// What the gateway is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InForce<'r> {
    Site,
    Hub(&'r Held),
}

fn path_in(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// A record that cannot be read is put aside for whoever looks into it, and the next one begins anew.
pub fn set_aside(data: &Path) -> io::Result<PathBuf> {
    let aside = path_in(data).with_extension("json.damaged");
    fs::rename(path_in(data), &aside)?;
    Ok(aside)
}

/// SHA-256 in hexadecimal.
pub fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

impl Record {
    /// An empty one where there is none yet.
    pub fn load(data: &Path) -> Result<Self, RecordError> {
        let path = path_in(data);
        let read = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        };
        read.map_err(|source| RecordError { path, source })
    }

    /// After a power cut at any moment there is either this one or the one before.
    pub fn save(&self, data: &Path) -> Result<(), RecordError> {
        let path = path_in(data);
        self.replace(data, &path).map_err(|source| RecordError { path, source })
    }

    fn replace(&self, data: &Path, path: &Path) -> io::Result<()> {
        let next = path.with_extension("json.new");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        hand_over(&next, &fs::metadata(data)?)?;
        fs::rename(&next, path)?;
        File::open(data)?.sync_all()
    }

    /// `site`: digest of the file on site as it is now.
    pub fn in_force(&self, site: &str) -> InForce<'_> {
        let held = self.trial.as_ref().or(self.stands.as_ref()).filter(|held| held.site == site);
        held.map_or(InForce::Site, InForce::Hub)
    }

    /// Begins the trial of a newer version that was made for what is in force: `base` is that one's digest.
    pub fn begin(&mut self, held: Held, base: &str, site_text: &str) -> Result<(), NotTaken> {
        if held.version <= self.taken {
            return Err(NotTaken::OldVersion { version: held.version, taken: self.taken });
        }
        if let Some(trial) = &self.trial {
            return Err(NotTaken::Trying(trial.version));
        }
        self.taken = held.version;
        let site = digest(site_text);
        let present = match self.in_force(&site) {
            InForce::Hub(held) => digest(&held.text),
            InForce::Site => site.clone(),
        };
        if present != base {
            return Err(NotTaken::OtherBase);
        }
        self.starts = 0;
        self.trial = Some(Held { site, ..held });
        Ok(())
    }

    /// What is tried stands.
    pub fn keep(&mut self) {
        if let Some(held) = self.trial.take() {
            self.stands = Some(held);
        }
        self.before.clear();
    }

    /// What stood before is in force again.
    pub fn go_back(&mut self) {
        self.trial = None;
        self.before.clear();
    }

    /// What became of a version, and that it was taken.
    pub fn ended(&mut self, outcome: ConfigOutcome) {
        self.taken = self.taken.max(outcome.version);
        self.outcome = Some(outcome);
    }

    /// Nothing from the hub is in force any more.
    pub fn forget(&mut self) {
        self.go_back();
        self.stands = None;
    }

    /// The program starts; true where what is tried has ended it too often, and went back.
    pub fn started(&mut self) -> bool {
        if self.trial.is_none() {
            return false;
        }
        self.starts += 1;
        let too_often = self.starts > STARTS;
        if too_often {
            self.go_back();
        }
        too_often
    }

    /// The file on site was changed: it wins over everything from the hub, for good. The version that was in force.
    pub fn changed_on_site(&mut self, site: &str) -> Option<u64> {
        let held = self.trial.as_ref().or(self.stands.as_ref()).filter(|held| held.site != site)?;
        let version = held.version;
        self.forget();
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "[gateway]\nname = \"east\"\n";

    fn held(version: u64, text: &str) -> Held {
        let text = text.to_owned();
        Held { version, text, site: String::new(), by: "li".into(), why: "more often".into(), first: None }
    }

    fn running(record: &Record) -> Option<u64> {
        match record.in_force(&digest(SITE)) {
            InForce::Hub(held) => Some(held.version),
            InForce::Site => None,
        }
    }

    #[test]
    fn an_old_version_is_not_taken_again_whatever_became_of_it() {
        let mut record = Record::default();
        record.begin(held(3, "three"), &digest(SITE), SITE).unwrap();
        record.go_back();
        for version in [1, 3] {
            let before = record.clone();
            let old = NotTaken::OldVersion { version, taken: 3 };
            assert_eq!(record.begin(held(version, "old"), &digest(SITE), SITE), Err(old));
            assert_eq!(record, before, "unchanged");
        }
        record.begin(held(4, "four"), &digest(SITE), SITE).unwrap();
        record.keep();
        assert_eq!(running(&record), Some(4));
        let wrong = record.begin(held(5, "five"), &digest(SITE), SITE);
        assert_eq!(wrong, Err(NotTaken::OtherBase), "made for the file on site, and version 4 runs");
        assert!(record.begin(held(5, "five"), &digest("four"), SITE).is_err(), "5 was taken");
        record.begin(held(6, "six"), &digest("four"), SITE).unwrap();
        assert_eq!(record.begin(held(7, "seven"), &digest("six"), SITE), Err(NotTaken::Trying(6)));
    }

    #[test]
    fn power_lost_at_any_step_leaves_what_was_or_what_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let reloaded = |record: &Record| {
            record.save(folder.path()).unwrap();
            // What a cut within the writing leaves behind is nobody's record.
            fs::write(folder.path().join("configuration.json.new"), "{\"taken\":99").unwrap();
            Record::load(folder.path()).unwrap()
        };
        assert_eq!(Record::load(folder.path()).unwrap(), Record::default());
        let mut record = Record::default();
        record.begin(held(1, "one"), &digest(SITE), SITE).unwrap();
        record = reloaded(&record);
        assert_eq!((record.started(), running(&record)), (false, Some(1)));
        record = reloaded(&record);
        assert_eq!((record.started(), running(&record)), (false, Some(1)));
        record = reloaded(&record);
        assert_eq!((record.started(), running(&record)), (true, None), "it ended the program twice");
        record.begin(held(2, "two"), &digest(SITE), SITE).unwrap();
        record.keep();
        record = reloaded(&record);
        assert_eq!((record.started(), running(&record)), (false, Some(2)));
        record.begin(held(3, "three"), &digest("two"), SITE).unwrap();
        record = reloaded(&record);
        record.go_back();
        assert_eq!(running(&reloaded(&record)), Some(2));
    }

    #[test]
    fn a_file_that_is_changed_on_site_wins() {
        let mut record = Record::default();
        record.begin(held(1, "one"), &digest(SITE), SITE).unwrap();
        record.keep();
        assert_eq!(record.changed_on_site(&digest(SITE)), None);
        assert_eq!(record.in_force(&digest("another")), InForce::Site);
        assert_eq!(record.changed_on_site(&digest("another")), Some(1));
        assert_eq!((running(&record), record.taken), (None, 1), "and stays so if it is changed back");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Record::load(folder.path()).is_err());
        let aside = set_aside(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "{");
        assert_eq!(Record::load(folder.path()).unwrap(), Record::default());
    }
}
