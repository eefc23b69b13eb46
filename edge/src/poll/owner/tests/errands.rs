//! Errands on a line that is polled, in tokio's paused time: how long one waits, and how long it makes polling wait.

use steward_protocols::exchange::Reply;
use steward_protocols::modbus::{Request, exchange};
use steward_shared::profile::{Framing, Table};
use tokio::sync::oneshot;

use super::*;
use crate::lend::{Class, Door, Errand, ErrandFailure, ForErrand, What};

const MS: Duration = Duration::from_millis(1);

type Answered = oneshot::Receiver<Result<Reply, ErrandFailure>>;

/// Asks a device for a register that polling does not read.
fn errand(unit: u8, register: u16, class: Class, within: Duration) -> (Errand, Answered) {
    let framing = Framing::Rtu;
    let request = Request::new(unit, Table::Holding, register, 1).unwrap();
    let (answer, answered) = oneshot::channel();
    let deadline = Instant::now() + within;
    let answer = ForErrand(answer);
    (
        Errand {
            device: format!("d{unit}"),
            what: What::Exchange(exchange(request, framing)),
            class,
            deadline,
            answer,
        },
        answered,
    )
}

/// A serial line of these units whose devices do `act`, with its door.
fn polled(
    units: &[u8],
    act: impl Fn(Duration, u8, u16) -> Act + Send + Sync + 'static,
) -> (Door, mpsc::Receiver<Told>, CancellationToken) {
    let (told, from_line) = mpsc::channel(4096);
    let (mut task, _) = task(Kind::Serial, units, |_| true, act, told);
    let (door, visits) = Visits::open();
    task.visits = visits;
    let cancel = CancellationToken::new();
    tokio::spawn(task.run(cancel.clone()));
    (door, from_line, cancel)
}

