//! The plant room at an instant: weather, house, machines and totals in one value. Undisturbed it is a pure
//! function of seed and instant. A tripped machine bends it: the others take over what they can, the water
//! warms, and what the counters then gain or lose is kept beside them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::building::{Demand, demand};
use super::day::{Day, NODE_S, ORIGIN_S, Totals};
use super::machines::{CHILLERS, Given, LOADS, Load, Settled, settle};
use super::weather::{DAY_S, Weather, weather};

/// A standby chiller starts this long after a trip, and takes this long to come up.
const STANDBY_AFTER_S: f64 = 120.0;
const RUN_UP_S: f64 = 180.0;
/// The loop's water warms and cools with this time constant.
const LOOP_S: f64 = 420.0;

/// Everything that an instrument in the room could see.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Seconds since 1970 UTC.
    pub t: f64,
    pub weather: Weather,
    pub house: Demand,
    pub machines: Settled,
    pub totals: Totals,
    pub tripped: Tripped,
}

/// Which machines have tripped now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tripped {
    pub chillers: [bool; CHILLERS],
    pub chw_pumps: [bool; CHILLERS],
    pub cw_pumps: [bool; CHILLERS],
    pub towers: [bool; CHILLERS],
}

impl Tripped {
    /// A chiller does not run without water on both sides.
    fn stopped(&self, i: usize) -> bool {
        self.chillers[i] || self.chw_pumps[i] || self.cw_pumps[i]
    }

    fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// Computed days and the totals before them.
#[derive(Debug)]
pub struct Room {
    pub seed: u64,
    days: Mutex<Days>,
}

#[derive(Debug, Default)]
struct Days {
    computed: HashMap<i64, Arc<Day>>,
    /// Totals at the start of day 0, 1, 2, ...
    before: Vec<Totals>,
}

impl Room {
    pub fn new(seed: u64) -> Self {
        Self { seed, days: Mutex::new(Days::default()) }
    }

    /// The undisturbed room, `t` seconds since 1970 UTC.
    pub fn at(&self, t: f64) -> Scene {
        let since = t - ORIGIN_S;
        let index = since.div_euclid(DAY_S) as i64;
        let (day, before) = self.day(index);
        let (machines, today) = day.at(since - index as f64 * DAY_S);
        Scene {
            t,
            weather: weather(self.seed, t),
            house: demand(self.seed, t),
            machines,
            totals: if index < 0 { Totals::ZERO } else { before.plus(&today) },
            tripped: Tripped::default(),
        }
    }

    fn day(&self, index: i64) -> (Arc<Day>, Totals) {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = usize::try_from(index).unwrap_or(0);
        if days.before.is_empty() {
            days.before.push(Totals::ZERO);
        }
        while days.before.len() <= wanted {
            let last = days.before.len() - 1;
            let day = Day::compute(self.seed, last as i64);
            let next = days.before[last].plus(day.total());
            days.before.push(next);
        }
        let before = days.before[wanted];
        if days.computed.len() > 4 {
            days.computed.retain(|i, _| (i - index).abs() <= 1);
        }
        let day = days.computed.entry(index).or_insert_with(|| Arc::new(Day::compute(self.seed, index)));
        (day.clone(), before)
    }
}

/// What trips did to the room: kept by the running plant, asked with rising instants.
#[derive(Debug, Default)]
pub struct Disturbance {
    now: Tripped,
    /// How far each machine may take part, 0.0 tripped to 1.0.
    free: Option<Shares>,
    /// Seconds since 1970 of the last look.
    last: f64,
    /// The undisturbed totals at the last look.
    before: Option<Totals>,
    /// When the oldest trip still in force began.
    since: f64,
    /// Chilled water above its undisturbed temperature, K.
    warm: f64,
    /// What the counters gained or lost by it.
    gained: Gained,
}

#[derive(Clone, Copy, Debug)]
struct Shares {
    chillers: [f64; CHILLERS],
    towers: [f64; CHILLERS],
    standby: f64,
}

/// Differences of the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Gained {
    pub energy: [f64; LOADS],
    pub cooling: [f64; CHILLERS],
    pub water: f64,
    pub hours: [f64; CHILLERS],
    #[serde(default)]
    pub fanless: [f64; CHILLERS],
}

impl Disturbance {
    /// Continues with what an earlier run of the plant had gained.
    pub fn with(gained: Gained) -> Self {
        Self { gained, ..Self::default() }
    }

