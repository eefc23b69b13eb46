//! The rounds in virtual time: a world of devices that answer, refuse and fall silent, and no wire at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_protocols::exchange::Refusal;
use steward_protocols::modbus::{Block, Exception};
use steward_shared::document::listing;
use steward_shared::profile::{Profile, Table};
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

use super::*;

const START: Timestamp = Timestamp(1_700_000_000_000);
const TIMEOUT: Duration = Duration::from_millis(500);
const REPLY: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
/// Reading over a few registers is cheaper than to ask once more.
const COST: Cost = Cost { question: Duration::from_millis(40), byte: Duration::from_millis(1) };

/// A device with these blocks of points, each point given by address and registers, 1 or 2.
fn device(blocks: &[(&[(u16, u16)], Duration)]) -> Plan {
    let mut text = String::from(
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"\u{8868}\", en = \"Meter\" }\nsource = [\"this test\"]\n",
    );
    let (mut planned, mut wanted) = (Vec::new(), Vec::new());
    let mut next = 0;
    for (spans, period) in blocks {
        for (address, count) in *spans {
            let data = if *count == 2 { "u32" } else { "u16" };
            let point = format!(
                "[[point]]\nkey = \"p{next}-{address}\"\ntitle = {{ zh = \"\u{70b9}\", en = \"Point\" }}\ntable = \"holding\"\naddress = {address}\ntype = \"{data}\"\nunit = \"1\"\n"
            );
            text.push_str(&point);
            next += 1;
        }
        let points: Vec<usize> = (next - spans.len()..next).collect();
        let (first, last) = (spans[0], spans[spans.len() - 1]);
        let count = last.0 + last.1 - first.0;
        wanted.push((*period, points.clone()));
        let block = Block { table: Table::Holding, address: first.0, count, points };
        planned.push((Question::Modbus(block), *period));
    }
    let profile = Profile::parse("acme/m1.toml", &text).unwrap_or_else(|f| panic!("{}", listing(&f)));
    Plan { profile: Arc::new(profile), wanted, questions: planned, cost: COST, refused: BTreeSet::new() }
}

fn block(ask: &Ask) -> &Block {
    match &ask.question {
        Question::Modbus(block) => block,
        other => panic!("{other:?} is no question of these tests"),
    }
}

fn refused(code: u8) -> Outcome {
    let Refusal { quality, about, .. } = Exception(code).into();
    Outcome::Refused { quality, about }
}

/// A line in virtual time, and what was seen on it.
struct World {
    rounds: Rounds,
    mono: Duration,
    /// Added to the wall clock.
    step_ms: i64,
    asked: Vec<(Duration, Ask, Outcome)>,
    follow: Vec<Follow>,
}

