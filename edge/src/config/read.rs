//! Reads the gateway's file over the compiled-in defaults and under the environment. The command line, the
//! supervisor and the tests call it. Either the whole file is in order, or every fault of it comes back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steward_protocols::sample::verify_samples;
use steward_shared::document::{ByteSize, Document, Fault, HostPort, Table};
use steward_shared::profile::{Library, Profile};
use steward_shared::wire::catalogue::MAX_TEXT;
use steward_shared::wire::message::Names;
use tracing::Level;

use super::line::{Seen, read_line};
use super::mqtt::read_publish;
use super::settings::{BufferConfig, Config, FromHub, Log, LogFormat, Periods};
use crate::evidence::EvidenceSettings;

const DEFAULTS: &str = include_str!("../../edge.default.toml");
/// Before the names of the variables that override single keys: `STEWARD_EDGE__HTTP__LISTEN`.
const VARIABLES: &str = "STEWARD_EDGE";

/// Reads the file and the profiles that it names, with the environment of this process on top.
pub fn load(path: &Path) -> Result<Config, Vec<Fault>> {
    in_place_of(path, &text(path)?, &path.display().to_string())
}

/// What stands in the file.
pub fn text(path: &Path) -> Result<String, Vec<Fault>> {
    std::fs::read_to_string(path).map_err(|e| {
        let way_out =
            "name the gateway's file by --config, or make one (the commented one is edge.default.toml)";
        vec![Fault::of_file(&path.display().to_string(), format!("cannot be read: {e}"), way_out)]
    })
}

/// A text in the place of the file at `path`; its faults name it `name`.
pub fn in_place_of(path: &Path, text: &str, name: &str) -> Result<Config, Vec<Fault>> {
    let variables =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    parse(name, text, path.parent().unwrap_or(Path::new(".")), variables)
}

/// The same from a text. Relative folders in it start at `folder`.
pub fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Fault>> {
    let document = Document::parse("edge.default.toml", DEFAULTS)?
        .overridden_by(Document::parse(name, text)?)
        .overridden_by_environment(VARIABLES, variables)?;
    let mut of_profiles = Vec::new();
    let read = document.read(|root| read_root(root, folder, &mut of_profiles));
    match read {
        Ok(config) if of_profiles.is_empty() => Ok(config),
        Ok(_) => Err(of_profiles),
        Err(mut faults) => {
            faults.extend(of_profiles);
            Err(faults)
        }
    }
}

fn read_root(root: &Table<'_>, folder: &Path, of_profiles: &mut Vec<Fault>) -> Option<Config> {
    let gateway = root.table("gateway").and_then(|t| read_gateway(&t));
    let hub = root.table("hub").map(|t| (t.optional::<HostPort>("address"), read_from_hub(&t)));
    let buffer = root.table("buffer").and_then(|t| read_buffer(&t));
    let evidence = root.table("evidence").and_then(|t| read_evidence(&t));
    let periods = root.table("periods").and_then(|t| read_periods(&t, None));
    let folders = root.table("profiles").and_then(|t| t.required::<Vec<PathBuf>>("folders"));
    let folders: Vec<_> = folders.unwrap_or_default().iter().map(|f| folder.join(f)).collect();
    let library = Library::load(&folders).map_err(|faults| of_profiles.extend(faults)).ok();
    of_profiles.extend(library.iter().flat_map(Library::own).flat_map(|profile| try_samples(profile)));
    let http = root.table("http").and_then(|t| t.required("listen"));
    let log = root.table("log").and_then(|t| read_log(&t));
    let mut seen = Seen::default();
    let lines: Vec<_> = root
        .tables("line")
        .iter()
        .map(|t| read_line(t, periods.as_ref(), library.as_ref(), &mut seen))
        .collect();
    let mut names = BTreeSet::new();
    let publish: Vec<_> = root.tables("publish").iter().map(|t| read_publish(t, &mut names)).collect();
    let (name, title, data) = gateway?;
    let (hub, from_hub) = hub?;
    Some(Config {
        name,
        title,
        data: folder.join(data),
        hub,
        from_hub: from_hub?,
        buffer: buffer?,
        evidence: evidence?,
        folders,
        http: http?,
        log: log?,
        lines: lines.into_iter().collect::<Option<_>>()?,
        publish: publish.into_iter().collect::<Option<_>>()?,
    })
}

/// A profile whose sample frames do not give the values that it states would read its devices wrong. Those of
/// the repository are tried before they are given away.
fn try_samples(profile: &Profile) -> Vec<Fault> {
    verify_samples(profile).into_iter().map(Fault::from).collect()
}

