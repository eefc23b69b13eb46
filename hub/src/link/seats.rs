//! One live connection for each gateway. A second one is a clone, unless the first one is dead and does not know it
//! yet: so the first one is asked, and only if it answers the second is refused. Of several that wait for that, the last
//! to come is served: what the others said of their buffers when they came may be old by now, and they may be dead too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::id::GatewayId;

use super::road::Road;

/// For each of two questions to the older connection.
const ANSWER: Duration = Duration::from_millis(1500);

#[derive(Default)]
pub struct Seats(Mutex<HashMap<GatewayId, Place>>);

#[derive(Default)]
struct Place {
    seated: Option<Road>,
    /// How many have come so far.
    arrivals: u64,
}

pub enum Taken<'a> {
    Seat(Seat<'a>),
    /// Another connection of this gateway is alive.
    ByAnother,
    /// A newer one has come meanwhile.
    Overtaken,
}

/// A gateway's seat; free again when this is dropped.
pub struct Seat<'a> {
    seats: &'a Seats,
    gateway: GatewayId,
    road: Road,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.seats.lock().get_mut(&self.gateway)
            && place.seated.as_ref().is_some_and(|road| road.is_same(&self.road))
        {
            place.seated = None;
        }
    }
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashMap<GatewayId, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn take(&self, gateway: GatewayId, road: &Road, replaced: u32) -> Taken<'_> {
        let arrival = {
            let mut places = self.lock();
            let place = places.entry(gateway).or_default();
            place.arrivals += 1;
            place.arrivals
        };
        loop {
            let older = {
                let mut places = self.lock();
                let place = places.entry(gateway).or_default();
                if place.arrivals != arrival {
                    return Taken::Overtaken;
                }
                match &place.seated {
                    Some(older) if older.close_reason().is_none() => older.clone(),
                    _ => {
                        place.seated = Some(road.clone());
                        return Taken::Seat(Seat { seats: self, gateway, road: road.clone() });
                    }
                }
            };
            if answers(&older).await {
                return Taken::ByAnother;
            }
            older.close(replaced, b"replaced by a newer connection");
        }
    }
}

#[cfg(test)]
impl Seats {
    pub fn arrivals(&self, gateway: GatewayId) -> u64 {
        self.lock().get(&gateway).map_or(0, |place| place.arrivals)
    }
}

/// Twice in a row: what was under way when the peer died may look like one answer, but not like two.
async fn answers(road: &Road) -> bool {
    road.answers(ANSWER).await && road.answers(ANSWER).await
}