impl World {
    fn new(devices: Vec<Plan>) -> Self {
        let rounds = Rounds::new(devices, TIMEOUT, START, Duration::ZERO);
        Self { rounds, mono: Duration::ZERO, step_ms: 0, asked: Vec::new(), follow: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        Timestamp(START.plus(self.mono).as_millis() + self.step_ms)
    }

    fn run(&mut self, until: Duration, mut device: impl FnMut(Duration, &Ask) -> Outcome) {
        while self.mono < until {
            let now = self.now();
            match self.rounds.next(now, self.mono) {
                Turn::Wait(wait) => {
                    self.mono += wait.min(until.saturating_sub(self.mono)).max(Duration::from_millis(1));
                }
                Turn::Ask(ask) => {
                    let outcome = device(self.mono, &ask);
                    let took = if matches!(outcome, Outcome::Failed(_)) { TIMEOUT } else { REPLY };
                    self.asked.push((self.mono, ask.clone(), outcome));
                    self.mono += took;
                    let now = self.now();
                    self.follow.extend(self.rounds.settle(&ask, outcome, took, now, self.mono));
                }
            }
        }
    }

    /// The polls of a start, which bear their own instants: the next ones are on the grid.
    fn answer_once(&mut self) {
        self.run(SECOND, |_, _| Outcome::Answered);
        self.asked.clear();
    }

    fn asked_of(&self, device: usize) -> Vec<&(Duration, Ask, Outcome)> {
        self.asked.iter().filter(|(_, ask, _)| ask.device == device).collect()
    }
}

#[test]
fn readings_are_stamped_with_the_slots_of_their_period() {
    let mut world = World::new(vec![
        device(&[(&[(0, 2)], SECOND), (&[(100, 2)], Duration::from_secs(10))]),
        device(&[(&[(0, 2)], SECOND)]),
    ]);
    world.run(Duration::from_mins(1), |_, _| Outcome::Answered);
    for (_, ask, _) in world.asked.iter().filter(|(at, _, _)| *at >= SECOND) {
        let period = if block(ask).address == 100 { 10_000 } else { 1_000 };
        assert_eq!(ask.slot.as_millis() % period, 0, "{ask:?}");
    }
    assert_eq!(world.asked_of(1).len(), 60);
    assert_eq!(world.rounds.missed(), 0);
}

#[test]
fn the_first_poll_after_a_start_is_stamped_with_its_own_instant_and_the_next_with_its_slot() {
    let hour = Duration::from_hours(1);
    let begun = START.plus(Duration::from_millis(7_300));
    let plan = device(&[(&[(0, 1)], Duration::from_secs(10)), (&[(50, 1)], hour)]);
    let mut world = World { step_ms: 7_300, ..World::new(Vec::new()) };
    world.rounds = Rounds::new(vec![plan], TIMEOUT, begun, Duration::ZERO);
    world.run(Duration::from_mins(1), |_, _| Outcome::Answered);
    let slots = |address| -> Vec<i64> {
        let of = world.asked.iter().filter(move |(_, ask, _)| block(ask).address == address);
        of.map(|(_, ask, _)| ask.slot.as_millis() - begun.as_millis()).collect()
    };
    assert_eq!(slots(0), [0, 2_700, 12_700, 22_700, 32_700, 42_700, 52_700]);
    assert_eq!(slots(50), [20], "not up to an hour before it was read");
}

#[test]
fn fault_b11_a_silent_device_takes_at_most_its_share_of_the_line() {
    let one = || device(&[(&[(0, 2)], SECOND)]);
    let mut world = World::new(vec![one(), one(), one()]);
    let hour = Duration::from_hours(1);
    world.run(hour, |_, ask| match ask.device {
        0 => Outcome::Answered,
        _ => Outcome::Failed(Quality::NoReply),
    });
    let wasted = TIMEOUT * u32::try_from(world.asked_of(1).len() + world.asked_of(2).len()).unwrap();
    assert!(wasted <= hour.mul_f64(0.11), "wasted {wasted:?} of an hour");
    assert!(world.asked_of(1).len() > 100, "it is still looked for: {}", world.asked_of(1).len());
    let healthy = world.asked_of(0).len();
    assert!(healthy >= 3590, "the healthy device lost slots: {healthy} of 3600");
}

#[test]
fn fault_b11_many_devices_that_fall_silent_at_once_starve_the_others_for_one_round_at_most() {
    let mut world = World::new((0..31).map(|_| device(&[(&[(0, 1)], SECOND)])).collect());
    world.run(Duration::from_secs(30), |_, _| Outcome::Answered);
    let dead = 20;
    let gone = world.mono;
    world.asked.clear();
    world.run(Duration::from_mins(10), |_, ask| {
        if ask.device < dead { Outcome::Failed(Quality::NoReply) } else { Outcome::Answered }
    });
    // Who of them answers is not known before each was asked once.
    let known = gone + TIMEOUT * u32::try_from(dead).unwrap() + SECOND;
    let slots = usize::try_from(world.mono.checked_sub(known).unwrap().as_secs()).unwrap();
    for healthy in dead..31 {
        let polls = world.asked_of(healthy).iter().filter(|(at, _, _)| *at >= known).count();
        assert!(polls + 1 >= slots, "device {healthy} was polled in {polls} of {slots} slots");
    }
    let silent = world.follow.iter().filter(|f| matches!(f, Follow::Silent { .. })).count();
    assert_eq!(silent, dead);
}

#[test]
fn fault_b11_where_nobody_answers_any_more_all_are_soon_known_to_be_silent() {
    let mut world = World::new((0..31).map(|_| device(&[(&[(0, 1)], SECOND)])).collect());
    world.run(Duration::from_secs(30), |_, _| Outcome::Answered);
    world.run(Duration::from_secs(30) + TIMEOUT * (31 * 5), |_, _| Outcome::Failed(Quality::NoReply));
    let silent = world.follow.iter().filter(|f| matches!(f, Follow::Silent { .. })).count();
    assert_eq!(silent, 31, "four questions each, with a probe now and then between them");
}

/// Thirty blocks that answer, on a line with no time to spare for a timeout, and `silent` devices without an answer
/// beside one that answers every other question.
fn with_one_that_answers_now_and_then(silent: usize) -> World {
    let spans: Vec<[(u16, u16); 1]> = (0..30).map(|n| [(n * 10, 1)]).collect();
    let blocks: Vec<(&[(u16, u16)], Duration)> = spans.iter().map(|s| (s.as_slice(), SECOND)).collect();
    let one = || device(&[(&[(0, 1)], SECOND)]);
    let mut world =
        World::new([device(&blocks), one()].into_iter().chain((0..silent).map(|_| one())).collect());
    let mut asked = 0;
    world.run(Duration::from_mins(10), |_, ask| {
        asked += u32::from(ask.device == 1);
        match ask.device {
            0 => Outcome::Answered,
            1 if asked % 2 == 0 => Outcome::Answered,
            _ => Outcome::Failed(Quality::NoReply),
        }
    });
    world
}

#[test]
fn fault_b11_a_device_that_answers_every_other_question_takes_at_most_its_share_of_the_line() {
    let world = with_one_that_answers_now_and_then(0);
    let failed = world.asked_of(1).iter().filter(|(_, _, o)| *o != Outcome::Answered).count();
    let wasted = TIMEOUT * u32::try_from(failed).unwrap();
    assert!(wasted <= world.mono.mul_f64(0.11), "wasted {wasted:?} of ten minutes");
    let healthy = world.asked_of(0).len();
    assert!(healthy >= 30 * 595, "the healthy device lost slots: {healthy} of 18000");
    assert!(failed >= 100, "it is still asked: {failed}");
    assert!(world.follow.is_empty(), "it is not silent: {:?}", world.follow);
}

#[test]
fn fault_b11_the_share_goes_to_the_silent_and_to_the_doubted_in_turn() {
    let world = with_one_that_answers_now_and_then(10);
    let healthy = world.asked_of(0).len();
    assert!(healthy >= 30 * 560, "the healthy device lost slots: {healthy} of 18000");
    let answers = world.asked_of(1).iter().filter(|(_, _, o)| *o == Outcome::Answered).count();
    assert!(answers >= 20, "{answers}");
    for silent in 2..12 {
        assert!(world.asked_of(silent).len() >= 5, "{silent}: {}", world.asked_of(silent).len());
    }
}

#[test]
fn fault_b11_after_three_polls_a_silent_device_is_told_of_once_and_marked_once() {
    let mut world = World::new(vec![device(&[(&[(0, 1), (1, 1)], SECOND), (&[(9, 1)], SECOND)])]);
    world.answer_once();
    world.run(Duration::from_mins(2), |_, _| Outcome::Failed(Quality::NoReply));
    let told: Vec<_> = world.follow.iter().filter(|f| matches!(f, Follow::Silent { .. })).collect();
    assert_eq!(told.len(), 1);
    let marks: Vec<_> = world.follow.iter().filter(|f| matches!(f, Follow::Mark { .. })).collect();
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert!(matches!(marks[0], Follow::Mark { points, quality: Quality::NoReply, .. } if points.len() == 3));
    let slots: std::collections::BTreeSet<_> = world.asked[..4].iter().map(|(_, ask, _)| ask.slot).collect();
    assert_eq!(slots.len(), 3, "three polls are three slots: {slots:?}");
}

#[test]
fn fault_b11_a_device_that_answers_again_is_polled_as_before() {
    let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND)]), device(&[(&[(0, 1)], SECOND)])]);
    let back = Duration::from_mins(5);
    world.run(Duration::from_mins(6), |at, ask| {
        if ask.device == 0 && at < back { Outcome::Failed(Quality::NoReply) } else { Outcome::Answered }
    });
    assert_eq!(world.follow.last(), Some(&Follow::AnswersAgain { device: 0 }));
    let first = world.asked_of(0).iter().find(|(_, _, o)| *o == Outcome::Answered).unwrap().0;
    assert!(first < back + Duration::from_secs(35), "found again at {first:?}");
    let after = world.asked_of(0).iter().filter(|(at, _, _)| *at >= first).count();
    let seconds = Duration::from_mins(6).checked_sub(first).unwrap().as_secs() as usize;
    assert!(after >= seconds, "{after} polls in {seconds} s");
}

