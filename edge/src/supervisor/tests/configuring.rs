//! A configuration from the hub, over a real session with a small hub; only the wires are fake.

use steward_shared::wire::config::{CheckConfig, ConfigOutcome, ConfigStage, NewConfig, reason};
use steward_shared::wire::message::ControlDown;

use super::*;
use crate::configure::digest;

const LINES: [(&str, u16, &str); 2] = [("a", 1, "acme/m1"), ("b", 2, "acme/m1")];

struct Configured {
    house: House,
    hub: Hub,
    version: u64,
}

impl Configured {
    /// One that the hub may configure.
    async fn start() -> Self {
        Self::start_with("configure = true\ntrial = \"10s\"").await
    }

    async fn start_with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::start();
        hub.seen().config_wanted = true;
        hub.identity(-1, 30).save(&folder.path().join("data")).unwrap();
        let with_hub = format!("[hub]\naddress = \"{}\"\n{more}", hub.address);
        file_with(folder.path(), &with_hub, "127.0.0.1:0", &LINES);
        let house = House::start_in(folder).await;
        let configured = Self { house, hub, version: 0 };
        eventually("its configuration is told", || !configured.hub.seen().configs.is_empty()).await;
        eventually("both are polled", || {
            configured.house.is_live("meter-a") && configured.house.is_live("meter-b")
        })
        .await;
        configured
    }

    fn site(&self) -> String {
        std::fs::read_to_string(self.house.folder.path().join("edge.toml")).unwrap()
    }

    fn report(&self) -> ConfigReport {
        self.hub.seen().configs.last().unwrap().clone()
    }

    fn wanted(&self, version: u64, base: &str, text: &str) -> NewConfig {
        NewConfig {
            gateway: self.hub.gateway,
            version,
            base: digest(base),
            text: text.to_owned(),
            by: "li".to_owned(),
            why: "more often".to_owned(),
            issued: SystemClock.now(),
            first: None,
        }
    }

    async fn send(&mut self, base: &str, text: &str) {
        self.version += 1;
        let signed = self.hub.signed(&self.wanted(self.version, base, text));
        self.hub.say(ControlDown::Config(signed)).await;
    }

    async fn ended(&self, stage: ConfigStage) -> ConfigOutcome {
        let found = || {
            let outcome = self.report().outcome?;
            ((outcome.version, outcome.stage) == (self.version, stage)).then_some(outcome)
        };
        eventually("what became of it is told", || found().is_some()).await;
        found().unwrap()
    }

    async fn check(&self, id: u64, text: String) -> CheckedConfig {
        self.hub.say(ControlDown::Check(CheckConfig { id, text })).await;
        let found = || self.hub.seen().checked.iter().find(|c| c.id == id).cloned();
        eventually("it is checked", || found().is_some()).await;
        found().unwrap()
    }
}

#[tokio::test]
async fn a_configuration_from_the_hub_is_tried_and_then_stands_and_what_is_equal_keeps_running() {
    let mut it = Configured::start().await;
    let site = it.site();
    let told = it.report();
    assert_eq!((told.is_open, told.text.as_deref(), told.version), (true, Some(site.as_str()), None));
    let text = site.replace("name = \"meter-b\"", "name = \"meter-c\"");
    it.send(&site, &text).await;
    it.ended(ConfigStage::Trying).await;
    eventually("the new one is polled", || it.house.is_live("meter-c")).await;
    it.ended(ConfigStage::Kept).await;
    let told = it.report();
    assert_eq!((told.text.as_deref(), told.version, told.taken), (Some(text.as_str()), Some(1), 1));
    assert_eq!((it.house.dials(1), it.house.dials(2)), (1, 2), "line a was not touched");
    // The same program again: the file on site is as it was, and the hub's stands.
    let folder = it.house.folder.path().to_owned();
    let copy = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp").arg("-r").arg(folder.join(".")).arg(copy.path()).status();
    assert!(status.unwrap().success());
    let (events, _) = it.house.stop().await;
    let applied: Vec<_> = events.iter().filter(|e| e.kind == EventKind::ConfigApplied).collect();
    assert!(
        applied[0].detail.contains("(li: more often)") && applied[1].detail.contains("stands"),
        "{applied:?}"
    );
    let again = House::start_in(copy).await;
    eventually("it is polled after a restart too", || again.is_live("meter-c")).await;
    assert!(!again.is_live("meter-b"));
    again.stop().await;
}

