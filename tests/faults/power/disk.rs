//! What a power cut leaves on a disk: `record.c` has written down what a program did to its files, and this plays it up to some
//! moment. What was synced by then is on the disk. Of what was not, each sector of 512 bytes is there or not, by chance; of
//! files that were made, renamed or removed since their folder was synced, a part is, in the order in which it was done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SECTOR: usize = 512;
const HEAD: usize = 17;

/// The library to be loaded before a program's own, built into `folder`.
pub fn library(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/power/record.c");
    let library = folder.join("record.so");
    let built = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(built.success(), "the recorder cannot be built");
    library
}

/// Something that the program did.
#[derive(Debug)]
pub struct Entry {
    kind: u8,
    number: u64,
    path: String,
    data: Vec<u8>,
}

/// The whole record; an entry that the kill cut off is none.
pub fn read(record: &Path) -> Vec<Entry> {
    let bytes = fs::read(record).unwrap();
    let (mut entries, mut at) = (Vec::new(), 0);
    let u64_at = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().unwrap());
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    while at + HEAD <= bytes.len() {
        let (path, data) = (u32_at(at + 9), u32_at(at + 13));
        let body = at + HEAD;
        if body + path + data > bytes.len() {
            break;
        }
        let entry = Entry {
            kind: bytes[at],
            number: u64_at(at + 1),
            path: String::from_utf8(bytes[body..body + path].to_vec()).unwrap(),
            data: bytes[body + path..body + path + data].to_vec(),
        };
        assert_ne!(entry.kind, b'x', "{} of {} cannot be followed", entry.said(), entry.path);
        entries.push(entry);
        at = body + path + data;
    }
    entries
}

/// Writes an entry of somebody else between those of the program: by then it had done what stands before.
pub fn say(record: &fs::File, words: &str) {
    let mut entry = vec![b'o'];
    entry.extend(0u64.to_le_bytes());
    entry.extend(0u32.to_le_bytes());
    entry.extend((words.len() as u32).to_le_bytes());
    entry.extend(words.as_bytes());
    (&*record).write_all(&entry).unwrap();
}

impl Entry {
    /// What it said on standard error, where it did.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    pub fn is_failed_sync_of(&self, file: &str) -> bool {
        self.kind == b'f' && self.path == file
    }

    pub const fn is_said(&self) -> bool {
        self.kind == b'o'
    }
}

/// What the cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All of it is lost.
    LosesAll,
    /// A part of it is, by chance.
    Tears,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Data(usize, Vec<u8>),
    Size(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    mode: u32,
    synced: Vec<u8>,
    since: Vec<Unsynced>,
}

#[derive(Clone, Debug)]
enum Naming {
    Made(String, usize),
    Removed(String),
    Renamed(String, String),
}

/// A disk with a write cache.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    /// As the program sees the folder.
    names: BTreeMap<String, usize>,
    /// As it is on the disk.
    synced: BTreeMap<String, usize>,
    since: Vec<Naming>,
    folders: BTreeSet<String>,
    lies: bool,
}

impl Disk {
    /// One that says that it has synced, and has not, where it `lies`: no program can be safe on that.
    pub fn new(lies: bool) -> Self {
        Self { lies, ..Self::default() }
    }

