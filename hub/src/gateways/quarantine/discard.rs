//! Takes a batch away that somebody has looked into: for good, and in the audit trail.

use serde_json::json;
use steward_shared::id::GatewayId;
use steward_shared::wire::message::Lane;

use super::store;
use crate::gateways::acts::Actor;
use crate::gateways::fleet::Fleet;
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::DbError;

impl Fleet {
    /// False where there is none.
    pub async fn discard_aside(
        &self,
        actor: &Actor<'_>,
        gateway: GatewayId,
        id: i64,
    ) -> Result<bool, DbError> {
        let Some(row) = store::one(&self.db, gateway, id).await? else { return Ok(false) };
        let before = json!({
            "lane": Lane::from_code(row.lane).map(Lane::word),
            "epoch": row.epoch,
            "sequence": row.seq,
            "received_at": row.received_at,
            "reason": row.reason,
            "bytes": row.bytes,
        });
        self.db
            .tx(async |tx| {
                if !store::delete(&tx, gateway, id).await? {
                    return Ok(false);
                }
                let entry = Entry::by(actor.caller, actor.origin, "gateways.discard_batch")
                    .on("gateway", gateway)
                    .before(&before);
                audit::record(&tx, actor.ctx.now(), entry).await?;
                Ok::<_, DbError>(true)
            })
            .await
    }
}
