//! A network whose port is played here, in tokio's paused time: a device that is polled and lists its alarms, and whose
//! notices get lost.

use std::net::{Ipv4Addr, SocketAddrV4};

use steward_protocols::bacnet::client::Peer;
use steward_protocols::bacnet::{
    Answer, Bits, Content, EventNotice, EventSummary, IAm, ObjectId, ObjectType, PropertyRef, Request,
    Segmentation, Stamp, Value,
};
use steward_shared::document::listing;
use steward_shared::id::{PointNo, RandomIds};
use tokio::time::{Instant, sleep};

use super::super::super::task::Told;
use super::*;
use crate::config::parse;
use crate::evidence::Evidence;
use crate::health::LineGauge;
use crate::lend::Visits;
use crate::line::TcpDial;
use crate::line::bacnet::Asked;
use crate::line::fake::PausedClock;

const DEVICE: u32 = 1010;
const NORMAL: u32 = 0;
const HIGH_LIMIT: u32 = 3;
const LOW_LIMIT: u32 = 4;
/// The bit of GetEventInformation in what a device supports, and as many bits as there are services.
const LISTS: usize = 39;
const SERVICES: usize = 40;
/// From one list of a device to the next.
const AGAIN: Duration = Duration::from_mins(5);
/// It is polled once in a second, and asked when it has just answered.
const SOON: Duration = Duration::from_secs(3);

const PROFILE: &str = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"机组\", en = \"Unit\" }\nsource = [\"this test\"]\n\
    [bacnet]\n[[point]]\nkey = \"supply\"\ntitle = { zh = \"送风\", en = \"Supply\" }\nobject = \"analog-input\"\n\
    instance = 1\nunit = \"Cel\"\n";
const FILE: &str = "[gateway]\nname = \"t\"\n[profiles]\nfolders = [\".\"]\n[periods]\nnormal = \"1s\"\n[[line]]\nname = \"bms\"\n\
    kind = \"bacnet-ip\"\ntimeout = \"1s\"\n[[line.device]]\nname = \"ahu\"\nprofile = \"acme/m1\"\ninstance = 1010\n";

fn peer() -> Peer {
    Peer::direct(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 47_808))
}

fn input(instance: u32) -> ObjectId {
    ObjectId::new(ObjectType::ANALOG_INPUT, instance)
}

/// The device as it is now: what its list says, and when it was asked for it.
#[derive(Default)]
struct Ahu {
    list: Mutex<Vec<EventSummary>>,
    asked: Mutex<Vec<Instant>>,
}

impl Ahu {
    /// What its list says from now on: objects and the states that they are in.
    fn lists(&self, objects: &[(ObjectId, u32)]) {
        let acknowledged = || Bits::from_bools(&[true, true, false]);
        let summary = |(object, state): &(ObjectId, u32)| EventSummary {
            object: *object,
            state: *state,
            acknowledged: acknowledged(),
            notify_type: 0,
        };
        *self.list.lock().unwrap() = objects.iter().map(summary).collect();
    }

    fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }

    /// The port's owner, played: it finds the device and answers in its name.
    async fn serve(self: Arc<Self>, mut questions: mpsc::Receiver<Asked>) {
        while let Some(asked) = questions.recv().await {
            match asked {
                Asked::Find(instance, answer) => {
                    let introduction =
                        IAm { instance, max_apdu: 1476, segmentation: Segmentation::Both, vendor: 0 };
                    let _ = answer.send((instance == DEVICE).then(|| (peer(), introduction)));
                }
                Asked::Read(_, targets, answer) => {
                    let supported =
                        Bits::from_bools(&std::array::from_fn::<_, SERVICES, _>(|bit| bit == LISTS));
                    let value = |property| match property {
                        PropertyId::SERVICES_SUPPORTED => Value::Bits(supported.clone()),
                        PropertyId::STATUS_FLAGS => Value::Bits(Bits::from_bools(&[false; 4])),
                        _ => Value::Real(21.5),
                    };
                    let content = |t: PropertyRef| Content { values: vec![value(t.property)], bytes: vec![] };
                    let readings = targets.into_iter().map(|t| (t, Ok(content(t))));
                    let _ = answer.send(Ok(readings.collect()));
                }
                Asked::Ask(_, Request::GetEventInformation { .. }, answer) => {
                    self.asked.lock().unwrap().push(Instant::now());
                    let list = self.list.lock().unwrap().clone();
                    let _ = answer.send(Ok(Answer::Events { list, more: false }));
                }
                _ => {}
            }
        }
    }
}

/// A network that is polled, its one device, and what is told.
struct Bed {
    ahu: Arc<Ahu>,
    happens: mpsc::Sender<Happening>,
    told: mpsc::Receiver<Told>,
}