    pub fn play(&mut self, entry: &Entry) {
        let path = &entry.path;
        match entry.kind {
            b'm' => drop(self.folders.insert(path.clone())),
            b'c' => {
                self.files.push(File { mode: entry.number as u32, ..File::default() });
                self.names.insert(path.clone(), self.files.len() - 1);
                self.since.push(Naming::Made(path.clone(), self.files.len() - 1));
            }
            b'u' => {
                self.names.remove(path);
                self.since.push(Naming::Removed(path.clone()));
            }
            b'r' => {
                let file = self.names.remove(path).unwrap();
                self.names.insert(entry.said(), file);
                self.since.push(Naming::Renamed(path.clone(), entry.said()));
            }
            b'w' => self.change(path, Unsynced::Data(entry.number as usize, entry.data.clone())),
            b't' => self.change(path, Unsynced::Size(entry.number as usize)),
            b's' if !self.lies && self.names.contains_key(path) => {
                let file = &mut self.files[self.names[path]];
                for change in std::mem::take(&mut file.since) {
                    change.reaches(&mut file.synced);
                }
                // A file that is synced is found again, by its name: so do the usual file systems.
                let id = self.names[path];
                let made = |n: &Naming| matches!(n, Naming::Made(_, of) if *of == id);
                if let Some(i) = self.since.iter().position(made) {
                    let mut later = self.since.split_off(i + 1);
                    let (now, others): (Vec<_>, Vec<_>) =
                        std::mem::take(&mut self.since).into_iter().partition(|n| n.is_of(path));
                    for naming in now {
                        naming.reaches(&mut self.synced);
                    }
                    self.since = others;
                    self.since.append(&mut later);
                }
            }
            // The kernel takes what it could not write for written, and tells so once.
            b'f' => {
                if let Some(id) = self.names.get(path) {
                    self.files[*id].since.clear();
                }
            }
            b'd' if !self.lies => {
                let (now, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.since).into_iter().partition(|n| n.lies_in(path));
                self.since = later;
                for naming in now {
                    naming.reaches(&mut self.synced);
                }
            }
            _ => {}
        }
    }

    /// What was there before the program began is not its own.
    fn change(&mut self, path: &str, change: Unsynced) {
        if let Some(id) = self.names.get(path) {
            self.files[*id].since.push(change);
        }
    }

    /// Writes what the cut leaves into an empty folder.
    pub fn leave(&self, cut: Cut, chance: &mut Chance, folder: &Path) {
        let mut names = self.synced.clone();
        let reached = match cut {
            Cut::LosesAll => 0,
            Cut::Tears => chance.below(self.since.len() + 1),
        };
        for naming in &self.since[..reached] {
            naming.clone().reaches(&mut names);
        }
        for sub in &self.folders {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        for (name, id) in names.iter().filter(|(name, _)| !name.ends_with("-shm")) {
            let file = &self.files[*id];
            let mut content = file.synced.clone();
            if cut == Cut::Tears {
                // Some cuts spare much and some little.
                let spared = [2, 50, 90, 99][chance.below(4)];
                for change in &file.since {
                    change.tear(&mut content, || chance.below(100) < spared);
                }
            }
            fs::write(folder.join(name), content).unwrap();
            fs::set_permissions(folder.join(name), Permissions::from_mode(file.mode)).unwrap();
        }
    }
}

impl Unsynced {
    fn reaches(&self, content: &mut Vec<u8>) {
        self.tear(content, || true);
    }

    fn tear(&self, content: &mut Vec<u8>, mut arrives: impl FnMut() -> bool) {
        match self {
            Self::Size(size) => {
                if arrives() {
                    content.resize(*size, 0);
                }
            }
            Self::Data(at, data) => {
                let (mut at, mut left) = (*at, data.as_slice());
                while !left.is_empty() {
                    let n = (SECTOR - at % SECTOR).min(left.len());
                    let (sector, rest) = left.split_at(n);
                    if arrives() {
                        if content.len() < at + n {
                            content.resize(at + n, 0);
                        }
                        content[at..at + n].copy_from_slice(sector);
                    }
                    (at, left) = (at + n, rest);
                }
            }
        }
    }
}

impl Naming {
    fn is_of(&self, path: &str) -> bool {
        match self {
            Self::Made(of, _) | Self::Removed(of) => of == path,
            Self::Renamed(from, to) => from == path || to == path,
        }
    }

    fn lies_in(&self, folder: &str) -> bool {
        let (Self::Made(path, _) | Self::Removed(path) | Self::Renamed(_, path)) = self;
        path.rsplit_once('/').map_or("", |(of, _)| of) == folder
    }

    fn reaches(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Made(path, id) => drop(names.insert(path, id)),
            Self::Removed(path) => drop(names.remove(&path)),
            Self::Renamed(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
        }
    }
}

/// The same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}
