//! The pacing of a line in virtual time: the silence before each request, deadlines, the quarantine, and above
//! all that a late or foreign answer is never taken for the answer.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::{Duration, Instant};

use steward_protocols::character::{Character, Parity};
use steward_protocols::dlt645;
use steward_protocols::driver::{Driver, Step};
use steward_protocols::exchange::{Exchange, Fault};
use steward_protocols::line::{Answer, Failure, LineState, Settings};
use steward_protocols::modbus::{self, Request, crc, frame_gap};
use steward_shared::profile::dlt645::{ItemId, Version};
use steward_shared::profile::{Framing, Table};
use steward_shared::reading::Quality;

const MS: Duration = Duration::from_millis(1);
const EVEN: Character = Character::new(9600, 8, Parity::Even, 1);

#[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
fn beginning() -> Instant {
    Instant::now()
}

fn ask(unit: u8, address: u16, count: u16) -> Request {
    Request::new(unit, Table::Holding, address, count).unwrap()
}

/// The request in the line's framing: frames bear numbers where every stray byte is an error.
fn put(line: &LineState, request: Request) -> Box<dyn Exchange> {
    let framing = if line.settings().reopen_after_stray { Framing::Tcp } else { Framing::Rtu };
    modbus::exchange(request, framing)
}

/// The answer of a device whose registers hold their own address.
fn answer(request: Request) -> Vec<u8> {
    let mut frame = vec![request.unit(), 3, request.count() as u8 * 2];
    (request.address()..request.address() + request.count()).for_each(|a| frame.extend(a.to_be_bytes()));
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

fn mbap(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = transaction.to_be_bytes().to_vec();
    frame.extend([0, 0]);
    frame.extend((pdu.len() as u16 + 1).to_be_bytes());
    frame.push(unit);
    frame.extend(pdu);
    frame
}

fn open(settings: Settings, now: Instant) -> LineState {
    let mut line = LineState::new(settings);
    line.opened(now);
    line
}

fn serial() -> Settings {
    let mut settings = Settings::serial(frame_gap(9600), EVEN, 300 * MS);
    settings.quarantine = 700 * MS;
    settings
}

/// Polls on until the machine sends, and tells when that was.
#[track_caller]
fn until_sent(line: &mut LineState, mut now: Instant) -> (Vec<u8>, Instant) {
    for _ in 0..10 {
        match line.poll(now) {
            Step::Send(bytes) => {
                line.sent(now);
                return (bytes, now);
            }
            Step::WaitUntil(t) => now = t,
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing was sent");
}

#[track_caller]
fn until_done(line: &mut LineState, mut now: Instant) -> (Result<Answer, Failure>, Instant) {
    for _ in 0..10 {
        match line.poll(now) {
            Step::Done(outcome) => return (outcome, now),
            Step::WaitUntil(t) => now = t,
            other => panic!("{other:?}"),
        }
    }
    panic!("it never ended");
}

fn registers(outcome: Result<Answer, Failure>) -> Vec<u16> {
    match outcome {
        Ok(Answer { reply: Ok(data), .. }) => {
            data.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_gap_is_38_and_a_half_bits_up_to_19200_baud_and_1750_microseconds_above() {
    assert_eq!(frame_gap(9600).as_micros(), 4010);
    assert_eq!(frame_gap(19_200).as_micros(), 2005);
    assert_eq!(frame_gap(38_400).as_micros(), 1750);
    assert_eq!(frame_gap(115_200).as_micros(), 1750);
    assert_eq!(frame_gap(1200).as_millis(), 32);
    assert!(frame_gap(0) > Duration::ZERO);
}

#[test]
fn no_request_is_sent_before_the_line_was_silent_for_the_gap() {
    let start = beginning();
    let mut line = open(serial(), start);
    let mut now = start;
    for round in 0..50_u16 {
        let request = ask(1, round, 2);
        line.begin(put(&line, request), now);
        let (_, sent) = until_sent(&mut line, now);
        assert!(sent - now >= frame_gap(9600), "round {round}: {:?}", sent - now);
        assert!(sent - now <= frame_gap(9600) + MS, "and no longer than needed");
        now = sent + 40 * MS;
        line.received(&answer(request), now);
        let (outcome, _) = until_done(&mut line, now);
        assert_eq!(registers(outcome), [round, round + 1]);
    }
}

#[test]
fn a_port_may_have_a_gap_of_its_own_and_a_device_a_pause() {
    let start = beginning();
    let mut line = open(Settings { gap: 20 * MS, ..serial() }, start);
    line.begin(put(&line, ask(1, 0, 1)), start);
    let (_, sent) = until_sent(&mut line, start);
    assert_eq!(sent - start, 20 * MS);
    let now = sent + 30 * MS;
    line.received(&answer(ask(1, 0, 1)), now);
    until_done(&mut line, now).0.unwrap();
    line.hold(now, 100 * MS);
    line.begin(put(&line, ask(1, 0, 1)), now);
    assert_eq!(until_sent(&mut line, now).1 - now, 100 * MS);
}

#[test]
fn noise_before_a_request_begins_the_silence_anew() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(1, 0, 1)), start);
    line.received(&[0xFF], start + 3 * MS);
    assert_eq!(until_sent(&mut line, start + 3 * MS).1, start + 3 * MS + frame_gap(9600));
    assert_eq!(line.stray_bytes(), 1);
}

#[test]
fn the_deadline_leaves_time_for_the_frames_on_the_wire() {
    let start = beginning();
    let mut line = open(Settings::serial(frame_gap(1200), Character { baud: 1200, ..EVEN }, 100 * MS), start);
    let request = ask(1, 0, 125);
    line.begin(put(&line, request), start);
    let (bytes, sent) = until_sent(&mut line, start);
    let frame = answer(request);
    let character = Duration::from_nanos(11_000_000_000 / 1200);
    let asked = sent + character * bytes.len() as u32;
    // 2.3 s of answer after 73 ms of request: byte by byte, each in its time, after 90 ms of thought.
    let mut now = asked + 90 * MS;
    for byte in &frame {
        now += character;
        assert!(matches!(line.poll(now), Step::WaitUntil(_)));
        line.received(&[*byte], now);
    }
    let Step::Done(Ok(got)) = line.poll(now) else { panic!() };
    assert_eq!(got.turnaround(), now - asked);
    assert_eq!(registers(Ok(got)).len(), 125);
}

#[test]
fn fault_b11_a_silent_device_fails_at_its_deadline_and_not_later() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(9, 0, 1)), start);
    let (_, sent) = until_sent(&mut line, start);
    let (outcome, ended) = until_done(&mut line, sent);
    assert_eq!(outcome, Err(Failure::NoReply(300 * MS)));
    assert_eq!(Failure::NoReply(300 * MS).quality(), Quality::NoReply);
    let wire = Duration::from_nanos(11_000_000_000 / 9600) * 15;
    assert!(ended - sent <= 300 * MS + wire + MS, "{:?}", ended - sent);
}

