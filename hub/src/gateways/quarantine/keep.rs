//! Sets batches aside, in the transaction that counts them or takes them out. The session and the store of readings call
//! it; what was acknowledged is never thrown away unseen while it is among the newest of its gateway.

use sha2::{Digest, Sha256};
use steward_shared::id::GatewayId;
use steward_shared::wire::message::Lane;

use super::store;
use crate::gateways::fleet::Fleet;
use crate::gateways::happening::Happening;
use crate::gateways::model::Position;
use crate::gateways::store::EventRow;
use crate::gateways::sync::Received;
use crate::kernel::db::{DbError, Tx};

/// Of a gateway the newest so many are kept.
const KEPT: usize = 100;

impl Fleet {
    /// Keeps a batch aside that can never be applied, and counts it as received. A fork does not move the watermark.
    pub async fn quarantine(
        &self,
        tx: &Tx,
        batch: &Received,
        reason: &str,
        fork: bool,
    ) -> Result<Option<EventRow>, DbError> {
        self.keep_aside(tx, batch, reason).await?;
        let (lane, sequence) = (batch.at.lane, batch.at.seq);
        let what = if fork {
            Happening::BatchForked { lane, sequence }
        } else {
            Happening::BatchQuarantined { lane, sequence: Some(sequence), reason: reason.to_owned() }
        };
        self.note_in(tx, batch.at.gateway, &what).await
    }

    /// Keeps a batch as it came, of which something is left out.
    pub async fn keep_aside(&self, tx: &Tx, batch: &Received, reason: &str) -> Result<(), DbError> {
        let now = self.clock.now();
        store::insert(tx, &batch.at, reason, &batch.hash, &batch.body, now).await?;
        store::trim(tx, batch.at.gateway, KEPT).await
    }

    /// Keeps a batch aside that was stored and turned out to be of no use. Its sequence is not known any more.
    pub async fn set_aside(
        &self,
        tx: &Tx,
        gateway: GatewayId,
        epoch: u32,
        lane: Lane,
        body: &[u8],
        reason: &str,
    ) -> Result<Option<EventRow>, DbError> {
        let at = Position { gateway, epoch, lane, seq: 0 };
        store::insert(tx, &at, reason, &Sha256::digest(body), body, self.clock.now()).await?;
        store::trim(tx, gateway, KEPT).await?;
        let what = Happening::BatchQuarantined { lane, sequence: None, reason: reason.to_owned() };
        self.note_in(tx, gateway, &what).await
    }
}
