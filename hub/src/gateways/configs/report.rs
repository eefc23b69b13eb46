//! What a gateway says of its configuration, and what goes out to it. Its word counts: what it says has happened, whatever
//! was thought here.

use serde_json::json;
use steward_shared::id::GatewayId;
use steward_shared::wire::config::{
    ConfigFault, ConfigOutcome, ConfigReport, MAX_TEXT, SignedConfig, reason,
};

use super::store::{self, ConfigRow, DueRow, Progress, VersionRow};
use crate::gateways::fleet::Fleet;
use crate::gateways::model::short;
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::{DbError, Tx};

const MAX_FAULTS: usize = 100;
/// Files on site that are kept of a gateway.
const MAX_PAST: usize = 20;

/// A version that a gateway is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueConfig {
    pub version: u64,
    pub signed: SignedConfig,
}

impl Fleet {
    pub async fn heard_config(&self, gateway: GatewayId, report: ConfigReport) -> Result<(), DbError> {
        let report = tidy(report);
        let changed = self
            .db
            .tx(async |tx| {
                self.keep_past(&tx, gateway, &report.digest).await?;
                store::set_config(&tx, gateway, &report, self.clock.now()).await?;
                let changed = match &report.outcome {
                    Some(outcome) => self.became(&tx, gateway, outcome).await?,
                    None => None,
                };
                Ok::<_, DbError>(self.forgotten(&tx, gateway, &report).await?.or(changed))
            })
            .await?;
        match changed {
            Some(row) => self.tell_config(gateway, &row),
            None => self.live.tell("configuration", None, &json!({ "gateway": gateway })),
        }
        Ok(())
    }

    /// A file on site that another text takes the place of is kept: it is nowhere else once its gateway is broken.
    async fn keep_past(&self, tx: &Tx, gateway: GatewayId, next: &str) -> Result<(), DbError> {
        match store::config_in(tx, gateway).await? {
            Some(ConfigRow { content: Some(content), digest, version: None, told_at, .. })
                if digest != next =>
            {
                store::keep_past(tx, gateway, (&digest, &content), told_at, MAX_PAST).await
            }
            _ => Ok(()),
        }
    }

    /// None where it is known.
    async fn became(
        &self,
        tx: &Tx,
        gateway: GatewayId,
        outcome: &ConfigOutcome,
    ) -> Result<Option<VersionRow>, DbError> {
        let Some(row) = store::version(tx, gateway, outcome.version).await? else { return Ok(None) };
        let state = Progress::of(outcome.stage);
        // What never went out is another one of the same number, from before this hub was restored.
        if row.state == Progress::Queued {
            return Ok(None);
        }
        if row.state == state && row.reason == outcome.reason {
            return Ok(None);
        }
        let now = self.clock.now();
        let faults = serde_json::to_string(&outcome.faults).unwrap_or_else(|_| "[]".to_owned());
        let words = (outcome.reason.as_deref(), outcome.detail.as_str(), faults.as_str());
        store::ended(tx, gateway, row.version, state, words, now).await?;
        let entry = Entry::by_system(&format!("gateways.configuration_{}", state.word()))
            .on("gateway", gateway)
            .before(&json!({ "version": row.version, "state": row.state }))
            .after(&json!({
                "version": row.version, "state": state, "reason": outcome.reason, "detail": outcome.detail,
                "at": outcome.at,
            }));
        audit::record(tx, now, Entry { reason: row.why.clone(), ..entry }).await?;
        store::version(tx, gateway, row.version).await
    }

    /// A version of which the gateway will say nothing more: its record was lost, another unit stands in its place, or this
    /// hub was restored from a copy. It must not be waited for.
    async fn forgotten(
        &self,
        tx: &Tx,
        gateway: GatewayId,
        report: &ConfigReport,
    ) -> Result<Option<VersionRow>, DbError> {
        let Some(row) = store::under_way(tx, gateway).await? else { return Ok(None) };
        let told = report.outcome.as_ref().is_some_and(|outcome| outcome.version == row.version);
        let state = match row.state {
            Progress::Queued if row.version <= report.taken => Progress::Cancelled,
            Progress::Queued => return Ok(None),
            Progress::Sent if row.version > report.taken => return Ok(None),
            _ if told => return Ok(None),
            _ if report.version == Some(row.version) => Progress::Kept,
            _ => Progress::TakenBack,
        };
        let now = self.clock.now();
        store::ended(tx, gateway, row.version, state, (Some(reason::FORGOTTEN), "", "[]"), now).await?;
        let entry = Entry::by_system("gateways.configuration_forgotten")
            .on("gateway", gateway)
            .before(&json!({ "version": row.version, "state": row.state }))
            .after(&json!({ "version": row.version, "state": state }));
        audit::record(tx, now, Entry { reason: row.why.clone(), ..entry }).await?;
        store::version(tx, gateway, row.version).await
    }

    /// What the gateway is to have and has not taken.
    pub async fn due_config(&self, gateway: GatewayId) -> Result<Option<DueConfig>, DbError> {
        let row = store::due(&self.db, gateway).await?;
        Ok(row.map(|DueRow { version, signed, signature }| DueConfig {
            version,
            signed: SignedConfig { config: signed.0, signature: signature.0 },
        }))
    }

    /// Before it goes out: from then on only the gateway can end it. False where somebody has cancelled it meanwhile.
    pub async fn sending_config(&self, gateway: GatewayId, version: u64) -> Result<bool, DbError> {
        let (is_due, row) = self
            .db
            .tx(async |tx| {
                let now = self.clock.now();
                let is_first =
                    store::go_on(&tx, gateway, version, (Progress::Queued, Progress::Sent), now).await?;
                let row = store::version(&tx, gateway, version).await?;
                let is_due = row.as_ref().is_some_and(|row| row.state == Progress::Sent);
                Ok::<_, DbError>((is_due, row.filter(|_| is_first)))
            })
            .await?;
        if let Some(row) = row {
            let body = json!({ "gateway": gateway, "version": version, "state": row.state });
            self.live.tell("configuration", None, &body);
        }
        Ok(is_due)
    }
}

/// A report of bounded size, whatever the gateway put into it.
fn tidy(report: ConfigReport) -> ConfigReport {
    let whole = |n: u64| n.min(i64::MAX as u64);
    let outcome = report.outcome.map(|outcome| ConfigOutcome {
        version: whole(outcome.version),
        reason: outcome.reason.as_deref().map(short),
        detail: short(&outcome.detail),
        faults: tidy_faults(outcome.faults),
        ..outcome
    });
    ConfigReport {
        text: report.text.filter(|text| text.len() <= MAX_TEXT && !text.contains('\0')),
        digest: short(&report.digest),
        version: report.version.map(whole),
        // The next version is one more.
        taken: report.taken.min(1 << 53),
        outcome,
        ..report
    }
}

pub fn tidy_faults(faults: Vec<ConfigFault>) -> Vec<ConfigFault> {
    let tidy = |mut fault: ConfigFault| {
        for text in [
            &mut fault.path,
            &mut fault.message.zh,
            &mut fault.message.en,
            &mut fault.way_out.zh,
            &mut fault.way_out.en,
        ] {
            *text = short(text);
        }
        fault
    };
    faults.into_iter().take(MAX_FAULTS).map(tidy).collect()
}
