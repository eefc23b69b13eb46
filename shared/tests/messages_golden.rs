//! The messages of GW/1 as other code wrote them (`golden/messages.py`): they must read as what they say, and be
//! written byte for byte the same. A field or variant that moved, or lost its name, shows here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_shared::id::{BootId, BufferId, CommandId, GatewayId, PointNo};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{Order, RelinquishOrder, Report, SignedOrder, Stage, WriteOrder, reason};
use steward_shared::wire::config::{
    CheckConfig, CheckedConfig, ConfigFault, ConfigOutcome, ConfigReport, ConfigStage, NewConfig,
    SignedConfig,
};
use steward_shared::wire::frame::{HEADER, encode, from_cbor, length};
use steward_shared::wire::message::{
    Batch, Catalogue, CatalogueDevice, CataloguePoint, CatalogueWrite, Certificate, ControlDown, ControlUp,
    DeviceHealth, Enrol, EnrolAnswer, EnrolRefusal, Enrolled, Health, Hello, Known, Label, Lane, LaneDown,
    LaneState, LaneUp, LineHealth, LiveSample, LiveSamples, Names, PointKind, Quarantined, Refusal,
    RefusalReason, Renew, Trouble, Watch, Watermark, Welcome,
};

const NOW: Timestamp = Timestamp(1_760_000_000_123);

fn gateway() -> GatewayId {
    GatewayId("00010203-0405-0607-0809-0a0b0c0d0e0f".parse().expect("a well-formed id"))
}

fn hash() -> Vec<u8> {
    (100..132).collect()
}

fn names(zh: &str, en: &str) -> Names {
    Names { zh: zh.into(), en: en.into() }
}

/// The frames of a file, one by one, as a stream would give them.
#[track_caller]
fn agree<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(golden: &[u8], content: &[T]) {
    let mut rest = golden;
    for wanted in content {
        let (header, body) = rest.split_first_chunk::<HEADER>().expect("as many frames as messages");
        let (body, behind) = body.split_at(length(*header).expect("a length within the limit"));
        assert_eq!(&from_cbor::<T>(body).expect("it reads"), wanted);
        assert_eq!(encode(wanted).expect("it is written"), [header, body].concat(), "{wanted:?}");
        rest = behind;
    }
    assert!(rest.is_empty(), "more frames than messages");
}

#[test]
fn what_a_gateway_says_of_itself_is_as_the_golden_frames_have_it() {
    let hello = Hello {
        protocol: 1,
        gateway: gateway(),
        version: "0.1.0".into(),
        buffer: BufferId("10111213-1415-1617-1819-1a1b1c1d1e1f".parse().expect("a well-formed id")),
        epoch: 7,
        lanes: vec![
            LaneState { lane: Lane::Alarm, first: 1, last: 0, acked: 0 },
            LaneState { lane: Lane::Live, first: 24, last: 70_000, acked: 65_536 },
            LaneState { lane: Lane::Backfill, first: 1, last: 5_000_000_000, acked: 255 },
        ],
        catalogue: hash(),
        boot: BootId("20212223-2425-2627-2829-2a2b2c2d2e2f".parse().expect("a well-formed id")),
        now: NOW,
        more_lanes: vec![],
    };
    let health = Health {
        at: NOW,
        uptime_s: 86_400,
        rss_bytes: 18_874_368,
        cpu: 0.031,
        disk_free_bytes: 3_000_000_000,
        disk_total_bytes: 7_000_000_000,
        buffer_bytes: 1_048_576,
        unacked: 12,
        oldest_unacked: Some(Timestamp(NOW.0 - 5_000)),
        dropped: 0,
        lines: vec![
            LineHealth {
                name: "chw-tcp".into(),
                up: true,
                busy: 0.25,
                wasted: 0.0,
                planned: 0.0,
                requests: 1000,
                errors: 3,
                last_error: Some("no reply within 300 ms".into()),
                troubles: Vec::new(),
            },
            LineHealth {
                name: "pumps".into(),
                errors: 1,
                wasted: 0.5,
                planned: 1.25,
                troubles: vec![
                    Trouble { what: "own_silence".into(), count: 1, of: 70_000, ..Trouble::default() },
                    Trouble {
                        what: "two_answers".into(),
                        device: Some("pump-1".into()),
                        count: 300,
                        of: 900,
                        ..Trouble::default()
                    },
                ],
                ..LineHealth::default()
            },
        ],
        devices: vec![
            DeviceHealth {
                key: "main-meter".into(),
                silent: false,
                last_good: Some(Timestamp(NOW.0 - 1_000)),
                requests: 900,
                errors: 0,
                turnaround_ms: Some(12.5),
                last_error: None,
            },
            DeviceHealth {
                key: "pump-1".into(),
                silent: true,
                last_good: None,
                requests: 1,
                errors: 1,
                turnaround_ms: None,
                last_error: Some("no reply within 300 ms".into()),
            },
        ],
        certificate_expires: Some(Timestamp(NOW.0 + 2_592_000_000)),
        storage: None,
    };
    let newer = Hello {
        version: "0.2.0".into(),
        lanes: vec![],
        catalogue: vec![],
        more_lanes: vec![LaneState { lane: Lane::Command, first: 1, last: 4, acked: 2 }],
        ..hello.clone()
    };
    let content = [
        ControlUp::Hello(hello),
        ControlUp::Catalogue(catalogue()),
        ControlUp::Health(health),
        ControlUp::Renew(Renew { csr: vec![0x30, 0x82, 1, 0] }),
        ControlUp::Hello(newer),
        ControlUp::Catalogue(Catalogue { devices: vec![], points: vec![setpoint()] }),
    ];
    let content = [content.to_vec(), configurations()].concat();
    agree(include_bytes!("golden/messages_1_control_up.frames"), &content);
}

