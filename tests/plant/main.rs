//! `steward-plant`: runs the simulated plant room, breaks and mends it, and writes its history.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_tests::plant::control::{Ask, Told, ask};
use steward_tests::plant::fault::{Fault, Options, WORDS};
use steward_tests::plant::files::EdgeSettings;
use steward_tests::plant::history;
use steward_tests::plant::run::{FastClock, Plant, Settings};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(
    name = "steward-plant",
    version,
    about = "A simulated plant room: Modbus TCP and RTU with true timing"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the plant room until it is told to stop; writes DIR/edge.toml and DIR/plant.json.
    Run(Run),
    /// Breaks a device or a line of a running plant.
    Break(Break),
    /// Mends a device or a line, or everything.
    Mend {
        #[arg(long, default_value = "plant")]
        dir: PathBuf,
        /// Device or line; without it everything is mended.
        at: Option<String>,
    },
    /// Says what is broken and what the lines saw.
    List {
        #[arg(long, default_value = "plant")]
        dir: PathBuf,
        /// With what every point shows now.
        #[arg(long)]
        values: bool,
    },
    /// Writes history into the buffer of a gateway, as if it had polled all the while.
    History(History),
}

#[derive(Args)]
struct Run {
    #[arg(long, default_value = "plant")]
    dir: PathBuf,
    /// Another seed, another room.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Port of Modbus TCP on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    tcp_port: u16,
    /// The plant's own time runs this many times as fast.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Where the written edge.toml finds the hub.
    #[arg(long, default_value = "127.0.0.1:7443")]
    hub: String,
    /// Where the written edge.toml lets the edge keep its data; DIR/edge without it.
    #[arg(long)]
    edge_data: Option<PathBuf>,
    /// Where the written edge.toml lets the edge show its own state.
    #[arg(long, default_value = "127.0.0.1:9470")]
    edge_http: String,
    /// Flush interval in the written edge.toml.
    #[arg(long, default_value = "10s")]
    flush: String,
    /// Periods of fast, normal and slow points in the written edge.toml.
    #[arg(long, value_delimiter = ',', default_value = "1s,5s,30s")]
    periods: Vec<String>,
}

#[derive(Args)]
struct Break {
    #[arg(long, default_value = "plant")]
    dir: PathBuf,
    /// What breaks.
    #[arg(value_parser = WORDS)]
    fault: String,
    /// Device or line where it breaks.
    #[arg(long, alias = "line")]
    device: String,
    /// Mends itself after this time, like 60s; without it it stays broken.
    #[arg(long = "for", value_parser = duration)]
    lasts: Option<Duration>,
    /// Share of the answers, 0.0 to 1.0: wrong-crc, short, foreign, lie.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// How late: late.
    #[arg(long, value_parser = duration, default_value = "1500ms")]
    by: Duration,
    /// Exception code: exception.
    #[arg(long, default_value_t = 4)]
    code: u8,
}

#[derive(Args)]
struct History {
    /// The gateway's file that `run` has written.
    #[arg(long)]
    config: PathBuf,
    /// The gateway's data; what the file says without it.
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// From one reading to the next of a fast point; a normal point takes five times, a slow one fifteen times as long.
    #[arg(long, value_parser = duration, default_value = "60s")]
    step: Duration,
    /// Up to this instant; now without it.
    #[arg(long)]
    until: Option<Timestamp>,
    /// The plant's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A time like 60s, 500ms, 5m, 2h.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let n: u64 = number.parse().map_err(|_| format!("{text:?} is no time; write it like 60s"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(n)),
        "s" => Ok(Duration::from_secs(n)),
        "m" | "min" => Ok(Duration::from_secs(n * 60)),
        "h" => Ok(Duration::from_secs(n * 3600)),
        _ => Err(format!("{text:?} has no unit; write it like 500ms, 60s, 5m or 2h")),
    }
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match act(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steward-plant: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(run) => runtime()?.block_on(serve(run)),
        Command::Break(b) => {
            let options = Options { share: b.share, by: b.by, code: b.code };
            let fault = Fault::from_word(&b.fault, options)?;
            let for_ms = b.lasts.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
            show(&ask(&b.dir, &Ask::Break { at: b.device, fault, for_ms })?);
            Ok(())
        }
        Command::Mend { dir, at } => {
            show(&ask(&dir, &Ask::Mend { at })?);
            Ok(())
        }
        Command::List { dir, values } => {
            show(&ask(&dir, if values { &Ask::Values } else { &Ask::List })?);
            Ok(())
        }
        Command::History(h) => {
            let order = history::Order {
                config: h.config,
                data: h.data,
                days: h.days,
                step: h.step,
                until: h.until.unwrap_or_else(|| SystemClock.now()),
                seed: h.seed,
            };
            let told = runtime()?.block_on(history::write(&order, |share| {
                eprint!("\rhistory: {:3.0} %", share * 100.0);
            }))?;
            eprintln!("\r{told}");
            Ok(())
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

async fn serve(run: Run) -> anyhow::Result<()> {
    let [fast, normal, slow] = <[String; 3]>::try_from(run.periods)
        .map_err(|_| anyhow::anyhow!("--periods wants three: fast,normal,slow"))?;
    std::fs::create_dir_all(&run.dir)
        .with_context(|| format!("the folder {} cannot be made", run.dir.display()))?;
    let dir = run.dir.canonicalize()?;
    let edge = EdgeSettings {
        data: run.edge_data.unwrap_or_else(|| dir.join("edge")),
        hub: run.hub,
        http: run.edge_http,
        flush: run.flush,
        periods: [fast, normal, slow],
        ..EdgeSettings::in_folder(&dir)
    };
    let clock: Arc<dyn Clock> = if (run.speed - 1.0).abs() < f64::EPSILON {
        Arc::new(SystemClock)
    } else {
        Arc::new(FastClock { inner: SystemClock, from: SystemClock.now(), speed: run.speed })
    };
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let settings = Settings { dir, seed: run.seed, tcp_port: run.tcp_port, edge };
    let plant = Plant::start(settings, clock).await?;
    let file = &plant.running.file;
    println!("plant: {} devices, seed {}", plant.running.house.devices().len(), file.seed);
    println!("plant: Modbus TCP on 127.0.0.1:{}", file.tcp_port);
    for port in &file.serial {
        println!("plant: Modbus RTU on {} at {} baud", port.path.display(), port.baud);
    }
    println!("plant: gateway's file {}", file.edge_config.display());
    println!("plant: ready");
    tokio::select! {
        // Either signal ends the wait; the other needs no answer then.
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    plant.stop().await?;
    println!("plant: stopped");
    Ok(())
}

fn show(told: &Told) {
    for (device, points) in &told.values {
        for (point, value) in points {
            println!("{device:16} {point:32} {value}");
        }
    }
    for (line, counts) in &told.lines {
        println!(
            "{line}: {} requests, {} answers, {} broken requests, {} too early, {} collisions",
            counts.requests, counts.answers, counts.broken, counts.too_early, counts.collisions
        );
    }
    if told.breaks.is_empty() {
        println!("nothing is broken");
    }
    for b in &told.breaks {
        let until =
            b.until_ms.map_or_else(|| "until mended".to_owned(), |ms| format!("until {}", Timestamp(ms)));
        println!("{}: {} since {}, {until}", b.at, b.fault, Timestamp(b.since_ms));
    }
}
