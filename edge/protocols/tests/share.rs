//! Several questions on one connection of Modbus TCP, with the frames of the standard's own example (MODBUS Messaging on
//! TCP/IP V1.0b, 4.4.2.2: register 5 of unit 255 is asked under number 15 01).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use proptest::prelude::*;
use steward_protocols::exchange::Fault;
use steward_protocols::modbus::share::{ForSlot, Share, Slot};

const ASKED: [u8; 12] = [0x15, 0x01, 0, 0, 0, 6, 0xff, 3, 0, 4, 0, 1];
const ANSWER: [u8; 11] = [0x15, 0x01, 0, 0, 0, 5, 0xff, 3, 2, 0, 5];

/// The question of the example, as it goes out for a slot.
fn ask(share: &mut Share, slot: u64) -> [u8; 12] {
    let mut frame = ASKED;
    assert!(share.ask(Slot(slot), &mut frame));
    assert_eq!(frame[2..], ASKED[2..], "nothing but the number is touched");
    frame
}

/// The example's answer to a question as it went out, with this register in it.
fn answer(asked: &[u8], register: u8) -> Vec<u8> {
    let mut frame = ANSWER.to_vec();
    frame[..2].copy_from_slice(&asked[..2]);
    frame[10] = register;
    frame
}

/// What is found in bytes in which all is in order.
fn found(share: &mut Share, bytes: &[u8]) -> Vec<ForSlot> {
    let mut found = Vec::new();
    share.received(bytes, &mut found).unwrap();
    found
}

fn of(slot: u64, register: u8) -> ForSlot {
    ForSlot { slot: Slot(slot), frame: answer(&ASKED, register) }
}

#[test]
fn each_asker_gets_its_own_answer_in_whatever_order_they_come() {
    let mut share = Share::default();
    let asked: Vec<_> = (0..4).map(|slot| ask(&mut share, slot)).collect();
    let all: Vec<u8> = [2, 0, 3, 1].iter().flat_map(|n: &u8| answer(&asked[usize::from(*n)], *n)).collect();
    assert_eq!(found(&mut share, &all), [of(2, 2), of(0, 0), of(3, 3), of(1, 1)]);
    assert_eq!((share.asked(), share.strange()), (0, 0));
}

#[test]
fn answers_may_come_byte_by_byte() {
    let mut share = Share::default();
    let (first, second) = (ask(&mut share, 7), ask(&mut share, 9));
    let all = [answer(&second, 1), answer(&first, 2)].concat();
    let found: Vec<_> = all.iter().flat_map(|byte| found(&mut share, &[*byte])).collect();
    assert_eq!(found, [of(9, 1), of(7, 2)]);
}

#[test]
fn a_second_answer_under_the_same_number_is_nobodys() {
    let mut share = Share::default();
    let asked = ask(&mut share, 0);
    let twice = [answer(&asked, 1), answer(&asked, 2)].concat();
    assert_eq!(found(&mut share, &twice), [of(0, 1)]);
    let next = ask(&mut share, 0);
    assert_ne!(next[..2], asked[..2], "the next question bears another number");
    assert!(found(&mut share, &answer(&asked, 3)).is_empty());
    assert_eq!(share.strange(), 22);
}

#[test]
fn a_late_answer_is_nobodys_and_disturbs_no_other() {
    let mut share = Share::default();
    let (slow, other) = (ask(&mut share, 0), ask(&mut share, 1));
    assert!(!share.forget(Slot(0)), "somebody else waits on the connection");
    let again = ask(&mut share, 0);
    let all = [answer(&slow, 1), answer(&other, 2), answer(&again, 3)].concat();
    assert_eq!(found(&mut share, &all), [of(1, 2), of(0, 3)]);
}

#[test]
fn a_number_that_is_out_is_not_given_again_when_the_numbers_begin_anew() {
    let mut share = Share::default();
    let patient = ask(&mut share, 0);
    for _ in 0..70_000 {
        let asked = ask(&mut share, 1);
        assert_ne!(asked[..2], patient[..2]);
        assert_eq!(found(&mut share, &answer(&asked, 1)).len(), 1);
    }
    assert_eq!(found(&mut share, &answer(&patient, 5)), [of(0, 5)]);
}

#[test]
fn a_connection_on_which_nothing_comes_is_of_no_use_and_one_on_which_others_are_answered_is() {
    let mut share = Share::default();
    ask(&mut share, 0);
    assert!(!share.forget(Slot(0)), "one alone may be to a dead unit");
    ask(&mut share, 0);
    assert!(share.forget(Slot(0)), "nobody has said a word");
    let mut share = Share::default();
    ask(&mut share, 0);
    let other = ask(&mut share, 1);
    found(&mut share, &answer(&other, 1));
    assert!(!share.forget(Slot(0)), "only this unit is dead");
    assert!(!share.forget(Slot(1)), "it was answered");
    let broken = ask(&mut share, 2);
    ask(&mut share, 3);
    found(&mut share, &answer(&broken, 1)[..9]);
    assert!(share.forget(Slot(2)), "what comes next would be taken for the rest of this answer");
}

#[test]
fn what_is_no_frame_ends_the_connection() {
    let mut share = Share::default();
    ask(&mut share, 0);
    assert_eq!(share.received(&[0, 1, 0, 9, 0, 5, 1], &mut Vec::new()), Err(Fault::Protocol(9)));
    for length in [0_u16, 2, 255, u16::MAX] {
        let mut share = Share::default();
        let [high, low] = length.to_be_bytes();
        assert!(share.received(&[0, 1, 0, 0, high, low, 1], &mut Vec::new()).is_err(), "{length}");
    }
    assert!(!Share::default().ask(Slot(0), &mut [0, 1, 0, 0, 0]));
}

proptest! {
    #[test]
    fn whatever_comes_nobody_gets_what_he_did_not_ask_for(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        cuts in proptest::collection::vec(1_usize..40, 1..40),
    ) {
        let mut share = Share::default();
        let asked = [ask(&mut share, 0), ask(&mut share, 1)];
        let all = [answer(&asked[1], 1), bytes, answer(&asked[0], 2)].concat();
        let (mut rest, mut found) = (all.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (now, then) = rest.split_at((*cut).min(rest.len()));
            if share.received(now, &mut found).is_err() {
                break;
            }
            rest = then;
            if rest.is_empty() {
                break;
            }
        }
        let first = found.iter().filter(|f| f.slot == Slot(1)).count();
        prop_assert_eq!(first, 1);
        prop_assert!(found.iter().filter(|f| f.slot == Slot(0)).count() <= 1);
    }
}