fn setpoint() -> CataloguePoint {
    CataloguePoint {
        no: PointNo(21),
        device: "ahu-1".into(),
        key: "setpoint".into(),
        title: names("设定", "Setpoint"),
        unit: "Cel".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: Some(CatalogueWrite {
            min: Some(16.0),
            max: Some(30.0),
            step: 0.5,
            time_boxed: true,
            two_persons: false,
            priority: Some(8),
        }),
    }
}

fn command() -> CommandId {
    CommandId("30313233-3435-3637-3839-3a3b3c3d3e3f".parse().expect("a well-formed id"))
}

const TEXT: &str = "[gateway]\nname = \"东区\"\n";

/// What a gateway says of its configuration.
fn configurations() -> Vec<ControlUp> {
    let outcome = |version, stage| ConfigOutcome {
        version,
        at: NOW,
        stage,
        reason: None,
        detail: String::new(),
        faults: vec![],
    };
    let fault = ConfigFault {
        line: 3,
        column: 1,
        path: "line[0].prt".into(),
        message: names("没有这个键", "this key is not known"),
        way_out: names("", "did you mean port?"),
    };
    let refused = ConfigOutcome {
        reason: Some("faults".into()),
        detail: "one fault".into(),
        faults: vec![fault],
        ..outcome(8, ConfigStage::Refused)
    };
    let first = ConfigReport {
        is_open: true,
        text: Some(TEXT.into()),
        digest: "ab".repeat(32),
        version: Some(7),
        taken: 8,
        outcome: Some(refused),
    };
    let mut all = vec![ControlUp::Config(first), ControlUp::Config(ConfigReport::default())];
    for (version, stage) in [(1, ConfigStage::Trying), (2, ConfigStage::Kept), (3, ConfigStage::TakenBack)] {
        all.push(ControlUp::Config(ConfigReport {
            is_open: true,
            text: Some(String::new()),
            version: Some(version),
            taken: version,
            outcome: Some(outcome(version, stage)),
            ..ConfigReport::default()
        }));
    }
    all.push(ControlUp::Checked(CheckedConfig { id: 41, faults: vec![] }));
    all
}

