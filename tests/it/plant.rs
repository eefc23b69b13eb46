//! The simulated plant room as a process, read over its wires by tokio-modbus, broken and mended by its
//! socket.

use std::path::Path;
use std::time::Duration;

use steward_protocols::far_end::Pace;
use steward_tests::plant::fault::Fault;
use steward_tests::{Plant, eventually, programs::PlantOptions};
use tokio::time::{Instant, timeout};
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, Reader, rtu, tcp};
use tokio_modbus::prelude::SlaveContext;
use tokio_serial::{SerialStream, StopBits};

const LONG: Duration = Duration::from_secs(20);
/// Address of the output frequency of a drive, and its unit on the line `drives`.
const FREQUENCY: (u16, u8) = (16_129, 1);

fn start(dir: &Path) -> Plant {
    Plant::start(dir, &PlantOptions::default()).expect("the plant starts")
}

fn open(plant: &Plant, line: &str) -> Option<Context> {
    let port = plant.file.serial.iter().find(|s| s.line == line).expect("the line is listed");
    let settings = tokio_serial::new(port.path.display().to_string(), port.baud).stop_bits(StopBits::Two);
    SerialStream::open(&settings).ok().map(rtu::attach)
}

/// One register, or none when no believable answer comes within half a second.
async fn register(context: &mut Context, address: u16, unit: u8) -> Option<u16> {
    context.set_slave(Slave(unit));
    let answer = timeout(Duration::from_millis(500), context.read_holding_registers(address, 1)).await;
    answer.ok()?.ok()?.ok()?.first().copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_wires_give_is_what_the_plant_says_itself() {
    let dir = tempfile::tempdir().unwrap();
    let plant = start(dir.path());
    let mut context = tcp::connect_slave(plant.tcp(), Slave(1)).await.unwrap();
    let words = context.read_holding_registers(3203, 4).await.unwrap().unwrap();
    let energy = words.iter().fold(0_i64, |n, w| (n << 16) | i64::from(*w)) as f64 / 1000.0;
    let told = plant.values().unwrap().values["main-meter"]["active-energy-import"].as_f64().unwrap();
    assert!(energy > 1e6 && told >= energy && told - energy < 1.0, "{energy} on the wire, {told} told");
    context.set_slave(Slave(11));
    let water = context.read_holding_registers(205, 1).await.unwrap().unwrap();
    assert!((50..200).contains(&water[0]), "{water:?}");
    let refused = context.read_holding_registers(9999, 1).await.unwrap().unwrap_err();
    assert_eq!(refused, tokio_modbus::ExceptionCode::IllegalDataAddress);
    plant.stop().unwrap();
    assert!(!dir.path().join("plant.json").exists() && !dir.path().join("ttyS1").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serial_line_takes_the_time_of_a_wire_and_counts_who_is_too_early() {
    let dir = tempfile::tempdir().unwrap();
    let plant = start(dir.path());
    let mut drives = open(&plant, "drives").unwrap();
    let pace = Pace { baud: 19_200, bits: 11 };
    // Request of eight characters, turnaround of eight milliseconds, answer of seven.
    let least = pace.character() * 15 + Duration::from_millis(8);
    for _ in 0..5 {
        tokio::time::sleep(pace.silence() * 2).await;
        let begun = Instant::now();
        assert!(register(&mut drives, FREQUENCY.0, FREQUENCY.1).await.is_some());
        assert!(begun.elapsed() >= least, "{:?} is faster than the wire ({least:?})", begun.elapsed());
    }
    eventually("five answers on the line", LONG, || {
        let drives = plant.told().ok()?.lines["drives"];
        (drives.requests == 5 && drives.answers == 5 && drives.too_early == 0).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_is_seen_on_the_wire_and_a_mend_too() {
    let dir = tempfile::tempdir().unwrap();
    let plant = start(dir.path());
    let mut drives = open(&plant, "drives").unwrap();
    for fault in [
        Fault::Silent,
        Fault::WrongCrc { share: 1.0 },
        Fault::Foreign { share: 1.0 },
        Fault::Short { share: 1.0 },
        Fault::Exception { code: 6 },
    ] {
        plant.break_at("chw-pump-1", fault, None).unwrap();
        assert_eq!(register(&mut drives, FREQUENCY.0, 1).await, None, "{fault}");
        assert!(register(&mut drives, FREQUENCY.0, 2).await.is_some(), "the neighbour, {fault}");
        plant.mend("chw-pump-1").unwrap();
        assert!(register(&mut drives, FREQUENCY.0, 1).await.is_some(), "mended, {fault}");
    }
    let refusal = plant.break_at("chw-pump-7", Fault::Silent, None).unwrap_err().to_string();
    assert!(refusal.contains("chw-pump-1"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unplugged_line_is_gone_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let plant = start(dir.path());
    let mut drives = open(&plant, "drives").unwrap();
    plant.break_at("drives", Fault::Unplugged, None).unwrap();
    plant.break_at("switchgear", Fault::Unplugged, None).unwrap();
    eventually("the port is gone", LONG, || (!dir.path().join("ttyS1").exists()).then_some(()));
    eventually("nobody listens", LONG, || std::net::TcpStream::connect(plant.tcp()).err());
    assert_eq!(register(&mut drives, FREQUENCY.0, 1).await, None);
    drop(drives);
    plant.mend_all().unwrap();
    let mut again = eventually("the port is back", LONG, || open(&plant, "drives"));
    assert!(register(&mut again, FREQUENCY.0, 1).await.is_some());
    eventually("somebody listens", LONG, || std::net::TcpStream::connect(plant.tcp()).ok());
}

#[test]
fn a_folder_has_one_plant_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let plant = start(dir.path());
    let second = Plant::start(dir.path(), &PlantOptions::default()).unwrap_err().to_string();
    assert!(second.contains("runs in") && second.contains("another folder"), "{second}");
    plant.stop().unwrap();
    start(dir.path()).stop().unwrap();
}

#[test]
fn a_folder_however_deep_has_a_plant_that_can_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(100)).join("e".repeat(60));
    let plant = start(&deep);
    assert!(plant.told().unwrap().breaks.is_empty());
    plant.stop().unwrap();
}

#[test]
fn counters_that_a_trip_moved_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut plant = start(dir.path());
    plant.break_at("chw-pump-1", Fault::Tripped, None).unwrap();
    let energy = |plant: &Plant| {
        plant.values().unwrap().values["meter-pumps"]["active-energy-import"].as_f64().unwrap()
    };
    let counters = dir.path().join("counters.json");
    let written = || std::fs::read_to_string(&counters).ok();
    let first = eventually("the counters are written", LONG, written);
    eventually("and written again", LONG, || written().filter(|now| *now != first));
    let before = energy(&plant);
    plant.kill().unwrap();
    let plant = start(dir.path());
    let after = energy(&plant);
    assert!(after > before - 0.2, "{before} kWh before the kill, {after} after it");
}
