//! `steward-edge write`: reads what stands there, writes, reads back; for a while only when `--for` says so, and then
//! what stood there comes back, also after Ctrl-C, and after kill -9 by the daemon or the next tool.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use steward_protocols::modbus::{self, Change, Write, put};
use steward_protocols::question::Address;
use steward_shared::profile::{PointDef, Table, Writable};
use steward_shared::reading::Value;
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::message::PointKind;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::super::execute::chain;
use super::super::out::Out;
use super::super::text::write as text;
use super::command::command;
use super::place::Place;
use super::reach::{by_file, not_lent, why};
use super::shown;
use super::words::WriteWords;
use crate::hold::{
    Back, BackError, Hold, HoldError, Kept, bring_back, read_words, shown_words, write_change,
};
use crate::lend::Reach;

/// How long the way back is tried before it is left to the daemon.
const WAY_BACK: Duration = Duration::from_mins(2);
const AGAIN: Duration = Duration::from_secs(3);

pub async fn write(words: WriteWords, out: Out) -> Result<(), String> {
    let place = Place::find(&words.config, &words.target, out)?;
    settle_orphans(&place, words.back, out).await;
    if place.line().wire.is_bacnet() {
        return command(&place, &words, out).await;
    }
    if words.priority.is_some() || words.relinquish {
        return Err(text::only_bacnet(out.lang));
    }
    let job = Job::new(&place, &words, out)?;
    if words.back {
        return Ok(());
    }
    let old = job.look(out).await?;
    let new = put::with_value(job.point, &job.value, &old.words).map_err(|e| e.to_string())?;
    let change = put::change(job.point, &new).ok_or_else(|| text::not_writable(out.lang, &job.name))?;
    out.text(text::plan(
        out.lang,
        &job.name,
        &job.shown(&old, out),
        &shown::value(job.point, &job.value, out.lang),
    ));
    if let Some(expected) = &words.expect {
        let expected = meant(job.point, expected, out)?;
        if old.value.as_ref() != Some(&expected) {
            let expected = shown::value(job.point, &expected, out.lang);
            return Err(text::not_expected(out.lang, &job.name, &job.shown(&old, out), &expected));
        }
    }
    if words.dry_run {
        return job.dry_run(&change, out);
    }
    confirm(&words, out)?;
    let kept = match words.for_ {
        Some(time) => Some(job.keep(&old, &new, SystemClock.now().plus(time), out)?),
        None => None,
    };
    let written = job.put(&old, change, &new, out).await;
    if written.is_err() {
        // Whatever stands there now, nothing was promised: what was there before comes back.
        if let Some(kept) = kept {
            way_back(&place, kept, out).await?;
        }
        return written;
    }
    let Some(kept) = kept else { return Ok(()) };
    out.aside(text::held(out.lang, &job.name, &kept.hold.until.to_string()));
    wait(words.for_.unwrap_or_default()).await?;
    way_back(&place, kept, out).await
}

/// What is written where.
struct Job<'p> {
    place: &'p Place,
    point: &'p PointDef,
    name: String,
    value: Value,
}

/// What stood in the point.
struct Old {
    words: Vec<u16>,
    value: Option<Value>,
}

impl<'p> Job<'p> {
    fn new(place: &'p Place, words: &WriteWords, out: Out) -> Result<Self, String> {
        let device = place.device();
        let Some(point) = place.point.and_then(|p| device.profile.points.get(p)) else {
            return Err(text::name_a_point(out.lang));
        };
        let name = format!("{}/{}", device.name, point.key);
        let Some(writable) = point.write else { return Err(never_written(point, &name, out)) };
        let value = match &words.value {
            Some(value) => meant(point, value, out)?,
            None if words.back => Value::Number(0.0),
            None => return Err(text::name_a_value(out.lang)),
        };
        if !words.back {
            allowed(point, writable, &value, &name, out)?;
        }
        Ok(Self { place, point, name, value })
    }

    async fn reach(&self, out: Out) -> Result<Reach, String> {
        by_file(&self.place.config, self.place.line(), out).await
    }

    /// Asks on a line that is given back at once: a person may think for long.
    async fn look(&self, out: Out) -> Result<Old, String> {
        let mut reach = self.reach(out).await?;
        self.read(&mut reach, out).await
    }

    async fn read(&self, reach: &mut Reach, out: Out) -> Result<Old, String> {
        let words = read_words(reach, self.place.device(), self.point).await;
        let words = words.map_err(|e| told(reach, &e, out))?;
        let value = shown_words(self.point, &words);
        Ok(Old { words, value })
    }

