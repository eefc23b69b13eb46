//! What each point of each instrument shows of a scene: the profile's point keys on one side, the physics on
//! the other. A key that has no source here is found by the test below.

use steward_shared::profile::PointDef;
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;

use super::day::ORIGIN_S;
use super::machines::{CHILLER_KW, Load};
use super::noise::curve;
use super::plan::{Feeder, Role};
use super::room::Scene;
use super::weather::{DAY_S, HOUR_S, UTC_OFFSET_S};

/// Line voltage of the room's board, V.
const VOLTS: f64 = 400.0;
const ROOT_3: f64 = 1.732_050_807_568_877_2;
/// The most that the lighting ever took in a quarter of an hour.
const LIGHTING_DEMAND_KW: f64 = 33.4;

/// What the instruments of the room are not set up for: they show that they have no value.
pub const UNSET: [&str; 1] = ["volume-settled"];

/// The value of a point, in its own unit; none for a point that this instrument has no source for.
pub fn measure(role: Role, point: &PointDef, scene: &Scene, seed: u64) -> Option<Value> {
    let eye = Eye { scene, seed };
    match point.key.as_str() {
        "meter-number" => return Some(Value::Text("210401230645".to_owned())),
        "meter-clock" => return Some(Value::Text(local_clock(scene.t))),
        "meter-date" => return Some(Value::Text(local_date(scene.t))),
        "meter-time" => return local_clock(scene.t).get(8..).map(|time| Value::Text(time.to_owned())),
        _ => {}
    }
    let number = match role {
        Role::Meter(feeder) => eye.meter(feeder, point),
        Role::Chiller(i) => eye.chiller(i, &point.key),
        Role::ChwPump(i) => {
            let m = &scene.machines;
            eye.drive(
                &Drive {
                    i,
                    speed: m.chw_speed * m.on[i],
                    load: Load::ChwPump(i),
                    trip: scene.tripped.chw_pumps[i],
                },
                &point.key,
            )
        }
        Role::CwPump(i) => {
            let m = &scene.machines;
            eye.drive(
                &Drive {
                    i,
                    speed: m.cw_speed * m.on[i],
                    load: Load::CwPump(i),
                    trip: scene.tripped.cw_pumps[i],
                },
                &point.key,
            )
        }
        Role::Tower(i) => {
            let m = &scene.machines;
            let tripped = scene.tripped.towers[i];
            let turning = if tripped { 0.0 } else { m.fan_speed * m.on[i] };
            eye.drive(&Drive { i, speed: turning, load: Load::Tower(i), trip: tripped }, &point.key)
        }
        Role::Zone(i) => eye.zone(i, &point.key),
        Role::FreshAir => eye.fresh_air(&point.key),
        Role::WaterMeter => eye.water(&point.key),
        Role::Ups => return eye.ups(&point.key),
    };
    number.map(Value::Number)
}

/// One instrument that looks at a scene.
struct Eye<'s> {
    scene: &'s Scene,
    seed: u64,
}

struct Drive {
    i: usize,
    /// Share of the rated speed.
    speed: f64,
    load: Load,
    trip: bool,
}