#[test]
fn fault_b4_a_bad_reply_is_asked_once_more_in_its_slot_and_marked_after_three() {
    let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND)])]);
    world.answer_once();
    world.run(Duration::from_secs(2), |at, _| {
        if at == SECOND { Outcome::Failed(Quality::BadReply) } else { Outcome::Answered }
    });
    assert_eq!(world.asked.len(), 2);
    assert_eq!(world.asked[0].1.slot, world.asked[1].1.slot);
    assert!(world.follow.is_empty(), "one bad frame marks nothing");
    world.run(Duration::from_secs(30), |_, _| Outcome::Failed(Quality::BadReply));
    assert!(matches!(world.follow[0], Follow::Mark { quality: Quality::BadReply, .. }));
}

#[test]
fn fault_b5_one_bad_register_does_not_hurt_its_neighbours() {
    let mut world = World::new(vec![device(&[(&[(0, 2), (2, 2), (4, 2), (6, 2), (8, 2), (10, 2)], SECOND)])]);
    world.answer_once();
    world.run(Duration::from_secs(10), |_, ask| {
        let bad = (block(ask).address..block(ask).address + block(ask).count).contains(&6);
        if bad { refused(2) } else { Outcome::Answered }
    });
    let marked: std::collections::BTreeSet<_> = world
        .follow
        .iter()
        .flat_map(|f| match f {
            Follow::Mark { points, quality: Quality::Refused(2), .. } => points.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(marked.into_iter().collect::<Vec<_>>(), vec![3], "only the bad one");
    let first: Vec<_> = world.asked.iter().filter(|(_, ask, _)| ask.slot == START.plus(SECOND)).collect();
    let good: usize = first
        .iter()
        .filter(|(_, _, o)| *o == Outcome::Answered)
        .map(|(_, ask, _)| ask.question.points().len())
        .sum();
    assert_eq!(good, 5, "its neighbours are read in the very same slot");
    assert_eq!(world.rounds.missed(), 0);
}

#[test]
fn fault_b5_a_bad_register_behind_one_of_many_points_does_not_take_them_with_it() {
    let mut text = String::from(
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"\u{8868}\", en = \"Meter\" }\nsource = [\"this test\"]\n",
    );
    let mut point = |key: &str, rest: &str| {
        let point = format!(
            "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"\u{70b9}\", en = \"Point\" }}\ntable = \"holding\"\n{rest}\n"
        );
        text.push_str(&point);
    };
    for bit in 0..10 {
        point(&format!("bit-{bit}"), &format!("address = 10\ntype = \"bit\"\nbit = {bit}"));
    }
    point("bad", "address = 11\ntype = \"u16\"\nunit = \"1\"");
    let profile = Profile::parse("acme/m1.toml", &text).unwrap_or_else(|f| panic!("{}", listing(&f)));
    let whole = Block { table: Table::Holding, address: 10, count: 2, points: (0..11).collect() };
    let mut world = World::new(vec![Plan {
        profile: Arc::new(profile),
        wanted: vec![(SECOND, (0..11).collect())],
        questions: vec![(Question::Modbus(whole), SECOND)],
        cost: COST,
        refused: BTreeSet::new(),
    }]);
    world.run(Duration::from_secs(10), |_, ask| {
        let bad = u32::from(block(ask).address) + u32::from(block(ask).count) > 11;
        if bad { refused(2) } else { Outcome::Answered }
    });
    assert!(
        world.follow.iter().all(|f| matches!(f, Follow::Mark { points, .. } if *points == [10])),
        "only the bad one: {:?}",
        world.follow
    );
    let read =
        world.asked.iter().filter(|(_, ask, o)| ask.question.points().len() == 10 && *o == Outcome::Answered);
    assert_eq!(read.count(), 10);
}

#[test]
fn a_device_that_refused_while_it_started_is_read_in_whole_blocks_again() {
    let mut world = World::new(vec![device(&[(&[(0, 1), (1, 1), (2, 1), (3, 1)], SECOND)])]);
    let started = Duration::from_secs(20);
    world.run(Duration::from_mins(20), |at, _| if at < started { refused(2) } else { Outcome::Answered });
    let last = &world.asked[world.asked.len() - 1].1;
    assert_eq!(last.question.points().len(), 4, "{last:?}");
    let slots: Vec<_> = world
        .asked
        .iter()
        .filter(|(at, ask, _)| *at > started && block(ask).address == 0)
        .map(|(_, a, _)| a.slot)
        .collect();
    assert!(slots.windows(2).all(|w| w[1].since(w[0]) == SECOND), "each slot once, none left out");
}

#[test]
fn fault_b5_a_point_that_is_refused_for_good_is_asked_seldom_and_its_neighbours_are_merged_around_it() {
    let mut world = World::new(vec![device(&[(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)], SECOND)])]);
    let mended = Duration::from_mins(65);
    let refuses = |at: Duration, ask: &Ask| {
        let block = block(ask);
        let bad = at < mended && (block.address..block.address + block.count).contains(&3);
        if bad { refused(2) } else { Outcome::Answered }
    };
    world.run(Duration::from_mins(5), refuses);
    world.asked.clear();
    world.run(Duration::from_hours(1), refuses);
    let no: Vec<_> = world.asked.iter().filter(|(.., end)| *end != Outcome::Answered).collect();
    assert!((4..=8).contains(&no.len()), "the bad one is asked {} times", no.len());
    assert!(no.iter().all(|(_, ask, _)| *ask.question.points() == [3]), "and alone");
    let seconds = 55 * 60;
    let of = |points: &[usize]| world.asked.iter().filter(|(_, a, _)| a.question.points() == points).count();
    assert_eq!((of(&[0, 1, 2]), of(&[4])), (seconds, seconds), "the others together, but not over it");
    assert_eq!(world.asked.len(), 2 * seconds + no.len());
    assert_eq!(world.rounds.missed(), 0, "a point that rests misses nothing");
    world.asked.clear();
    world.run(mended + Duration::from_mins(11), refuses);
    let last = &world.asked[world.asked.len() - 1].1;
    assert_eq!(last.question.points(), [0, 1, 2, 3, 4], "it is found when it can be read");
}

