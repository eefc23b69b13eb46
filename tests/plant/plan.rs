//! The list of the room: its lines and its devices. An addition to the room begins here.

use steward_protocols::far_end::Pace;
use steward_protocols::question::{Address, Node};
use steward_protocols::{cjt188, dlt645};

use super::machines::{CHILLERS, Load};

/// What an instrument is fixed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Meter(Feeder),
    Chiller(usize),
    ChwPump(usize),
    CwPump(usize),
    Tower(usize),
    /// Controller of an air handler: holds the temperature of its zone.
    Zone(usize),
    /// The unit that brings fresh air, with heat recovery.
    FreshAir,
    WaterMeter,
    Ups,
}

impl Role {
    /// Whether it can trip.
    pub const fn is_a_machine(self) -> bool {
        matches!(self, Self::Chiller(_) | Self::ChwPump(_) | Self::CwPump(_) | Self::Tower(_))
    }
}

/// What a power meter measures. The main meter is the sum of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    Main,
    Chillers,
    Pumps,
    Services,
    /// Behind the meter of the pumps, and counted there.
    Towers,
    /// Behind the meter of air and services, and counted there.
    Lighting,
}

impl Feeder {
    /// The loads behind it, by their index.
    pub fn loads(self) -> std::ops::Range<usize> {
        let all = super::machines::LOADS;
        match self {
            Self::Main => 0..all,
            Self::Chillers => 0..CHILLERS,
            Self::Pumps => CHILLERS..4 * CHILLERS,
            Self::Services => 4 * CHILLERS..all,
            Self::Towers => 3 * CHILLERS..4 * CHILLERS,
            Self::Lighting => Load::Light.index()..Load::Light.index() + 1,
        }
    }

    /// The feeders that a meter adds up.
    pub const fn parts(self) -> &'static [Self] {
        match self {
            Self::Main => &[Self::Chillers, Self::Pumps, Self::Services],
            Self::Chillers => &[Self::Chillers],
            Self::Pumps => &[Self::Pumps],
            Self::Services => &[Self::Services],
            Self::Towers => &[Self::Towers],
            Self::Lighting => &[Self::Lighting],
        }
    }
}

/// A line: a serial port with its pace, or one TCP port.
#[derive(Clone, Copy, Debug)]
pub struct LinePlan {
    pub name: &'static str,
    /// The link's name in the plant's folder, and the pace.
    pub serial: Option<(&'static str, Pace)>,
    /// Whether it is a BACnet/IP network.
    pub bacnet: bool,
}

impl LinePlan {
    pub const fn is_tcp(&self) -> bool {
        self.serial.is_none() && !self.bacnet
    }