#[tokio::test(start_paused = true)]
async fn an_errand_waits_for_no_more_than_the_question_under_way() {
    // Ten devices of which each question takes a good 60 ms: the line is full, and more is due than it can carry.
    let units: Vec<u8> = (1..=10).collect();
    let (door, _from_line, cancel) = polled(&units, |_, _, _| Act::Late(50 * MS));
    tokio::time::sleep(Duration::from_secs(5)).await;
    for n in 0..20 {
        let asked = Instant::now();
        let (errand, answered) = errand(3, 500 + n, Class::Order, Duration::from_secs(10));
        door.errands.send(errand).await.unwrap();
        let reply = answered.await.unwrap().unwrap().unwrap();
        assert_eq!(reply, (3500 + n).to_be_bytes());
        let took = asked.elapsed();
        // One question under way and its own, each with its frames at 9600 baud and the silence.
        assert!(took < 2 * 90 * MS, "{n}: {took:?}");
        tokio::time::sleep(Duration::from_millis(370)).await;
    }
    cancel.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_errands_leaves_polling_its_turn_and_most_of_the_line() {
    let units: Vec<u8> = (1..=5).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let act = move |at: Duration, _: u8, address: u16| {
        heard.lock().unwrap().push((at, address >= 500));
        Act::Late(50 * MS)
    };
    let (door, _from_line, cancel) = polled(&units, act);
    let flood = tokio::spawn(async move {
        let mut waiting = Vec::new();
        for n in 0_u16.. {
            let (errand, answered) = errand(1, 500 + n % 1000, Class::Order, Duration::from_secs(5));
            if door.errands.send(errand).await.is_err() {
                break;
            }
            waiting.push(answered);
        }
    });
    tokio::time::sleep(Duration::from_mins(2)).await;
    cancel.cancel();
    flood.await.unwrap();
    let asked = asked.lock().unwrap();
    let late = |at: Duration| at > Duration::from_secs(30);
    let (errands, polls) =
        asked.iter().copied().filter(|(at, _)| late(*at)).partition::<Vec<_>, _>(|(_, errand)| *errand);
    let share = errands.len() as f64 / (errands.len() + polls.len()) as f64;
    // The line has ten questions a second to carry, some 700 ms; what is left beside is theirs as well.
    assert!(share < 0.35, "{} errands, {} polls", errands.len(), polls.len());
    assert!(polls.len() >= 10 * 89, "each slot was polled: {}", polls.len());
    let mut row = 0;
    for (_, is_errand) in asked.iter().filter(|(at, _)| late(*at)) {
        row = if *is_errand { row + 1 } else { 0 };
        assert!(row <= 4, "errands among themselves only where nothing is due");
    }
}

#[tokio::test(start_paused = true)]
async fn errands_to_a_dead_device_cost_the_living_no_slot() {
    let act = |_: Duration, unit: u8, _: u16| if unit == 9 { Act::Silent } else { Act::Answer };
    let (door, mut from_line, cancel) = polled(&[1, 2, 9], act);
    let flood = tokio::spawn(async move {
        for n in 0_u16.. {
            let (errand, _) = errand(9, 500 + n % 1000, Class::Order, Duration::from_secs(5));
            if door.errands.send(errand).await.is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + Duration::from_mins(2);
    let mut good = 0;
    while let Ok(Some(told)) = tokio::time::timeout_at(end, from_line.recv()).await {
        if let Told::Readings(readings) = told {
            good += readings.iter().filter(|r| r.point.0 / 10 <= 2 && r.quality.is_good()).count();
        }
    }
    cancel.cancel();
    flood.await.unwrap();
    assert!(good >= 2 * 3 * 100, "{good} of 720: what one errand costs is 800 ms, and its share a quarter");
}

#[tokio::test(start_paused = true)]
async fn an_order_goes_before_a_question_and_the_earlier_deadline_before_the_later() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let act = move |_: Duration, _: u8, address: u16| {
        if address >= 500 {
            heard.lock().unwrap().push(address);
        }
        Act::Late(100 * MS)
    };
    let (door, _from_line, cancel) = polled(&[1], act);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut waiting = Vec::new();
    for (register, class, seconds) in
        [(500, Class::Question, 5), (501, Class::Question, 3), (502, Class::Order, 9), (503, Class::Order, 4)]
    {
        let (errand, answered) = errand(1, register, class, Duration::from_secs(seconds));
        door.errands.send(errand).await.unwrap();
        waiting.push(answered);
    }
    for answered in waiting {
        assert!(answered.await.unwrap().is_ok());
    }
    assert_eq!(*asked.lock().unwrap(), [503, 502, 501, 500]);
    cancel.cancel();
}

#[tokio::test(start_paused = true)]
async fn an_errand_whose_time_is_over_is_not_put_and_one_to_nobody_is_refused() {
    let asked = Arc::new(Mutex::new(0));
    let heard = Arc::clone(&asked);
    let act = move |_: Duration, _: u8, address: u16| {
        *heard.lock().unwrap() += u32::from(address >= 500);
        Act::Late(200 * MS)
    };
    let (door, _from_line, cancel) = polled(&[1, 2, 3], act);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (late, answered) = errand(1, 500, Class::Order, Duration::from_millis(50));
    door.errands.send(late).await.unwrap();
    assert_eq!(answered.await.unwrap(), Err(ErrandFailure::TooLate));
    let (to_nobody, answered) = errand(7, 500, Class::Order, Duration::from_secs(5));
    door.errands.send(to_nobody).await.unwrap();
    assert_eq!(answered.await.unwrap(), Err(ErrandFailure::NoSuchDevice));
    assert_eq!(*asked.lock().unwrap(), 0);
    cancel.cancel();
}

#[tokio::test]
async fn whoever_may_use_the_socket_gets_one_answer_while_polling_goes_on() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    let (told, mut from_line) = mpsc::channel(4096);
    let (mut task, _) = task(Kind::Tcp, &[1], |_| true, |_, _, _| Act::Answer, told);
    let doors = Arc::new(crate::lend::Doors::default());
    task.visits = doors.open("l");
    let (folder, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let running = tokio::spawn(task.run(cancel.clone()));
    let (data, end) = (folder.path().to_owned(), cancel.clone());
    let serving = tokio::spawn(async move { crate::lend::serve(&data, doors, end).await });
    let path = folder.path().join("lines.sock");
    let ask = async |question: &str| {
        let stream = loop {
            match tokio::net::UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(5 * MS).await,
            }
        };
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_line(&mut said).await.unwrap();
        said
    };
    let question = |device: &str, span: &str| {
        format!(r#"{{"line":"l","ask":{{"device":"{device}","span":"{span}","within_ms":2000}}}}"#)
    };
    assert_eq!(ask(&question("d1", "holding 100 1")).await, "{\"said\":{\"contents\":\"04 4C\"}}\n");
    assert!(ask(&question("d1", "nothing")).await.contains("its profile has no such part"));
    assert!(ask(&question("d7", "holding 100 1")).await.contains("there is no such device on the line"));
    assert!(from_line.try_recv().is_ok(), "polling goes on");
    cancel.cancel();
    running.await.unwrap();
    serving.await.unwrap();
}
