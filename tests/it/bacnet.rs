//! The edge's BACnet network against devices that we did not write: bacpypes3 on addresses of the loopback. One device
//! cuts its answers into segments, one cannot, one is a BBMD.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

#[path = "bacnet/happenings.rs"]
mod happenings;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_edge::line::bacnet::{Happening, Network, NoAnswer, Port, UdpLine};
use steward_protocols::bacnet::client::{
    Event, Failure, Foreign, Loss, Peer as At, Reading, Settings, Standing, Wanted, first,
};
use steward_protocols::bacnet::{
    Answer, ObjectId, ObjectType, Priority, PropertyId, PropertyRef, Request, ServiceError, Value,
};
use steward_shared::id::RandomIds;
use steward_tests::programs::{Peer, free_tcp_port, free_udp_port};
use steward_tests::{Edge, eventually};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use happenings::Happenings;

const LONG: Duration = Duration::from_secs(30);
const DESCRIPTION: PropertyId = PropertyId(28);

/// bacpypes3 and our network on it, in this test alone.
struct Bed {
    peer: Peer,
    _folder: tempfile::TempDir,
    port: u16,
    names: serde_json::Value,
    network: Network,
    happened: Happenings,
    cancel: CancellationToken,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Nothing where peers are not wanted.
fn bed(settings: impl FnOnce(u16) -> Settings) -> Option<Bed> {
    if !Peer::wanted("bacpypes3") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port().unwrap();
    let peer = Peer::start("bacnet_device.py", folder.path(), &[&port.to_string()]).unwrap();
    let names = peer.ready["names"].clone();
    let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let (line, network, happened) = UdpLine::new(Port { listen }, settings(port), Arc::new(RandomIds));
    let cancel = CancellationToken::new();
    tokio::spawn(line.run(cancel.clone()));
    Some(Bed { peer, _folder: folder, port, names, network, happened: Happenings(happened), cancel })
}

/// The loopback has a broadcast address like any network.
fn usual(port: u16) -> Settings {
    let broadcast = SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 255), port).into();
    Settings { broadcast, ..Settings::default() }
}

impl Bed {
    fn at(&self, host: u8) -> At {
        At::direct(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), self.port))
    }

    /// Lets a device introduce itself, so that its abilities are known.
    async fn introduced(&mut self, host: u8) -> u32 {
        let at = self.at(host);
        self.network.who_is_at(at).await.unwrap();
        self.happened
            .first("the device introduces itself", |event| match event {
                Event::Device { peer, introduction } if peer == at => Some(introduction.instance),
                _ => None,
            })
            .await
    }

    async fn one(&self, at: At, target: PropertyRef) -> Reading {
        self.network.read(at, vec![target]).await.unwrap().remove(0).1
    }
}

#[allow(clippy::disallowed_methods, reason = "a test measures how long it has waited")]
fn begun() -> Instant {
    Instant::now()
}

fn input(instance: u32, property: PropertyId) -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, instance), property)
}

fn valve() -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_OUTPUT, 1), PropertyId::PRESENT_VALUE)
}

#[tokio::test]
async fn six_hundred_objects_are_read_in_segments_and_without() {
    let Some(mut bed) = bed(usual) else { return };
    for (host, instance, objects) in [(10, 1001, 605), (11, 1002, 601)] {
        assert_eq!(bed.introduced(host).await, instance);
        let at = bed.at(host);
        let list = bed.one(at, PropertyRef::new(ObjectId::device(instance), PropertyId::OBJECT_LIST)).await;
        let list = list.unwrap();
        assert_eq!(list.len(), objects, "of device {instance}");
        assert!(list.iter().all(|value| matches!(value, Value::Object(_))));
        let targets = (1..=600).map(|i| input(i, PropertyId::PRESENT_VALUE)).collect();
        let begun = begun();
        let readings = bed.network.read(at, targets).await.unwrap();
        println!("600 values of device {instance} in {:?}", begun.elapsed());
        for (i, (target, reading)) in readings.iter().enumerate().skip(1) {
            assert_eq!(first(reading), Some(&Value::Real((i + 1) as f32 / 2.0)), "{target}");
        }
    }
}

#[tokio::test]
async fn everybody_answers_a_broadcast_and_only_the_range_that_was_asked_for() {
    let Some(mut bed) = bed(usual) else { return };
    bed.network.who_is(Some((1001, 1002))).await.unwrap();
    let two = bed.happened.gather(2, "two devices introduce themselves", |event| match event {
        Event::Device { introduction, .. } => Some(introduction.instance),
        _ => None,
    });
    let mut found = two.await;
    found.sort_unstable();
    assert_eq!(found, [1001, 1002]);
    bed.network.who_is(None).await.unwrap();
    let third = bed.happened.first("the third introduces itself", |event| match event {
        Event::Device { introduction, .. } => Some(introduction.instance),
        _ => None,
    });
    assert_eq!(third.await, 1003);
    let (peer, introduction) = bed.network.find(1002).await.unwrap().unwrap();
    assert_eq!((peer, introduction.max_apdu), (bed.at(11), 480));
}