#[test]
fn fault_b5_a_device_that_takes_short_questions_only_is_found_out_once() {
    for gap in [0, 2] {
        let spans = [(0, 1), (1, 1), (2 + gap, 1), (3 + gap, 1)];
        let mut world = World::new(vec![device(&[(&spans, SECOND)])]);
        let refuses =
            |_: Duration, ask: &Ask| if block(ask).count > 3 { refused(3) } else { Outcome::Answered };
        world.run(Duration::from_secs(20), refuses);
        let refusals = world.asked.iter().filter(|(.., end)| *end != Outcome::Answered).count();
        assert!((2..=3).contains(&refusals), "{refusals} with a gap of {gap}");
        world.asked.clear();
        world.run(Duration::from_hours(2), refuses);
        assert!(world.asked.iter().all(|(.., end)| *end == Outcome::Answered), "gap {gap}");
        assert_eq!(world.asked.len(), 2 * (7200 - 20), "in two questions each second: gap {gap}");
    }
}

#[test]
fn fault_b5_every_exception_becomes_a_quality_of_its_own() {
    for code in 1..=11_u8 {
        let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND)])]);
        world.run(Duration::from_secs(5), |_, _| refused(code));
        assert!(
            world
                .follow
                .iter()
                .any(|f| matches!(f, Follow::Mark { quality: Quality::Refused(c), .. } if *c == code)),
            "{code}: {:?}",
            world.follow
        );
        let silent = world.follow.contains(&Follow::Silent { device: 0 });
        assert_eq!(silent, code >= 10, "only a gateway speaks for a silent device: {code}");
    }
}

