//! The link between gateway and hub in a simulated world: the real sync of both sides with its real QUIC and TLS, on a
//! network, clocks and chance that come from a seed. Virtual time passes as fast as it can be counted; the same seed is the
//! same world, to the last datagram.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

mod apart;
mod chance;
mod earth;
mod gateway;
mod hub;
mod ledger;
mod look;
mod network;
mod scripts;
mod seeds;
mod trace;
mod verdict;
mod world;

use std::ops::Range;

use apart::Apart;
use seeds::Mutant;

/// Each in a process of its own, so that a failure names a seed that fails again.
fn worlds(test: &str, seeds: Range<u64>) {
    let apart = Apart::new();
    let broken: Vec<_> =
        seeds.filter_map(|seed| apart.run(test, seed, told).err().map(|e| (seed, e))).collect();
    let say = |(seed, e): &(u64, String)| {
        format!("seed {seed}: {e}\n    again: cargo xtask simulate --from {seed} --seeds 1 --tell")
    };
    assert!(broken.is_empty(), "\n{}", broken.iter().map(say).collect::<Vec<_>>().join("\n"));
}

fn told(seed: u64) -> Result<String, String> {
    seeds::run(seed, None).map(|told| {
        let said = format!(
            "seed {seed}: {} items acknowledged, {} datagrams, {} sessions",
            told.acknowledged, told.datagrams, told.sessions
        );
        println!("{said}");
        told.hash
    })
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_0_to_24() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_0_to_24", 0..25);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_25_to_49() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_25_to_49", 25..50);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_50_to_74() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_50_to_74", 50..75);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_75_to_99() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_75_to_99", 75..100);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_100_to_124() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_100_to_124", 100..125);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_125_to_149() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_125_to_149", 125..150);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_150_to_174() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_150_to_174", 150..175);
}

#[test]
fn what_was_promised_is_kept_in_the_worlds_of_seeds_175_to_199() {
    worlds("what_was_promised_is_kept_in_the_worlds_of_seeds_175_to_199", 175..200);
}

#[test]
fn the_same_seed_is_the_same_world_to_the_last_datagram() {
    let test = "the_same_seed_is_the_same_world_to_the_last_datagram";
    let apart = Apart::new();
    let mut hashes = Vec::new();
    for seed in [5, 14, 31] {
        let [one, other] = [(); 2].map(|()| apart.run(test, seed, told).unwrap());
        assert_eq!(one, other, "seed {seed}");
        hashes.push(one);
    }
    hashes.sort();
    hashes.dedup();
    // In the process of one world there is nothing to compare.
    assert!(hashes.len() == 3 || hashes == [""], "three seeds are three worlds: {hashes:?}");
}

/// A test of the tests: each of these programs breaks one promise, and is found out in these worlds.
fn found_out(test: &str, mutant: Mutant, invariant: &str) {
    let apart = Apart::new();
    let broken =
        |seed| apart.run(test, seed, |seed| seeds::run(seed, Some(mutant)).map(|told| told.hash)).err();
    let found: Vec<_> = (0..MUTANTS).filter_map(broken).collect();
    println!("{mutant:?} was found out in {} of {MUTANTS} worlds: {found:#?}", found.len());
    assert!(
        apart::is_apart() || found.iter().any(|e| e.starts_with(invariant)),
        "{mutant:?} was not found out"
    );
}

/// Worlds of a mutant.
const MUTANTS: u64 = 10;

#[test]
fn a_hub_that_loses_its_watermark_is_found_out_to_apply_twice() {
    found_out("a_hub_that_loses_its_watermark_is_found_out_to_apply_twice", Mutant::NoWatermark, "I2");
}

#[test]
fn a_hub_that_acknowledges_what_it_has_not_kept_is_found_out_to_lose() {
    found_out("a_hub_that_acknowledges_what_it_has_not_kept_is_found_out_to_lose", Mutant::AcksFirst, "I1");
}

#[test]
fn a_gateway_that_gives_up_what_nobody_acknowledged_is_found_out_to_lose() {
    found_out(
        "a_gateway_that_gives_up_what_nobody_acknowledged_is_found_out_to_lose",
        Mutant::TrimsFirst,
        "I1",
    );
}

#[test]
fn fault_h1_what_a_slow_database_did_too_late_to_be_told_is_there_once() {
    let test = "fault_h1_what_a_slow_database_did_too_late_to_be_told_is_there_once";
    Apart::new().run(test, 1, scripts::answers_past_their_deadline).unwrap();
}

#[test]
fn fault_n2_what_was_kept_for_three_days_without_a_link_is_all_there_once() {
    let test = "fault_n2_what_was_kept_for_three_days_without_a_link_is_all_there_once";
    Apart::new().run(test, 2, scripts::days_without_a_link).unwrap();
}

#[test]
fn fault_n3_on_the_worst_of_lines_alarms_come_within_five_seconds_and_all_is_there_once() {
    let test = "fault_n3_on_the_worst_of_lines_alarms_come_within_five_seconds_and_all_is_there_once";
    Apart::new().run(test, 3, scripts::the_worst_of_lines).unwrap();
}

#[test]
fn fault_n4_where_no_acknowledgement_comes_back_nothing_is_given_up_and_all_is_there_once() {
    let test = "fault_n4_where_no_acknowledgement_comes_back_nothing_is_given_up_and_all_is_there_once";
    Apart::new().run(test, 4, scripts::no_acknowledgement).unwrap();
}

/// `cargo xtask simulate` says which; otherwise the one behind those above.
#[test]
fn as_many_worlds_as_are_wanted() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let from = number("STEWARD_SIM_FROM").unwrap_or(200);
    worlds("as_many_worlds_as_are_wanted", from..from + number("STEWARD_SIM_SEEDS").unwrap_or(1));
}