    fn shown(&self, old: &Old, out: Out) -> String {
        let hex = || old.words.iter().map(|w| format!("{w:04X}")).collect::<Vec<_>>().join(" ");
        old.value.as_ref().map_or_else(hex, |value| shown::value(self.point, value, out.lang))
    }

    /// Shows the frame that would be sent.
    fn dry_run(&self, change: &Change, out: Out) -> Result<(), String> {
        let Address::Modbus(unit) = self.place.device().address else {
            return Err(text::not_writable(out.lang, &self.name));
        };
        let write = Write::new(unit, change.clone()).map_err(|e| e.to_string())?;
        let frame = modbus::exchange(write, self.place.line().wire.framing()).frame(1);
        let hex = frame.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ");
        out.text(text::would_send(out.lang, change.function(), &hex));
        out.value(
            &json!({ "point": self.name, "function": change.function(), "frame": hex, "written": false }),
        );
        Ok(())
    }

    fn keep(&self, old: &Old, new: &[u16], until: Timestamp, out: Out) -> Result<Kept, String> {
        let hold = Hold {
            device: self.place.device().name.clone(),
            point: self.point.key.clone(),
            before: old.words.clone(),
            written: new.to_vec(),
            command: None,
            until,
            by: user(),
        };
        Kept::begin(&self.place.config.data, hold).map_err(|e| match e {
            HoldError::Held(first) => {
                text::held_already(out.lang, &self.name, &first.by, &first.until.to_string())
            }
            HoldError::File(path, e) => text::no_hold(out.lang, &path, &e.to_string()),
        })
    }

    /// Looks once more, writes, reads back.
    async fn put(&self, old: &Old, change: Change, new: &[u16], out: Out) -> Result<(), String> {
        let mut reach = self.reach(out).await?;
        let now = self.read(&mut reach, out).await?;
        if now.words != old.words {
            return Err(text::changed_meanwhile(out.lang, &self.name, &self.shown(&now, out)));
        }
        let sent = write_change(&mut reach, self.place.device(), change).await;
        let sent = sent.map_err(|e| told(&reach, &e, out));
        let after = self.read(&mut reach, out).await;
        let outcome = match (&sent, &after) {
            (_, Ok(after)) if put::with_words(self.point, new, &after.words) == after.words => Ok(()),
            (Ok(()), Ok(after)) => Err(text::not_kept(out.lang, &self.name, &self.shown(after, out))),
            (Ok(()), Err(why)) => Err(text::not_seen(out.lang, &self.name, why)),
            (Err(why), _) => Err(text::not_taken(out.lang, &self.name, why)),
        };
        // The device keeps what its register can hold: of 25.55 in steps of 0.1 that is 25.6.
        let kept = after.as_ref().ok().filter(|_| outcome.is_ok()).and_then(|after| after.value.as_ref());
        let kept = kept.unwrap_or(&self.value);
        let (data, value) = (&self.place.config.data, kept.as_number());
        note(data, &self.name, &self.shown(old, out), value, outcome.is_ok());
        outcome?;
        out.text(text::written(out.lang, &self.name, &shown::value(self.point, kept, out.lang)));
        let before = old.value.as_ref().and_then(Value::as_number);
        out.value(&json!({ "point": self.name, "before": before, "value": value, "written": true }));
        Ok(())
    }
}

/// Why a point without `write` is not written, and whether the profile can change that.
fn never_written(point: &PointDef, name: &str, out: Out) -> String {
    match point.register() {
        Some(register) if matches!(register.table, Table::Holding | Table::Coil) => {
            text::not_writable(out.lang, name)
        }
        Some(register) => text::read_only_table(out.lang, name, register.table.word()),
        None => text::read_only_language(out.lang, name),
    }
}

/// Who wrote what, for whoever asks later: one line in `writes.jsonl` of the data folder.
pub(super) fn note(data: &Path, point: &str, before: &str, value: Option<f64>, done: bool) {
    let path = data.join("writes.jsonl");
    let line = json!({
        "at": SystemClock.now(),
        "by": user(),
        "point": point,
        "before": before,
        "value": value,
        "done": done,
    });
    // A folder that may not be written to does not undo what was done.
    let file = File::options().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| writeln!(file, "{line}"));
}

