//! What people do to the fleet: each act with its audit row in one transaction, told live after the commit.

use steward_shared::id::{GatewayId, SiteId};

use super::enrol::{FleetError, NewCode};
use super::fleet::Fleet;
use super::store::GatewayRow;
use crate::kernel::audit::{self, Entry};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::Tx;
use crate::sites;

/// Who acts, and where.
pub struct Actor<'a> {
    pub ctx: &'a Ctx,
    pub caller: &'a Caller,
    pub origin: &'a Origin,
}

impl Actor<'_> {
    async fn record(
        &self,
        tx: &Tx,
        action: &str,
        id: GatewayId,
        after: serde_json::Value,
    ) -> Result<(), FleetError> {
        let entry = Entry::by(self.caller, self.origin, action).on("gateway", id).after(&after);
        Ok(audit::record(tx, self.ctx.now(), entry).await?)
    }
}

async fn check_site(tx: &Tx, site: Option<SiteId>) -> Result<(), FleetError> {
    match site {
        Some(id) if !sites::exists(tx, id).await? => Err(FleetError::NoSuchSite),
        _ => Ok(()),
    }
}

impl Fleet {
    pub async fn add(
        &self,
        actor: &Actor<'_>,
        name: &str,
        site: Option<SiteId>,
    ) -> Result<(GatewayId, NewCode), FleetError> {
        self.db
            .tx(async |tx| {
                check_site(&tx, site).await?;
                let (id, code) = self.create(&tx, name, site).await?;
                let after = serde_json::json!({ "name": name.trim(), "site": site });
                actor.record(&tx, "gateways.create", id, after).await?;
                Ok((id, code))
            })
            .await
    }

    pub async fn give_code(&self, actor: &Actor<'_>, id: GatewayId) -> Result<NewCode, FleetError> {
        self.db
            .tx(async |tx| {
                let code = self.new_code(&tx, id).await?;
                let after = serde_json::json!({ "expires_at": code.expires_at });
                actor.record(&tx, "gateways.code", id, after).await?;
                Ok(code)
            })
            .await
    }

    /// Absent stays as it is.
    pub async fn alter(
        &self,
        actor: &Actor<'_>,
        before: &GatewayRow,
        seen: i64,
        name: Option<&str>,
        site: Option<Option<SiteId>>,
    ) -> Result<(), FleetError> {
        let (name, site) = (name.unwrap_or(&before.name), site.unwrap_or(before.site));
        self.db
            .tx(async |tx| {
                // Who only renames it may leave it where it is, whatever became of the place.
                if site != before.site {
                    check_site(&tx, site).await?;
                }
                self.change(&tx, before.id, seen, name, site).await?;
                let entry = Entry::by(actor.caller, actor.origin, "gateways.change")
                    .on("gateway", before.id)
                    .before(&serde_json::json!({ "name": before.name, "site": before.site }))
                    .after(&serde_json::json!({ "name": name.trim(), "site": site }));
                Ok(audit::record(&tx, actor.ctx.now(), entry).await?)
            })
            .await
    }

    /// In force at once: its sessions end, its certificates and codes are void.
    pub async fn throw_away(&self, actor: &Actor<'_>, id: GatewayId) -> Result<(), FleetError> {
        let event = self
            .db
            .tx(async |tx| {
                let event = self.revoke(&tx, id, &actor.caller.login).await?;
                actor.record(&tx, "gateways.revoke", id, serde_json::json!({ "state": "revoked" })).await?;
                Ok::<_, FleetError>(event)
            })
            .await?;
        self.revoked(id, event.as_ref());
        Ok(())
    }

    /// One that has never enrolled.
    pub async fn discard(&self, actor: &Actor<'_>, id: GatewayId, seen: i64) -> Result<(), FleetError> {
        self.db
            .tx(async |tx| {
                self.remove(&tx, id, seen).await?;
                let entry = Entry::by(actor.caller, actor.origin, "gateways.remove").on("gateway", id);
                Ok::<_, FleetError>(audit::record(&tx, actor.ctx.now(), entry).await?)
            })
            .await?;
        self.tell_word(id, "removed");
        Ok(())
    }
}
