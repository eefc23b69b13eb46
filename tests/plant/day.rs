//! One day of the plant in steps of five minutes: who runs, what it takes, and the totals since midnight.
//! A day begins at four in the morning local time with staging by the load alone, so that each day can be
//! computed without the days before. Between two nodes values go straight; powers carry a ripple whose
//! integral is known, so that the energy counters are the exact integral of the powers.

use std::f64::consts::TAU;

use super::building::demand;
use super::machines::{CHILLER_KW, CHILLERS, Given, LOADS, Settled, settle};
use super::noise::chance;
use super::weather::{DAY_S, HOUR_S, weather};

/// Seconds between two nodes.
pub const NODE_S: f64 = 300.0;
pub const NODES: usize = 288;
/// Days are counted from here: 2026-01-01, four in the morning local time. All counters stood at zero.
pub const ORIGIN_S: f64 = 1_767_225_600.0 - 4.0 * HOUR_S;
/// One more chiller when those that run would be loaded above this share, one less when the rest stays below that.
const STAGE_UP: f64 = 0.92;
const STAGE_DOWN: f64 = 0.80;
/// A chiller that was switched stays so for half an hour.
const HOLD_NODES: usize = 6;
/// The ripple of a power: swings per five minutes and their share of the power.
const RIPPLE: [(f64, f64); 3] = [(2.0, 0.006), (7.0, 0.004), (19.0, 0.003)];

/// Machines whose hours of running are counted: chillers, then chilled water pumps, condenser pumps, towers.
pub const RUNNERS: usize = 4 * CHILLERS;

/// What only grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// Electric energy, kWh.
    pub energy: [f64; LOADS],
    /// Cooling energy by chiller, kWh.
    pub cooling: [f64; CHILLERS],
    /// Make-up water, m³.
    pub water: f64,
    /// Hours of running by chiller; its pumps and tower run with it.
    pub hours: [f64; CHILLERS],
    /// Of these, the hours in which the chiller ran without its tower's fan.
    pub fanless: [f64; CHILLERS],
    pub starts: [f64; CHILLERS],
}

impl Totals {
    pub const ZERO: Self = Self {
        energy: [0.0; LOADS],
        cooling: [0.0; CHILLERS],
        water: 0.0,
        hours: [0.0; CHILLERS],
        fanless: [0.0; CHILLERS],
        starts: [0.0; CHILLERS],
    };

    #[must_use]
    pub fn plus(&self, b: &Self) -> Self {
        Self {
            energy: std::array::from_fn(|i| self.energy[i] + b.energy[i]),
            cooling: std::array::from_fn(|i| self.cooling[i] + b.cooling[i]),
            water: self.water + b.water,
            hours: std::array::from_fn(|i| self.hours[i] + b.hours[i]),
            fanless: std::array::from_fn(|i| self.fanless[i] + b.fanless[i]),
            starts: std::array::from_fn(|i| self.starts[i] + b.starts[i]),
        }
    }
}

/// The day `index` counted from the origin.
#[derive(Debug)]
pub struct Day {
    seed: u64,
    index: i64,
    /// `NODES + 1`: the last is the first of the next day.
    nodes: Vec<Settled>,
    /// Totals from the start of the day to each node.
    totals: Vec<Totals>,
}

impl Day {
    pub fn compute(seed: u64, index: i64) -> Self {
        let mut nodes = run(seed, index, NODES);
        nodes.extend(run(seed, index + 1, 1));
        let mut totals = Vec::with_capacity(NODES + 1);
        let mut sum = Totals::ZERO;
        totals.push(sum);
        for pair in nodes.windows(2) {
            if let [a, b] = pair {
                sum = sum.plus(&step(a, b, 1.0, &[0.0; LOADS]));
                totals.push(sum);
            }
        }
        Self { seed, index, nodes, totals }
    }

    /// Totals of the whole day.
    pub fn total(&self) -> &Totals {
        self.totals.last().unwrap_or(&Totals::ZERO)
    }

    /// State and totals since the start of the day, `s` seconds into it.
    pub fn at(&self, s: f64) -> (Settled, Totals) {
        let place = (s / NODE_S).clamp(0.0, NODES as f64);
        let node = (place.floor() as usize).min(NODES - 1);
        let x = place - node as f64;
        let (a, b) = (&self.nodes[node], &self.nodes[node + 1]);
        let interval = self.index * NODES as i64 + node as i64;
        let mut state = a.between(b, x);
        let mut integral = [0.0; LOADS];
        for (i, area) in integral.iter_mut().enumerate() {
            // A machine that starts or stops in this interval runs up without a ripple.
            let size = a.power[i].min(b.power[i]);
            for (swings, share) in RIPPLE {
                let channel = 100 + i as u64 * 8 + swings as u64;
                let amplitude = size * share * chance(self.seed, channel, interval);
                let turn = TAU * swings * x;
                state.power[i] += amplitude * turn.sin();
                *area += amplitude * (1.0 - turn.cos()) / (TAU * swings);
            }
        }
        (state, self.totals[node].plus(&step(a, b, x, &integral)))
    }
}