#[test]
fn fault_b4_a_late_reply_is_never_taken_for_the_answer() {
    let start = beginning();
    let mut line = open(serial(), start);
    let (first, second) = (ask(1, 10, 2), ask(1, 20, 2));
    line.begin(put(&line, first), start);
    let (_, sent) = until_sent(&mut line, start);
    let (outcome, now) = until_done(&mut line, sent);
    assert_eq!(outcome, Err(Failure::NoReply(300 * MS)));

    // The same unit, function and length: nothing in the late frame tells it from the answer to `second`.
    line.begin(put(&line, second), now);
    let late = sent + 800 * MS;
    assert!(matches!(line.poll(late), Step::WaitUntil(_)), "the quarantine holds the line");
    line.received(&answer(first), late);
    assert_eq!(line.stray_bytes(), 9);
    let (_, sent) = until_sent(&mut line, late);
    line.received(&answer(second), sent + 40 * MS);
    assert_eq!(registers(until_done(&mut line, sent + 40 * MS).0), [20, 21]);
}

#[test]
fn fault_b4_what_comes_after_the_quarantine_is_a_sign_that_it_is_too_short() {
    let start = beginning();
    let mut line = open(serial(), start);
    let late = |line: &mut LineState, after: Duration| {
        line.begin(put(line, ask(1, 10, 2)), start);
        let (_, sent) = until_sent(line, start);
        until_done(line, sent).0.unwrap_err();
        line.received(&answer(ask(1, 10, 2)), sent + after);
        line.was_late()
    };
    assert!(!late(&mut line, 900 * MS), "the quarantine is there for this");
    assert!(late(&mut open(serial(), start), 1100 * MS));

    // An answer shows that the line is in order; noise after it says nothing.
    let mut line = open(serial(), start);
    late(&mut line, 900 * MS);
    line.begin(put(&line, ask(1, 20, 1)), start + 2000 * MS);
    let (_, sent) = until_sent(&mut line, start + 2000 * MS);
    line.received(&answer(ask(1, 20, 1)), sent + 40 * MS);
    until_done(&mut line, sent + 40 * MS).0.unwrap();
    line.received(&[0xFF], sent + 5000 * MS);
    assert!(!line.was_late());
}