impl Eye<'_> {
    /// Slow wander of an instrument, -1 to 1: `channel` tells its points apart.
    fn wander(&self, channel: u64, seconds: f64) -> f64 {
        curve(self.seed, 300 + channel, self.scene.t / seconds)
    }

    /// What a sensor of this accuracy adds to the truth.
    fn noise(&self, channel: u64, size: f64) -> f64 {
        size * (0.7 * self.wander(channel, 13.0) + 0.3 * self.wander(channel + 50, 3.1))
    }

    /// Voltage between phase 0, 1 or 2 and neutral: the whole board sees the same, and sags under load.
    fn volts(&self, phase: u64) -> f64 {
        let board = self.scene.machines.power.iter().sum::<f64>() / 700.0;
        let grid = curve(7, 40, self.scene.t / 1900.0) + 0.3 * curve(7, 41, self.scene.t / 47.0);
        VOLTS / ROOT_3 * (1.012 + 0.009 * grid - 0.014 * board + 0.002 * (phase as f64 - 1.0))
    }

    fn frequency(&self) -> f64 {
        50.0 + 0.016 * curve(7, 42, self.scene.t / 61.0) + 0.008 * curve(7, 43, self.scene.t / 9.0)
    }

    fn meter(&self, feeder: Feeder, point: &PointDef) -> Option<f64> {
        let (key, phase) = phase_of(&point.key);
        let active: f64 = self.scene.machines.power[feeder.loads()].iter().sum();
        let reactive: f64 = feeder.parts().iter().map(|f| self.power_of(*f) * tangent(*f)).sum();
        let apparent = active.hypot(reactive);
        // The phases are not loaded alike; together they are the whole.
        let share = |p: u64| {
            let lean = 0.012 * self.wander(20, 700.0);
            1.0 / 3.0 + [lean, -0.4 * lean, -0.6 * lean][p as usize % 3]
        };
        let base = if point.unit.starts_with('k') { 1.0 } else { 1000.0 };
        Some(match (key, phase) {
            ("voltage-n" | "voltage", Some(p)) => self.volts(p),
            ("voltage-between", Some(p)) => between(self.volts(p), self.volts((p + 1) % 3)),
            ("current", Some(p)) => apparent * share(p) * 1000.0 / self.volts(p),
            ("active-power", Some(p)) => base * active * share(p),
            ("active-power", None) => base * active,
            ("reactive-power", None) => base * reactive,
            ("apparent-power", None) => base * apparent,
            ("power-factor", _) => {
                if apparent > 0.0 {
                    active / apparent
                } else {
                    1.0
                }
            }
            ("frequency", None) => self.frequency(),
            ("voltage-thd", Some(p)) => 2.1 + 0.5 * self.wander(30 + p, 900.0) + active / 900.0,
            ("active-energy-import" | "active-energy", None) => self.counted(feeder, point, |_| 1.0),
            ("reactive-energy-import", None) | ("reactive-energy", Some(0)) => {
                self.counted(feeder, point, tangent)
            }
            // Four tariffs, in the shares in which a working day falls to them.
            ("active-energy-import-t1", None) => self.counted(feeder, point, |_| 0.12),
            ("active-energy-import-t2", None) => self.counted(feeder, point, |_| 0.31),
            ("active-energy-import-t3", None) => self.counted(feeder, point, |_| 0.38),
            ("active-energy-import-t4", None) => self.counted(feeder, point, |_| 0.19),
            // Three phases that are not loaded alike.
            ("current-n", None) => apparent * 0.04 * 1000.0 / self.volts(0),
            ("demand-active-import", None) => LIGHTING_DEMAND_KW,
            ("clock-battery-voltage", None) => 3.6 + 0.02 * self.wander(21, 90_000.0),
            ("active-energy-export" | "reactive-energy-export", None) | ("reactive-energy", Some(1)) => 0.0,
            _ => return None,
        })
    }

    fn power_of(&self, feeder: Feeder) -> f64 {
        self.scene.machines.power[feeder.loads()].iter().sum()
    }

    /// A register of energy: each part in whole steps of the register, so that a meter that adds up others
    /// shows exactly their sum.
    fn counted(&self, feeder: Feeder, point: &PointDef, factor: impl Fn(Feeder) -> f64) -> f64 {
        let step = point.scale.as_f64().max(0.001);
        let steps: f64 = feeder
            .parts()
            .iter()
            .map(|part| {
                let energy: f64 = self.scene.totals.energy[part.loads()].iter().sum();
                (energy * factor(*part) / step).floor()
            })
            .sum();
        steps * step
    }

    fn chiller(&self, i: usize, key: &str) -> Option<f64> {
        let m = &self.scene.machines;
        let on = m.on[i];
        let runs = on > 0.02;
        let load = if runs { m.cooling[i] / (on * CHILLER_KW) } else { 0.0 };
        let all: f64 = m.on.iter().sum();
        let power = m.power[Load::Chiller(i).index()];
        let volts = ROOT_3 * self.volts(1);
        let amps = power * 1000.0 / (ROOT_3 * volts * 0.89);
        let running = |on_value: f64, standing: f64| on_value * on + standing * (1.0 - on);
        Some(match key {
            "enabled" | "fan" => flag(runs),
            "cooling-set-point" => 7.0,
            "heating-set-point" => 40.0,
            "ambient-temperature" => self.scene.weather.dry_bulb + self.noise(1, 0.15),
            "suction-temperature" => running(m.chw_supply - 3.2 - 1.6 * load, 17.0) + self.noise(2, 0.1),
            "leaving-water-temperature" => running(m.chw_supply, m.chw_return) + self.noise(3, 0.07),
            "entering-water-temperature" => m.chw_return + self.noise(4, 0.07),
            // From m³/h to litres a minute.
            "water-flow" if all > 1e-6 => {
                m.chw_flow * on / all * 1000.0 / 60.0 * (1.0 + self.noise(5, 0.004))
            }
            // Mode 0 is cooling.
            "mode" | "water-flow" => 0.0,
            "compressor-frequency" => on * (28.0 + 62.0 * load),
            "pump-speed" => (on * m.chw_speed * 100.0).round(),
            "input-voltage" => volts,
            "input-current" => amps,
            // Two compressors share the work.
            "compressor-current" => amps / 2.0 * 0.97,
            _ => return None,
        })
    }

    fn drive(&self, drive: &Drive, key: &str) -> Option<f64> {
        let power = self.scene.machines.power[drive.load.index()];
        let volts = VOLTS * drive.speed;
        let runs = drive.speed > 0.01;
        Some(match key {
            "output-frequency" if runs => 50.0 * drive.speed + self.noise(1, 0.06),
            "motor-voltage" => volts,
            // The motor's power factor falls with the load; below a tenth of the speed it only magnetises.
            "motor-current" if runs => {
                power * 1000.0 * 0.96 / (ROOT_3 * volts.max(40.0) * 0.84) + self.noise(2, 0.2).abs()
            }
            "output-frequency" | "motor-current" | "voltage-warning" | "current-limit"
            | "thermal-warning" => 0.0,
            "running" => flag(runs),
            "trip" => flag(drive.trip),
            "warning" => flag(drive.trip || drive.speed > 0.99),
            "auto-mode" => 1.0,
            // It is under voltage since the room was built.
            "operating-hours" => ((self.scene.t - ORIGIN_S) / HOUR_S).floor().max(0.0),
            "running-hours" => {
                let without = match drive.load {
                    Load::Tower(i) => self.scene.totals.fanless[i],
                    _ => 0.0,
                };
                (self.scene.totals.hours[drive.i] - without).floor()
            }
            "energy" => self.scene.totals.energy[drive.load.index()].floor(),
            "maximum-reference" => 50.0,
            _ => return None,
        })
    }

    fn zone(&self, i: usize, key: &str) -> Option<f64> {
        let local = self.scene.t + UTC_OFFSET_S;
        let hour = local.rem_euclid(DAY_S) / HOUR_S;
        let night = !(6.0..22.0).contains(&hour);
        // Wards are kept warmer at night; theatres always cool.
        let set = if i == 1 {
            21.5
        } else if night {
            25.5
        } else {
            24.5
        };
        let people = self.scene.house.occupancy;
        // Water that is too warm is felt in the rooms.
        let warm = 0.45 * (self.scene.machines.chw_supply - 7.3).max(0.0);
        let load = self.scene.house.cooling / (3.0 * CHILLER_KW);
        Some(match key {
            "process-value" => {
                set + 0.35 * (people - 0.5) + warm + 0.3 * self.wander(1, 1300.0) + self.noise(2, 0.06)
            }
            "set-point" | "active-set-point" => set,
            "input-error" => 0.0,
            "cooling-output" => {
                (12.0 + 95.0 * load + 25.0 * warm + 6.0 * self.wander(3, 400.0)).clamp(0.0, 100.0)
            }
            "heating-output" => {
                (2.2 * (15.0 - self.scene.weather.dry_bulb) + 3.0 * self.wander(4, 600.0)).clamp(0.0, 100.0)
            }
            _ => return None,
        })
    }

    /// Half of the outpatients' air is fresh; a wheel gives the rest of the way back.
    fn fresh_air(&self, key: &str) -> Option<f64> {
        /// What the motors take the air up to, Pa at full speed, and turn at, 1/min.
        const PRESSURE_PA: f64 = 320.0;
        const SPEED: f64 = 2600.0;
        /// Heating coil at its full output, kW.
        const HEATER_KW: f64 = 18.0;
        let (outdoor, people) = (self.scene.weather.dry_bulb, self.scene.house.occupancy);
        let fan = (0.45 + 0.5 * people + 0.02 * self.wander(1, 700.0)).clamp(0.3, 1.0);
        let room = 23.6 + 0.5 * (people - 0.5) + 0.25 * self.wander(2, 1500.0);
        let set = 18.5;
        // The wheel turns as fast as is needed to come from outdoors to the set point, and stands where that is warmer.
        let wheel = if outdoor < set { ((set - outdoor) / (room - outdoor)).clamp(0.0, 0.82) } else { 0.0 };
        let after_wheel = outdoor + wheel * (room - outdoor);
        let heat = ((set - after_wheel) / 12.0).clamp(0.0, 1.0);
        let cool = ((after_wheel - set) / 14.0).clamp(0.0, 1.0);
        let supply = after_wheel + 12.0 * heat - 14.0 * cool + self.noise(3, 0.15);
        let hours = ((self.scene.t - ORIGIN_S) / HOUR_S).max(0.0);
        let filter = hours.rem_euclid(2190.0);
        Some(match key {
            "outdoor-temperature" => outdoor + self.noise(4, 0.1),
            "supply-temperature" => supply,
            "extract-temperature" | "room-temperature" => {
                room + self.noise(if key == "room-temperature" { 5 } else { 6 }, 0.1)
            }
            "exhaust-temperature" => room - wheel * (room - outdoor) + self.noise(7, 0.15),
            "supply-setpoint" => set,
            "supply-fan-speed" => (SPEED * fan).round(),
            "exhaust-fan-speed" => (SPEED * 0.94 * fan).round(),
            "supply-fan-output" => 100.0 * fan,
            "exhaust-fan-output" => 94.0 * fan,
            "rotor-output" => 100.0 * wheel / 0.82,
            "rotor-efficiency" => 100.0 * wheel,
            "cooling-valve" => 100.0 * cool,
            "heater-output" => 100.0 * heat,
            "heater-power" => HEATER_KW * heat,
            "heater-on" => f64::from(u8::from(heat > 0.01)),
            "supply-pressure" => PRESSURE_PA * fan * fan + self.noise(8, 3.0),
            "extract-pressure" => 0.86 * PRESSURE_PA * fan * fan + self.noise(9, 3.0),
            "room-air-quality" => 430.0 + 520.0 * people + 40.0 * self.wander(10, 900.0),
            // At home and strong are what its maker calls it.
            "mode" => f64::from(if people > 0.75 { 4 } else { 3 }),
            "filter-hours" => filter.floor(),
            "filter-period" => 2190.0,
            "filter-dirty" | "alarm-code" => 0.0,
            "operating-hours" => (9120.0 + hours).floor(),
            _ => return None,
        })
    }

    fn water(&self, key: &str) -> Option<f64> {
        /// What once ran back when a valve was changed, m³.
        const REVERSE: f64 = 0.42;
        let flow = self.scene.machines.make_up * (1.0 + self.noise(1, 0.006));
        Some(match key {
            "flow" => flow,
            // A pipe of 65 mm.
            "velocity" => flow / 3600.0 / (std::f64::consts::PI / 4.0 * 0.065 * 0.065),
            "supply-temperature" => 19.0 + 0.3 * (self.scene.weather.dry_bulb - 19.0) + self.noise(2, 0.08),
            "signal-quality" => (89.0 + 4.0 * self.wander(3, 240.0)).round(),
            "no-signal" | "poor-signal" | "pipe-empty" | "hardware-failure" | "valve" | "battery-low" => 0.0,
            "volume" => self.scene.totals.water,
            "volume-reverse" => REVERSE,
            "net-volume" => (self.scene.totals.water - REVERSE).max(0.0),
            _ => return None,
        })
    }

    /// One of four equal modules that share the load.
    fn ups(&self, key: &str) -> Option<Value> {
        const RATED_VA: f64 = 20_000.0;
        const RATED_W: f64 = 18_000.0;
        let battery = self.scene.house.battery;
        let watts = self.scene.house.ups * 250.0;
        let volts = 230.0 + self.noise(1, 0.3);
        let text = match key {
            "firmware" => "UPS 04.1",
            "model" => "Smart-UPS SRT 20kVA",
            "serial-number" => "AS2609140417",
            _ => "",
        };
        if !text.is_empty() {
            return Some(Value::Text(text.to_owned()));
        }
        let float = 54.6 - 0.3 * (100.0 - battery.charge) / 10.0;
        let number = match key {
            "online" => flag(!battery.testing),
            "on-battery" | "test" => flag(battery.testing),
            "bypass" | "output-off" | "fault" | "input-bad" => 0.0,
            // An hour at half load, from a full battery.
            "runtime" => (3600.0 * battery.charge / 100.0 * RATED_W / 2.0 / watts).floor(),
            "battery-charge" => battery.charge,
            "battery-voltage" => {
                if battery.testing {
                    50.4 - 0.25 * (100.0 - battery.charge)
                } else {
                    float
                }
            }
            "battery-temperature" => {
                25.5 + 0.12 * (self.scene.weather.dry_bulb - 22.0) + 0.6 * self.wander(3, 2400.0)
            }
            "load" => watts / RATED_W * 100.0,
            "apparent-load" => watts / 0.93 / RATED_VA * 100.0,
            "output-current" => watts / 0.93 / volts,
            "output-voltage" => volts,
            "output-frequency" => 50.0 + self.noise(2, 0.01),
            "input-voltage" => self.volts(0),
            "rated-apparent-power" => RATED_VA,
            "rated-real-power" => RATED_W,
            _ => return None,
        };
        Some(Value::Number(number))
    }
}

const fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

/// Tangent of the phase angle of a feeder: its reactive power and energy follow the active.
const fn tangent(feeder: Feeder) -> f64 {
    match feeder {
        Feeder::Chillers => 0.51,
        Feeder::Pumps => 0.36,
        Feeder::Towers => 0.40,
        Feeder::Services | Feeder::Lighting | Feeder::Main => 0.24,
    }
}

/// Year to second of the room's local time, as meters keep it.
fn local_clock(t: f64) -> String {
    let local = Timestamp(((t + UTC_OFFSET_S) * 1000.0) as i64);
    local.to_string().chars().filter(char::is_ascii_digit).take(14).collect()
}

/// Year of the century, month, day and day of the week, Sunday being 0, as DL/T 645 has them.
fn local_date(t: f64) -> String {
    let days = ((t + UTC_OFFSET_S) / 86_400.0).floor() as i64;
    format!("{}{:02}", local_clock(t).get(2..8).unwrap_or_default(), (days + 4).rem_euclid(7))
}

/// Voltage between two phases 120 degrees apart.
fn between(a: f64, b: f64) -> f64 {
    (a * a + b * b + a * b).sqrt()
}

/// Splits a key of a meter into what is measured and the phase, by the words of the makers.
fn phase_of(key: &str) -> (&str, Option<u64>) {
    const ENDS: [(&str, &str, u64); 15] = [
        ("-a-n", "-n", 0),
        ("-b-n", "-n", 1),
        ("-c-n", "-n", 2),
        ("-ab", "-between", 0),
        ("-bc", "-between", 1),
        ("-ca", "-between", 2),
        ("-l1", "", 0),
        ("-l2", "", 1),
        ("-l3", "", 2),
        ("-a", "", 0),
        ("-b", "", 1),
        ("-c", "", 2),
        ("-1", "", 0),
        ("-2", "", 1),
        ("-3", "", 2),
    ];
    for (end, kind, phase) in ENDS {
        if let Some(rest) = key.strip_suffix(end) {
            let name = match (rest, kind) {
                ("voltage", "-n") => "voltage-n",
                ("voltage", "-between") => "voltage-between",
                (rest, _) => rest,
            };
            return (name, Some(phase));
        }
    }
    (key, None)
}
