//! Commands that nobody agreed to, or whose gateway was away, until their time was over: told, not silently dropped. What
//! has gone out is the gateway's to tell.

use serde_json::json;

use super::error::CommandError;
use super::model::State;
use super::request::wanted;
use super::store;
use crate::gateways::fleet::Fleet;
use crate::kernel::audit::{self, Entry};

impl Fleet {
    /// The hub's job calls it every few seconds.
    pub async fn expire_commands(&self) -> Result<(), CommandError> {
        if !store::has_overdue(&self.db, self.clock.now()).await? {
            return Ok(());
        }
        let expired = self
            .db
            .tx(async |tx| {
                let (now, mut expired) = (self.clock.now(), Vec::new());
                for row in store::overdue(&tx, now).await? {
                    if !store::end(&tx, row.id, row.state, State::Expired, now).await? {
                        continue;
                    }
                    let facts = json!({ "was": row.state });
                    store::step(&tx, row.id, (now, now), State::Expired.word(), "", &facts).await?;
                    let entry = Entry::by_system("commands.expire").on("command", row.id);
                    let entry = entry.before(&json!({ "state": row.state })).after(&wanted(&row));
                    audit::record(&tx, now, Entry { reason: row.why.clone(), ..entry }).await?;
                    self.tell_others(&tx, &row).await?;
                    expired.extend(store::command(&tx, row.id).await?);
                }
                Ok::<_, CommandError>(expired)
            })
            .await?;
        for row in &expired {
            self.tell_command(row);
        }
        Ok(())
    }
}
