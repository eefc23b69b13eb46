//! The map as people see it: rows of thirty-two addresses, as text for a terminal or a file of notes, and as one SVG that
//! needs nothing else.

use std::fmt::Write;

use super::map::{Cell, Map, Proof, Run};

/// Addresses in a row.
const ROW: usize = 32;

/// What the marks mean, in the reader's language.
#[derive(Clone, Debug)]
pub struct Legend {
    pub title: String,
    pub seen: String,
    pub made: String,
    pub wanted: String,
    pub read_over: String,
    pub hole: String,
    pub overlap: String,
    /// Between two runs of one table: so many addresses that nobody asks for.
    pub apart: fn(u32) -> String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Seen,
    Made,
    Wanted,
    ReadOver,
    Hole,
    Overlap,
}

impl Mark {
    fn of(cell: &Cell) -> Self {
        if cell.contradicts {
            Self::Overlap
        } else if cell.points.is_empty() {
            if cell.is_read { Self::ReadOver } else { Self::Hole }
        } else {
            match cell.proof {
                Proof::Seen => Self::Seen,
                Proof::Made => Self::Made,
                Proof::None => Self::Wanted,
            }
        }
    }

    const ALL: [Self; 6] = [Self::Seen, Self::Made, Self::Wanted, Self::ReadOver, Self::Hole, Self::Overlap];

    const fn sign(self) -> char {
        match self {
            Self::Seen => '█',
            Self::Made => '▓',
            Self::Wanted => '░',
            Self::ReadOver => '-',
            Self::Hole => '·',
            Self::Overlap => 'X',
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Seen => "#1f6d40",
            Self::Made => "#66b285",
            Self::Wanted => "#c4e3cf",
            Self::ReadOver => "#e2c46c",
            Self::Hole => "#ececec",
            Self::Overlap => "#c0392b",
        }
    }

    fn words(self, legend: &Legend) -> &str {
        match self {
            Self::Seen => &legend.seen,
            Self::Made => &legend.made,
            Self::Wanted => &legend.wanted,
            Self::ReadOver => &legend.read_over,
            Self::Hole => &legend.hole,
            Self::Overlap => &legend.overlap,
        }
    }
}

/// The rows of a run: the address of the first cell of each.
fn rows(run: &Run) -> impl Iterator<Item = (u32, &[Cell])> {
    run.cells.chunks(ROW).zip(0..).map(|(cells, row)| (u32::from(run.address) + row * ROW as u32, cells))
}

pub fn text(map: &Map, legend: &Legend) -> String {
    let mut told = String::new();
    let mut before: Option<&Run> = None;
    for run in &map.runs {
        match before {
            Some(before) if before.table == run.table => {
                let _ = writeln!(told, "       {}", (legend.apart)(u32::from(run.address) - before.end()));
            }
            _ => {
                let _ = writeln!(told, "{}", run.table.word());
            }
        }
        for (address, cells) in rows(run) {
            let marks: String = cells.iter().map(|cell| Mark::of(cell).sign()).collect();
            let _ = writeln!(told, "{address:>6} {marks}");
        }
        before = Some(run);
    }
    let legend: Vec<String> =
        Mark::ALL.iter().map(|mark| format!("{} {}", mark.sign(), mark.words(legend))).collect();
    told + &legend.join("   ")
}

const CELL: usize = 20;
const MARGIN: usize = 70;

pub fn svg(map: &Map, legend: &Legend) -> String {
    let mut body = String::new();
    let mut y = 40;
    let mut before: Option<&Run> = None;
    for run in &map.runs {
        let words = match before {
            Some(before) if before.table == run.table => {
                (legend.apart)(u32::from(run.address) - before.end())
            }
            _ => run.table.word().to_owned(),
        };
        y += CELL;
        let _ =
            writeln!(body, "<text x=\"{MARGIN}\" y=\"{}\" class=\"head\">{}</text>", y - 6, escape(&words));
        for (address, cells) in rows(run) {
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{address}</text>",
                MARGIN - 8,
                y + 14
            );
            for (column, cell) in cells.iter().enumerate() {
                let mark = Mark::of(cell);
                let what = if cell.points.is_empty() {
                    mark.words(legend).to_owned()
                } else {
                    cell.points.join(", ")
                };
                let _ = writeln!(
                    body,
                    "<rect x=\"{}\" y=\"{y}\" width=\"18\" height=\"18\" fill=\"{}\"><title>{}: {}</title></rect>",
                    MARGIN + column * CELL,
                    mark.colour(),
                    address + column as u32,
                    escape(&what)
                );
            }
            y += CELL;
        }
        before = Some(run);
    }
    y += CELL;
    for mark in Mark::ALL {
        let (fill, words) = (mark.colour(), escape(mark.words(legend)));
        let _ = writeln!(body, "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"18\" height=\"18\" fill=\"{fill}\"/>");
        let _ = writeln!(body, "<text x=\"{}\" y=\"{}\">{words}</text>", MARGIN + 26, y + 14);
        y += CELL;
    }
    let width = MARGIN + ROW * CELL + 20;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {}\" width=\"{width}\" font-family=\"sans-serif\" \
         font-size=\"12\"><style>.head{{font-weight:bold}}</style><text x=\"{MARGIN}\" y=\"24\" font-size=\"16\">{}</text>\n{body}</svg>\n",
        y + 10,
        escape(&legend.title)
    )
}

/// A text inside XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Table;

    use super::*;

    fn legend() -> Legend {
        Legend {
            title: "a <b>".into(),
            seen: "seen".into(),
            made: "made".into(),
            wanted: "wanted".into(),
            read_over: "read over".into(),
            hole: "not read".into(),
            overlap: "contradicts".into(),
            apart: |n| format!("({n} not read)"),
        }
    }

    #[test]
    fn every_kind_of_address_has_its_mark() {
        let wanted = Cell { points: vec!["a".into()], is_read: true, ..Cell::default() };
        let cells = vec![
            Cell { proof: Proof::Seen, ..wanted.clone() },
            Cell { proof: Proof::Made, ..wanted.clone() },
            wanted.clone(),
            Cell { is_read: true, ..Cell::default() },
            Cell::default(),
            Cell { contradicts: true, ..wanted.clone() },
        ];
        let run = |address, cells| Run { table: Table::Holding, address, cells };
        let map = Map { runs: vec![run(10, cells), run(100, vec![wanted; 33])] };
        let told = text(&map, &legend());
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[..3], ["holding", "    10 █▓░-·X", "       (84 not read)"]);
        assert!(lines[3].starts_with("   100 ░░░") && lines[4] == "   132 ░", "{told}");
        let drawn = svg(&map, &legend());
        assert!(drawn.contains("a &lt;b&gt;") && drawn.matches("<rect").count() == 6 + 33 + 6, "{drawn}");
    }
}
