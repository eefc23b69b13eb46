//! How a command speaks: its answer to standard output, as text or as JSON, and what is only worth knowing to standard
//! error. A reader that has gone away (`| head`) ends the program quietly.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::text::{Lang, common, told};

/// The way to the reader.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    pub lang: Lang,
    pub json: bool,
}

impl Out {
    pub const fn new(lang: Lang, json: bool) -> Self {
        Self { lang, json }
    }

    /// A part of the answer, as text. Nothing where programs read.
    pub fn text(self, text: impl Display) {
        if !self.json {
            write(&format!("{text}\n"));
        }
    }

    /// A part of the answer, for programs: one line. Nothing where people read.
    pub fn value(self, value: &impl Serialize) {
        if self.json {
            let line = serde_json::to_string(value).expect("what commands say has texts for keys");
            write(&format!("{line}\n"));
        }
    }

    /// Beside the answer: how far it is, what to mind.
    pub fn aside(self, text: impl Display) {
        beside(&format!("{}\n", told(self.lang, &text.to_string())));
    }

    /// How far it is, on one line that is written over; only where somebody looks.
    #[allow(clippy::unused_self, reason = "one way to the reader")]
    pub fn progress(self, text: impl Display) {
        if io::stderr().is_terminal() {
            beside(&format!("\r\x1b[K{text}"));
        }
    }

    /// Clears the line of `progress`.
    pub fn progress_over(self) {
        self.progress("");
    }

    /// Why the command could not do it.
    pub fn failed(self, why: &str) {
        if self.json {
            beside(&format!("{}\n", serde_json::json!({ "error": why })));
        } else {
            beside(&format!("{}\n", common::error(self.lang, &told(self.lang, why))));
        }
    }
}

/// To standard error; nobody may read that any more (`2>&1 | head`), and the exit code says what there is to say.
fn beside(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