#[test]
fn a_busy_device_is_not_torn_into_pieces() {
    let mut world = World::new(vec![device(&[(&[(0, 1), (1, 1)], SECOND)])]);
    world.run(Duration::from_secs(5), |_, _| refused(6));
    assert!(world.asked.iter().all(|(_, ask, _)| ask.question.points().len() == 2));
}

#[test]
fn a_block_that_never_answers_costs_its_share_and_silences_no_device() {
    let plan = device(&[(&[(0, 1)], SECOND), (&[(50, 1)], SECOND), (&[(90, 1)], SECOND)]);
    let mut world = World::new(vec![plan]);
    world.run(Duration::from_mins(10), |_, ask| {
        if block(ask).address == 50 { Outcome::Failed(Quality::NoReply) } else { Outcome::Answered }
    });
    assert!(!world.follow.iter().any(|f| matches!(f, Follow::Silent { .. })), "{:?}", world.follow);
    assert_eq!(world.follow.len(), 1, "marked once: {:?}", world.follow);
    let at = |address| world.asked.iter().filter(|(_, ask, _)| block(ask).address == address).count();
    assert!(at(0) >= 595 && at(90) >= 595, "{} {}", at(0), at(90));
    assert!(at(50) < 600 / 5 + 20, "{}", at(50));
}