#[tokio::test]
async fn names_are_read_in_every_character_set() {
    let Some(mut bed) = bed(usual) else { return };
    for host in [10, 11] {
        bed.introduced(host).await;
        let at = bed.at(host);
        let readings = bed.network.read(at, (1..=6).map(|i| input(i, DESCRIPTION)).collect()).await.unwrap();
        for (i, (_, reading)) in readings.iter().enumerate() {
            let number = (i + 1).to_string();
            let wanted = bed.names.get(&number).and_then(serde_json::Value::as_str).unwrap_or("input 6");
            assert_eq!(first(reading), Some(&Value::Text(wanted.to_owned())));
        }
    }
}

#[tokio::test]
async fn a_command_holds_its_priority_until_it_is_given_up() {
    let Some(bed) = bed(usual) else { return };
    let at = bed.at(10);
    let write = |value, priority| {
        let request = Request::WriteProperty { target: valve(), value, priority: Priority::new(priority) };
        bed.network.ask(at, request)
    };
    assert_eq!(write(Value::Real(77.5), 8).await, Ok(Answer::Done));
    assert_eq!(bed.one(at, valve()).await.as_deref(), Ok([Value::Real(77.5)].as_slice()));
    let array = bed.one(at, PropertyRef { property: PropertyId::PRIORITY_ARRAY, ..valve() }).await.unwrap();
    assert_eq!((array.len(), array.iter().filter(|v| **v != Value::Null).count()), (16, 1));
    assert_eq!(write(Value::Null, 8).await, Ok(Answer::Done));
    assert_eq!(bed.one(at, valve()).await.as_deref(), Ok([Value::Real(42.0)].as_slice()));
}

#[tokio::test]
async fn a_device_that_says_no_is_told_from_one_that_says_nothing() {
    let Some(bed) = bed(|port| Settings { timeout: Duration::from_millis(300), retries: 2, ..usual(port) })
    else {
        return;
    };
    let at = bed.at(10);
    let unknown = ServiceError { class: 1, code: 31 };
    assert_eq!(bed.one(at, input(9000, PropertyId::PRESENT_VALUE)).await, Err(Failure::Refused(unknown)),);
    let targets = vec![input(2, PropertyId::PRESENT_VALUE), input(9000, PropertyId::PRESENT_VALUE)];
    let readings = bed.network.read(at, targets).await.unwrap();
    assert_eq!(
        readings[0].1.as_deref(),
        Ok([Value::Real(1.0)].as_slice()),
        "the refusal costs its neighbour nothing"
    );
    assert_eq!(readings[1].1, Err(Failure::Refused(unknown)));

    // Nobody is there; meanwhile another device is read as ever.
    let begun = begun();
    let dead = bed.network.ask(bed.at(99), Request::ReadProperty(input(1, PropertyId::PRESENT_VALUE)));
    let alive = async {
        let reading = bed.one(at, input(2, PropertyId::PRESENT_VALUE)).await;
        (reading, begun.elapsed())
    };
    let (dead, (alive, took)) = tokio::join!(dead, alive);
    assert_eq!(dead, Err(NoAnswer::Device(Failure::NoReply(3))));
    assert_eq!(alive.as_deref(), Ok([Value::Real(1.0)].as_slice()));
    assert!(took < Duration::from_millis(800), "the living device was held up for {took:?}");
}

#[tokio::test]
async fn five_hundred_questions_at_once_get_their_own_answers() {
    let Some(bed) = bed(usual) else { return };
    let at = bed.at(10);
    let begun = begun();
    let questions = (2..=501).map(|i| {
        let network = bed.network.clone();
        tokio::spawn(async move {
            let request = Request::ReadProperty(input(i, PropertyId::PRESENT_VALUE));
            (i, network.ask(at, request).await)
        })
    });
    for question in questions.collect::<Vec<_>>() {
        let (i, answer) = question.await.unwrap();
        let Ok(Answer::Properties(list)) = answer else { panic!("{i}: {answer:?}") };
        assert_eq!(list[0].value.as_deref(), Ok([Value::Real(i as f32 / 2.0)].as_slice()));
    }
    println!("500 questions in {:?}", begun.elapsed());
}

