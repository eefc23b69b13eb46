//! The machines: chillers with their curves, pumps on drives by the affinity laws, towers against the wet
//! bulb. [`settle`] finds the state in which they all agree for one load, one weather and one set of running
//! chillers. No memory, no time: who runs is decided by `day`, what breaks by `room`.

/// Rated cooling of one chiller, kW.
pub const CHILLER_KW: f64 = 1000.0;
pub const CHILLERS: usize = 3;
/// kW carried by one m³/h of water per kelvin.
const WATER: f64 = 1.163;
/// Rated flow of one chilled water pump: the rated cooling at 5.5 K.
const CHW_M3H: f64 = CHILLER_KW / (WATER * 5.5);
const CW_M3H: f64 = 205.0;
const CHW_PUMP_KW: f64 = 30.0;
const CW_PUMP_KW: f64 = 37.0;
const TOWER_KW: f64 = 15.0;
/// Chilled water set point, °C.
pub const CHW_SET: f64 = 7.0;

/// Where electricity goes, one meter feeder each group: chillers, pumps and towers, air and services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    Chiller(usize),
    ChwPump(usize),
    CwPump(usize),
    Tower(usize),
    Air(usize),
    Ups,
    Light,
}

pub const LOADS: usize = 4 * CHILLERS + 4;

impl Load {
    pub const fn index(self) -> usize {
        match self {
            Self::Chiller(i) => i,
            Self::ChwPump(i) => CHILLERS + i,
            Self::CwPump(i) => 2 * CHILLERS + i,
            Self::Tower(i) => 3 * CHILLERS + i,
            Self::Air(i) => 4 * CHILLERS + i,
            Self::Ups => 4 * CHILLERS + 2,
            Self::Light => 4 * CHILLERS + 3,
        }
    }
}

/// What the machines are given.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub dry_bulb: f64,
    pub wet_bulb: f64,
    /// Cooling that the house asks for, kW.
    pub cooling: f64,
    /// How far each chiller takes part, 0.0 (off) to 1.0.
    pub on: [f64; CHILLERS],
    /// Towers whose fan turns, 0.0 to 1.0 of each.
    pub fans: [f64; CHILLERS],
    pub air: [f64; 2],
    pub ups: f64,
    pub light: f64,
}

/// One settled state. Powers in kW, temperatures in °C, flows in m³/h, speeds as a share of the rated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settled {
    pub power: [f64; LOADS],
    /// Cooling that each chiller gives, kW.
    pub cooling: [f64; CHILLERS],
    pub on: [f64; CHILLERS],
    /// Cooling asked for and not given, kW.
    pub unmet: f64,
    pub chw_supply: f64,
    pub chw_return: f64,
    pub chw_flow: f64,
    pub chw_speed: f64,
    pub chw_head: f64,
    pub cw_supply: f64,
    pub cw_return: f64,
    pub cw_flow: f64,
    pub cw_speed: f64,
    pub fan_speed: f64,
    pub cop: f64,
    /// Make-up water of the towers, m³/h.
    pub make_up: f64,
}

impl Settled {
    /// Between two states: `x` from 0 to 1.
    #[must_use]
    pub fn between(&self, b: &Self, x: f64) -> Self {
        let l = |p: f64, q: f64| p + (q - p) * x;
        Self {
            power: std::array::from_fn(|i| l(self.power[i], b.power[i])),
            cooling: std::array::from_fn(|i| l(self.cooling[i], b.cooling[i])),
            on: std::array::from_fn(|i| l(self.on[i], b.on[i])),
            unmet: l(self.unmet, b.unmet),
            chw_supply: l(self.chw_supply, b.chw_supply),
            chw_return: l(self.chw_return, b.chw_return),
            chw_flow: l(self.chw_flow, b.chw_flow),
            chw_speed: l(self.chw_speed, b.chw_speed),
            chw_head: l(self.chw_head, b.chw_head),
            cw_supply: l(self.cw_supply, b.cw_supply),
            cw_return: l(self.cw_return, b.cw_return),
            cw_flow: l(self.cw_flow, b.cw_flow),
            cw_speed: l(self.cw_speed, b.cw_speed),
            fan_speed: l(self.fan_speed, b.fan_speed),
            cop: l(self.cop, b.cop),
            make_up: l(self.make_up, b.make_up),
        }
    }
}

/// Coefficient of performance of a chiller at a part load, a condenser inlet and a chilled water outlet.
pub fn cop(part_load: f64, cw_in: f64, chw_out: f64) -> f64 {
    let plr = part_load.clamp(0.1, 1.1);
    let curve = 0.52 + 1.18 * plr - 0.70 * plr * plr;
    6.0 * curve * (1.0 + 0.023 * (30.0 - cw_in)) * (1.0 + 0.02 * (chw_out - CHW_SET))
}

