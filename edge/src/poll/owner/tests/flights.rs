//! Several questions under way on one connection, in tokio's paused time: out of order, late, twice, and with a far end
//! that does not allow it.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// What a far end does with a question that comes while another is under way.
type Instead = fn() -> Act;

/// A far end that answers each question after 20 ms, and does `instead` with one that comes while another is under way.
fn one_at_a_time(instead: impl Fn() -> Act + Send + Sync) -> impl Fn(Duration, u8, u16) -> Act + Send + Sync {
    let free_at = Mutex::new(Duration::ZERO);
    move |at: Duration, unit: u8, _: u16| {
        if unit == 0 {
            // Nobody's: it says whether noise comes unasked.
            return Act::Answer;
        }
        let mut free_at = free_at.lock().unwrap();
        if at < *free_at {
            return instead();
        }
        *free_at = at + 20 * MS;
        Act::Late(20 * MS)
    }
}

#[tokio::test(start_paused = true)]
async fn four_questions_under_way_are_answered_four_times_as_fast() {
    let units: Vec<u8> = (1..=60).collect();
    let act = |_: Duration, _: u8, _: u16| Act::Late(20 * MS);
    let mut rates = Vec::new();
    for kind in [Kind::Tcp, Kind::Several] {
        let run = run(kind, &units, 30, |_| true, act).await;
        run.assert_no_value_of_another();
        assert_eq!((run.dialled.len(), run.health.errors), (1, 0), "{kind:?}");
        rates.push((run.health.requests / 30, run.gauge.counts().0));
    }
    let [(one, late), (four, missed)] = rates[..] else { panic!() };
    assert!((45..=50).contains(&one) && late > 1000, "each takes 20 ms: {one} a second, {late} missed");
    assert!((119..=125).contains(&four) && missed == 0, "all 120 a second in time: {four}, {missed} missed");
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_out_of_order_are_each_their_own_question_s() {
    let act = |at: Duration, unit: u8, address: u16| {
        Act::Late(MS * ((at.subsec_millis() * 7 + u32::from(unit) * 53 + u32::from(address)) % 90))
    };
    let run = run(Kind::Several, &[1, 2, 3, 4], 60, |_| true, act).await;
    run.assert_no_value_of_another();
    assert_eq!((run.dialled.len(), run.health.errors), (1, 0));
    assert!(
        (1..=4).all(|unit| run.good(unit) == 180),
        "{:?}",
        (1..=4).map(|u| run.good(u)).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_unit_holds_up_no_other_behind_its_connection() {
    let act = |at: Duration, unit: u8, _: u16| {
        let dead = unit <= 2 && at > Duration::from_secs(5);
        if dead { Act::Silent } else { Act::Late(20 * MS) }
    };
    let run = run(Kind::Several, &[1, 2, 3, 4, 5], 90, |_| true, act).await;
    run.assert_no_value_of_another();
    for unit in [3, 4, 5] {
        assert_eq!(run.good(unit), 3 * 90, "unit {unit}: each slot was read");
    }
    assert!(run.dialled.len() < 20, "{:?}", run.dialled);
    let silent = told(&run, EventKind::DeviceSilent);
    assert!(silent.contains(&(Some("d1"), true)) && silent.contains(&(Some("d2"), true)), "{silent:?}");
    let marks = run.readings.iter().filter(|r| !r.quality.is_good()).count();
    assert_eq!(marks, 6, "each point of the dead once");
    let since = run.readings.iter().find(|r| r.quality == Quality::NoReply).unwrap().at;
    assert!(
        since >= BASE.plus(Duration::from_secs(7)),
        "questions that were lost together are one poll: {since}"
    );
}

#[tokio::test(start_paused = true)]
async fn fault_b4_late_and_doubled_answers_among_others_are_nobody_s() {
    let act = |at: Duration, unit: u8, address: u16| match (at.as_secs() % 5, unit, address) {
        (1, 1, 0) => Act::Late(450 * MS),
        (2, 2, _) => Act::Twice(3 * MS),
        (3, 3, 0) => Act::Late(1700 * MS),
        _ => Act::Late(20 * MS),
    };
    let run = run(Kind::Several, &[1, 2, 3], 120, |_| true, act).await;
    run.assert_no_value_of_another();
    assert!(run.dialled.len() < 30, "{:?}", run.dialled);
    assert!(run.gauge.stray_bytes() > 24 * 11, "counted: {}", run.gauge.stray_bytes());
    assert_eq!(run.good(2), 360);
    assert!(run.good(1) > 280 && run.good(3) > 280, "{} {}", run.good(1), run.good(3));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_one_question_at_a_time_gets_one_at_a_time() {
    let ways: [(&str, Instead); 3] = [
        ("it closes the connection", || Act::HangUp),
        ("it says that it is busy", || Act::Exception(6)),
        ("it passes over the others", || Act::Silent),
    ];
    for (what, instead) in ways {
        let run = run(Kind::Several, &[1, 2, 3, 4], 120, |_| true, one_at_a_time(instead)).await;
        run.assert_no_value_of_another();
        assert!(run.dialled.len() <= 4, "{what}: {:?}", run.dialled);
        assert_eq!(run.alarms.iter().filter(|(_, _, active)| *active).count(), 0, "{what}: {:?}", run.alarms);
        let end = BASE.plus(Duration::from_mins(1));
        for unit in 1..=4 {
            let of = run.readings.iter().filter(|r| r.point.0 / 10 == unit && r.at > end);
            let good = of.filter(|r| r.quality.is_good()).count();
            assert!(good >= 3 * 59, "{what}: unit {unit}: {good} of the last minute");
        }
        assert!(run.health.errors <= 12, "{what}: {} errors until it was seen", run.health.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_under_several_questions_loses_none_of_them() {
    let act = |at: Duration, unit: u8, _: u16| {
        let breaks = unit == 3 && at.as_secs() % 20 == 7 && at.subsec_millis() < 200;
        if breaks { Act::HangUp } else { Act::Late(15 * MS) }
    };
    let run = run(Kind::Several, &[1, 2, 3, 4], 100, |_| true, act).await;
    run.assert_no_value_of_another();
    assert_eq!(told(&run, EventKind::LineDown), [(None, false)]);
    for unit in [1, 2, 4] {
        assert_eq!(run.good(unit), 300, "unit {unit}: each slot was read, if later");
    }
    assert!(run.good(3) >= 285, "the slots in which it breaks are lost: {}", run.good(3));
}

#[tokio::test(start_paused = true)]
async fn a_far_end_that_speaks_no_modbus_any_more_is_given_up_and_opened_anew() {
    let act = |at: Duration, unit: u8, _: u16| match at.as_secs() {
        10 if unit == 1 => Act::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        _ => Act::Late(20 * MS),
    };
    let run = run(Kind::Several, &[1, 2], 40, |_| true, act).await;
    run.assert_no_value_of_another();
    assert!(run.dialled.len() > 1, "{:?}", run.dialled);
    assert!(run.good(1) >= 3 * 37 && run.good(2) >= 3 * 37, "{} {}", run.good(1), run.good(2));
}