#[test]
fn fault_b4_a_request_that_was_given_up_from_outside_is_quarantined_too() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(1, 10, 2)), start);
    let (_, sent) = until_sent(&mut line, start);
    line.begin(put(&line, ask(1, 20, 2)), sent + 10 * MS);
    let late = sent + 200 * MS;
    assert!(matches!(line.poll(late), Step::WaitUntil(_)));
    line.received(&answer(ask(1, 10, 2)), late);
    let (_, again) = until_sent(&mut line, late);
    assert!(again >= sent + 1000 * MS);
    line.received(&answer(ask(1, 20, 2)), again + 40 * MS);
    assert_eq!(registers(until_done(&mut line, again + 40 * MS).0), [20, 21]);

    let mut line = open(Settings::numbered(300 * MS), start);
    line.begin(put(&line, ask(1, 10, 2)), start);
    until_sent(&mut line, start);
    line.begin(put(&line, ask(1, 20, 2)), start);
    assert_eq!(line.poll(start), Step::Reopen);
}

#[test]
fn fault_b4_a_reply_of_another_unit_is_skipped_and_the_right_one_still_taken() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(1, 10, 1)), start);
    let (_, sent) = until_sent(&mut line, start);
    line.received(&answer(ask(2, 99, 1)), sent + 20 * MS);
    assert!(matches!(line.poll(sent + 80 * MS), Step::WaitUntil(_)));
    line.received(&answer(ask(1, 10, 1)), sent + 120 * MS);
    assert_eq!(registers(until_done(&mut line, sent + 120 * MS).0), [10]);
}

#[test]
fn fault_b4_a_damaged_reply_fails_soon_and_costs_no_long_quarantine() {
    for damage in ["check sum", "short"] {
        let start = beginning();
        let mut line = open(serial(), start);
        line.begin(put(&line, ask(1, 10, 2)), start);
        let (_, sent) = until_sent(&mut line, start);
        let mut frame = answer(ask(1, 10, 2));
        if damage == "short" {
            frame.truncate(5);
        } else {
            frame[4] ^= 0x10;
        }
        line.received(&frame, sent + 40 * MS);
        let (outcome, ended) = until_done(&mut line, sent + 40 * MS);
        let failure = outcome.unwrap_err();
        assert!(matches!(failure, Failure::BadReply(Fault::CheckSum | Fault::Short { .. })), "{failure}");
        assert_eq!(failure.quality(), Quality::BadReply);
        assert_eq!(ended, sent + 90 * MS, "40 ms of device and 50 ms of quiet");
        line.begin(put(&line, ask(1, 10, 2)), ended);
        assert!(until_sent(&mut line, ended).1 <= ended + 60 * MS, "{damage}");
    }
}

