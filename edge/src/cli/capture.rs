//! `steward-edge capture`: writes down every byte of a line with its instant. A line of the gateway's file is polled
//! meanwhile as the daemon would; a port is only listened to, for somebody else asks on it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steward_protocols::character::Character;
use steward_shared::document::listing;
use steward_shared::id::{PointNo, RandomIds};
use steward_shared::profile::Framing;
use steward_shared::time::{Clock, SystemClock};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::out::Out;
use super::text::capture as text;
use super::words::{SerialWords, interrupted};
use crate::config::{LineConfig, WireConfig};
use crate::configure::load;
use crate::evidence::Evidence;
use crate::health::LineGauge;
use crate::lab::capture::{Header, Log, RecordedDial, What};
use crate::lend::Visits;
use crate::line::{Dial, SerialDial, dial_of};
use crate::poll::{LineTask, Told};

#[derive(Debug, clap::Args)]
pub struct CaptureWords {
    /// The line of the gateway's file that is polled and captured.
    #[arg(required_unless_present = "port", conflicts_with = "port")]
    line: Option<String>,
    /// The gateway's file.
    #[arg(long, default_value = super::args::FILE)]
    config: PathBuf,
    /// Only listen at this serial port, where somebody else asks.
    #[arg(long, value_name = "PATH")]
    port: Option<String>,
    #[command(flatten)]
    serial: SerialWords,
    /// End after this time; without it, with Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = super::words::duration)]
    lasts: Option<Duration>,
    /// The file to write; LINE.capture when nothing is said. One that is there already is left alone.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub async fn capture(words: CaptureWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let ended = ended(words.lasts);
    let (log, path) = if let Some(port) = &words.port {
        let dial = SerialDial { path: port.clone(), character: words.serial.character() };
        let path = words.out.unwrap_or_else(|| "port.capture".into());
        let character = Some(dial.character);
        let log = begin(&path, &header("", &dial, Framing::Rtu, character), out)?;
        let mut stream = dial.dial().await.map_err(|e| text::cannot_open(lang, port, &e.to_string()))?;
        out.text(text::listening(lang, port, &path.display().to_string()));
        let listening = async {
            let mut bytes = [0; 1024];
            loop {
                match stream.read(&mut bytes).await {
                    Ok(0) => return Err(text::closed(lang, port)),
                    Ok(n) => log.write(&What::Heard(bytes.get(..n).unwrap_or_default().to_vec())),
                    Err(e) => return Err(text::cannot_open(lang, port, &e.to_string())),
                }
            }
        };
        tokio::select! {
            // A read that is dropped has taken nothing.
            failed = listening => failed?,
            done = ended => done?,
        }
        (log, path)
    } else {
        let name = words.line.unwrap_or_default();
        let line = line_of(&words.config, &name, out)?;
        let dial = dial_of(&line.wire);
        let path = words.out.unwrap_or_else(|| format!("{name}.capture").into());
        let (framing, character) = match &line.wire {
            WireConfig::Serial(serial) => (serial.framing, Some(serial.character)),
            WireConfig::Tcp { framing, .. } => (*framing, None),
            WireConfig::Listen(listen) => (listen.framing, None),
            WireConfig::Bacnet(network) => return Err(text::network(lang, &name, network.listen.port())),
            WireConfig::Mstp(_) => return Err(text::token_line(lang, &name)),
            WireConfig::Mqtt(_) => return Err(text::broker(lang, &name)),
        };
        // The daemon may hold the port: that is told before anything is written.
        drop(dial.dial().await.map_err(|e| text::cannot_open(lang, &dial.target(), &e.to_string()))?);
        let log = begin(&path, &header(&name, dial.as_ref(), framing, character), out)?;
        out.text(text::polling(lang, &name, &path.display().to_string()));
        poll(line, dial, &log, ended, out).await?;
        (log, path)
    };
    log.finish().map_err(|e| text::cannot_write(lang, &path.display().to_string(), &e.to_string()))?;
    out.progress_over();
    out.text(text::written(lang, &path.display().to_string(), log.events()));
    out.value(&json!({ "file": path, "events": log.events() }));
    Ok(())
}

/// Polls the line as the daemon would, until `ended`.
async fn poll(
    line: LineConfig,
    dial: Arc<dyn Dial>,
    log: &Arc<Log>,
    ended: impl Future<Output = Result<(), String>>,
    out: Out,
) -> Result<(), String> {
    let mut number = 0..;
    let mut numbered =
        |points: usize| -> Vec<PointNo> { number.by_ref().take(points).map(PointNo).collect() };
    let numbers = line.devices.iter().map(|d| numbered(d.profile.points.len())).collect();
    let (told, mut heard) = mpsc::channel(64);
    let task = LineTask {
        numbers,
        slowest_before: Duration::ZERO,
        silent_before: vec![false; line.devices.len()],
        dial: Arc::new(RecordedDial { inner: dial, log: Arc::clone(log) }),
        gauge: Arc::new(LineGauge::new(&line.name, line.devices.iter().map(|d| d.name.clone()))),
        evidence: Evidence::none(),
        told,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        config: line,
        visits: Visits::none(),
    };
    let cancel = CancellationToken::new();
    let running = tokio::spawn(task.run(cancel.clone()));
    let (mut readings, mut good) = (0, 0);
    let counting = async {
        while let Some(told) = heard.recv().await {
            if let Told::Readings(some) = told {
                readings += some.len();
                good += some.iter().filter(|r| r.quality.is_good()).count();
                out.progress(text::readings(out.lang, readings, good));
            }
        }
    };
    let done = tokio::select! {
        // The task ends only when it is told to.
        () = counting => Ok(()),
        done = ended => done,
    };
    cancel.cancel();
    // A task that panicked has said so already.
    let _ = timeout(Duration::from_secs(5), running).await;
    done
}

fn line_of(path: &Path, name: &str, out: Out) -> Result<LineConfig, String> {
    let config = load(path, None).map_err(|faults| listing(&faults))?;
    let known: Vec<String> = config.lines.iter().map(|line| line.name.clone()).collect();
    config
        .lines
        .into_iter()
        .find(|line| line.name == name)
        .ok_or_else(|| text::no_line(out.lang, name, &path.display().to_string(), &known.join(", ")))
}

fn header(line: &str, dial: &dyn Dial, framing: Framing, character: Option<Character>) -> Header {
    Header { line: line.to_owned(), port: dial.target(), framing, character, began: SystemClock.now() }
}

fn begin(path: &Path, header: &Header, out: Out) -> Result<Arc<Log>, String> {
    let told = |e: std::io::Error| text::cannot_write(out.lang, &path.display().to_string(), &e.to_string());
    let mut file = BufWriter::new(File::create_new(path).map_err(told)?);
    write!(file, "{header}").map_err(told)?;
    Ok(Arc::new(Log::new(Box::new(file))))
}

async fn ended(lasts: Option<Duration>) -> Result<(), String> {
    tokio::select! {
        // Either ends it.
        heard = interrupted() => heard,
        () = async { match lasts { Some(lasts) => sleep(lasts).await, None => std::future::pending().await } } => Ok(()),
    }
}