#[test]
fn on_an_overfull_line_every_block_gets_its_turn_and_what_is_missed_is_counted() {
    // 100 blocks of 20 ms in each second are twice what the line can carry.
    let spans: Vec<[(u16, u16); 1]> = (0..100).map(|n| [(n * 10, 1)]).collect();
    let blocks: Vec<(&[(u16, u16)], Duration)> = spans.iter().map(|s| (s.as_slice(), SECOND)).collect();
    let mut world = World::new(vec![device(&blocks)]);
    world.run(Duration::from_mins(1), |_, _| Outcome::Answered);
    for n in 0..100 {
        let count = world.asked.iter().filter(|(_, ask, _)| block(ask).address == n * 10).count();
        assert!((28..=32).contains(&count), "block {n} was read {count} times");
    }
    assert!((2800..=3200).contains(&world.rounds.missed()), "{}", world.rounds.missed());
}

#[test]
fn a_step_of_the_wall_clock_neither_stops_the_polling_nor_counts_as_missed() {
    for step_ms in [-3_600_000, 3_600_000, 86_400_000 * 365] {
        let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND)])]);
        world.run(Duration::from_secs(10), |_, _| Outcome::Answered);
        world.step_ms = step_ms;
        world.run(Duration::from_secs(20), |_, _| Outcome::Answered);
        assert!((19..=22).contains(&world.asked.len()), "{step_ms}: {}", world.asked.len());
        assert_eq!(world.rounds.missed(), 0, "{step_ms}");
    }
}