/// What comes to the totals from node `a` on the way to `b`, when the share `x` of it is gone.
fn step(a: &Settled, b: &Settled, x: f64, ripple: &[f64; LOADS]) -> Totals {
    let hours = NODE_S / HOUR_S;
    let area = |p: f64, q: f64| hours * (p * x + (q - p) * x * x / 2.0);
    let runs = |i: usize| a.on[i] > 0.5 || b.on[i] > 0.5;
    Totals {
        energy: std::array::from_fn(|i| area(a.power[i], b.power[i]) + hours * ripple[i]),
        cooling: std::array::from_fn(|i| area(a.cooling[i], b.cooling[i])),
        water: area(a.make_up, b.make_up),
        hours: std::array::from_fn(|i| if runs(i) { hours * x } else { 0.0 }),
        fanless: [0.0; CHILLERS],
        starts: std::array::from_fn(|i| if x > 0.0 && a.on[i] < 0.5 && b.on[i] > 0.5 { 1.0 } else { 0.0 }),
    }
}

/// Which chiller leads: the order changes each week, so that they wear alike.
pub fn order(index: i64) -> [usize; CHILLERS] {
    let first = index.div_euclid(7).rem_euclid(CHILLERS as i64) as usize;
    std::array::from_fn(|i| (first + i) % CHILLERS)
}

/// What the machines are given at node `k` of a day with `stages` chillers on.
fn given(seed: u64, t: f64, order: [usize; CHILLERS], stages: usize) -> Given {
    let (outside, house) = (weather(seed, t), demand(seed, t));
    let mut on = [0.0; CHILLERS];
    for &i in order.iter().take(stages) {
        on[i] = 1.0;
    }
    Given {
        dry_bulb: outside.dry_bulb,
        wet_bulb: outside.wet_bulb,
        cooling: house.cooling,
        on,
        fans: [1.0; CHILLERS],
        air: house.air,
        ups: house.ups_input,
        light: house.light,
    }
}

/// The first `n` nodes of a day, staged with hysteresis from its start.
fn run(seed: u64, index: i64, n: usize) -> Vec<Settled> {
    let start = ORIGIN_S + index as f64 * DAY_S;
    let order = order(index);
    let mut stages = 0;
    let mut held = HOLD_NODES;
    (0..n)
        .map(|k| {
            let t = start + k as f64 * NODE_S;
            let load = demand(seed, t).cooling / CHILLER_KW;
            let over = |s: usize, limit: f64| load > s as f64 * limit;
            if stages == 0 {
                stages = (1..=CHILLERS).find(|&s| !over(s, STAGE_UP)).unwrap_or(CHILLERS);
            } else if held >= HOLD_NODES && stages < CHILLERS && over(stages, STAGE_UP) {
                (stages, held) = (stages + 1, 0);
            } else if held >= HOLD_NODES && stages > 1 && !over(stages - 1, STAGE_DOWN) {
                (stages, held) = (stages - 1, 0);
            }
            held += 1;
            settle(&given(seed, t, order, stages))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::machines::Load;

    #[test]
    fn a_summer_day_stages_up_and_down_and_does_not_hunt() {
        // Day 204 is in July.
        let day = Day::compute(1, 204);
        let count = |n: &Settled| n.on.iter().filter(|&&x| x > 0.5).count();
        let stages: Vec<usize> = day.nodes.iter().take(NODES).map(count).collect();
        assert!(stages.iter().all(|&s| (1..=CHILLERS).contains(&s)));
        assert!(stages.iter().max() > stages.iter().min(), "{stages:?}");
        let switches = stages.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(switches <= 8, "{switches} switches in a day");
    }

    #[test]
    fn a_machine_that_runs_is_loaded_sanely_all_the_year() {
        for index in (0..360).step_by(30) {
            for node in &Day::compute(5, index).nodes {
                let on: f64 = node.on.iter().sum();
                let load = node.cooling.iter().sum::<f64>() / (on * CHILLER_KW);
                assert!((0.3..=1.07).contains(&load), "day {index}: load {load}");
                assert!((2.5..11.0).contains(&node.cop), "day {index}: COP {}", node.cop);
                assert!((6.5..9.5).contains(&node.chw_supply), "day {index}: supply {}", node.chw_supply);
                assert!(node.chw_return > node.chw_supply + 1.0, "day {index}");
                assert!((14.0..36.0).contains(&node.cw_supply), "day {index}: {}", node.cw_supply);
            }
        }
    }

    #[test]
    fn energy_is_the_integral_of_power() {
        let day = Day::compute(9, 190);
        // Simpson's rule with half-second steps over a stretch that ends between two nodes.
        let (from, n) = (36_000.0, 9_000);
        let h = 0.5;
        let i = Load::Chiller(order(190)[0]).index();
        let p = |s: f64| day.at(s).0.power[i];
        let mut sum = p(from) + p(from + h * f64::from(n));
        for k in 1..n {
            sum += p(from + h * f64::from(k)) * if k % 2 == 1 { 4.0 } else { 2.0 };
        }
        let integrated = sum * h / 3.0 / 3600.0;
        let counted = day.at(from + h * f64::from(n)).1.energy[i] - day.at(from).1.energy[i];
        assert!(counted > 50.0);
        assert!((integrated - counted).abs() < 1e-3 * counted, "{integrated} {counted}");
    }

    #[test]
    fn a_day_joins_the_next_without_a_seam() {
        let (a, b) = (Day::compute(2, 100), Day::compute(2, 101));
        let (end, total) = a.at(DAY_S);
        let (start, none) = b.at(0.0);
        for i in 0..LOADS {
            assert!((end.power[i] - start.power[i]).abs() < 1e-9);
            assert!((total.energy[i] - a.total().energy[i]).abs() < 1e-9);
            assert!(none.energy[i].abs() < 1e-12);
        }
    }
}