/// What is told of an alarm: which object, in which state, and whether it began.
type Alarm = (String, String, bool);

impl Bed {
    fn start(ahu: Ahu) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("acme")).unwrap();
        std::fs::write(folder.path().join("acme/m1.toml"), PROFILE).unwrap();
        let config = parse("edge.toml", FILE, folder.path(), []);
        let config = config.unwrap_or_else(|f| panic!("{}", listing(&f))).lines.remove(0);
        let (tell, told) = mpsc::channel(64);
        let task = LineTask {
            numbers: vec![vec![PointNo(1)]],
            slowest_before: Duration::ZERO,
            silent_before: vec![false],
            dial: Arc::new(TcpDial { host: "nowhere".to_owned(), port: 0 }),
            gauge: Arc::new(LineGauge::new("bms", config.devices.iter().map(|d| d.name.clone()))),
            told: tell,
            evidence: Evidence::none(),
            clock: Arc::new(PausedClock(Instant::now())),
            ids: Arc::new(RandomIds),
            visits: Visits::none(),
            config,
        };
        let ((ask, questions), (happens, happened)) = (mpsc::channel(16), mpsc::channel(16));
        let ahu = Arc::new(ahu);
        let port = Box::pin(Arc::clone(&ahu).serve(questions));
        happens.try_send(Happening::Up("10.0.0.1:47808".into())).unwrap();
        tokio::spawn(poll(task, (port, Network::to(ask), happened)));
        Self { ahu, happens, told }
    }

    /// The device tells of an object, and is heard.
    async fn tells(&self, object: ObjectId, from: u32, to: u32) {
        let notice = EventNotice {
            process: 1,
            device: DEVICE,
            object,
            stamp: Stamp::Sequence(1),
            class: 1,
            priority: 100,
            event_type: 5,
            text: None,
            notify_type: 0,
            ack_required: true,
            from: Some(from),
            to,
        };
        let event = Event::Notice { peer: peer(), notice: Box::new(notice) };
        self.happens.send(Happening::Event(event)).await.unwrap();
    }

    /// What is told of alarms within this time; it passes at once.
    async fn alarms(&mut self, within: Duration) -> Vec<Alarm> {
        let (mut alarms, until) = (Vec::new(), sleep(within));
        let mut until = pin!(until);
        loop {
            let told = tokio::select! {
                () = &mut until => return alarms,
                told = self.told.recv() => told.expect("the network is polled"),
            };
            if let Told::About { kind: EventKind::DeviceAlarm, active, about, .. } = told {
                alarms.push((about.object, about.facts["state"].clone(), active));
            }
        }
    }
}

fn alarm(object: ObjectId, state: &str, active: bool) -> Alarm {
    (object.to_string(), state.to_owned(), active)
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_end_was_not_heard_ends_when_the_device_is_asked_again() {
    // The device lists no alarm that is over, or goes on listing it until somebody has acknowledged it there.
    for left in [&[][..], &[(input(1), NORMAL)]] {
        let mut bed = Bed::start(Ahu::default());
        assert_eq!(bed.alarms(SOON).await, []);
        let first = bed.ahu.asked();
        assert_eq!(first.len(), 1, "it is asked as soon as it is polled");
        bed.tells(input(1), NORMAL, HIGH_LIMIT).await;
        assert_eq!(bed.alarms(SOON).await, [alarm(input(1), "high-limit", true)]);
        bed.ahu.lists(left);
        let nearly = AGAIN.saturating_sub(first[0].elapsed() + SOON);
        assert_eq!(bed.alarms(nearly).await, [], "nobody has heard of it");
        assert_eq!(bed.ahu.asked().len(), 1);
        assert_eq!(bed.alarms(SOON * 2).await, [alarm(input(1), "normal", false)], "{left:?}");
        assert_eq!(bed.ahu.asked().len(), 2);
        assert_eq!(bed.alarms(AGAIN * 2).await, [], "it ends once");
        assert_eq!(bed.ahu.asked().len(), 4, "once in five minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_beginning_was_not_heard_begins_when_the_device_is_asked_again() {
    let ahu = Ahu::default();
    ahu.lists(&[(input(2), LOW_LIMIT)]);
    let mut bed = Bed::start(ahu);
    assert_eq!(bed.alarms(SOON).await, [alarm(input(2), "low-limit", true)]);
    // The one goes on, and has become another; the other is new.
    bed.ahu.lists(&[(input(2), HIGH_LIMIT), (input(1), HIGH_LIMIT)]);
    let news = [
        alarm(input(2), "normal", false),
        alarm(input(2), "high-limit", true),
        alarm(input(1), "high-limit", true),
    ];
    assert_eq!(bed.alarms(AGAIN + SOON).await, news);
    assert_eq!(bed.alarms(AGAIN * 2).await, [], "each is told once");
}