/// A value as people write it: a number, the word of a label, on and off.
pub(super) fn meant(point: &PointDef, given: &str, out: Out) -> Result<Value, String> {
    let label = point.labels.iter().find(|l| l.names.zh == given || l.names.en.eq_ignore_ascii_case(given));
    if let Some(label) = label {
        return Ok(Value::Number(label.code as f64));
    }
    if point.kind == PointKind::Flag {
        match given {
            "on" | "true" | "开" => return Ok(Value::Number(1.0)),
            "off" | "false" | "关" => return Ok(Value::Number(0.0)),
            _ => {}
        }
    }
    let number = given.parse::<f64>().ok().filter(|n| n.is_finite());
    number.map(Value::Number).ok_or_else(|| text::no_value(out.lang, given, &choices(point, out)))
}

pub(super) fn choices(point: &PointDef, out: Out) -> String {
    let label = |l: &steward_shared::wire::message::Label| {
        format!("{} ({})", l.code, out.lang.pick(&l.names.zh, &l.names.en))
    };
    match point.write.and_then(|w| w.range) {
        Some((min, max)) => format!("{min} … {max}"),
        None if point.labels.is_empty() => "0, 1".to_owned(),
        None => point.labels.iter().map(label).collect::<Vec<_>>().join(", "),
    }
}

pub(super) fn allowed(
    point: &PointDef,
    may: Writable,
    value: &Value,
    name: &str,
    out: Out,
) -> Result<(), String> {
    let number = value.as_number().unwrap_or(f64::NAN);
    let fits = match (may.range, point.kind) {
        (Some((min, max)), _) => (min..=max).contains(&number),
        (None, PointKind::Flag) => matches!(shown::code(number), Some(0 | 1)),
        (None, _) => point.labels.iter().any(|l| Some(l.code) == shown::code(number)),
    };
    if !fits {
        return Err(text::not_allowed(out.lang, name, number, &choices(point, out)));
    }
    if point.register().is_none() {
        return Ok(());
    }
    put::fits(point, value).map_err(|e| e.to_string())
}

/// A person says yes; who writes from a program says so beforehand.
pub(super) fn confirm(words: &WriteWords, out: Out) -> Result<(), String> {
    if words.yes || words.expect.is_some() {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(text::say_yes(out.lang));
    }
    eprint!("{}", text::sure(out.lang));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| e.to_string())?;
    if matches!(answer.trim(), "y" | "Y" | "yes" | "是") { Ok(()) } else { Err(text::not_written(out.lang)) }
}

/// Until the time is over or somebody ends the program.
pub(super) async fn wait(time: Duration) -> Result<(), String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|e| e.to_string())?;
    tokio::select! {
        // Whatever ends it, the way back follows.
        () = sleep(time) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

pub(super) async fn way_back(place: &Place, kept: Kept, out: Out) -> Result<(), String> {
    let name = format!("{}/{}", kept.hold.device, kept.hold.point);
    let mut last = String::new();
    let tries = async {
        loop {
            match bring_back(&place.config, &kept.hold).await {
                Ok(back) => return back,
                Err(e) => last = chain(&e),
            }
            sleep(AGAIN).await;
        }
    };
    let Ok(back) = timeout(WAY_BACK, tries).await else {
        return Err(text::not_back(out.lang, &name, &last));
    };
    kept.end().map_err(|e| e.to_string())?;
    match back {
        Back::Restored => out.text(text::back(out.lang, &name)),
        Back::ChangedSince => out.text(text::changed_since(out.lang, &name)),
    }
    out.value(&json!({ "point": name, "restored": back == Back::Restored }));
    Ok(())
}

/// Holds whose tool has died: those that are due, and with `--back` the point's own at once.
async fn settle_orphans(place: &Place, at_once: bool, out: Out) {
    let is_meant = |hold: &Hold| {
        let key = place.point.and_then(|p| place.device().profile.points.get(p)).map(|p| &p.key);
        hold.device == place.device().name && Some(&hold.point) == key
    };
    for kept in Kept::orphans(&place.config.data) {
        if kept.hold.until > SystemClock.now() && !(at_once && is_meant(&kept.hold)) {
            continue;
        }
        if let Err(why) = way_back(place, kept, out).await {
            out.aside(why);
        }
    }
}

fn told(reach: &Reach, error: &BackError, out: Out) -> String {
    match error {
        BackError::Failure(failure) => why(reach, failure, out),
        BackError::Refused(refusal) => super::super::text::device::refused(out.lang, refusal),
        BackError::Borrow(e) => not_lent(e, Path::new("."), "", out),
        other => chain(other),
    }
}

/// Whoever sits there, behind sudo too.
pub(super) fn user() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    name.unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
}