#[tokio::test]
async fn a_change_of_all_lines_is_tried_on_one_first_and_then_on_the_others() {
    let mut it = Configured::start().await;
    let site = it.site();
    let text = site.replace("name = \"meter-", "name = \"new-");
    it.version += 1;
    let staged = NewConfig { first: Some("a".to_owned()), ..it.wanted(it.version, &site, &text) };
    it.hub.say(ControlDown::Config(it.hub.signed(&staged))).await;
    let outcome = it.ended(ConfigStage::Trying).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::FIRST_LINE));
    eventually("the one line is as it is wanted", || it.house.is_live("new-a")).await;
    assert!(it.house.is_live("meter-b") && !it.house.is_live("new-b"));
    eventually("the others follow", || it.house.is_live("new-b")).await;
    assert_eq!(it.ended(ConfigStage::Kept).await.reason, None);
    it.house.stop().await;
}

#[tokio::test]
async fn a_line_that_fares_worse_keeps_the_others_from_it() {
    let mut it = Configured::start().await;
    let site = it.site();
    let text = site.replace("port = 1\n", "port = 901\n").replace("port = 2\n", "port = 902\n");
    it.version += 1;
    let staged = NewConfig { first: Some("a".to_owned()), ..it.wanted(it.version, &site, &text) };
    it.hub.say(ControlDown::Config(it.hub.signed(&staged))).await;
    let outcome = it.ended(ConfigStage::TakenBack).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::DEVICES_WORSE), "{outcome:?}");
    assert_eq!((it.house.dials(902), it.house.dials(2)), (0, 1), "line b was not touched");
    eventually("line a is polled as before", || it.house.is_live("meter-a")).await;
    it.house.stop().await;
}

#[tokio::test]
async fn fault_y14_a_configuration_that_cuts_the_network_goes_back_by_itself_and_is_told() {
    let mut it = Configured::start().await;
    let site = it.site();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sessions = it.hub.seen().hellos.len();
    it.send(&site, &site.replace(&it.hub.address.to_string(), &nobody.to_string())).await;
    eventually("a session with the right hub again", || it.hub.seen().hellos.len() > sessions).await;
    let outcome = it.ended(ConfigStage::TakenBack).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::HUB_NOT_REACHED), "{outcome:?}");
    assert_eq!(it.report().text, Some(site));
    let (events, _) = it.house.stop().await;
    assert!(events.iter().any(|e| e.kind == EventKind::ConfigRefused && e.detail.contains("not reached")));
}

#[tokio::test]
async fn a_configuration_with_which_devices_fare_worse_goes_back() {
    let mut it = Configured::start().await;
    let site = it.site();
    it.send(&site, &site.replace("port = 2", &format!("port = {DEAD}"))).await;
    let outcome = it.ended(ConfigStage::TakenBack).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::DEVICES_WORSE), "{outcome:?}");
    assert!(outcome.detail.contains("meter-b") && !outcome.detail.contains("meter-a"), "{outcome:?}");
    eventually("it is polled as before", || it.house.is_live("meter-b")).await;
    it.house.stop().await;
}

#[tokio::test]
async fn fault_y13_a_version_that_is_rolled_back_or_forged_changes_nothing() {
    let mut it = Configured::start().await;
    let site = it.site();
    let text = site.replace("name = \"t\"", "name = \"u\"");
    it.send(&site, &text).await;
    it.ended(ConfigStage::Kept).await;
    let before = it.report();
    let other = text.replace("\"u\"", "\"v\"");
    let mut forged = it.hub.signed(&it.wanted(2, &text, &other));
    forged.signature = it.hub.signed(&it.wanted(2, &text, &text)).signature;
    let elsewhere =
        NewConfig { gateway: steward_shared::id::GatewayId::new(&RandomIds), ..it.wanted(2, &text, &other) };
    let messages = [
        forged,
        it.hub.signed(&elsewhere),
        it.hub.signed(&it.wanted(1, &text, &other)),
        it.hub.signed(&it.wanted(0, &text, &other)),
    ];
    for message in messages {
        it.hub.say(ControlDown::Config(message)).await;
    }
    // Whatever was asked before this is over by its answer.
    assert!(it.check(9, text).await.faults.is_empty());
    assert_eq!(it.report(), before, "unchanged");
    it.house.stop().await;
}