#[test]
fn orders_and_reports_are_as_the_golden_frames_have_them() {
    let setpoint = WriteOrder {
        command: command(),
        gateway: gateway(),
        device: "ahu-1".into(),
        point: "setpoint".into(),
        by: "li".into(),
        approver: Some("wang".into()),
        why: "WO-2026-0417".into(),
        expected: Some(21.5),
        value: 23.0,
        priority: Some(8),
        issued: NOW,
        not_after: Timestamp(NOW.0 + 600_000),
        relinquish_at: Some(Timestamp(NOW.0 + 7_200_000)),
    };
    let fan = WriteOrder {
        point: "fan".into(),
        approver: None,
        why: String::new(),
        expected: None,
        value: 1.0,
        priority: None,
        relinquish_at: None,
        ..setpoint.clone()
    };
    let given_up = RelinquishOrder {
        command: command(),
        gateway: gateway(),
        by: "wang".into(),
        why: "done".into(),
        issued: NOW,
    };
    let orders = [Order::Write(setpoint), Order::Write(fan), Order::Relinquish(given_up)];
    agree(include_bytes!("golden/messages_1_orders.frames"), &orders);

    let bare = |no, stage| Report {
        command: command(),
        no,
        at: NOW,
        stage,
        reason: None,
        before: None,
        now: None,
        slots: vec![],
        detail: String::new(),
    };
    let mut reports: Vec<_> = (1..).zip(Stage::ALL).map(|(no, stage)| bare(no, stage)).collect();
    reports.push(Report {
        reason: Some(reason::OVERRIDDEN.into()),
        before: Some(21.5),
        now: Some(19.0),
        slots: vec![None, Some(19.0)],
        detail: "slot 2".into(),
        ..bare(9, Stage::NotEffective)
    });
    agree(include_bytes!("golden/messages_1_reports.frames"), &reports);
}

fn catalogue() -> Catalogue {
    let device = CatalogueDevice {
        key: "main-meter".into(),
        title: names("总进线电表", "Main incomer meter"),
        profile: "schneider/pm5350".into(),
        vendor: "Schneider Electric".into(),
        model: "PM5350".into(),
        place: "B1 plant room".into(),
        line: "chw-tcp".into(),
        address: "10.0.0.20:502/1".into(),
        in_use: true,
    };
    let point = |no, key: &str, title, unit: &str, kind| CataloguePoint {
        no: PointNo(no),
        device: "main-meter".into(),
        key: key.into(),
        title,
        unit: unit.into(),
        kind,
        labels: Vec::new(),
        period_ms: 10_000,
        decimals: 0,
        modulus: None,
        in_use: true,
        write: None,
    };
    let label = |code, zh, en| Label { code, names: names(zh, en) };
    let power = point(11, "active-power", names("总有功功率", "Active power"), "kW", PointKind::Gauge);
    let energy = point(12, "energy", names("电能", "Energy"), "kW.h", PointKind::Counter);
    let running = point(13, "running", names("运行", "Running"), "1", PointKind::Flag);
    let mode = point(14, "mode", names("模式", "Mode"), "1", PointKind::Enumeration);
    let points = vec![
        CataloguePoint { decimals: 2, ..power },
        CataloguePoint { decimals: 1, modulus: Some(9_999_999.9), ..energy },
        CataloguePoint {
            labels: vec![label(0, "停止", "stopped"), label(1, "运行", "running")], ..running
        },
        CataloguePoint { labels: vec![label(-1, "未知", "unknown")], in_use: false, ..mode },
        point(15, "serial-number", names("序列号", "Serial number"), "1", PointKind::Text),
    ];
    Catalogue { devices: vec![device], points }
}