    pub fn gained(&self) -> Gained {
        self.gained
    }

    /// The room as it is, `tripped` being in force since the last look.
    pub fn bend(&mut self, mut scene: Scene, tripped: Tripped) -> Scene {
        let dt = if self.last > 0.0 { (scene.t - self.last).clamp(0.0, NODE_S) } else { 0.0 };
        self.last = self.last.max(scene.t);
        if tripped.any() && !self.now.any() {
            self.since = scene.t;
        }
        self.now = tripped;
        scene.tripped = tripped;
        if !tripped.any() && self.free.is_none() {
            self.before = Some(scene.totals);
            self.settle_totals(&mut scene);
            return scene;
        }
        let free = self.share(&tripped, scene.t, dt);
        let base = scene.machines;
        let given = taking_part(&scene, &free, tripped);
        let mut bent = settle(&given);
        // The steady state would be reached at once; water takes its time.
        let goal = (bent.chw_supply - base.chw_supply).clamp(-1.0, 9.0);
        self.warm += (goal - self.warm) * (1.0 - (-dt / LOOP_S).exp());
        let lift = base.chw_supply + self.warm - bent.chw_supply;
        bent.chw_supply += lift;
        bent.chw_return += lift;
        for i in 0..CHILLERS {
            if tripped.towers[i] {
                bent.power[Load::Tower(i).index()] = 0.0;
            }
        }
        self.count(&bent, &scene.totals, dt / 3600.0);
        scene.machines = bent;
        let whole = free.chillers.iter().chain(&free.towers).all(|&x| x >= 1.0);
        if !tripped.any() && whole && self.warm.abs() < 0.05 {
            self.free = None;
            self.warm = 0.0;
        }
        self.settle_totals(&mut scene);
        scene
    }

    /// Moves the machines' shares towards what the trips allow.
    fn share(&mut self, tripped: &Tripped, t: f64, dt: f64) -> Shares {
        let mut free =
            self.free.unwrap_or(Shares { chillers: [1.0; CHILLERS], towers: [1.0; CHILLERS], standby: 0.0 });
        let climb = |share: f64, down: bool| if down { 0.0 } else { (share + dt / RUN_UP_S).min(1.0) };
        for i in 0..CHILLERS {
            free.chillers[i] = climb(free.chillers[i], tripped.stopped(i));
            free.towers[i] = climb(free.towers[i], tripped.towers[i]);
        }
        let waited = t - self.since > STANDBY_AFTER_S;
        free.standby = if tripped.any() && waited {
            (free.standby + dt / RUN_UP_S).min(1.0)
        } else {
            (free.standby - if tripped.any() { 0.0 } else { dt / RUN_UP_S }).max(0.0)
        };
        self.free = Some(free);
        free
    }

    /// What the bent room used since the last look, less what the undisturbed one would have used.
    fn count(&mut self, bent: &Settled, undisturbed: &Totals, hours: f64) {
        let before = self.before.unwrap_or(*undisturbed);
        let g = &mut self.gained;
        for i in 0..LOADS {
            g.energy[i] += bent.power[i] * hours - (undisturbed.energy[i] - before.energy[i]);
        }
        for i in 0..CHILLERS {
            g.cooling[i] += bent.cooling[i] * hours - (undisturbed.cooling[i] - before.cooling[i]);
            let ran = if bent.on[i] > 0.02 { hours } else { 0.0 };
            g.fanless[i] += if self.now.towers[i] { ran } else { 0.0 };
            g.hours[i] += ran - (undisturbed.hours[i] - before.hours[i]);
        }
        g.water += bent.make_up * hours - (undisturbed.water - before.water);
        self.before = Some(*undisturbed);
    }

    fn settle_totals(&self, scene: &mut Scene) {
        let (t, g) = (&mut scene.totals, &self.gained);
        t.energy.iter_mut().zip(g.energy).for_each(|(a, b)| *a += b);
        t.cooling.iter_mut().zip(g.cooling).for_each(|(a, b)| *a += b);
        t.hours.iter_mut().zip(g.hours).for_each(|(a, b)| *a += b);
        t.fanless.iter_mut().zip(g.fanless).for_each(|(a, b)| *a += b);
        t.water += g.water;
    }
}