#[test]
fn fault_b11_when_a_device_answers_again_its_slow_points_are_read_at_once_and_newer_than_the_mark() {
    let hour = Duration::from_hours(1);
    let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND), (&[(50, 1)], hour)])]);
    let (gone, back) = (Duration::from_secs(10), Duration::from_secs(100));
    world.run(Duration::from_mins(4), |at, _| {
        if at > gone && at < back { Outcome::Failed(Quality::NoReply) } else { Outcome::Answered }
    });
    for address in [0, 50] {
        let (_, ask, _) = world
            .asked
            .iter()
            .find(|(at, a, o)| *at > back && block(a).address == address && *o == Outcome::Answered)
            .unwrap();
        assert!(ask.slot > START.plus(gone + Duration::from_secs(5)), "{address}: {ask:?}");
    }
    let slow = world.asked.iter().filter(|(at, a, _)| *at > back && block(a).address == 50).count();
    assert_eq!(slow, 1, "once, and then on its grid");
}

#[test]
fn when_a_marked_line_is_back_every_block_is_read_at_once() {
    let hour = Duration::from_hours(1);
    let mut world = World::new(vec![device(&[(&[(0, 1)], SECOND), (&[(50, 1)], hour)])]);
    world.run(Duration::from_secs(10), |_, _| Outcome::Answered);
    world.mono += Duration::from_secs(30);
    let now = world.now();
    world.rounds.line_back(now, true);
    world.asked.clear();
    world.run(Duration::from_mins(1), |_, _| Outcome::Answered);
    let slow: Vec<_> = world.asked.iter().filter(|(_, a, _)| block(a).address == 50).collect();
    assert_eq!(slow.len(), 1);
    assert!(slow[0].1.slot >= now);
    assert_eq!(world.rounds.missed(), 0);
}

/// Points 0, 1, 2, 9, 10, 20 and 21 in one block, of which the device refuses whatever reaches over `holes`.
fn with_holes(holes: &'static [u16]) -> (World, impl Fn(Duration, &Ask) -> Outcome) {
    let spans: &[(u16, u16)] = &[(0, 1), (1, 1), (2, 1), (9, 1), (10, 1), (20, 1), (21, 1)];
    let act = move |_: Duration, ask: &Ask| {
        let asked = block(ask).address..block(ask).address + block(ask).count;
        if holes.iter().any(|hole| asked.contains(hole)) { refused(2) } else { Outcome::Answered }
    };
    (World::new(vec![device(&[(spans, SECOND)])]), act)
}

fn questions_of_the_last_second(world: &World) -> Vec<(u16, u16)> {
    let last = world.asked.last().unwrap().1.slot;
    let asked = world.asked.iter().filter(|(_, ask, _)| ask.slot == last);
    let mut asked: Vec<_> = asked.map(|(_, ask, _)| (block(ask).address, block(ask).count)).collect();
    asked.sort_unstable();
    asked
}

#[test]
fn a_hole_is_found_once_and_what_lies_apart_from_it_is_still_read_together() {
    for (holes, wanted) in [
        (&[5][..], &[(0, 3), (9, 13)][..]),
        (&[15], &[(0, 11), (20, 2)]),
        (&[4, 12], &[(0, 3), (9, 2), (20, 2)]),
        (&[], &[(0, 22)]),
    ] {
        let (mut world, act) = with_holes(holes);
        world.run(Duration::from_secs(10), &act);
        let told = world.follow.iter().filter(|f| matches!(f, Follow::Hole { .. })).count();
        assert_eq!(told, holes.len(), "{holes:?}: {:?}", world.follow);
        assert_eq!(questions_of_the_last_second(&world), wanted, "{holes:?}");
        let refusals = |world: &World| world.asked.iter().filter(|(_, _, o)| *o != Outcome::Answered).count();
        let before = refusals(&world);
        assert!(before <= 3 * holes.len(), "{holes:?}: {before} refusals");
        world.run(Duration::from_mins(30), &act);
        assert_eq!(refusals(&world), before, "{holes:?}: it is found once");
        assert!(world.follow.iter().all(|f| matches!(f, Follow::Hole { .. })), "and no value was lost");
    }
}

