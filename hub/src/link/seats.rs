//! One live connection for each gateway. A second one is a clone, unless the first one is dead and does not know it
//! yet: so the first one is asked, and only if it answers the second is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, VarInt};
use steward_shared::id::GatewayId;

/// For each of two questions to the older connection.
const ANSWER: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(25);

#[derive(Default)]
pub struct Seats(Mutex<HashMap<GatewayId, Connection>>);

/// A gateway's seat; free again when this is dropped.
pub struct Seat<'a> {
    seats: &'a Seats,
    gateway: GatewayId,
    connection: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if taken.get(&self.gateway).is_some_and(|c| c.stable_id() == self.connection) {
            taken.remove(&self.gateway);
        }
    }
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashMap<GatewayId, Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seat, or none when another connection of this gateway is alive.
    pub async fn take(
        &self,
        gateway: GatewayId,
        connection: &Connection,
        replaced: VarInt,
    ) -> Option<Seat<'_>> {
        loop {
            let older = {
                let mut taken = self.lock();
                match taken.get(&gateway) {
                    Some(older) if older.close_reason().is_none() => older.clone(),
                    _ => {
                        taken.insert(gateway, connection.clone());
                        return Some(Seat { seats: self, gateway, connection: connection.stable_id() });
                    }
                }
            };
            if answers(&older).await {
                return None;
            }
            older.close(replaced, b"replaced by a newer connection");
        }
    }
}

/// Twice in a row: what was under way when the peer died may look like one answer, but not like two.
async fn answers(connection: &Connection) -> bool {
    answers_once(connection).await && answers_once(connection).await
}

/// Whether anything comes back for a datagram, which a living peer acknowledges.
async fn answers_once(connection: &Connection) -> bool {
    let before = connection.stats().udp_rx.datagrams;
    // An error is a dead connection, or a peer without datagrams; then only its own packets tell.
    let _ = connection.send_datagram(Bytes::new());
    let answered = tokio::time::timeout(ANSWER, async {
        while connection.stats().udp_rx.datagrams == before && connection.close_reason().is_none() {
            tokio::time::sleep(LOOK).await;
        }
        connection.close_reason().is_none()
    });
    answered.await.unwrap_or(false)
}
