//! The line time of what the planner asks, beside the least that any plan takes, on maps as devices have them: random,
//! with runs of wanted registers and gaps between them like those of a meter, an air handling unit, a chiller, and a
//! device of which few registers are wanted. Plans with a fixed gap, as other gateways have them, stand beside it.

use std::fmt::Write as _;
use std::time::Duration;

use steward_edge::lab::noise::mix;
use steward_protocols::character::{Character, Parity};
use steward_protocols::cost::Cost;
use steward_protocols::modbus::{self, frame_gap};
use steward_shared::document::listing;
use steward_shared::profile::{Modbus, Profile};

const MAPS: u64 = 200;
/// Registers of one question at most.
const CAP: u32 = 125;

/// How many runs a map has, and how long runs and gaps are, from and up to.
struct Shape {
    name: &'static str,
    runs: (u64, u64),
    run: (u64, u64),
    gap: (u64, u64),
}

const SHAPES: [Shape; 4] = [
    Shape { name: "meter", runs: (6, 14), run: (2, 24), gap: (1, 30) },
    Shape { name: "air handling unit", runs: (10, 30), run: (1, 6), gap: (1, 20) },
    Shape { name: "chiller", runs: (15, 40), run: (1, 12), gap: (1, 8) },
    Shape { name: "few of many", runs: (4, 10), run: (1, 3), gap: (40, 400) },
];

struct Wire {
    name: &'static str,
    character: Option<Character>,
    turnaround: Duration,
}

const WIRES: [Wire; 5] = [
    Wire::serial("9600 8E1, 5 ms", 9600, Parity::Even, 5),
    Wire::serial("9600 8E1, 30 ms", 9600, Parity::Even, 30),
    Wire::serial("19200 8E1, 20 ms", 19_200, Parity::Even, 20),
    Wire::serial("115200 8N1, 20 ms", 115_200, Parity::None, 20),
    Wire { name: "TCP, 1 ms", character: None, turnaround: Duration::from_millis(1) },
];

impl Wire {
    const fn serial(name: &'static str, baud: u32, parity: Parity, ms: u64) -> Self {
        let character = Some(Character::new(baud, 8, parity, 1));
        Self { name, character, turnaround: Duration::from_millis(ms) }
    }

    /// What the planner is told.
    fn cost(&self) -> Cost {
        match self.character {
            Some(character) => Cost::serial(character, frame_gap(character.baud), self.turnaround),
            None => Cost::tcp(self.turnaround),
        }
    }

    /// Seconds of a question for so many registers, reckoned anew from the standard: 13 characters and two a register,
    /// the turnaround, and 3.5 characters of silence, 1.75 ms above 19200 baud. On a connection a byte takes 10 µs, as
    /// through a device server.
    fn seconds(&self, registers: u32) -> f64 {
        let turnaround = self.turnaround.as_secs_f64();
        let Some(character) = self.character else {
            return turnaround + 2.0 * f64::from(registers) * 10e-6;
        };
        let bits = if character.parity == Parity::None { 10.0 } else { 11.0 };
        let one = bits / f64::from(character.baud);
        let silence = if character.baud <= 19_200 { 3.5 * one } else { 0.00175 };
        f64::from(13 + 2 * registers) * one + turnaround.max(silence) + silence
    }
}

/// Wanted registers: first and end of each run.
type Map = Vec<(u32, u32)>;

fn map(shape: &Shape, seed: u64) -> Map {
    let mut count = 0;
    let mut within = |(from, upto): (u64, u64)| {
        count += 1;
        from + mix(seed << 20 | count) % (upto - from + 1)
    };
    let mut at = 0;
    let runs = within(shape.runs);
    let run = |_| {
        let first = at + within(shape.gap) as u32;
        at = first + within(shape.run) as u32;
        (first, at)
    };
    (0..runs).map(run).collect()
}