/// Who takes part how far: tripped machines not, standby machines in their place.
fn taking_part(scene: &Scene, free: &Shares, tripped: Tripped) -> Given {
    let base = &scene.machines;
    let mut on: [f64; CHILLERS] = std::array::from_fn(|i| base.on[i] * free.chillers[i]);
    let mut lacking: f64 = (0..CHILLERS).map(|i| base.on[i] * (1.0 - free.chillers[i])).sum();
    for (i, on) in on.iter_mut().enumerate() {
        if base.on[i] < 0.5 && !tripped.stopped(i) && lacking > 0.0 {
            let help = free.standby.min(lacking).min(1.0 - *on);
            *on += help;
            lacking -= help;
        }
    }
    Given {
        dry_bulb: scene.weather.dry_bulb,
        wet_bulb: scene.weather.wet_bulb,
        cooling: scene.house.cooling,
        on,
        fans: free.towers,
        air: [base.power[Load::Air(0).index()], base.power[Load::Air(1).index()]],
        ups: base.power[Load::Ups.index()],
        light: base.power[Load::Light.index()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::day::order;

    // 2026-11-18 02:00 UTC, a working morning.
    const MORNING: f64 = 1_794_967_200.0;

    #[test]
    fn two_rooms_with_one_seed_are_the_same_room() {
        let (a, b) = (Room::new(7), Room::new(7));
        // Asked in another order, and one of them about other days before.
        let later = a.at(MORNING + 5.0 * DAY_S).totals;
        let (x, y) = (a.at(MORNING), b.at(MORNING));
        assert_eq!(x.totals, y.totals);
        assert_eq!(x.machines, y.machines);
        assert_eq!(later, b.at(MORNING + 5.0 * DAY_S).totals);
        assert_ne!(Room::new(8).at(MORNING).machines, x.machines);
    }

    #[test]
    fn counters_only_grow_across_days_and_weeks() {
        let room = Room::new(3);
        let mut last = room.at(MORNING).totals;
        for k in 1..400 {
            let now = room.at(MORNING + f64::from(k) * 3671.0).totals;
            for i in 0..LOADS {
                assert!(now.energy[i] >= last.energy[i], "load {i} at step {k}");
            }
            assert!(now.water > last.water);
            last = now;
        }
    }

    #[test]
    fn a_tripped_chiller_warms_the_water_until_a_standby_has_come_up() {
        let room = Room::new(1);
        let mut bends = Disturbance::default();
        let lead = order(((MORNING - ORIGIN_S) / DAY_S).floor() as i64)[0];
        let mut tripped = Tripped::default();
        bends.bend(room.at(MORNING), tripped);
        tripped.chillers[lead] = true;
        let mut hottest = 0f64;
        let mut end = bends.bend(room.at(MORNING), tripped);
        for s in 1..3600 {
            end = bends.bend(room.at(MORNING + f64::from(s)), tripped);
            hottest = hottest.max(end.machines.chw_supply);
        }
        assert!(end.machines.power[Load::Chiller(lead).index()].abs() < 1e-9);
        assert!(hottest > 7.8, "hottest {hottest}");
        assert!(end.machines.chw_supply < hottest - 0.4, "recovered to {}", end.machines.chw_supply);
        let undisturbed = room.at(MORNING + 3599.0).totals;
        let lost = undisturbed.energy[lead] - end.totals.energy[lead];
        assert!(lost > 20.0, "the tripped chiller's meter lags by {lost} kWh");
    }

    #[test]
    fn after_a_mend_the_room_is_the_undisturbed_one_again_and_no_counter_falls() {
        let room = Room::new(1);
        let mut bends = Disturbance::default();
        let mut tripped = Tripped::default();
        let [lead, second, ..] = order(((MORNING - ORIGIN_S) / DAY_S).floor() as i64);
        tripped.chw_pumps[second] = true;
        tripped.towers[lead] = true;
        let mut last = bends.bend(room.at(MORNING), Tripped::default()).totals;
        for s in 1..9000 {
            let scene = bends
                .bend(room.at(MORNING + f64::from(s)), if s < 1200 { tripped } else { Tripped::default() });
            for i in 0..LOADS {
                assert!(scene.totals.energy[i] >= last.energy[i] - 1e-9, "load {i} falls at {s}");
            }
            last = scene.totals;
        }
        let fanless = last.fanless[lead];
        assert!((0.3..0.34).contains(&fanless), "the tripped tower stood for {fanless} h of its chiller's");
        let t = MORNING + 9000.0;
        assert_eq!(bends.bend(room.at(t), Tripped::default()).machines, room.at(t).machines);
    }
}