#[test]
fn fault_b5_a_length_that_was_not_asked_for_is_a_late_reply_and_quarantined_as_one() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(1, 10, 2)), start);
    let (_, sent) = until_sent(&mut line, start);
    line.received(&answer(ask(1, 5, 4)), sent + 40 * MS);
    let (outcome, ended) = until_done(&mut line, sent + 40 * MS);
    assert!(matches!(outcome, Err(Failure::BadReply(Fault::Length { .. }))), "{outcome:?}");
    line.begin(put(&line, ask(1, 10, 2)), ended);
    assert!(until_sent(&mut line, ended).1 >= sent + 1000 * MS, "timeout and quarantine after the request");
}

#[test]
fn fault_b5_a_refusal_is_an_answer_and_no_error_of_the_line() {
    for code in 1..=11 {
        let start = beginning();
        let mut line = open(serial(), start);
        line.begin(put(&line, ask(1, 10, 2)), start);
        let (_, sent) = until_sent(&mut line, start);
        let mut frame = vec![1, 0x83, code];
        frame.extend(crc(&frame).to_le_bytes());
        line.received(&frame, sent + 20 * MS);
        let (outcome, now) = until_done(&mut line, sent + 20 * MS);
        assert_eq!(outcome.unwrap().reply, Err(modbus::Exception(code).into()));
        line.begin(put(&line, ask(1, 10, 2)), now);
        assert_eq!(until_sent(&mut line, now).1, now + frame_gap(9600), "no quarantine follows");
    }
}

