//! The fuzz targets without a fuzzer: good frames whole, cut short and changed, and what runs of the fuzzer have found.
//! Whatever a target asserts holds for each of them, and none panics.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture ends the test")]
#![allow(
    clippy::must_use_candidate,
    clippy::missing_panics_doc,
    reason = "the targets are a crate of their own"
)]

#[path = "../fuzz/src/bacnet.rs"]
mod bacnet;
#[path = "../fuzz/src/input.rs"]
mod input;
#[path = "../fuzz/src/list.rs"]
mod list;
#[path = "../fuzz/src/meters.rs"]
mod meters;
#[path = "../fuzz/src/modbus.rs"]
mod modbus;
#[path = "../fuzz/src/mqtt.rs"]
mod mqtt;
#[path = "../fuzz/src/profile.rs"]
mod profile;
#[path = "../fuzz/src/wire.rs"]
mod wire;

use std::path::Path;

use list::TARGETS;

/// Chance that is the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

/// A target has this many inputs made of its seeds; the files that people write take longer to read.
const CHANGED: usize = 3000;
const CHANGED_TEXTS: usize = 150;

#[test]
fn fault_b1_every_parser_bears_good_frames_that_were_cut_and_changed() {
    for target in TARGETS {
        let (seeds, mut chance) = ((target.seeds)(), Chance(0x5eed_5eed));
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in &seeds {
            (target.run)(seed);
        }
        let changes = if target.name == "profile" { CHANGED_TEXTS } else { CHANGED };
        for _ in 0..changes {
            let mut bytes = seeds[chance.below(seeds.len())].clone();
            for _ in 0..chance.below(4) {
                let at = chance.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = chance.below(256) as u8;
                }
            }
            if chance.below(3) == 0 {
                bytes.truncate(chance.below(bytes.len() + 1));
            }
            (target.run)(&bytes);
        }
    }
}

#[test]
fn fault_b1_what_fuzzing_has_found_is_borne() {
    for target in TARGETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/{}.txt", target.name));
        let kept = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for line in kept.lines().filter(|line| !line.starts_with('#')) {
            (target.run)(&input::hex(line));
        }
    }
}

/// A target whose program is missing would never be fuzzed, and nobody would notice.
#[test]
fn every_target_has_a_program_and_every_program_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let programs = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut programs: Vec<String> =
        programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    targets.extend(["gateway_file", "capture_file"]);
    programs.sort();
    targets.sort_unstable();
    assert_eq!(programs, targets);
}
