//! The hub's settings: the compiled-in defaults, then the site's file, then the environment. All faults are
//! told at once, each with its place and the way out. Called by `main` only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steward_shared::document::{ByteSize, Document, Fault, HostPort, Table};

use crate::kernel::db::DatabaseUrl;
use crate::kernel::settings::Settings;

pub const DEFAULT: &str = include_str!("../hub.default.toml");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub http_listen: SocketAddr,
    pub database: DatabaseUrl,
    pub log_level: String,
    pub log_format: LogFormat,
    pub settings: Settings,
}

/// Reads the file (if one is given) and the environment.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Fault>> {
    let mut document = Document::parse("hub.default.toml", DEFAULT)?;
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| {
            vec![Fault::of_file(&name, format!("cannot be read: {e}"), "give the file with --config")]
        })?;
        document = document.overridden_by(Document::parse(&name, &text)?);
    }
    document.overridden_by_environment("STEWARD_HUB", environment)?.read(read)
}

fn read(root: &Table<'_>) -> Option<Config> {
    // Everything is asked for before anything is used, so that all faults are told at once.
    let http = root.table("http");
    let listen = http.as_ref().and_then(|t| t.required::<SocketAddr>("listen"));
    let cookie_secure = http.as_ref().and_then(|t| t.required::<bool>("cookie_secure"));
    let behind_proxy = http.as_ref().and_then(|t| t.required::<bool>("behind_proxy"));
    let upload_limit = http.as_ref().and_then(|t| t.required::<ByteSize>("upload_limit"));
    let metrics_token = http.as_ref().and_then(|t| secret(t, "metrics_token_file"));

    let gateways = root.table("gateways");
    let gateways_listen = gateways.as_ref().and_then(|t| t.required::<SocketAddr>("listen"));
    if let (Some(table), Some(http), Some(of_gateways)) = (&gateways, listen, gateways_listen)
        && share_a_port(http, of_gateways)
    {
        table.fault(
            "listen",
            "the port of [http] listen",
            "give gateways another one: they use it by UDP and by TCP",
        );
    }
    let address = gateways.as_ref().map(|t| t.optional::<HostPort>("address"));
    let enrolment = gateways.as_ref().and_then(|t| positive(t, "enrolment_valid"));

    let data = root.table("data").and_then(|t| t.required::<PathBuf>("dir"));
    let database = root.table("database");
    let url = database.as_ref().and_then(|t| database_url(t, data.as_deref()));

    let sessions = root.table("sessions");
    let idle = sessions.as_ref().and_then(|t| positive(t, "idle"));
    let absolute = sessions.as_ref().and_then(|t| positive(t, "absolute"));

    let log = root.table("log");
    let log_level = log.as_ref().and_then(level);
    let log_format =
        log.as_ref().and_then(|t| t.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]));

    Some(Config {
        http_listen: listen?,
        database: url?,
        log_level: log_level?,
        log_format: log_format?,
        settings: Settings {
            data: data?,
            gateways_listen: gateways_listen?,
            gateways_address: address?,
            enrolment_valid: enrolment?,
            session_idle: idle?,
            session_absolute: absolute?,
            cookie_secure: cookie_secure?,
            behind_proxy: behind_proxy?,
            upload_limit: upload_limit?.0,
            metrics_token: metrics_token?,
        },
    })
}

fn share_a_port(a: SocketAddr, b: SocketAddr) -> bool {
    let meet = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && meet
}

fn positive(table: &Table<'_>, key: &str) -> Option<Duration> {
    let value = table.required::<Duration>(key)?;
    if value.is_zero() {
        table.fault(key, "a duration of nothing", "write for example \"15m\"");
        return None;
    }
    Some(value)
}

fn level(table: &Table<'_>) -> Option<String> {
    let level = table.required::<String>("level")?;
    if tracing_subscriber::EnvFilter::try_new(&level).is_err() {
        table.fault(
            "level",
            format!("\"{level}\" is no log level"),
            "write error, warn, info, debug or trace",
        );
        return None;
    }
    Some(level)
}