#[tokio::test]
async fn changes_of_value_come_confirmed_and_unconfirmed_and_end_when_they_are_not_wanted() {
    let Some(mut bed) = bed(usual) else { return };
    let at = bed.at(10);
    for confirmed in [false, true] {
        let object = ObjectId::new(ObjectType::ANALOG_INPUT, 1);
        let wanted = Wanted { peer: at, object, confirmed, lifetime: 60 };
        let number = bed.network.subscribe(wanted).await.unwrap();
        let four = bed.happened.gather(4, "a change of value", |event| match event {
            Event::Changed { subscription, notice } if subscription == number => {
                first(&notice.values.first()?.value.clone().map_err(Failure::Refused))?.as_number()
            }
            Event::SubscriptionLost { loss, .. } => panic!("lost: {loss:?}"),
            _ => None,
        });
        let values = four.await;
        assert!(values.is_sorted_by(|a, b| a < b), "each is told once, in order: {values:?}");
        bed.network.unsubscribe(number).await.unwrap();
        // A question behind it: the device has heard both.
        bed.one(at, input(2, PropertyId::PRESENT_VALUE)).await.unwrap();
        while bed.happened.0.try_recv().is_ok() {}
        let more = timeout(Duration::from_secs(1), bed.happened.0.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

/// What comes of a subscription within so long: when each value came, and what was lost or came back.
async fn told_of(bed: &mut Bed, number: u32, within: Duration) -> (Vec<Duration>, Vec<Event>) {
    let begun = begun();
    let (mut changes, mut others) = (Vec::new(), Vec::new());
    while let Some(left) = within.checked_sub(begun.elapsed()) {
        match timeout(left, bed.happened.0.recv()).await {
            Ok(Some(Happening::Event(Event::Changed { subscription, .. }))) if subscription == number => {
                changes.push(begun.elapsed());
            }
            Ok(Some(Happening::Event(event))) => others.push(event),
            _ => {}
        }
    }
    (changes, others)
}

fn longest_gap(changes: &[Duration], within: Duration) -> Duration {
    let all: Vec<Duration> =
        [Duration::ZERO].into_iter().chain(changes.iter().copied()).chain([within]).collect();
    all.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap()
}

#[tokio::test]
async fn a_subscription_outlives_its_lifetime_and_a_device_that_forgot_it() {
    let Some(mut bed) = bed(usual) else { return };
    for confirmed in [false, true] {
        let object = ObjectId::new(ObjectType::ANALOG_INPUT, 1);
        let wanted = Wanted { peer: bed.at(10), object, confirmed, lifetime: 4 };
        let number = bed.network.subscribe(wanted).await.unwrap();
        // The device tells a change each 0.3 s, and ends a subscription after 4 s that nobody renews.
        let within = Duration::from_secs(9);
        let (changes, others) = told_of(&mut bed, number, within).await;
        assert!(longest_gap(&changes, within) < Duration::from_secs(2), "{confirmed}: {changes:?}");
        assert_eq!(others, [Event::SubscriptionLive { subscription: number }], "{confirmed}");
        bed.peer.tell("forget").unwrap();
        let within = Duration::from_secs(5);
        let (changes, others) = told_of(&mut bed, number, within).await;
        let gap = longest_gap(&changes, within);
        assert!(gap < Duration::from_secs(4) && others.is_empty(), "{confirmed}: {changes:?} {others:?}");
        bed.network.unsubscribe(number).await.unwrap();
        bed.one(bed.at(10), input(2, PropertyId::PRESENT_VALUE)).await.unwrap();
        while bed.happened.0.try_recv().is_ok() {}
    }
}

#[tokio::test]
async fn notices_that_get_lost_are_told_of_and_so_is_their_return() {
    let Some(mut bed) = bed(usual) else { return };
    let object = ObjectId::new(ObjectType::ANALOG_INPUT, 1);
    let wanted = Wanted { peer: bed.at(10), object, confirmed: false, lifetime: 30 };
    bed.peer.tell("mute").unwrap();
    // The peer answers nothing to a command: it has heard it by then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let number = bed.network.subscribe(wanted).await.unwrap();
    let (changes, others) = told_of(&mut bed, number, Duration::from_secs(11)).await;
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(others, [Event::SubscriptionLost { subscription: number, loss: Loss::Silent }]);
    assert!(bed.one(bed.at(10), input(1, PropertyId::PRESENT_VALUE)).await.is_ok(), "it can be asked");
    bed.peer.tell("speak").unwrap();
    let (changes, others) = told_of(&mut bed, number, Duration::from_secs(3)).await;
    assert!(!changes.is_empty());
    assert_eq!(others, [Event::SubscriptionLive { subscription: number }]);
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_told() {
    let Some(mut bed) = bed(usual) else { return };
    let object = ObjectId::new(ObjectType::ANALOG_INPUT, 9000);
    let wanted = Wanted { peer: bed.at(10), object, confirmed: false, lifetime: 60 };
    let number = bed.network.subscribe(wanted).await.unwrap();
    bed.happened
        .first("the refusal", |event| match event {
            Event::SubscriptionLost { subscription, .. } => (subscription == number).then_some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn a_foreign_device_finds_others_through_its_bbmd() {
    let foreign = |port| {
        let bbmd = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 12), port);
        Settings { foreign: Some(Foreign { bbmd, ttl: 30 }), ..usual(port) }
    };
    let Some(mut bed) = bed(foreign) else { return };
    bed.network.who_is(Some((1003, 1003))).await.unwrap();
    let mut registered = false;
    let found = bed
        .happened
        .first("the BBMD's own device", |event| match event {
            Event::Registration(standing) => {
                registered = standing == Standing::Registered;
                None
            }
            Event::Device { peer, introduction } => Some((peer, introduction.instance)),
            _ => None,
        })
        .await;
    assert!(registered, "the BBMD has granted it");
    assert_eq!(found, (bed.at(12), 1003));
}

/// The gateway's file: two living devices, one that is not there, and one that is another than its address says.
fn gateway_file(dir: &Path, http: SocketAddr, port: u16) -> PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let device = |name: &str, profile: &str, address: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"bacpypes3/{profile}\"\n{address}\n")
    };
    let text = format!(
        "[gateway]\nname = \"bms\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nnormal = \"1s\"\nslow = \"2s\"\n[profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\n\
         broadcast = \"127.255.255.255:{port}\"\ntimeout = \"300ms\"\nretries = 1\n{}{}{}{}",
        dir.join("edge").display(),
        profiles.display(),
        device("big", "plant", "instance = 1001"),
        device("plain", "sensors", &format!("instance = 1002\nhost = \"127.0.0.11:{port}\"")),
        device("gone", "sensors", "instance = 4000"),
        device("other", "sensors", &format!("instance = 4001\nhost = \"127.0.0.11:{port}\"")),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_gateway_polls_a_network_of_devices_and_none_holds_up_another() {
    if !Peer::wanted("bacpypes3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_udp_port().unwrap();
    let _peer = Peer::start("bacnet_device.py", dir.path(), &[&port.to_string()]).unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let file = gateway_file(dir.path(), http, port);
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    let shown = |device: &str, point: &str| {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        let found = values.into_iter().find(|v| v["device"] == device && v["point"] == point)?;
        found["quality"].is_string().then_some(found)
    };
    let read = |device: &str, point: &str| eventually("the point was read", LONG, || shown(device, point));
    let good = |device: &str, point: &str, value: serde_json::Value| {
        let read = read(device, point);
        assert_eq!((&read["value"], &read["quality"]), (&value, &"good".into()), "{device} {point}");
    };
    good("big", "t2", 1.0.into());
    good("big", "valve", 42.0.into());
    good("big", "fan", 1.0.into());
    good("big", "what", "冷冻水供水温度".into());
    good("plain", "t2", 1.0.into());
    good("plain", "t500", 250.0.into());
    for (device, point, quality) in [
        ("big", "by-hand", "no_value"),
        ("big", "broken", "no_value"),
        ("big", "missing", "refused"),
        ("gone", "t2", "no_reply"),
        ("other", "t2", "bad_reply"),
    ] {
        assert_eq!(read(device, point)["quality"], quality, "{device} {point}");
    }
    // It changes each 0.3 s and is polled each 2 s: what comes in between the device has told by itself.
    let mut seen = std::collections::BTreeSet::new();
    let begun = begun();
    eventually("changes of value come between the polls", LONG, || {
        let value = shown("big", "t1")?["value"].as_f64()?;
        seen.insert(value.to_bits());
        (seen.len() >= 10).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(8), "ten values in {:?}", begun.elapsed());
    edge.stop().unwrap();
}

#[test]
fn what_a_device_does_not_tell_any_more_is_seen_at_the_polls() {
    if !Peer::wanted("bacpypes3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_udp_port().unwrap();
    let mut peer = Peer::start("bacnet_device.py", dir.path(), &[&port.to_string()]).unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let mut edge = Edge::new(&gateway_file(dir.path(), http, port), http);
    edge.start().unwrap();
    let value = || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        values.into_iter().find(|v| v["device"] == "big" && v["point"] == "t1")?["value"].as_f64()
    };
    // Polls come each 2 s, changes each 0.3 s.
    let changes_within = |span: Duration| {
        let (begun, mut seen) = (begun(), Vec::new());
        while begun.elapsed() < span {
            seen.extend(value().filter(|v| seen.last() != Some(v)));
            std::thread::sleep(Duration::from_millis(50));
        }
        seen.len()
    };
    eventually("it tells of changes", LONG, || (changes_within(Duration::from_secs(3)) > 5).then_some(()));
    peer.tell("mute").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let polled = changes_within(Duration::from_secs(9));
    assert!((3..=6).contains(&polled), "{polled} values in nine seconds");
    edge.stop().unwrap();
}
