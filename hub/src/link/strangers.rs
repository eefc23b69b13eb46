//! Connections whose handshake is under way over TCP: so many at once, and so many of one address, so that whoever opens
//! them and says nothing keeps nobody out. QUIC has its own way (RFC 9000, 8.1.2): the address must answer first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// At once, of all addresses.
const MOST: usize = 1024;
/// Of one: gateways of a site come from one address, and all at once when the hub has started.
const OF_ONE: usize = 128;

#[derive(Clone, Default)]
pub struct Strangers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A handshake's place; free again when this is dropped.
pub struct Place {
    strangers: Strangers,
    from: IpAddr,
}

impl Strangers {
    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None where there is no place: the connection is dropped without a word, and a gateway tries again.
    pub fn let_in(&self, from: IpAddr) -> Option<Place> {
        let mut counts = self.counts();
        let all: usize = counts.values().sum();
        let of_it = counts.entry(from).or_default();
        let has_place = all < MOST && *of_it < OF_ONE;
        if has_place {
            *of_it += 1;
        } else if *of_it == 0 {
            counts.remove(&from);
        }
        drop(counts);
        has_place.then(|| Place { strangers: self.clone(), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.strangers.counts();
        let Some(of_it) = counts.get_mut(&self.from) else { return };
        *of_it -= 1;
        if *of_it == 0 {
            counts.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, n).into()
    }

    #[test]
    fn one_address_cannot_take_all_places_and_gives_them_back() {
        let strangers = Strangers::default();
        let held: Vec<_> = (0..OF_ONE).map(|_| strangers.let_in(address(1)).unwrap()).collect();
        assert!(strangers.let_in(address(1)).is_none());
        assert!(strangers.let_in(address(2)).is_some());
        drop(held);
        assert!(strangers.let_in(address(1)).is_some());
        assert!(strangers.counts().is_empty());
    }

    #[test]
    fn all_together_have_so_many_places() {
        let strangers = Strangers::default();
        let held: Vec<_> = (0..=MOST).filter_map(|i| strangers.let_in(address((i / 100) as u8))).collect();
        assert_eq!(held.len(), MOST);
    }
}