#[test]
fn a_device_that_refuses_all_while_it_starts_has_no_holes() {
    let (mut world, _) = with_holes(&[]);
    let started = Duration::from_millis(3100);
    world.run(Duration::from_mins(12), |at, _| if at < started { refused(2) } else { Outcome::Answered });
    assert!(world.follow.iter().all(|f| !matches!(f, Follow::Hole { .. })), "{:?}", world.follow);
    assert_eq!(questions_of_the_last_second(&world), [(0, 22)]);
}

#[test]
fn points_are_put_together_anew_when_the_device_takes_longer_than_it_was_taken_for() {
    let fast = Cost { question: Duration::from_millis(20), byte: Duration::from_millis(1) };
    let mut own = device(&[(&[(0, 1), (30, 1)], SECOND)]);
    own.renew(fast, &[]);
    assert_eq!(own.questions.len(), 2, "thirty registers cost more than a question");
    let mut world = World::new(vec![own]);
    world.run(Duration::from_secs(3), |_, _| Outcome::Answered);
    assert_eq!(questions_of_the_last_second(&world), [(0, 1), (30, 1)]);
    world.rounds.learned(0, Cost { question: Duration::from_millis(24), ..fast });
    world.run(Duration::from_secs(6), |_, _| Outcome::Answered);
    assert_eq!(questions_of_the_last_second(&world).len(), 2, "a little slower changes nothing");
    world.rounds.learned(0, Cost { question: Duration::from_millis(90), ..fast });
    world.run(Duration::from_secs(9), |_, _| Outcome::Answered);
    assert_eq!(questions_of_the_last_second(&world), [(0, 31)]);
    world.rounds.learned(0, fast);
    world.run(Duration::from_secs(30), |_, _| Outcome::Answered);
    assert_eq!(questions_of_the_last_second(&world), [(0, 31)], "what comes and goes is waited for");
    world.run(Duration::from_secs(75), |_, _| Outcome::Answered);
    assert_eq!(questions_of_the_last_second(&world), [(0, 1), (30, 1)]);
    let slots: Vec<_> = world.asked.iter().map(|(_, ask, _)| (block(ask).address, ask.slot)).collect();
    let mut once = slots.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), slots.len(), "no slot was polled twice");
}

#[test]
fn points_that_raise_alarms_are_read_before_the_others() {
    let spans: Vec<[(u16, u16); 1]> = (0..10).map(|n| [(n * 200, 1)]).collect();
    let blocks: Vec<(&[(u16, u16)], Duration)> = spans.iter().map(|s| (s.as_slice(), SECOND)).collect();
    let mut own = device(&blocks);
    let mut profile = (*own.profile).clone();
    profile.points[7].alarm = true;
    own.profile = Arc::new(profile);
    let mut world = World::new(vec![own]);
    world.run(Duration::from_secs(5), |_, _| Outcome::Answered);
    let mut slots: Vec<_> = world.asked.iter().map(|(_, ask, _)| ask.slot).collect();
    slots.dedup();
    // After the start, when each bears its own instant.
    for slot in slots.iter().filter(|slot| slot.as_millis() % 1000 == 0).skip(1) {
        let first = world.asked.iter().find(|(_, ask, _)| ask.slot == *slot).unwrap();
        assert_eq!(block(&first.1).address, 1400);
    }
}
