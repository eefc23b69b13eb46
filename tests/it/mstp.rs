//! BACnet MS/TP through the whole gateway: on a line of pseudo-terminals with masters of a stack that we did not write
//! (rusty-bacnet), which pass the token among themselves and to us, and answer what they are asked.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

#[path = "mstp/bus.rs"]
mod bus;
#[path = "mstp/foreign.rs"]
mod foreign;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steward_edge::line::SerialDial;
use steward_edge::line::bacnet::{Happening, MstpLine, MstpPort};
use steward_protocols::bacnet::client::{Event, LinkAddress, Peer, Settings};
use steward_protocols::bacnet::{ObjectId, ObjectType, PropertyId, PropertyRef, Value, mstp};
use steward_protocols::character::{Character, Parity};
use steward_shared::id::RandomIds;
use steward_tests::programs::free_tcp_port;
use steward_tests::{Edge, eventually};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use bus::{BAUD, Bus};
use foreign::Foreign;

/// A machine that is busy with other tests loses tokens, which takes time and no values.
const LONG: Duration = Duration::from_mins(3);

/// The gateway's file: one device that is found by its number, one at a written station, one that is not there, and one
/// that is another than its station says.
fn gateway_file(dir: &Path, http: SocketAddr, port: &Path) -> PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let device = |name: &str, address: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"rusty-bacnet/sensors\"\n{address}\n")
    };
    let text = format!(
        "[gateway]\nname = \"bms\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nnormal = \"1s\"\nslow = \"2min\"\n[profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"trunk\"\nkind = \"bacnet-mstp\"\nport = \"{}\"\nbaud = {BAUD}\nmac = 5\n\
         timeout = \"1s\"\nretries = 1\n{}{}{}{}",
        dir.join("edge").display(),
        profiles.display(),
        port.display(),
        device("found", "instance = 3001"),
        device("written", "instance = 3002\nmac = 40"),
        device("gone", "instance = 4000\nmac = 99"),
        device("other", "instance = 4001\nmac = 40"),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_polls_devices_of_another_stack_and_none_holds_up_another() {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(3);
    let found = Foreign::start(bus.port(1), 1, 3001).await;
    let written = Foreign::start(bus.port(2), 40, 3002).await;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let file = gateway_file(dir.path(), http, bus.port(0));
    tokio::task::spawn_blocking(move || {
        let mut edge = Edge::new(&file, http);
        edge.start().unwrap();
        let shown = |device: &str, point: &str| {
            let status = edge.status().ok()?;
            let values = status["values"].as_array()?.clone();
            let found = values.into_iter().find(|v| v["device"] == device && v["point"] == point)?;
            found["quality"].is_string().then_some(found)
        };
        let good = |device: &str, point: &str, value: serde_json::Value| {
            let what = format!("{device} {point} is {value}");
            eventually(&what, LONG, || {
                shown(device, point).filter(|r| r["value"] == value && r["quality"] == "good")
            });
        };
        let bad = |device: &str, point: &str, quality: &str| {
            let what = format!("{device} {point} is {quality}");
            eventually(&what, LONG, || shown(device, point).filter(|r| r["quality"] == quality));
        };
        for device in ["found", "written"] {
            good(device, "t2", 1.0.into());
            good(device, "t60", 30.0.into());
            good(device, "what", "送风温度".into());
            bad(device, "missing", "refused");
        }
        bad("gone", "t2", "no_reply");
        bad("other", "t2", "bad_reply");

        // It is polled each two minutes: what comes in between the device has told by itself.
        let begun = tokio::time::Instant::now();
        let runtime = tokio::runtime::Handle::current();
        for value in [20.5_f32, 21.5, 22.5] {
            runtime.block_on(found.change(value));
            good("found", "told", f64::from(value).into());
        }
        assert!(begun.elapsed() < Duration::from_secs(100), "three changes in {:?}", begun.elapsed());

        // One leaves: it alone has no values. It comes back: it is read again.
        let (token_before, at) = (written.tokens(), tokio::time::Instant::now());
        runtime.block_on(found.stop());
        bad("found", "t2", "no_reply");
        good("written", "t2", 1.0.into());
        assert!(written.tokens() > token_before, "the token goes round without the one that left");
        println!("it was missed after {:?}", at.elapsed());
        let found = runtime.block_on(Foreign::start(bus.port(1), 1, 3001));
        good("found", "t2", 1.0.into());
        edge.stop().unwrap();
        runtime.block_on(found.stop());
        runtime.block_on(written.stop());
        let (carried, spoiled) = bus.counts();
        println!("{carried} octets, {spoiled} chunks while another spoke");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_another_has_too_is_told_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(3);
    let first = Foreign::start(bus.port(1), 5, 3001).await;
    let second = Foreign::start(bus.port(2), 40, 3002).await;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let file = gateway_file(dir.path(), http, bus.port(0));
    tokio::task::spawn_blocking(move || {
        let mut edge = Edge::new(&file, http);
        edge.start().unwrap();
        eventually("the log tells of the doubled address", LONG, || {
            edge.log().contains("somebody else speaks as station 5").then_some(())
        });
        eventually("the line's errors are counted", LONG, || {
            let status = edge.status().ok()?;
            let lines = status["health"]["lines"].as_array()?.clone();
            lines
                .iter()
                .any(|line| line["name"] == "trunk" && line["errors"].as_u64() > Some(0))
                .then_some(())
        });
        edge.stop().unwrap();
    })
    .await
    .unwrap();
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_round_among_two_foreign_masters_and_ours() {
    let bus = Bus::new(3);
    let others = [Foreign::start(bus.port(1), 2, 3001).await, Foreign::start(bus.port(2), 9, 3002).await];
    let character = Character::new(BAUD, 8, Parity::None, 1);
    let dial = Arc::new(SerialDial { path: bus.port(0).display().to_string(), character });
    let port = MstpPort { dial, node: mstp::Settings { max_info_frames: 5, ..mstp::Settings::new(4, BAUD) } };
    let settings = Settings { timeout: Duration::from_secs(2), ..Settings::mstp() };
    let (line, network, mut happened) = MstpLine::new(port, settings, Arc::new(RandomIds));
    let cancel = CancellationToken::new();
    let serving = tokio::spawn(line.run(cancel.clone()));
    let up = timeout(LONG, happened.recv()).await.unwrap();
    assert!(matches!(up, Some(Happening::Up(_))), "{up:?}");

    network.who_is(None).await.unwrap();
    let mut found = std::collections::BTreeMap::new();
    while found.len() < 2 {
        match timeout(LONG, happened.recv()).await.unwrap().unwrap() {
            Happening::Event(Event::Device { peer, introduction }) => {
                found.insert(introduction.instance, peer);
            }
            other => println!("{other:?}"),
        }
    }
    let at = |mac| Peer::direct(LinkAddress::Mstp(mac));
    assert_eq!(found, [(3001, at(2)), (3002, at(9))].into());

    // Sixty properties at once do not fit a frame: in segments, or in pieces.
    let before: Vec<u64> = others.iter().map(Foreign::tokens).collect();
    let begun = tokio::time::Instant::now();
    let wanted = |i| PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, i), PropertyId::PRESENT_VALUE);
    let (mut rounds, mut values) = (0, 0);
    let held = || -> Vec<u64> { others.iter().zip(&before).map(|(o, before)| o.tokens() - before).collect() };
    while rounds < 5 || held().iter().any(|times| *times <= 20) {
        assert!(begun.elapsed() < LONG, "{rounds} rounds; the others held the token {:?} times", held());
        let read = |mac| network.read(at(mac), (2..=60).map(wanted).collect());
        let (first, second) = tokio::join!(read(2), read(9));
        for readings in [first.unwrap(), second.unwrap()] {
            for (target, reading) in readings {
                assert_eq!(
                    reading.as_deref(),
                    Ok([Value::Real(target.object.instance as f32 / 2.0)].as_slice())
                );
                values += 1;
            }
        }
        rounds += 1;
    }
    let (took, tokens) = (begun.elapsed(), held());
    println!(
        "{rounds} rounds, {values} values in {took:?} at {BAUD} baud; the others held the token {tokens:?} times"
    );
    let lost: u64 = others.iter().map(Foreign::tokens_made).sum();
    println!("tokens made anew: {lost}");
    cancel.cancel();
    serving.await.unwrap();
    for other in others {
        other.stop().await;
    }
}
