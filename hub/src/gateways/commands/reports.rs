//! What a gateway says of a command: applied once, with its watermark in the same transaction. It has happened, whatever
//! was thought here; it is in the command's story and in the audit trail.

use serde_json::json;
use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{Report, Stage};
use steward_shared::wire::frame::from_cbor;

use super::error::CommandError;
use super::model::State;
use super::store::{self, CommandRow};
use crate::gateways::fleet::Fleet;
use crate::gateways::model::{Standing, short};
use crate::gateways::sync::{Fate, Received};
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::{DbError, Tx};

const SLOTS: usize = 16;

impl Fleet {
    /// One item of the lane of commands.
    pub async fn receive_report(&self, batch: &Received, count: u32) -> Result<Fate, DbError> {
        let report = report_of(batch, count);
        let (fate, told, event) = self
            .db
            .tx(async |tx| {
                Ok::<_, CommandError>(match (self.advance(&tx, batch).await?, &report) {
                    (Standing::Gap(mark), _) => (Fate::Gap(mark), None, None),
                    (Standing::Duplicate, _) => (Fate::Stored, None, None),
                    (Standing::Fork, _) => {
                        let reason = "the sequence was received before with other content";
                        let event = self.quarantine(&tx, batch, reason, true).await?;
                        (Fate::Quarantined(reason.into()), None, event)
                    }
                    (Standing::New, Err(reason)) => {
                        let event = self.quarantine(&tx, batch, reason, false).await?;
                        (Fate::Quarantined(reason.clone()), None, event)
                    }
                    (Standing::New, Ok(report)) => {
                        (Fate::Stored, self.apply_report(&tx, batch, report).await?, None)
                    }
                })
            })
            .await
            .map_err(|e| match e {
                CommandError::Db(e) => e,
                // Nothing else is refused here.
                _ => DbError::Over,
            })?;
        self.tell_event(event.as_ref());
        if let Some(row) = &told {
            self.tell_command(row);
        }
        Ok(fate)
    }

    /// None where nothing is new.
    async fn apply_report(
        &self,
        tx: &Tx,
        batch: &Received,
        report: &Report,
    ) -> Result<Option<CommandRow>, CommandError> {
        let gateway = batch.at.gateway;
        let found = store::command(tx, report.command).await?.filter(|row| row.gateway == gateway);
        let Some(row) = found else {
            // Another gateway's, or from before this hub was restored from a copy.
            tracing::warn!(%gateway, command = %report.command, "a report of a command that is not known here");
            return Ok(None);
        };
        if report.no <= row.last_report {
            return Ok(None);
        }
        let now = self.clock.now();
        let state = State::after(report.stage).unwrap_or(row.state);
        store::apply(tx, report, state, now).await?;
        let facts = json!({
            "reason": report.reason,
            "before": report.before,
            "now": report.now,
            "slots": report.slots,
            "detail": report.detail,
        });
        store::step(tx, row.id, (report.at, now), report.stage.word(), "", &facts).await?;
        if report.stage != Stage::Received {
            let entry = Entry::by_system(&format!("commands.{}", report.stage.word())).on("command", row.id);
            let after = json!({
                "device": row.device_key, "point": row.point_key, "value": row.value, "shows": report.now,
                "reason": report.reason, "at": report.at, "gateway": gateway,
            });
            let entry = entry.before(&json!({ "shows": report.before })).after(&after);
            audit::record(tx, now, Entry { reason: row.why.clone(), ..entry }).await?;
        }
        self.tell_others(tx, &row).await?;
        Ok(store::command(tx, row.id).await?)
    }
}

/// The one report that an item of the lane is, of bounded size; or why it is none.
fn report_of(batch: &Received, count: u32) -> Result<Report, String> {
    if Sha256::digest(&batch.body).as_slice() != batch.hash.as_slice() {
        return Err("the body does not fit its hash".into());
    }
    if count != 1 {
        return Err(format!("it announces {count} reports and can hold one"));
    }
    let mut report: Report = from_cbor(&batch.body).map_err(|e| e.to_string())?;
    report.detail = short(&report.detail);
    report.reason = report.reason.as_deref().map(short);
    report.slots.truncate(SLOTS);
    let finite = |number: Option<f64>| number.filter(|n| n.is_finite());
    (report.before, report.now) = (finite(report.before), finite(report.now));
    report.slots.iter_mut().for_each(|slot| *slot = finite(*slot));
    report.at = Timestamp(report.at.as_millis().clamp(0, 253_402_300_799_000));
    Ok(report)
}