/// The least time of any plan: of every register that is wanted, whichever question it may be the last of.
fn least(map: &Map, wire: &Wire) -> f64 {
    let wanted: Vec<u32> = map.iter().flat_map(|(first, end)| *first..*end).collect();
    let mut best = vec![0.0];
    for last in 0..wanted.len() {
        let spans = (0..=last).rev().map(|first| (first, wanted[last] - wanted[first] + 1));
        let fitting = spans.take_while(|(_, span)| *span <= CAP);
        let costs = fitting.map(|(first, span)| best[first] + wire.seconds(span));
        best.push(costs.fold(f64::INFINITY, f64::min));
    }
    best.last().copied().unwrap_or_default()
}

/// Runs are read together while the gap between them is no longer than this.
fn fixed(map: &Map, wire: &Wire, gap: u32) -> f64 {
    let mut asked: Vec<(u32, u32)> = Vec::new();
    for (first, end) in map {
        match asked.last_mut() {
            Some((begin, last)) if first - *last <= gap && end - *begin <= CAP => *last = *end,
            _ => asked.push((*first, *end)),
        }
    }
    asked.iter().map(|(first, end)| wire.seconds(end - first)).sum()
}

fn planned(map: &Map, wire: &Wire) -> anyhow::Result<f64> {
    let mut text = String::from(
        "vendor = \"bench\"\nmodel = \"map\"\ntitle = { zh = \"图\", en = \"Map\" }\nsource = [\"bench\"]\n",
    );
    for address in map.iter().flat_map(|(first, end)| *first..*end) {
        write!(
            text,
            "[[point]]\nkey = \"p{address}\"\ntitle = {{ zh = \"点\", en = \"p\" }}\ntable = \"holding\"\n\
             address = {address}\ntype = \"u16\"\nunit = \"1\"\n"
        )?;
    }
    let profile = Profile::parse("bench/map.toml", &text).map_err(|f| anyhow::anyhow!("{}", listing(&f)))?;
    let all = 0..profile.points.len();
    let blocks = modbus::plan(&profile.points, all, &Modbus::default(), &wire.cost(), &[]);
    let read: usize = blocks.iter().map(|block| block.points.len()).sum();
    anyhow::ensure!(read == profile.points.len(), "a plan that forgets points is none");
    Ok(blocks.iter().map(|block| wire.seconds(u32::from(block.count))).sum())
}

pub fn run() -> anyhow::Result<()> {
    println!("| wire | map | **steward-edge** | worst | no gap | gap 10 | gap 50 |");
    println!("|---|---|---|---|---|---|---|");
    let (mut all, mut worst) = (Vec::new(), 1.0_f64);
    for wire in &WIRES {
        for shape in &SHAPES {
            let mut sums = [0.0; 4];
            let mut own: f64 = 1.0;
            for seed in 0..MAPS {
                let map = map(shape, seed);
                let least = least(&map, wire);
                let ours = planned(&map, wire)? / least;
                own = own.max(ours);
                all.push(ours);
                let costs = [ours, fixed(&map, wire, 0) / least, fixed(&map, wire, 10) / least];
                for (sum, cost) in
                    sums.iter_mut().zip(costs.into_iter().chain([fixed(&map, wire, 50) / least]))
                {
                    *sum += cost;
                }
            }
            worst = worst.max(own);
            let [ours, none, ten, fifty] = sums.map(|sum| sum / MAPS as f64);
            let name = shape.name;
            println!("| {} | {name} | {ours:.3} | {own:.3} | {none:.2} | {ten:.2} | {fifty:.2} |", wire.name);
        }
    }
    println!();
    println!(
        "Line time over the least that any plan takes, mean of {MAPS} random maps each. Over all: mean {:.4}, worst \
         {worst:.3}. No gap is what gateways do that read neighbours only, 10 and 50 are usual settings of others; the \
         planner knows from the line and the device how long a gap is worth it.",
        all.iter().sum::<f64>() / all.len() as f64
    );
    Ok(())
}
