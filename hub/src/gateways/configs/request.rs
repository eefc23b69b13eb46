//! Somebody wants a gateway to run another configuration: kept, signed, and sent when the gateway is there; cancelled for as
//! long as it was not sent.

use serde_json::json;
use steward_shared::id::GatewayId;
use steward_shared::wire::config::NewConfig;
use steward_shared::wire::frame::to_cbor;

use super::check::{changes, check_size};
use super::error::ConfigError;
use super::store::{self, ConfigRow, NewVersion, PastRow, Progress, VersionRow};
use crate::gateways::acts::Actor;
use crate::gateways::commands::check_why;
use crate::gateways::fleet::Fleet;
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::{DbError, Tx};

/// Versions of one gateway that are kept.
const KEPT: usize = 100;
/// Bytes of a line's name.
const MAX_NAME: usize = 256;
/// Settings that differ and stand in the audit trail one by one.
const TOLD: usize = 100;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct NewText {
    pub text: String,
    /// Digest of the configuration that it was made from.
    pub base: String,
    pub why: String,
    /// The line on which it is tried first.
    pub first_line: Option<String>,
}

impl Fleet {
    /// What a gateway says that it runs; none where it has not said it.
    pub async fn config(&self, gateway: GatewayId) -> Result<Option<ConfigRow>, DbError> {
        store::config(&self.db, gateway).await
    }

    pub async fn config_versions(
        &self,
        gateway: GatewayId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<VersionRow>, DbError> {
        store::versions(&self.db, gateway, before, limit).await
    }

    /// With what it was made from and what it is.
    pub async fn config_texts(
        &self,
        gateway: GatewayId,
        version: u64,
    ) -> Result<Option<(VersionRow, String, String)>, DbError> {
        store::texts(&self.db, gateway, version).await
    }

    /// Files on site that were in force before, the newest first.
    pub async fn past_configs(&self, gateway: GatewayId) -> Result<Vec<PastRow>, DbError> {
        store::past(&self.db, gateway).await
    }

    pub async fn past_config(&self, gateway: GatewayId, digest: &str) -> Result<Option<String>, DbError> {
        store::past_text(&self.db, gateway, digest).await
    }

    pub async fn configure(
        &self,
        actor: &Actor<'_>,
        gateway: GatewayId,
        new: &NewText,
    ) -> Result<VersionRow, ConfigError> {
        check_why(&new.why).map_err(|e| ConfigError::Field {
            pointer: "/why",
            code: "bad_length",
            detail: e.to_string(),
        })?;
        check_size(&new.text)?;
        if new.first_line.as_ref().is_some_and(|line| line.len() > MAX_NAME) {
            let detail = "name a line of the configuration".to_owned();
            return Err(ConfigError::Field { pointer: "/first_line", code: "too_long", detail });
        }
        let row = self
            .db
            .tx(async |tx| {
                let now = self.clock.now();
                let told = store::config_in(&tx, gateway).await?.ok_or(ConfigError::NotTold)?;
                if !told.is_open {
                    return Err(ConfigError::NotOpen);
                }
                let base = told.content.ok_or(ConfigError::TooLong)?;
                if told.digest != new.base {
                    return Err(ConfigError::OtherBase { digest: told.digest });
                }
                if let Some(row) = store::under_way(&tx, gateway).await? {
                    return Err(ConfigError::UnderWay(row.version));
                }
                if base == new.text {
                    return Err(ConfigError::NothingChanged);
                }
                // This hub may have been restored from a copy, and the gateway have taken more than it remembers.
                let version = store::last_version(&tx, gateway).await?.max(told.taken) + 1;
                let why = new.why.trim();
                let config = NewConfig {
                    gateway,
                    version,
                    base: told.digest,
                    text: new.text.clone(),
                    by: actor.caller.login.clone(),
                    why: why.to_owned(),
                    issued: now,
                    first: new.first_line.clone(),
                };
                let signed = self.ca.sign_config(to_cbor(&config).expect("a configuration is texts"))?;
                let row = NewVersion {
                    gateway,
                    version,
                    base: &base,
                    content: &new.text,
                    author: actor.caller.user,
                    author_login: &actor.caller.login,
                    why,
                    now,
                    signed: &signed,
                };
                store::insert(&tx, &row).await?;
                store::trim(&tx, gateway, KEPT).await?;
                let mut told: Vec<_> = changes(&base, &new.text);
                let more = told.len().saturating_sub(TOLD);
                told.truncate(TOLD);
                let side = |of: fn(&steward_shared::document::Change) -> Option<&String>| {
                    told.iter()
                        .filter_map(|c| Some((c.path.clone(), json!(of(c)?))))
                        .collect::<serde_json::Map<_, _>>()
                };
                let (before, after) = (side(|c| c.before.as_ref()), side(|c| c.after.as_ref()));
                let entry = Entry::by(actor.caller, actor.origin, "gateways.configure")
                    .on("gateway", gateway)
                    .before(&json!({ "settings": before }))
                    .after(&json!({ "version": version, "settings": after, "more": more, "first_line": new.first_line }));
                audit::record(&tx, now, Entry { reason: why.to_owned(), ..entry }).await?;
                store::version(&tx, gateway, version).await?.ok_or(ConfigError::NoSuchVersion)
            })
            .await?;
        self.tell_config(gateway, &row);
        Ok(row)
    }

    /// Before it was sent; after that only the gateway ends it.
    pub async fn cancel_config(
        &self,
        actor: &Actor<'_>,
        gateway: GatewayId,
        version: u64,
    ) -> Result<VersionRow, ConfigError> {
        let row = self
            .db
            .tx(async |tx| {
                let now = self.clock.now();
                let row = store::version(&tx, gateway, version).await?.ok_or(ConfigError::NoSuchVersion)?;
                if !store::go_on(&tx, gateway, version, (Progress::Queued, Progress::Cancelled), now).await? {
                    return Err(ConfigError::WrongState(row.state.word()));
                }
                self.record_config(&tx, actor, gateway, &row).await?;
                store::version(&tx, gateway, version).await?.ok_or(ConfigError::NoSuchVersion)
            })
            .await?;
        self.tell_config(gateway, &row);
        Ok(row)
    }

    async fn record_config(
        &self,
        tx: &Tx,
        actor: &Actor<'_>,
        gateway: GatewayId,
        row: &VersionRow,
    ) -> Result<(), DbError> {
        let entry = Entry::by(actor.caller, actor.origin, "gateways.cancel_configuration")
            .on("gateway", gateway)
            .before(&json!({ "version": row.version, "state": row.state }))
            .after(&json!({ "version": row.version, "state": Progress::Cancelled }));
        audit::record(tx, self.clock.now(), entry).await
    }

    /// After the commit: pages that are open, and the gateway's session.
    pub(super) fn tell_config(&self, gateway: GatewayId, row: &VersionRow) {
        let body = json!({ "gateway": gateway, "version": row.version, "state": row.state });
        self.live.tell("configuration", None, &body);
        self.orders.ring(gateway);
    }
}
