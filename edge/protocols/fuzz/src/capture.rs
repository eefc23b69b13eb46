//! A capture's file, as the program writes it and people change it.

use steward_shared::document::listing;

use crate::list::{Target, target};

#[path = "../../../src/lab/capture/file.rs"]
mod text;

use text::{Capture, line_of};

pub const TARGET: Target = target("capture_file", file, seeds);

pub fn file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Capture::parse("line.capture", text) {
        Ok(capture) => {
            let lines = capture.events.iter().map(|event| line_of(event.at, &event.what) + "\n");
            let written = capture.header.to_string() + &lines.collect::<String>();
            let again = Capture::parse("again.capture", &written).map_err(|faults| listing(&faults));
            let again = again.expect("what is written can be read");
            assert_eq!(again.header, capture.header);
            assert_eq!(again.events.len(), capture.events.len());
            for (one, other) in again.events.iter().zip(&capture.events) {
                assert_eq!(one.what, other.what);
            }
        }
        Err(faults) => assert!(!listing(&faults).is_empty(), "refused, and nobody says why"),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    [SERIAL, TCP].map(|text| text.as_bytes().to_vec()).into()
}

const SERIAL: &str = include_str!("../../../src/lab/capture/example.capture");
const TCP: &str = "\
# steward capture 1
# framing = tcp

0 > 00 01 00 00 00 06 11 03 00 6B 00 03
0.5 ? 01 03 02 00 01
= empty
";