#[tokio::test]
async fn a_text_is_checked_by_the_gateway_itself_with_places_and_ways_out_in_both_languages() {
    let it = Configured::start().await;
    let site = it.site();
    let told = it.check(1, site.replace("port = 2", "prt = 2")).await.faults;
    let unknown = told.iter().find(|f| f.path == "line[1].prt").expect("the key is not known");
    let line = site.lines().position(|l| l == "port = 2").unwrap() + 1;
    assert_eq!((unknown.line as usize, unknown.column), (line, 1));
    assert_eq!((unknown.message.zh.as_str(), unknown.way_out.zh.as_str()), ("没有这个键", "是不是 port？"));
    let told = it.check(2, site.replace("data = \"data\"", "data = \"/tmp\"")).await.faults;
    assert!(
        told[0].message.en.contains("only changed on site") && told[0].message.zh.contains("现场"),
        "{told:?}"
    );
    it.house.stop().await;
}

#[tokio::test]
async fn what_was_made_for_another_file_or_is_broken_is_refused_and_told() {
    let mut it = Configured::start().await;
    let site = it.site();
    it.send("something else", &site.replace("\"t\"", "\"u\"")).await;
    assert_eq!(it.ended(ConfigStage::Refused).await.reason.as_deref(), Some(reason::OTHER_BASE));
    it.send(&site, "[gateway]\nname = 5\n").await;
    let outcome = it.ended(ConfigStage::Refused).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::FAULTS));
    assert!(!outcome.faults.is_empty());
    assert_eq!(it.report().text, Some(site));
    it.house.stop().await;
}

#[tokio::test]
async fn a_file_that_is_changed_on_site_wins_over_the_hub() {
    let mut it = Configured::start().await;
    let site = it.site();
    it.send(&site, &site.replace("\"t\"", "\"u\"")).await;
    it.ended(ConfigStage::Kept).await;
    let changed = site.replace("\"t\"", "\"engineer\"");
    std::fs::write(it.house.folder.path().join("edge.toml"), &changed).unwrap();
    it.house.reload.send(()).await.unwrap();
    let outcome = it.ended(ConfigStage::TakenBack).await;
    assert_eq!(outcome.reason.as_deref(), Some(reason::CHANGED_ON_SITE));
    assert_eq!((it.report().text, it.report().version), (Some(changed), None));
    it.house.stop().await;
}

#[tokio::test]
async fn a_gateway_whose_file_does_not_allow_it_is_not_configured_from_the_hub() {
    let mut it = Configured::start_with("").await;
    let site = it.site();
    assert!(!it.report().is_open);
    assert!(it.check(1, site.clone()).await.faults[0].message.en.contains("does not let the hub"));
    it.send(&site, &site.replace("\"t\"", "\"u\"")).await;
    assert_eq!(it.ended(ConfigStage::Refused).await.reason.as_deref(), Some(reason::NOT_ALLOWED));
    it.house.stop().await;
}

#[tokio::test]
async fn what_ends_the_program_again_and_again_is_left_out_at_the_third_start() {
    let folder = tempfile::tempdir().unwrap();
    let with_hub = "[hub]\naddress = \"127.0.0.1:1\"\nconfigure = true";
    file_with(folder.path(), with_hub, "127.0.0.1:0", &LINES);
    let site = std::fs::read_to_string(folder.path().join("edge.toml")).unwrap();
    let text = site.replace("name = \"meter-", "name = \"new-");
    let kept = folder.path().join("data/configuration.json");
    let record = |starts: u32| {
        let trial = serde_json::json!({
            "version": 1, "text": text, "site": digest(&site), "by": "li", "why": "more often",
        });
        serde_json::json!({ "taken": 1, "stands": null, "trial": trial, "starts": starts }).to_string()
    };
    let start = async |folder: tempfile::TempDir, starts: u32| {
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/configuration.json"), record(starts)).unwrap();
        House::start_in(folder).await
    };
    let house = start(folder, 1).await;
    // Counted before anything else is done: whatever ends the program now, it was the second start.
    assert!(std::fs::read_to_string(&kept).unwrap().contains("\"starts\":2"));
    eventually("it is tried anew", || house.is_live("new-a")).await;
    house.stop().await;

    let folder = tempfile::tempdir().unwrap();
    file_with(folder.path(), with_hub, "127.0.0.1:0", &LINES);
    let house = start(folder, 2).await;
    eventually("the file on site is in force", || house.is_live("meter-a")).await;
    let (events, _) = house.stop().await;
    assert!(
        events.iter().any(|e| e.kind == EventKind::ConfigRefused && e.detail.contains("ended the program"))
    );
}
