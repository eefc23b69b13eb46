//! Which road is tried first, by how the last connections fared. Pure; the loop hands the instants in.

use std::time::Duration;

use tokio::time::Instant;

use super::dial::Order;
use super::road::RoadKind;

/// So long a road that was needed goes first.
const REMEMBERED: Duration = Duration::from_hours(1);
/// A session over UDP that falls silent so soon: somebody on the way lets the handshake through and not what follows.
const TOO_SOON: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
pub(super) struct Preference {
    /// When TCP was seen to be needed last.
    tcp: Option<Instant>,
    /// QUIC was just seen to come through.
    quic_works: bool,
}

impl Preference {
    pub fn order(&self, now: Instant) -> Order {
        if self.quic_works {
            return Order::QUIC_WORKS;
        }
        match self.tcp {
            Some(at) if now.saturating_duration_since(at) < REMEMBERED => Order::first(RoadKind::Tcp),
            _ => Order::first(RoadKind::Quic),
        }
    }

    /// A connection came about by this road.
    pub fn connected(&mut self, by: RoadKind, now: Instant) {
        self.quic_works = false;
        self.tcp = (by == RoadKind::Tcp).then_some(now);
    }

    /// It ended after so long, perhaps because nothing came any more.
    pub fn ended(&mut self, by: RoadKind, fell_silent: bool, lived: Duration, now: Instant) {
        if by == RoadKind::Tcp || (fell_silent && lived < TOO_SOON) {
            self.tcp = Some(now);
        }
    }

    /// While a session is on TCP, QUIC was seen to come through.
    pub fn quic_works(&mut self) {
        (self.quic_works, self.tcp) = (true, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn first(preference: &Preference, now: Instant) -> RoadKind {
        preference.order(now).first
    }

    #[tokio::test(start_paused = true)]
    async fn tcp_goes_first_for_an_hour_after_it_was_needed() {
        let (mut p, now) = (Preference::default(), Instant::now());
        assert_eq!(first(&p, now), RoadKind::Quic);
        p.connected(RoadKind::Tcp, now);
        p.ended(RoadKind::Tcp, false, 600 * MINUTE, now + 600 * MINUTE);
        assert_eq!(first(&p, now + 659 * MINUTE), RoadKind::Tcp);
        assert_eq!(first(&p, now + 660 * MINUTE), RoadKind::Quic);
        p.quic_works();
        assert_eq!(p.order(now), Order::QUIC_WORKS);
        p.connected(RoadKind::Quic, now);
        assert_eq!(p.order(now), Order::first(RoadKind::Quic));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_over_udp_that_falls_silent_at_once_makes_tcp_the_first() {
        let (mut p, now) = (Preference::default(), Instant::now());
        p.connected(RoadKind::Quic, now);
        p.ended(RoadKind::Quic, true, 60 * MINUTE, now);
        assert_eq!(first(&p, now), RoadKind::Quic, "the link was down");
        p.ended(RoadKind::Quic, false, MINUTE, now);
        assert_eq!(first(&p, now), RoadKind::Quic, "the hub stopped");
        p.ended(RoadKind::Quic, true, MINUTE, now);
        assert_eq!(first(&p, now), RoadKind::Tcp);
    }
}