    const fn serial(name: &'static str, link: &'static str, baud: u32) -> Self {
        Self { name, serial: Some((link, Pace { baud, bits: 11 })), bacnet: false }
    }
}

pub const LINES: [LinePlan; 4] = [
    LinePlan { name: "switchgear", serial: None, bacnet: false },
    // 8N2, which the standard asks for where there is no parity: eleven bits a character. A pseudo-terminal
    // has no parity, and the C library refuses to ask it for one.
    LinePlan::serial("drives", "ttyS1", 19_200),
    LinePlan::serial("field", "ttyS2", 9600),
    LinePlan { name: "bms", serial: None, bacnet: true },
];

#[derive(Clone, Copy, Debug)]
pub struct DevicePlan {
    pub name: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
    pub place: &'static str,
    pub profile: &'static str,
    pub line: &'static str,
    pub address: Address,
    /// How fast it speaks, where that is not as fast as its line.
    pub baud: Option<u32>,
    pub role: Role,
}

const POWER_METER: &str = "schneider/pm5350";
const CHECK_METER: &str = "eastron/sdm630";
/// The register map of a smaller machine than this room has: what matters here is that the map is a real one.
const CHILLER: &str = "chiltrix/cx34";
const DRIVE: &str = "danfoss/fc-102";
const CONTROLLER: &str = "omron/e5cc";
const WATER_METER: &str = "oem/tuf-2000m";
const DLT645_METER: &str = "dlt645/three-phase";
const CJT188_METER: &str = "cjt188/water-1f90";
const UPS: &str = "apc/smart-ups";
const AIR_HANDLER: &str = "flexit/nordic";

const SWITCH_ROOM: &str = "B1 配电室 Switch room";
const CHILLER_ROOM: &str = "B1 冷冻机房 Chiller room";
const ROOF: &str = "屋面 Roof";

macro_rules! device {
    ($name:literal, $zh:literal, $en:literal, $place:expr, $profile:expr, $line:literal, $address:literal, $role:expr) => {
        DevicePlan {
            name: $name,
            zh: $zh,
            en: $en,
            place: $place,
            profile: $profile,
            line: $line,
            address: Address::Modbus($address),
            baud: None,
            role: $role,
        }
    };
}

pub const DEVICES: [DevicePlan; 19] = [
    device!(
        "main-meter",
        "总进线电表",
        "Main incomer meter",
        SWITCH_ROOM,
        POWER_METER,
        "switchgear",
        1,
        Role::Meter(Feeder::Main)
    ),
    device!(
        "meter-chillers",
        "冷水机组电表",
        "Chillers meter",
        SWITCH_ROOM,
        POWER_METER,
        "switchgear",
        2,
        Role::Meter(Feeder::Chillers)
    ),
    device!(
        "meter-pumps",
        "水泵冷却塔电表",
        "Pumps and towers meter",
        SWITCH_ROOM,
        POWER_METER,
        "switchgear",
        3,
        Role::Meter(Feeder::Pumps)
    ),
    device!(
        "meter-services",
        "空调与动力电表",
        "Air and services meter",
        SWITCH_ROOM,
        POWER_METER,
        "switchgear",
        4,
        Role::Meter(Feeder::Services)
    ),
    device!(
        "chiller-1",
        "1号冷水机组",
        "Chiller 1",
        CHILLER_ROOM,
        CHILLER,
        "switchgear",
        11,
        Role::Chiller(0)
    ),
    device!(
        "chiller-2",
        "2号冷水机组",
        "Chiller 2",
        CHILLER_ROOM,
        CHILLER,
        "switchgear",
        12,
        Role::Chiller(1)
    ),
    device!(
        "chiller-3",
        "3号冷水机组",
        "Chiller 3",
        CHILLER_ROOM,
        CHILLER,
        "switchgear",
        13,
        Role::Chiller(2)
    ),
    device!("ups-1", "UPS不间断电源", "UPS", SWITCH_ROOM, UPS, "switchgear", 21, Role::Ups),
    device!(
        "chw-pump-1",
        "1号冷冻水泵",
        "Chilled water pump 1",
        CHILLER_ROOM,
        DRIVE,
        "drives",
        1,
        Role::ChwPump(0)
    ),
    device!(
        "chw-pump-2",
        "2号冷冻水泵",
        "Chilled water pump 2",
        CHILLER_ROOM,
        DRIVE,
        "drives",
        2,
        Role::ChwPump(1)
    ),
    device!(
        "cw-pump-1",
        "1号冷却水泵",
        "Condenser water pump 1",
        CHILLER_ROOM,
        DRIVE,
        "drives",
        3,
        Role::CwPump(0)
    ),
    device!("tower-fan-1", "1号冷却塔风机", "Cooling tower fan 1", ROOF, DRIVE, "drives", 4, Role::Tower(0)),
    device!(
        "meter-towers",
        "冷却塔分表",
        "Cooling towers meter",
        CHILLER_ROOM,
        CHECK_METER,
        "drives",
        21,
        Role::Meter(Feeder::Towers)
    ),
    device!(
        "ahu-wards",
        "病房楼空调箱",
        "Air handler, wards",
        "3F 空调机房 Air handler room",
        CONTROLLER,
        "field",
        1,
        Role::Zone(0)
    ),
    device!(
        "ahu-theatre",
        "手术部空调箱",
        "Air handler, theatres",
        "4F 空调机房 Air handler room",
        CONTROLLER,
        "field",
        2,
        Role::Zone(1)
    ),
    device!(
        "make-up-water",
        "冷却塔补水表",
        "Tower make-up water meter",
        ROOF,
        WATER_METER,
        "field",
        11,
        Role::WaterMeter
    ),
    // On the same wire as the controllers, each in its own language and at its own pace.
    DevicePlan {
        name: "meter-lighting",
        zh: "照明电表",
        en: "Lighting meter",
        place: SWITCH_ROOM,
        profile: DLT645_METER,
        line: "field",
        address: Address::Dlt645(dlt645::Address::new([0x45, 0x06, 0x23, 0x01, 0x04, 0x21])),
        baud: None,
        role: Role::Meter(Feeder::Lighting),
    },
    DevicePlan {
        name: "make-up-check",
        zh: "补水校核水表",
        en: "Make-up check meter",
        place: ROOF,
        profile: CJT188_METER,
        line: "field",
        address: Address::Cjt188(cjt188::Address::new([0x88, 0x01, 0x00, 0x23, 0x20, 0x33, 0x78])),
        baud: Some(2400),
        role: Role::WaterMeter,
    },
    // Found on the network by its number.
    DevicePlan {
        name: "ahu-fresh",
        zh: "门诊新风机组",
        en: "Fresh air unit, outpatients",
        place: "2F 新风机房 Fresh air room",
        profile: AIR_HANDLER,
        line: "bms",
        address: Address::Bacnet(Node { instance: 2001, at: None }),
        baud: None,
        role: Role::FreshAir,
    },
];
