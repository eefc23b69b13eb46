//! The program: reads its settings, says at once what is wrong with them, serves until it is told to stop.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use metrics_exporter_prometheus::PrometheusBuilder;
use steward_hub::app::{self, App};
use steward_hub::config::{self, Config, LogFormat};
use steward_hub::kernel::audit;
use steward_hub::kernel::db::{Db, check};
use steward_hub::{accounts, modules};
use steward_shared::document::listing;
use steward_shared::id::RandomIds;
use steward_shared::systemd::Systemd;
use steward_shared::time::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "steward-hub", version, about = "Steward for all buildings: console, API and store")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve.
    Run(ConfigFile),
    /// Read the settings and say everything that is wrong with them.
    Check(ConfigFile),
    /// Print the API's description.
    Openapi,
    /// Print who may call what.
    Policies,
    /// The audit trail.
    Audit {
        #[command(subcommand)]
        act: AuditAct,
    },
    /// The people who may log in.
    Users {
        #[command(subcommand)]
        act: UsersAct,
    },
}

#[derive(Args)]
struct ConfigFile {
    /// The site's settings; without it the defaults and the environment hold.
    #[arg(long, short)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum AuditAct {
    /// Look for rows that were changed, removed, moved or cut off.
    Verify(ConfigFile),
}

#[derive(Subcommand)]
enum UsersAct {
    /// Give a user a new password, print it, and end all their sessions.
    ResetPassword {
        /// The name that they log in with.
        user: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

fn main() -> ExitCode {
    match work(Cli::parse().command) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("steward-hub: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(file) => {
            let Some(config) = settings(&file) else { return Ok(ExitCode::from(2)) };
            runtime()?.block_on(run(config))
        }
        Command::Check(file) => {
            let Some(config) = settings(&file) else { return Ok(ExitCode::from(2)) };
            println!(
                "the settings are in order; data in {}, database {}",
                config.settings.data.display(),
                config.database
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            print!("{}", app::openapi());
            Ok(ExitCode::SUCCESS)
        }
        Command::Policies => {
            print!("{}", app::policies());
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit { act: AuditAct::Verify(file) } => {
            let Some(config) = settings(&file) else { return Ok(ExitCode::from(2)) };
            runtime()?.block_on(verify(&config))
        }
        Command::Users { act: UsersAct::ResetPassword { user, file } } => {
            let Some(config) = settings(&file) else { return Ok(ExitCode::from(2)) };
            runtime()?.block_on(reset_password(&config, &user))
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Prints all faults; none when there were some.
fn settings(file: &ConfigFile) -> Option<Config> {
    // `vars` panics where any variable of the system is no UTF-8.
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    match config::load(file.config.as_deref(), environment) {
        Ok(config) => Some(config),
        Err(faults) => {
            eprintln!("{}", listing(&faults));
            None
        }
    }
}

async fn run(config: Config) -> anyhow::Result<ExitCode> {
    start_log(&config)?;
    // Before anybody can know that the hub runs, so that no signal ends it halfway.
    let mut stop = pin!(told_to_stop()?);
    let data = &config.settings.data;
    make_folder(data)?;
    let listener = listen(config.http_listen).await?;
    let measures = PrometheusBuilder::new().install_recorder().context("cannot keep measures")?;
    let db = Db::open(&config.database).await?;
    let app = tokio::select! {
        app = App::build(db, Arc::new(SystemClock), Arc::new(RandomIds), config.settings.clone(), measures) => app?,
        // A migration that is left in the middle is undone.
        () = &mut stop => {
            tracing::info!("the hub has stopped before it served");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!(%address, database = %config.database, data = %data.display(), version = env!("CARGO_PKG_VERSION"), "the hub serves");
    println!("steward-hub serves http://{}/", reachable(address));
    app.serve(listener, Systemd::from_environment(), stop).await?;
    tracing::info!("the hub has stopped");
    Ok(ExitCode::SUCCESS)
}

async fn verify(config: &Config) -> anyhow::Result<ExitCode> {
    let db = open_existing(config).await?;
    let database = &config.database;
    let verdict = audit::verify(&db, &config.settings.data).await?;
    if verdict.whole {
        println!("the audit trail in {database} is whole: {} rows", verdict.rows);
        return Ok(ExitCode::SUCCESS);
    }
    let (row, fault) = (verdict.broken_at.unwrap_or_default(), verdict.fault.unwrap_or_default());
    eprintln!(
        "the audit trail in {database} was tampered with at row {row}: {fault}; keep the database and compare \
         with a backup"
    );
    Ok(ExitCode::FAILURE)
}

async fn reset_password(config: &Config, user: &str) -> anyhow::Result<ExitCode> {
    let db = open_existing(config).await?;
    let password = accounts::reset_password(&db, SystemClock.now(), user).await?;
    println!("{password}");
    eprintln!(
        "this is the new password of {user} in {}; all their sessions are over, and the locks of the account and of \
         all addresses are lifted",
        config.database
    );
    Ok(ExitCode::SUCCESS)
}

/// Never makes or changes a database: with a wrong --config there would be a new one, without rows and users.
async fn open_existing(config: &Config) -> anyhow::Result<Db> {
    let modules = modules::all();
    let tables: Vec<_> = modules.iter().map(|m| (m.name, m.migrations)).collect();
    let opening = async {
        let db = Db::open_existing(&config.database).await?;
        check(&db, &tables).await.map(|()| db)
    };
    opening.await.with_context(|| format!("{} cannot be used", config.database))
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_level).context("the log level is broken")?;
    let for_people = std::io::stderr().is_terminal();
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(for_people);
    match config.log_format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// The data folder, for the hub's user only.
fn make_folder(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if data.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(|| {
        format!(
            "cannot make the data folder {}; make it for the hub's user, or set [data] dir",
            data.display()
        )
    })
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "{address} is in use: is a hub running already? stop it, or set another port as [http] listen \
             (or STEWARD_HUB__HTTP__LISTEN)"
        ),
        Err(e) => Err(e).with_context(|| format!("cannot listen on {address}; check [http] listen")),
    }
}

/// What to type into a browser on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

/// The first SIGTERM or SIGINT; a second one ends the program at once.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            // Losing either signal is harmless: they mean the same.
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop; finishing what is under way");
        tokio::spawn(async move {
            tokio::select! {
                // As above.
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    })
}