/// The text of the file that the key names, or none where it names nothing.
#[allow(clippy::option_option, reason = "outside: faulty; inside: not wanted")]
fn secret(table: &Table<'_>, key: &str) -> Option<Option<String>> {
    let path = table.required::<String>(key)?;
    if path.is_empty() {
        return Some(None);
    }
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Some(Some(text.trim().to_owned())),
        Ok(_) => {
            table.fault(key, format!("{path} is empty"), "write the secret into it, on one line");
            None
        }
        Err(e) => {
            table.fault(key, format!("{path} cannot be read: {e}"), "make it readable for the hub's user");
            None
        }
    }
}

fn database_url(table: &Table<'_>, data: Option<&Path>) -> Option<DatabaseUrl> {
    let text = table.required::<String>("url");
    let password = secret(table, "password_file");
    let (text, password) = (text?, password?);
    match text.parse::<DatabaseUrl>() {
        Ok(DatabaseUrl::Sqlite(file)) => Some(DatabaseUrl::Sqlite(data?.join(file))),
        Ok(DatabaseUrl::Postgres(mut config)) => {
            if let Some(password) = password {
                config.password(password);
            }
            Some(DatabaseUrl::Postgres(config))
        }
        Err(e) => {
            table.fault("url", e.to_string(), "the default is sqlite:steward.db");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let config = load(None, []).unwrap();
        assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.settings.session_idle, Settings::default().session_idle);
        assert_eq!(config.settings.session_absolute, Settings::default().session_absolute);
        assert_eq!(config.settings.enrolment_valid, Settings::default().enrolment_valid);
        assert_eq!(config.settings.gateways_listen, Settings::default().gateways_listen);
        assert_eq!(config.settings.upload_limit, Settings::default().upload_limit);
        assert_eq!(config.database.to_string(), "sqlite:/var/lib/steward-hub/steward.db");
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hub.toml");
        std::fs::write(
            &file,
            "[http]\nlisten = \"here\"\ncooky_secure = true\n[database]\nurl = \"mysql://x\"\n[sessions]\nidle = \"0s\"\n[log]\nlevel = \"loud=very\"\n",
        )
        .unwrap();
        let faults = load(Some(&file), []).unwrap_err();
        let text = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for wanted in [
            "hub.toml:2:",
            "http.listen",
            "hub.toml:3:",
            "cookie_secure",
            "hub.toml:5:",
            "hub.toml:7:",
            "log.level",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing in:\n{text}");
        }
    }

    #[test]
    fn gateways_and_people_come_in_by_different_ports() {
        let at = |listen: &str| load(None, [("STEWARD_HUB__GATEWAYS__LISTEN".to_owned(), listen.to_owned())]);
        let fault = at("0.0.0.0:8080").unwrap_err()[0].to_string();
        assert!(fault.contains("gateways.listen") && fault.contains("another one"), "{fault}");
        assert!(at("127.0.0.2:8080").is_ok());
        assert!(at("0.0.0.0:8443").is_ok());
    }

    #[test]
    fn the_environment_comes_last() {
        let variables = [("STEWARD_HUB__HTTP__LISTEN".to_owned(), "0.0.0.0:9000".to_owned())];
        assert_eq!(load(None, variables).unwrap().http_listen.to_string(), "0.0.0.0:9000");
        let unknown = [("STEWARD_HUB__HTTP__LISTN".to_owned(), "0.0.0.0:9000".to_owned())];
        assert!(load(None, unknown).unwrap_err()[0].to_string().contains("listen"));
    }

    #[test]
    fn a_password_stands_in_a_file_of_its_own_and_never_in_a_message() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("password");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let variables = [
            ("STEWARD_HUB__DATABASE__URL".to_owned(), "postgres://steward@db/steward".to_owned()),
            ("STEWARD_HUB__DATABASE__PASSWORD_FILE".to_owned(), secret.display().to_string()),
        ];
        let config = load(None, variables).unwrap();
        let DatabaseUrl::Postgres(pg) = &config.database else { panic!("{}", config.database) };
        assert_eq!(pg.get_password(), Some(&b"hunter2"[..]));
        assert!(!config.database.to_string().contains("hunter2"));
    }
}
