//! The devices of the room as the edge sees them: which profile, on which line, at which address, and what
//! they answer. Breaks are kept here: they bend the room, the instrument or the answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_edge::lab::{Behind, Turn};
use steward_protocols::bacnet::device::Commanded;
use steward_protocols::far_end::{Answer, Heard, Station};
use steward_protocols::modbus::device::{Answers, Asked, Image, Outcome, Reply, Spoilt, to_serial};
use steward_protocols::question::Address;
use steward_shared::profile::{Derived, Library, PointDef, Profile};
use steward_shared::reading::Value;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::{Names, PointKind};

use super::fault::{Break, Fault};
use super::meters;
use super::noise::{chance, curve};
use super::plan::{DEVICES, LINES, Role};
use super::room::{Disturbance, Gained, Room, Scene, Tripped};
use super::sources::measure;

/// A meter renews its registers each second, so that meters that are read in one second tell of one instant.
const METER_TURN: Duration = Duration::from_secs(1);
/// What other devices take for it.
const DEVICE_TURN: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    #[error("there is no profile {0:?} in the library; it is needed by the simulated plant")]
    NoProfile(&'static str),
    #[error("the profiles of the library are broken: {0}")]
    Profiles(String),
    #[error("there is no device or line {0:?} in the plant; there are: {1}")]
    NoSuchPlace(String, String),
    #[error("{0} happens to a {1}, and {2:?} is none")]
    WrongPlace(String, &'static str, String),
}

/// One device of the room.
#[derive(Debug)]
pub struct Device {
    pub name: &'static str,
    pub title: Names,
    pub place: &'static str,
    pub line: &'static str,
    pub address: Address,
    pub baud: Option<u32>,
    pub role: Role,
    pub profile: Arc<Profile>,
    /// Number in the list: the seed of its own noise.
    index: u64,
    asked: AtomicU64,
    image: Mutex<Option<(Timestamp, Arc<Image>)>>,
}

impl Device {
    const fn is_on_bacnet(&self) -> bool {
        matches!(self.address, Address::Bacnet(_))
    }
}

/// The whole room with its devices.
#[derive(Debug)]
pub struct House {
    room: Room,
    clock: Arc<dyn Clock>,
    devices: Vec<Device>,
    live: Mutex<Live>,
}

/// What a running plant remembers.
#[derive(Debug, Default)]
struct Live {
    breaks: Vec<Break>,
    bends: Disturbance,
    /// The scene in which a stuck or frozen device was left.
    left: HashMap<&'static str, Scene>,
    /// What commands make of the points of a device that keeps them.
    commanded: HashMap<&'static str, Commanded>,
}

impl House {
    pub fn new(seed: u64, clock: Arc<dyn Clock>, gained: Gained) -> Result<Self, HouseError> {
        let library = Library::compiled_in().map_err(|faults| {
            HouseError::Profiles(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let devices = DEVICES
            .iter()
            .zip(0..)
            .map(|(d, index)| {
                Ok(Device {
                    name: d.name,
                    title: Names { zh: d.zh.into(), en: d.en.into() },
                    place: d.place,
                    line: d.line,
                    address: d.address,
                    baud: d.baud,
                    role: d.role,
                    profile: library.get(d.profile).ok_or(HouseError::NoProfile(d.profile))?,
                    index,
                    asked: AtomicU64::new(0),
                    image: Mutex::new(None),
                })
            })
            .collect::<Result<_, HouseError>>()?;
        let live = Live { bends: Disturbance::with(gained), ..Live::default() };
        Ok(Self { room: Room::new(seed), clock, devices, live: Mutex::new(live) })
    }

    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|d| d.name == name)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room now, bent by what has tripped. Called at least once a second, so that counters are exact.
    pub fn scene(&self) -> Scene {
        self.bent(self.clock.now())
    }

    fn bent(&self, at: Timestamp) -> Scene {
        let now = self.clock.now();
        let mut live = self.live();
        live.breaks.retain(|b| b.holds(now.0));
        let tripped = self.tripped(&live.breaks);
        let left: Vec<&str> = live.breaks.iter().map(|b| b.at.as_str()).collect();
        let keep: Vec<&'static str> =
            self.devices.iter().map(|d| d.name).filter(|n| left.contains(n)).collect();
        live.left.retain(|name, _| keep.contains(name));
        live.bends.bend(self.room.at(seconds(at)), tripped)
    }

    /// The undisturbed room at any instant: for history.
    pub fn scene_at(&self, at: Timestamp) -> Scene {
        self.room.at(seconds(at))
    }

    /// What the counters gained or lost by trips, to be kept over a restart.
    pub fn gained(&self) -> Gained {
        self.live().bends.gained()
    }

    /// The value that a point of a healthy instrument shows of a scene.
    pub fn value(&self, device: &Device, point: &PointDef, scene: &Scene) -> Option<Value> {
        if let Some(how) = point.derived() {
            let of = |key: &String| {
                let input = device.profile.points.iter().find(|other| other.key == *key)?;
                self.value(device, input, scene)?.as_number()
            };
            let inputs = how.inputs().iter().map(of).collect::<Option<Vec<f64>>>()?;
            return match how {
                Derived::Expression(expression) => expression.value(&inputs).map(Value::Number),
                Derived::Total(_) => inputs.first().copied().map(Value::Number),
            };
        }
        measure(device.role, point, scene, self.room.seed.wrapping_add(device.index))
    }

    /// The value that a point shows now, its instrument being as broken as it is.
    pub fn shown(&self, device: &Device, point: &PointDef, scene: &Scene) -> Option<Value> {
        if let Some(commanded) = self.live().commanded.get(device.name).and_then(|all| all.get(&point.key)) {
            return Some(commanded.clone());
        }
        self.moved(device, point, scene)
    }

    /// The same where nobody commands it.
    fn moved(&self, device: &Device, point: &PointDef, scene: &Scene) -> Option<Value> {
        let (mut stuck, mut frozen, mut noisy) = (false, false, false);
        let left = {
            let live = self.live();
            for b in live.breaks.iter().filter(|b| b.at == device.name) {
                stuck |= b.fault == Fault::Stuck;
                frozen |= b.fault == Fault::Frozen;
                noisy |= b.fault == Fault::Noisy;
            }
            live.left.get(device.name).copied()
        };
        let stays = stuck || (frozen && point.kind == PointKind::Counter);
        let scene = if stays { left.as_ref().unwrap_or(scene) } else { scene };
        let value = self.value(device, point, scene);
        match value {
            Some(Value::Number(n)) if noisy && point.kind == PointKind::Gauge => {
                let place = point.bacnet().map(|b| u64::from(b.instance));
                let address = point.register().map_or(place.unwrap_or(0), |r| u64::from(r.address));
                let swing = curve(self.room.seed ^ device.index, address, scene.t / 2.0);
                Some(Value::Number(n + 0.2 * (n.abs() + 1.0) * swing))
            }
            value => value,
        }
    }

    pub fn breaks(&self) -> Vec<Break> {
        let now = self.clock.now();
        self.live().breaks.iter().filter(|b| b.holds(now.0)).cloned().collect()
    }

    /// Breaks a device or a line, for a time or until it is mended.
    pub fn break_at(&self, at: &str, fault: Fault, lasts: Option<Duration>) -> Result<Break, HouseError> {
        let device = self.device(at);
        let line = LINES.iter().find(|l| l.name == at);
        if device.is_none() && line.is_none() {
            let mut known: Vec<&str> = self.devices.iter().map(|d| d.name).collect();
            known.extend(LINES.iter().map(|l| l.name));
            return Err(HouseError::NoSuchPlace(at.chars().take(60).collect(), known.join(", ")));
        }
        let wrong = |what| Err(HouseError::WrongPlace(fault.to_string(), what, at.to_owned()));
        match (fault, device, line) {
            (fault, None, _) if !fault.is_of_a_line() => return wrong("device"),
            (fault, _, None) if fault.is_of_a_line() => return wrong("line"),
            (Fault::Babble, _, Some(l)) if l.serial.is_none() => return wrong("serial line"),
            // A datagram has no check sum of its own, and bears no unit.
            (Fault::WrongCrc { .. } | Fault::Foreign { .. }, Some(d), _) if d.is_on_bacnet() => {
                return wrong("device on a wire");
            }
            (Fault::Tripped, Some(d), _) if !d.role.is_a_machine() => return wrong("machine"),
            _ => {}
        }
        let now = self.clock.now();
        let scene = self.scene();
        let b = Break { at: at.to_owned(), fault, since_ms: now.0, until_ms: lasts.map(|d| now.plus(d).0) };
        let mut state = self.live();
        if let (Some(device), Fault::Stuck | Fault::Frozen) = (device, fault) {
            state.left.insert(device.name, scene);
        }
        state.breaks.push(b.clone());
        drop(state);
        self.forget_images();
        Ok(b)
    }

    /// Mends everything at a place, or everywhere. Says how many breaks ended.
    pub fn mend(&self, at: Option<&str>) -> usize {
        // Brings the counters up to now while the trips still hold.
        self.scene();
        let mut live = self.live();
        let before = live.breaks.len();
        live.breaks.retain(|b| at.is_some_and(|at| b.at != at));
        let ended = before - live.breaks.len();
        drop(live);
        self.forget_images();
        ended
    }

    fn forget_images(&self) {
        for device in &self.devices {
            *device.image.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn tripped(&self, breaks: &[Break]) -> Tripped {
        let mut tripped = Tripped::default();
        for b in breaks.iter().filter(|b| b.fault == Fault::Tripped) {
            match self.device(&b.at).map(|d| d.role) {
                Some(Role::Chiller(i)) => tripped.chillers[i] = true,
                Some(Role::ChwPump(i)) => tripped.chw_pumps[i] = true,
                Some(Role::CwPump(i)) => tripped.cw_pumps[i] = true,
                Some(Role::Tower(i)) => tripped.towers[i] = true,
                _ => {}
            }
        }
        tripped
    }

    /// The registers of a device now.
    fn image(&self, device: &Device) -> Arc<Image> {
        let turn = if matches!(device.role, Role::Meter(_)) { METER_TURN } else { DEVICE_TURN };
        let at = self.clock.now().floor_to(turn);
        let mut kept = device.image.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some((from, image)) if *from == at => image.clone(),
            _ => {
                let scene = self.bent(at);
                let (image, fault) = Image::fill(&device.profile, |point| self.shown(device, point, &scene));
                if let Some((point, error)) = fault {
                    tracing::debug!(device = device.name, point, %error, "a value finds no room in its registers");
                }
                let image = Arc::new(image);
                *kept = Some((at, image.clone()));
                image
            }
        }
    }

    /// Answers for the devices of one line.
    pub fn answer(&self, line: &str, request: Asked) -> Reply {
        let Some(device) =
            self.devices.iter().find(|d| d.line == line && d.address == Address::Modbus(request.unit))
        else {
            return Reply::NOTHING;
        };
        let broken = self.broken(device);
        if broken.silent {
            return Reply::NOTHING;
        }
        let outcome = match broken.refused {
            Some(code) => Outcome::Refused(code),
            None => self.image(device).answer(request),
        };
        Reply { spoilt: broken.spoilt, late: broken.late, ..Reply::of(outcome) }
    }

    /// What the meters of a line say to a frame that is meant for one of them, and is sent at its pace.
    pub fn meter(&self, line: &str, frame: &[u8], fits: impl Fn(Option<u32>) -> bool) -> Option<Answer> {
        let on_line = self.devices.iter().filter(|d| d.line == line && fits(d.baud));
        on_line.filter(|d| meters::is_meant(d.address, frame)).find_map(|device| {
            let broken = self.broken(device);
            let scene = self.bent(self.clock.now().floor_to(METER_TURN));
            let show = |point: &PointDef| self.shown(device, point, &scene);
            let bytes = meters::answer(&device.profile, device.address, frame, broken.refused, show)?;
            let turnaround = meters::TURNAROUND + broken.late;
            (!broken.silent).then(|| Answer { bytes: meters::spoil(bytes, broken.spoilt), turnaround })
        })
    }

    /// How a device that is asked now is broken.
    fn broken(&self, device: &Device) -> Broken {
        let asked = device.asked.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now().0;
        let mut broken = Broken::default();
        let live = self.live();
        let faults = live.breaks.iter().filter(|b| b.at == device.name && b.holds(now)).map(|b| b.fault);
        for (fault, channel) in faults.zip(0..) {
            // Even in the mean, and never the same run of luck for two faults of one device.
            let hit = |share: f64| {
                let place = i64::try_from(asked).unwrap_or(i64::MAX);
                f64::midpoint(chance(self.room.seed ^ device.index, 900 + channel, place), 1.0) < share
            };
            match fault {
                Fault::Silent => broken.silent = true,
                Fault::Exception { code } => broken.refused = Some(code),
                Fault::Late { by_ms } => broken.late = Duration::from_millis(by_ms),
                Fault::WrongCrc { share } if hit(share) => broken.spoilt = Some(Spoilt::CheckSum),
                Fault::Short { share } if hit(share) => broken.spoilt = Some(Spoilt::Short),
                Fault::Foreign { share } if hit(share) => broken.spoilt = Some(Spoilt::Foreign),
                Fault::Lie { share } if hit(share) => broken.spoilt = Some(Spoilt::Count),
                _ => {}
            }
        }
        broken
    }

    /// How often each device was asked since the start.
    pub fn asked(&self) -> HashMap<&'static str, u64> {
        self.devices.iter().map(|d| (d.name, d.asked.load(Ordering::Relaxed))).collect()
    }
}

/// How an answer comes to harm.
#[derive(Clone, Copy, Debug, Default)]
struct Broken {
    silent: bool,
    refused: Option<u8>,
    spoilt: Option<Spoilt>,
    late: Duration,
}

/// How long a device of the room takes before it answers on a serial line; a meter takes longer.
const TURNAROUND: Duration = Duration::from_millis(8);

/// The devices of one line.
#[derive(Debug)]
pub struct OnLine {
    pub house: Arc<House>,
    pub line: &'static str,
}

/// The device of the room that is on a BACnet network.
#[derive(Debug)]
pub struct OnNetwork {
    house: Arc<House>,
    name: &'static str,
    profile: Arc<Profile>,
}

impl OnNetwork {
    pub fn new(house: &Arc<House>, name: &'static str) -> Option<Self> {
        let profile = Arc::clone(&house.device(name)?.profile);
        Some(Self { house: Arc::clone(house), name, profile })
    }
}

impl Behind for OnNetwork {
    fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.profile)
    }

    fn turn(&self) -> Turn {
        let Some(device) = self.house.device(self.name) else { return Turn::default() };
        let broken = self.house.broken(device);
        let unplugged =
            self.house.breaks().iter().any(|b| b.at == device.line && b.fault == Fault::Unplugged);
        Turn {
            silent: broken.silent || unplugged,
            refused: broken.refused,
            late: broken.late,
            spoilt: broken.spoilt,
            again: None,
        }
    }

    fn show(&self, point: &PointDef) -> Option<Value> {
        let device = self.house.device(self.name)?;
        self.house.moved(device, point, &self.house.bent(self.house.clock.now().floor_to(DEVICE_TURN)))
    }

    fn commanded(&self, all: Commanded) {
        self.house.live().commanded.insert(self.name, all);
    }
}

impl Answers for OnLine {
    fn answer(&self, request: Asked) -> Reply {
        self.house.answer(self.line, request)
    }
}

impl Station for OnLine {
    fn hear(&self, frame: &[u8]) -> Heard {
        to_serial(frame, TURNAROUND, self)
    }

    fn has_own_rates(&self) -> bool {
        true
    }

    /// What is said at another baud rate than a device's own is noise to it.
    fn hear_at(&self, frame: &[u8], baud: u32) -> Heard {
        let plan = LINES.iter().find(|l| l.name == self.line).and_then(|l| l.serial);
        let usual = plan.is_none_or(|(_, pace)| pace.baud == baud);
        let heard = if usual { self.hear(frame) } else { Heard::Broken };
        if heard != Heard::Broken || !meters::is_whole(frame) {
            return heard;
        }
        self.house.meter(self.line, frame, |own| own.map_or(usual, |own| own == baud)).into()
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use steward_protocols::modbus::{Response, decode};
    use steward_shared::time::ManualClock;

    use super::*;
    use crate::plant::history::polled;
    use crate::plant::sources::UNSET;

    // 2026-11-18 02:00 UTC.
    const NOW: Timestamp = Timestamp(1_794_967_200_000);

    fn house() -> (House, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(NOW));
        (House::new(1, clock.clone(), Gained::default()).unwrap(), clock)
    }

    fn number(house: &House, device: &str, key: &str) -> f64 {
        let device = house.device(device).unwrap();
        let point = device.profile.point(key).unwrap();
        house.shown(device, point, &house.scene()).unwrap().as_number().unwrap()
    }

    fn unit(device: &Device) -> u8 {
        let Address::Modbus(unit) = device.address else { panic!("{} is a meter", device.name) };
        unit
    }

    /// Reads one point over its registers, as the edge does.
    fn read(house: &House, device: &str, key: &str) -> Result<f64, Reply> {
        let device = house.device(device).unwrap();
        let point = device.profile.point(key).unwrap();
        let register = point.register().unwrap();
        let request = Asked {
            unit: unit(device),
            function: register.table.function(),
            address: register.address,
            count: register.data.width(),
        };
        let reply = house.answer(device.line, request);
        match &reply.outcome {
            Outcome::Registers(words) => {
                let (value, quality) = decode(point, &Response::Registers(words.clone()), 0);
                assert!(quality.is_good(), "{key}: {quality}");
                Ok(value.unwrap().as_number().unwrap())
            }
            _ => Err(reply),
        }
    }

    #[test]
    fn every_point_of_the_room_has_a_source_whose_value_fits_its_registers_all_the_year() {
        let (house, _) = house();
        for step in 0..120 {
            // Every three days and some, at changing hours, from January on.
            let scene = house.scene_at(Timestamp(1_767_225_600_000 + step * 263_000_000));
            for device in house.devices() {
                for point in &device.profile.points {
                    let value = house.value(device, point, &scene);
                    let is_set = !UNSET.contains(&point.key.as_str());
                    assert_eq!(value.is_some(), is_set, "{} has no source for {}", device.name, point.key);
                    let (read, _) = polled(point, value.as_ref()).unwrap();
                    assert_eq!(read.is_some(), is_set, "{} {}: {value:?}", device.name, point.key);
                }
            }
        }
    }

    #[test]
    fn the_sub_meters_add_up_to_the_main_meter_exactly() {
        let (house, clock) = house();
        let parts = ["meter-chillers", "meter-pumps", "meter-services"];
        for _ in 0..50 {
            clock.advance(Duration::from_millis(1_234_567));
            for key in ["active-energy-import", "reactive-energy-import"] {
                // In whole register steps: watt hours.
                let wh = |name: &str| (read(&house, name, key).unwrap() * 1000.0).round() as i64;
                let sum: i64 = parts.iter().map(|name| wh(name)).sum();
                assert_eq!(wh("main-meter"), sum, "{key}");
            }
            let sum: f64 = parts.iter().map(|name| number(&house, name, "active-power")).sum();
            assert!((number(&house, "main-meter", "active-power") - sum).abs() < 1e-6);
        }
    }

    #[test]
    fn a_meters_register_is_the_integral_of_the_power_that_it_shows() {
        let (house, clock) = house();
        let before = read(&house, "main-meter", "active-energy-import").unwrap();
        let mut integral = 0.0;
        for _ in 0..720 {
            clock.advance(Duration::from_millis(2500));
            integral += number(&house, "main-meter", "active-power") * 5.0 / 3600.0;
            clock.advance(Duration::from_millis(2500));
        }
        let counted = read(&house, "main-meter", "active-energy-import").unwrap() - before;
        assert!((counted - integral).abs() < 1e-3 * counted, "counted {counted}, integrated {integral}");
    }

    #[test]
    fn history_and_live_values_are_one_curve() {
        let (house, clock) = house();
        clock.advance(Duration::from_secs(7));
        let (live, past) = (house.scene(), house.scene_at(clock.now()));
        for device in house.devices() {
            for point in &device.profile.points {
                assert_eq!(
                    house.shown(device, point, &live),
                    house.value(device, point, &past),
                    "{}",
                    point.key
                );
            }
        }
    }

    #[test]
    fn a_stuck_sensor_stays_and_a_frozen_counter_stays_alone() {
        let (house, clock) = house();
        house.break_at("chiller-1", Fault::Stuck, Some(Duration::from_hours(1))).unwrap();
        house.break_at("meter-pumps", Fault::Frozen, None).unwrap();
        let look = |key| number(&house, "meter-pumps", key);
        let stuck = number(&house, "chiller-1", "entering-water-temperature");
        let (energy, power) = (look("active-energy-import"), look("active-power"));
        clock.advance(Duration::from_mins(40));
        assert!((number(&house, "chiller-1", "entering-water-temperature") - stuck).abs() < 1e-12);
        assert!((look("active-energy-import") - energy).abs() < 1e-12);
        assert!((look("active-power") - power).abs() > 1e-6);
        clock.advance(Duration::from_mins(21));
        assert!(
            (number(&house, "chiller-1", "entering-water-temperature") - stuck).abs() > 1e-9,
            "it mends itself"
        );
        assert_eq!(house.mend(Some("meter-pumps")), 1);
        assert!(look("active-energy-import") > energy);
    }

    #[test]
    fn a_broken_device_answers_as_it_is_broken_and_its_neighbours_do_not() {
        let (house, _) = house();
        assert!(read(&house, "main-meter", "frequency").is_ok());
        house.break_at("main-meter", Fault::Silent, None).unwrap();
        assert_eq!(read(&house, "main-meter", "frequency"), Err(Reply::NOTHING));
        assert!(read(&house, "meter-pumps", "frequency").is_ok());
        house.mend(None);
        house.break_at("main-meter", Fault::Exception { code: 6 }, None).unwrap();
        assert_eq!(read(&house, "main-meter", "frequency").unwrap_err().outcome, Outcome::Refused(6));
        house.mend(None);
        house.break_at("chw-pump-1", Fault::WrongCrc { share: 0.2 }, None).unwrap();
        let drive = house.device("chw-pump-1").unwrap();
        let request = Asked { unit: unit(drive), function: 3, address: 16_129, count: 1 };
        let spoilt = (0..1000).filter(|_| house.answer(drive.line, request).spoilt.is_some()).count();
        assert!((140..260).contains(&spoilt), "{spoilt} of 1000 are no fifth");
    }

    #[test]
    fn a_tripped_pump_stands_says_so_and_takes_its_chiller_with_it() {
        let (house, clock) = house();
        // The chiller that leads this week runs, and with it its pump.
        let running =
            (0..2).find(|i| number(&house, &format!("chiller-{}", i + 1), "enabled") > 0.5).unwrap();
        let pump = format!("chw-pump-{}", running + 1);
        assert!(number(&house, &pump, "output-frequency") > 20.0);
        house.break_at(&pump, Fault::Tripped, None).unwrap();
        clock.advance(Duration::from_secs(1));
        assert!(number(&house, &pump, "output-frequency") < 1.0);
        assert!(number(&house, &pump, "trip") > 0.5);
        assert!(number(&house, &format!("chiller-{}", running + 1), "enabled") < 0.5);
    }

    #[test]
    fn what_cannot_break_so_is_refused_with_what_can() {
        let (house, _) = house();
        let error = house.break_at("mian-meter", Fault::Silent, None).unwrap_err().to_string();
        assert!(error.contains("main-meter"), "{error}");
        assert!(house.break_at("main-meter", Fault::Unplugged, None).is_err());
        assert!(house.break_at("main-meter", Fault::Tripped, None).is_err());
        assert!(house.break_at("switchgear", Fault::Silent, None).is_err());
        assert!(house.break_at("switchgear", Fault::Unplugged, None).is_ok());
    }

    #[test]
    fn registers_that_do_not_exist_are_refused() {
        let (house, _) = house();
        let asked = |function, address, count| {
            house.answer("switchgear", Asked { unit: 1, function, address, count }).outcome
        };
        let Outcome::Registers(words) = asked(3, 2999, 6) else { panic!("the currents are there") };
        assert_eq!(words.len(), 6);
        assert_eq!(asked(3, 2999, 7), Outcome::Refused(2));
        assert_eq!(asked(3, 65_535, 2), Outcome::Refused(2));
        assert_eq!(asked(3, 2999, 126), Outcome::Refused(3));
        assert_eq!(asked(6, 2999, 1), Outcome::Refused(1));
        let nobody = Asked { unit: 99, function: 3, address: 0, count: 1 };
        assert_eq!(house.answer("switchgear", nobody), Reply::NOTHING);
    }
}