fn read_gateway(table: &Table<'_>) -> Option<(String, Names, PathBuf)> {
    let name = table.required::<String>("name");
    let title = read_title(table, name.as_deref().unwrap_or_default());
    let data = table.required::<PathBuf>("data");
    let name = name?;
    if name.trim().is_empty() || name.chars().count() > 64 {
        table.fault("name", "a name has 1 to 64 characters", "write what people call this gateway");
    }
    Some((name, title, data?))
}

/// `title = { zh = "", en = "" }`; one language stands in for the other, the name for both.
pub(super) fn read_title(table: &Table<'_>, name: &str) -> Names {
    let (mut zh, mut en) = (None, None);
    if let Some(title) = table.optional_table("title") {
        [zh, en] = ["zh", "en"].map(|key| {
            title.optional::<String>(key).filter(|t| !t.is_empty() && title.check_text(key, t, MAX_TEXT))
        });
    }
    let other = zh.clone().or(en.clone()).unwrap_or_else(|| name.to_owned());
    Names { zh: zh.unwrap_or_else(|| other.clone()), en: en.unwrap_or(other) }
}

fn read_from_hub(table: &Table<'_>) -> Option<FromHub> {
    let configure = table.required::<bool>("configure");
    let trial = duration_within(table, "trial", Duration::from_secs(10), Duration::from_hours(1));
    Some(FromHub { configure: configure?, trial: trial? })
}

fn read_buffer(table: &Table<'_>) -> Option<BufferConfig> {
    let flush = duration_within(table, "flush", Duration::from_secs(1), Duration::from_mins(10));
    let flush_readings = table.within("flush_readings", 100..=100_000_usize);
    let retention = duration_within(table, "retention", Duration::ZERO, Duration::from_hours(24 * 3660));
    let quota = table.required::<ByteSize>("quota");
    let least = ByteSize(16 << 20);
    if quota.is_some_and(|q| q < least) {
        table.fault("quota", "this is too little to buffer anything", "write at least \"16MiB\"");
    }
    let quota_bytes = quota?.0;
    Some(BufferConfig { flush: flush?, flush_readings: flush_readings?, retention: retention?, quota_bytes })
}

fn read_evidence(table: &Table<'_>) -> Option<EvidenceSettings> {
    let keep = duration_within(table, "keep", Duration::ZERO, Duration::from_hours(24 * 90));
    let quota = table.required::<ByteSize>("quota");
    Some(EvidenceSettings { keep: keep?, quota_bytes: quota?.0 })
}

/// The periods of a table; a key that is absent is taken from `above`.
pub(super) fn read_periods(table: &Table<'_>, above: Option<&Periods>) -> Option<Periods> {
    let read = |key: &str, above: Option<Duration>| match above {
        Some(period) if !table.has(key) => Some(period),
        _ => duration_within(table, key, Duration::from_millis(100), Duration::from_hours(24 * 7)),
    };
    let fast = read("fast", above.map(|p| p.fast));
    let normal = read("normal", above.map(|p| p.normal));
    let slow = read("slow", above.map(|p| p.slow));
    let static_ = read("static", above.map(|p| p.static_));
    Some(Periods { fast: fast?, normal: normal?, slow: slow?, static_: static_? })
}

fn read_log(table: &Table<'_>) -> Option<Log> {
    let format = table.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let level = table.word("level", &levels);
    Some(Log { format: format?, level: level? })
}

/// A duration of whole milliseconds inside the bounds; out of them is a fault.
pub(super) fn duration_within(
    table: &Table<'_>,
    key: &str,
    least: Duration,
    most: Duration,
) -> Option<Duration> {
    let given = table.required::<Duration>(key)?;
    if given < least || given > most {
        table.fault(
            key,
            "this duration is out of range",
            format!("write one from \"{}ms\" to \"{}s\"", least.as_millis(), most.as_secs()),
        );
        return None;
    }
    if given.subsec_nanos() % 1_000_000 != 0 {
        table.fault(key, "this is no whole number of milliseconds", "round it");
        return None;
    }
    Some(given)
}

/// Whether a name can be an identity: letters, digits, and `-`, `_`, `.` between them.
pub(super) fn check_name(table: &Table<'_>, name: &str) -> bool {
    let fits = (1..=64).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fits {
        let way_out = "write 1 to 64 letters, digits, \"-\", \"_\" or \".\", and what people read into title";
        table.fault("name", format!("\"{name}\" cannot be a name"), way_out);
    }
    fits
}

/// Notes a name that must be the only one of its kind.
pub(super) fn check_unique(
    table: &Table<'_>,
    key: &str,
    kind: &str,
    seen: &mut BTreeSet<String>,
    name: &str,
) {
    if !seen.insert(name.to_owned()) {
        table.fault(key, format!("the {kind} \"{name}\" stands here a second time"), "give each its own");
    }
}
