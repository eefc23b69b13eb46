//! Every register profile of the library, simulated on a wire that exists in the test alone, is to be known again; and what
//! is none of them is not to be taken for one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::far_end::{Heard, Station};
use steward_protocols::modbus::device::{Answers, Asked, Image, OnTcp, Outcome, Reply, tcp_frame};
use steward_shared::profile::{Framing, Library, Profile, Table};
use steward_shared::time::{ManualClock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::cli::device::known::Proposal;
use crate::cli::text::Lang;
use crate::config::WireConfig;
use crate::lab::{Simulated, noise};
use crate::line::{Dial, Dialling, Stream};

const OUT: Out = Out::new(Lang::En, false);

/// A wire to a device that answers in no time, or leaves what it refuses unanswered.
struct To {
    device: Arc<dyn Station>,
    is_silent: bool,
}

impl Dial for To {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let (near, far) = duplex(4096);
            tokio::spawn(answer(far, Arc::clone(&self.device), self.is_silent));
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        "a device of a test".to_owned()
    }
}

async fn answer(mut far: DuplexStream, device: Arc<dyn Station>, is_silent: bool) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        while let Some(frame) = tcp_frame(&mut held).map_err(io::Error::other)? {
            if let Heard::Answered(answers) = device.hear(&frame) {
                // The eighth byte is the function, its highest bit a refusal.
                let is_said = |bytes: &[u8]| !(is_silent && bytes[7] & 0x80 != 0);
                for answer in answers.iter().filter(|answer| is_said(&answer.bytes)) {
                    far.write_all(&answer.bytes).await?;
                }
            }
        }
        let mut bytes = [0; 512];
        match far.read(&mut bytes).await? {
            0 => return Ok(()),
            n => held.extend_from_slice(&bytes[..n]),
        }
    }
}

/// What a simulated device holds at one instant.
struct Held(Image);

impl Answers for Held {
    fn answer(&self, asked: Asked) -> Reply {
        Reply::of(self.0.answer(asked))
    }
}

fn registers(library: &Library) -> Vec<&Arc<Profile>> {
    library.iter().filter(|p| matches!(p.language, Language::Modbus(_))).collect()
}

fn simulated(profile: &Arc<Profile>, seed: u64) -> Held {
    let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000)));
    let device = Simulated::new(Arc::clone(profile), seed, clock);
    Held(Image::fill(profile, |point| device.shows(point)).0)
}

/// Asks a device that is compared with these profiles.
async fn asked(
    device: impl Answers + 'static,
    profiles: &[&Arc<Profile>],
    is_silent: bool,
) -> Result<Vec<Proposal>, String> {
    let wire = WireConfig::Tcp { host: "nowhere".to_owned(), port: 502, framing: Framing::Tcp };
    let timeout = Duration::from_millis(500);
    let line = LineConfig { name: "test".to_owned(), wire, timeout, in_flight: 1, devices: Vec::new() };
    let device = Arc::new(OnTcp { devices: device, turnaround: Duration::ZERO });
    let mut reach = Reach::over(Arc::new(To { device, is_silent }), &line);
    known_among(&mut reach, &line, 1, profiles, OUT).await.map(|known| known.proposals)
}