#[test]
fn what_the_hub_says_is_as_the_golden_frames_have_it() {
    let mark = |lane, seq| Watermark { lane, seq };
    let welcome = Welcome {
        epoch: 7,
        watermarks: vec![mark(Lane::Alarm, 3), mark(Lane::Live, 65_536), mark(Lane::Backfill, 0)],
        catalogue_wanted: true,
        now: NOW,
        config_wanted: false,
        known: vec![],
    };
    let curious =
        Welcome { watermarks: vec![], catalogue_wanted: false, config_wanted: true, ..welcome.clone() };
    let reasons = [
        RefusalReason::Protocol,
        RefusalReason::IdentityMismatch,
        RefusalReason::Unknown,
        RefusalReason::Duplicate,
    ];
    let refused = |(i, reason)| ControlDown::Refused(Refusal { reason, detail: format!("reason {i}") });
    let mut content = vec![ControlDown::Welcome(welcome)];
    content.extend(reasons.into_iter().enumerate().map(refused));
    content.push(ControlDown::Watch(Watch {
        points: vec![PointNo(11), PointNo(300), PointNo(70_000)],
        for_ms: 15_000,
    }));
    content.push(ControlDown::Certificate(Certificate { certificate: vec![0x30, 0x82, 2, 0] }));
    content.push(ControlDown::Command(SignedOrder { order: vec![0xa1, 1], signature: vec![0x30, 0x45] }));
    let knowing = Welcome { known: vec![Known { lane: Lane::Live, hash: vec![1, 2, 3] }], ..curious.clone() };
    content.push(ControlDown::Welcome(curious));
    content.push(ControlDown::Welcome(knowing));
    content.push(ControlDown::Config(SignedConfig { config: vec![0xa1, 2], signature: vec![0x30, 0x46] }));
    content.push(ControlDown::Check(CheckConfig { id: 41, text: "[gateway]\n".into() }));
    agree(include_bytes!("golden/messages_1_control_down.frames"), &content);
    let config = NewConfig {
        gateway: gateway(),
        version: 8,
        base: "ab".repeat(32),
        text: TEXT.into(),
        by: "li".into(),
        why: "WO-2026-0417".into(),
        issued: NOW,
        first: None,
    };
    let empty = String::new;
    let staged = NewConfig {
        gateway: gateway(),
        version: 9,
        base: empty(),
        text: empty(),
        by: empty(),
        why: empty(),
        issued: NOW,
        first: Some("chw".into()),
    };
    agree(include_bytes!("golden/messages_1_configs.frames"), &[config, staged]);
}

#[test]
fn what_goes_on_a_lane_is_as_the_golden_frames_have_it() {
    let mut up: Vec<_> = Lane::ALL.into_iter().map(LaneUp::Open).collect();
    up.push(LaneUp::Batch(Batch {
        lane: Lane::Live,
        epoch: 7,
        seq: 65_537,
        count: 300,
        hash: hash(),
        body: vec![0xa0, 1, 2],
    }));
    agree(include_bytes!("golden/messages_1_lane_up.frames"), &up);
    let quarantined = Quarantined { seq: 65_538, reason: "the body cannot be read".into() };
    let down = [LaneDown::Ack(65_537), LaneDown::Nack(65_535), LaneDown::Quarantined(quarantined)];
    agree(include_bytes!("golden/messages_1_lane_down.frames"), &down);
}

#[test]
fn an_enrolment_is_as_the_golden_frames_have_it() {
    let enrol = Enrol {
        code: vec![1; 10],
        csr: vec![0x30, 0x82, 3, 0],
        version: "0.1.0".into(),
        host: "gw-east".into(),
    };
    agree(include_bytes!("golden/messages_1_enrol.frames"), &[enrol]);
    let refusals =
        [EnrolRefusal::UnknownCode, EnrolRefusal::Expired, EnrolRefusal::BadRequest, EnrolRefusal::SlowDown];
    let enrolled = Enrolled { gateway: gateway(), certificate: vec![0x30, 0x82, 4, 0] };
    let mut content = vec![EnrolAnswer::Accepted(enrolled)];
    content.extend(refusals.map(EnrolAnswer::Refused));
    agree(include_bytes!("golden/messages_1_enrol_answer.frames"), &content);
}

#[test]
fn live_samples_are_as_the_golden_frames_have_them() {
    let sample = |no, value, quality| LiveSample { no: PointNo(no), at: NOW, value, quality };
    let samples = vec![
        sample(11, Some(Value::Number(124.75)), Quality::Good),
        sample(12, Some(Value::Number(0.1)), Quality::Stale),
        sample(13, None, Quality::NoValue),
        sample(14, None, Quality::Undecodable),
        sample(15, None, Quality::NoReply),
        sample(16, None, Quality::BadReply),
        sample(17, None, Quality::LineDown),
        sample(18, None, Quality::Refused(2)),
        LiveSample { at: Timestamp(-1), ..sample(19, Some(Value::Text("运行".into())), Quality::Good) },
    ];
    agree(include_bytes!("golden/messages_1_live_samples.frames"), &[LiveSamples { samples }]);
}