#[test]
fn a_babbling_line_ends_in_a_failure_and_not_in_a_wait_without_end() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.begin(put(&line, ask(1, 0, 1)), start);
    let mut now = start;
    loop {
        now += MS;
        assert!(now < start + Duration::from_secs(10), "it never ended");
        line.received(&[0x55], now);
        match line.poll(now) {
            Step::Done(outcome) => {
                assert_eq!(outcome, Err(Failure::Babbling));
                assert_eq!(Failure::Babbling.quality(), Quality::LineDown);
                return;
            }
            Step::WaitUntil(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn fault_b4_on_tcp_an_error_gives_the_connection_up_and_numbers_tell_late_replies() {
    let start = beginning();
    let mut line = LineState::new(Settings::numbered(300 * MS));
    line.begin(put(&line, ask(1, 10, 1)), start);
    assert_eq!(line.poll(start), Step::Reopen, "a new line is not open");
    line.opened(start);
    let (_, sent) = until_sent(&mut line, start);
    assert_eq!(sent, start, "TCP has no gap to keep");
    let (outcome, now) = until_done(&mut line, sent);
    assert_eq!(outcome, Err(Failure::NoReply(300 * MS)));

    line.begin(put(&line, ask(1, 20, 1)), now);
    assert_eq!(line.poll(now), Step::Reopen);
    line.opened(now);
    let (bytes, sent) = until_sent(&mut line, now);
    assert_eq!(bytes[..2], [0, 2], "each request has a number of its own");
    line.received(&mbap(1, 1, &[3, 2, 0, 10]), sent + 5 * MS);
    let (outcome, now) = until_done(&mut line, sent + 5 * MS);
    assert_eq!(outcome, Err(Failure::BadReply(Fault::Transaction { wanted: 2, got: 1 })));

    line.begin(put(&line, ask(1, 30, 1)), now);
    assert_eq!(line.poll(now), Step::Reopen);
    line.opened(now);
    let (_, sent) = until_sent(&mut line, now);
    line.received(&mbap(3, 1, &[3, 2, 0, 30]), sent + 5 * MS);
    assert_eq!(registers(until_done(&mut line, sent + 5 * MS).0), [30]);
}

#[test]
fn what_comes_unasked_on_tcp_gives_the_connection_up_before_the_next_request() {
    let start = beginning();
    let mut line = open(Settings::numbered(300 * MS), start);
    assert_eq!(line.poll(start), Step::Idle);
    line.received(&mbap(1, 1, &[3, 2, 0, 10]), start);
    line.begin(put(&line, ask(1, 10, 1)), start);
    assert_eq!(line.poll(start), Step::Reopen);
}

#[test]
fn what_comes_unasked_through_a_device_server_only_restarts_the_silence() {
    let start = beginning();
    let mut line = open(Settings::transparent(300 * MS), start);
    line.begin(put(&line, ask(1, 10, 1)), start);
    line.received(&[0x55; 8], start + 3 * MS);
    let (_, sent) = until_sent(&mut line, start + 3 * MS);
    assert_eq!(sent, start + 8 * MS);
    assert_eq!(line.stray_bytes(), 8);
}

#[test]
fn a_connection_that_babbles_at_once_when_it_is_opened_anew_is_not_opened_for_ever() {
    let start = beginning();
    let mut line = open(Settings::numbered(300 * MS), start);
    line.hold(start, 50 * MS);
    line.begin(put(&line, ask(1, 10, 1)), start);
    line.received(&[0x55; 8], start);
    assert_eq!(line.poll(start), Step::Reopen);
    line.opened(start);
    assert!(matches!(line.poll(start), Step::WaitUntil(_)));
    line.received(&[0x55; 8], start);
    assert_eq!(line.poll(start), Step::Done(Err(Failure::Babbling)));
}

#[test]
fn a_connection_that_breaks_over_a_question_is_opened_once_and_the_line_behind_it_still_rests() {
    for settings in [Settings::numbered(300 * MS), Settings::transparent(300 * MS)] {
        for told in [true, false] {
            let start = beginning();
            let mut line = open(settings, start);
            line.begin(put(&line, ask(1, 10, 1)), start);
            let (_, sent) = until_sent(&mut line, start);
            if told {
                assert!(line.closed(sent), "a question was under way");
                assert!(!line.closed(sent), "and is over");
            }
            line.opened(sent);
            assert_eq!(line.poll(sent), Step::Idle);
            line.begin(put(&line, ask(1, 20, 1)), sent);
            let (_, again) = until_sent(&mut line, sent);
            let behind = !settings.quarantine.is_zero();
            let rest = if behind { settings.timeout + settings.quarantine } else { Duration::ZERO };
            assert_eq!(again - sent, rest, "{settings:?}");
        }
    }
}

#[test]
fn rtu_through_a_device_server_keeps_the_quarantine_though_it_reconnects() {
    let start = beginning();
    let mut line = open(Settings::transparent(300 * MS), start);
    line.begin(put(&line, ask(1, 10, 1)), start);
    let (_, sent) = until_sent(&mut line, start);
    let (_, now) = until_done(&mut line, sent);
    line.begin(put(&line, ask(1, 20, 1)), now);
    assert_eq!(line.poll(now), Step::Reopen);
    line.opened(now);
    let (_, again) = until_sent(&mut line, now);
    assert!(again >= sent + 800 * MS, "{:?}", again - sent);
}

#[test]
fn a_slow_device_lengthens_the_quarantine_for_itself_only() {
    let start = beginning();
    let mut line = open(serial(), start);
    line.set_timeout(2000 * MS, 2000 * MS);
    assert_eq!(line.settings().quarantine, 2000 * MS);
    line.set_timeout(300 * MS, 300 * MS);
    assert_eq!(line.settings().quarantine, 700 * MS);
}

/// A line of three devices with every fault of B4 on it: a fifth of the frames is damaged, others come from
/// another unit, cut short, or up to 0.9 s late. Registers hold their own address, so that a wrong pairing shows.
#[test]
fn fault_b4_no_value_is_ever_paired_with_another_request() {
    let mut random = 0x5EED_u64;
    let mut chance = move |of: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % of
    };
    let start = beginning();
    let mut line = open(serial(), start);
    let mut now = start;
    let mut coming: Vec<(Instant, Vec<u8>)> = Vec::new();
    let (mut good, mut failed, mut late) = (0, 0, 0);
    for round in 0..5000_u16 {
        let request = ask(1 + chance(3) as u8, round, 1 + chance(2) as u16);
        line.begin(put(&line, request), now);
        let outcome = loop {
            coming.sort_unstable();
            if coming.first().is_some_and(|(at, _)| *at <= now) {
                let (_, bytes) = coming.remove(0);
                line.received(&bytes, now);
            }
            match line.poll(now) {
                Step::Send(_) => {
                    line.sent(now);
                    let mut frame = answer(request);
                    let mut delay = 20 + chance(100);
                    match chance(20) {
                        0..=3 => frame[3] ^= 1 << chance(8),
                        4 => frame = answer(ask(1 + request.unit() % 3, round, 1)),
                        5 => frame.truncate(1 + chance(4) as usize),
                        6 => continue,
                        7 => {
                            delay = 320 + chance(580);
                            late += 1;
                        }
                        _ => {}
                    }
                    coming.push((now + MS * delay as u32, frame));
                }
                Step::WaitUntil(t) => {
                    now = coming.iter().map(|(at, _)| *at).chain([t]).min().unwrap().max(now);
                }
                Step::Done(outcome) => break outcome,
                other => panic!("{other:?}"),
            }
        };
        match outcome {
            Ok(_) => {
                let wanted: Vec<u16> = (round..round + request.count()).collect();
                assert_eq!(registers(outcome), wanted, "round {round}");
                good += 1;
            }
            Err(_) => failed += 1,
        }
    }
    assert!(good > 2500 && failed > 1000 && late > 100, "{good} good, {failed} failed, {late} late");
}

#[test]
fn the_port_is_set_anew_for_each_device_and_after_each_opening() {
    const METER: Character = Character::new(2400, 8, Parity::Even, 1);
    const GAP: Duration = Duration::from_millis(20);
    let start = beginning();
    let mut line = open(Settings::serial(frame_gap(9600), EVEN, 300 * MS), start);
    let meter = || {
        let request = dlt645::Request::Read { item: ItemId(0x0001_0000), bytes: Some(4) };
        let dialect = dlt645::Dialect { version: Version::V2007, wake_up: 4 };
        Box::new(dlt645::Decoder::new(request, "000000000161".parse().unwrap(), dialect).unwrap())
    };
    let golden = [
        0x68, 0x61, 1, 0, 0, 0, 0, 0x68, 0x91, 8, 0x33, 0x33, 0x34, 0x33, 0x59, 0x33, 0x33, 0x33, 0x8A, 0x16,
    ];
    let now = start + 100 * MS;
    line.set_port(Some(METER), GAP);
    line.begin(meter(), now);
    assert_eq!(line.poll(now), Step::Set(METER));
    line.set(METER, now);
    assert_eq!(
        line.poll(now),
        Step::WaitUntil(now + GAP),
        "what came before was noise: the silence begins anew"
    );
    let Step::Send(frame) = line.poll(now + GAP) else { panic!() };
    assert_eq!(frame.len(), 20);
    let sent = now + GAP + METER.time() * 20;
    line.sent(sent);
    // A meter may fall silent within its answer, longer than anything on a Modbus line.
    line.received(&golden[..10], sent + 200 * MS);
    assert!(matches!(line.poll(sent + 350 * MS), Step::WaitUntil(_)));
    line.received(&golden[10..], sent + 360 * MS);
    let Step::Done(Ok(answer)) = line.poll(sent + 360 * MS) else { panic!() };
    assert_eq!(answer.reply, Ok(vec![0x26, 0, 0, 0]));

    // Its neighbour speaks Modbus at the line's own settings.
    let now = sent + 400 * MS;
    line.set_port(Some(EVEN), frame_gap(9600));
    line.begin(put(&line, ask(1, 0, 1)), now);
    assert_eq!(line.poll(now), Step::Set(EVEN));
    line.set(EVEN, now);

    // A port that is opened is set as the line says, whoever was asked last.
    line.set_port(Some(METER), GAP);
    line.opened(now);
    line.begin(meter(), now);
    assert_eq!(line.poll(now + GAP), Step::Set(METER));
}