fn told(proposals: &[Proposal]) -> String {
    let one =
        |p: &Proposal| format!("{} {:.3} {}: {:?}", p.profile.id, p.likelihood, p.strength.word(), p.why);
    proposals.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Models that share their registers: of one vendor, or sold by the second under its own name.
fn are_one_map(a: &Profile, b: &Profile) -> bool {
    let pairs = [("midea/m-thermal", "clivet/wisan-yme")];
    let is_pair = pairs.iter().any(|(one, other)| {
        [(one, other), (other, one)].iter().any(|(one, other)| a.id == **one && b.id == **other)
    });
    a.vendor == b.vendor || is_pair
}

#[tokio::test(start_paused = true)]
async fn every_register_profile_of_the_library_is_known_again_when_it_is_simulated() {
    let library = Library::compiled_in().unwrap();
    let profiles = registers(&library);
    let mut sure = 0;
    for profile in &profiles {
        let proposals = asked(simulated(profile, 5), &profiles, false).await.unwrap();
        let first = proposals.first().unwrap();
        assert!(first.profile.id == profile.id, "{}: {}", profile.id, told(&proposals));
        sure += usize::from(first.strength == Strength::Strong);
    }
    // A device of bits alone, or of two values, stays a guess.
    assert!(sure + 5 >= profiles.len(), "{sure} of {}", profiles.len());
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_profile_is_missing_is_taken_for_none_but_one_of_its_map() {
    let library = Library::compiled_in().unwrap();
    let profiles = registers(&library);
    for profile in &profiles {
        let others: Vec<_> = profiles.iter().copied().filter(|p| p.id != profile.id).collect();
        for proposal in asked(simulated(profile, 6), &others, false).await.unwrap() {
            assert!(
                proposal.strength == Strength::Weak || are_one_map(&proposal.profile, profile),
                "{} is taken for {}",
                profile.id,
                told(&[proposal])
            );
        }
    }
}

/// A device whose registers hold what a function says of table and address.
struct Made<F>(F);

impl<F: Fn(Table, u16) -> Option<u16> + Send + Sync> Answers for Made<F> {
    fn answer(&self, asked: Asked) -> Reply {
        let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
        let Some(table) = tables.into_iter().find(|t| t.function() == asked.function) else {
            return Reply::of(Outcome::Refused(1));
        };
        let words = (0..asked.count).map(|i| (self.0)(table, asked.address.checked_add(i)?));
        Reply::of(match words.collect::<Option<Vec<u16>>>() {
            None => Outcome::Refused(2),
            Some(words) if table.is_bits() => Outcome::Bits(words.iter().map(|w| w & 1 == 1).collect()),
            Some(words) => Outcome::Registers(words),
        })
    }
}

/// 0 to 1, another for each place of each device.
fn chance(device: u64, table: Table, place: u16) -> f64 {
    let channel = device * 8 + u64::from(table.function());
    f64::midpoint(noise::chance(channel, 1, place.into()), 1.0)
}

#[tokio::test(start_paused = true)]
async fn a_device_that_says_one_number_everywhere_is_taken_for_none() {
    let library = Library::compiled_in().unwrap();
    let profiles = registers(&library);
    for word in [0, 1, 2, 25, 50, 230, 500, 2300, 5000, 0x4366, 0x4248, 0x7FC0, 0x7FFF, 0x8000, 0xFFFF] {
        let proposals = asked(Made(move |_, _| Some(word)), &profiles, false).await.unwrap();
        assert!(proposals.iter().all(|p| p.strength == Strength::Weak), "{word}: {}", told(&proposals));
    }
}

/// What a register holds, of a chance.
type Contents = fn(f64) -> u16;

#[tokio::test(start_paused = true)]
async fn a_device_of_an_unrelated_map_is_no_more_than_a_guess() {
    let library = Library::compiled_in().unwrap();
    let profiles = registers(&library);
    let any: Contents = |chance| (chance * 65_536.0) as u16;
    let small: Contents = |chance| (chance * 10.0) as u16;
    let every_order: Contents = |chance| (65_536_f64.powf(chance) - 1.0) as u16;
    for device in 0..4 {
        for contents in [any, small, every_order] {
            // It has all addresses, or a third of the blocks of so many.
            for block in [None, Some(8), Some(16), Some(64)] {
                let has = move |table, address: u16| {
                    block.is_none_or(|block| chance(device + 100, table, address / block) < 0.33)
                };
                let word = move |table, address| {
                    has(table, address).then(|| contents(chance(device, table, address)))
                };
                let proposals = asked(Made(word), &profiles, false).await.unwrap();
                assert!(proposals.iter().all(|p| p.strength == Strength::Weak), "{}", told(&proposals));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_silent_where_it_has_no_registers_has_not_gone() {
    let library = Library::compiled_in().unwrap();
    let profiles = registers(&library);
    // The profiles are tried in their order: of the last none of its registers is asked for at first.
    for one in [profiles.first(), profiles.last()].into_iter().flatten() {
        let proposals = asked(simulated(one, 5), &profiles, true).await.unwrap();
        assert_eq!(proposals[0].profile.id, one.id, "{}", told(&proposals));
    }
    let never = asked(Made(|_, _| None), &profiles, true).await.unwrap_err();
    assert!(never.starts_with("the device does not answer; check address"), "{never}");
}