/// The state in which load, chillers, pumps and towers agree.
pub fn settle(given: &Given) -> Settled {
    let mut s = Settled { on: given.on, ..Settled::default() };
    s.power[Load::Air(0).index()] = given.air[0];
    s.power[Load::Air(1).index()] = given.air[1];
    s.power[Load::Ups.index()] = given.ups;
    s.power[Load::Light.index()] = given.light;
    let running: f64 = given.on.iter().sum();
    if running < 1e-6 {
        // Nothing runs: the water stands and takes the warmth of the house.
        return Settled {
            unmet: given.cooling,
            chw_supply: 14.0,
            chw_return: 14.5,
            cw_supply: given.dry_bulb,
            cw_return: given.dry_bulb,
            ..s
        };
    }
    let served = given.cooling.min(running * CHILLER_KW * 1.06);
    let part_load = served / (running * CHILLER_KW);
    s.unmet = given.cooling - served;
    s.chw_speed = (0.42 + 0.60 * part_load).clamp(0.55, 1.0);
    s.chw_flow = running * CHW_M3H * s.chw_speed;
    s.chw_head = 6.0 + 22.0 * s.chw_speed * s.chw_speed;
    // What is not met warms the loop; near full load the outlet droops a little.
    s.chw_supply = CHW_SET + 0.5 * (part_load - 0.7).max(0.0) + 6.0 * s.unmet / CHILLER_KW;
    s.chw_return = s.chw_supply + served / (s.chw_flow * WATER);
    s.cw_speed = (0.66 + 0.34 * part_load).clamp(0.7, 1.0);
    s.cw_flow = running * CW_M3H * s.cw_speed;

    let fans: f64 = given.on.iter().zip(given.fans).map(|(on, fan)| on * fan).sum::<f64>() / running;
    let mut electric = served / 5.5;
    for _ in 0..3 {
        let heat = served + electric;
        // At full fan the approach grows with the load; less air, wider approach. Still air moves a little.
        let full = 1.6 + 2.6 * heat / (running * CHILLER_KW * 1.18);
        // The condenser should not become colder than about 20 °C.
        let wanted = 20.0 + soft_excess(given.wet_bulb + 3.4 - 20.0, 3.0) - given.wet_bulb;
        s.fan_speed = (full / wanted).powf(1.25).clamp(0.25, 1.0);
        let air = (s.fan_speed * fans).max(0.10);
        s.cw_supply = given.wet_bulb + full / air.powf(0.8);
        s.cop = cop(part_load, s.cw_supply, s.chw_supply);
        electric = served / s.cop;
    }
    let heat = served + electric;
    s.cw_return = s.cw_supply + heat / (s.cw_flow * WATER);
    // Evaporation by the heat of vaporisation (2430 kJ/kg), and blow-down at five cycles of concentration.
    s.make_up = heat * 3600.0 / 2430.0 / 1000.0 * 1.25;
    for i in 0..CHILLERS {
        let on = given.on[i];
        s.cooling[i] = served * on / running;
        s.power[Load::Chiller(i).index()] = electric * on / running;
        // Affinity laws: power with the cube of the speed; the drive keeps a little for itself.
        s.power[Load::ChwPump(i).index()] = on * (CHW_PUMP_KW * s.chw_speed.powi(3) + 0.5);
        s.power[Load::CwPump(i).index()] = on * (CW_PUMP_KW * s.cw_speed.powi(3) + 0.6);
        s.power[Load::Tower(i).index()] = on * given.fans[i] * (TOWER_KW * s.fan_speed.powi(3) + 0.3);
    }
    s
}

/// max(0, x) with a rounded corner of width `w`.
pub fn soft_excess(x: f64, w: f64) -> f64 {
    f64::midpoint(x, x.hypot(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summer(cooling: f64, on: [f64; 3]) -> Settled {
        settle(&Given {
            dry_bulb: 33.0,
            wet_bulb: 26.5,
            cooling,
            on,
            fans: [1.0; 3],
            air: [30.0, 30.0],
            ups: 60.0,
            light: 20.0,
        })
    }

    #[test]
    fn a_chiller_is_best_at_part_load_and_with_cool_condenser_water() {
        assert!(cop(0.8, 28.0, 7.0) > cop(0.25, 28.0, 7.0));
        assert!(cop(0.8, 22.0, 7.0) > cop(0.8, 30.0, 7.0));
        assert!((4.5..7.5).contains(&cop(1.0, 30.0, 7.0)));
    }

    #[test]
    fn heat_and_water_balance() {
        let s = summer(1700.0, [1.0, 1.0, 0.0]);
        let carried = s.chw_flow * WATER * (s.chw_return - s.chw_supply);
        assert!((carried - 1700.0).abs() < 0.5, "{carried}");
        let chillers: f64 = s.power[..3].iter().sum();
        let rejected = s.cw_flow * WATER * (s.cw_return - s.cw_supply);
        assert!((rejected - 1700.0 - chillers).abs() < 3.0, "{rejected} {chillers}");
        assert!(s.cw_supply > 27.0 && s.cw_supply < 33.5, "{}", s.cw_supply);
    }

    #[test]
    fn what_one_chiller_cannot_give_warms_the_water() {
        let s = summer(1700.0, [1.0, 0.0, 0.0]);
        assert!(s.unmet > 600.0 && s.chw_supply > 10.0, "{s:?}");
    }

    #[test]
    fn a_standing_machine_takes_no_power() {
        let s = summer(800.0, [0.0, 1.0, 0.0]);
        assert!(s.power[Load::Chiller(0).index()].abs() < 1e-9);
        assert!(s.power[Load::ChwPump(2).index()].abs() < 1e-9);
        assert!(s.power[Load::Chiller(1).index()] > 100.0);
    }

    #[test]
    fn towers_without_fans_make_the_condenser_warm() {
        let with = summer(900.0, [1.0, 0.0, 0.0]);
        let without = settle(&Given {
            dry_bulb: 33.0,
            wet_bulb: 26.5,
            cooling: 900.0,
            on: [1.0, 0.0, 0.0],
            fans: [0.0; 3],
            air: [30.0, 30.0],
            ups: 60.0,
            light: 20.0,
        });
        assert!(without.cw_supply > with.cw_supply + 4.0);
    }
}
