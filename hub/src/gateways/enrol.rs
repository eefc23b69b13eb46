//! How a gateway becomes one of the fleet and ceases to be: made with a one-time code, enrolled with it, renewed by
//! its certificate, revoked. The code is kept as its hash; it is used once or never.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest, Sha256};
use steward_shared::id::{GatewayId, SiteId};
use steward_shared::time::Timestamp;
use steward_shared::wire::code::{Code, SECRET};
use steward_shared::wire::message::{Enrol, EnrolRefusal, Enrolled};

use super::ca::{CaError, Identity, Issued};
use super::fleet::Fleet;
use super::happening::Happening;
use super::model::Enrolment;
use super::store::{self, EventRow, GatewayRow};
use crate::kernel::db::{DbError, Tx};

const MAX_NAME: usize = 100;
const MAX_WORD: usize = 100;
/// How long a code is remembered after it has expired.
const KEEP_CODES: Duration = Duration::from_hours(24 * 30);
/// Of each gateway.
const KEEP_EVENTS: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("there is no such gateway")]
    NoSuchGateway,
    #[error("there is no such place; choose one of the tree, or none")]
    NoSuchSite,
    #[error("another gateway has the name {0:?}; choose another one")]
    NameTaken(String),
    #[error("a gateway's name has 1 to {MAX_NAME} characters")]
    BadName,
    #[error("somebody else changed the gateway in the meantime; load it again and repeat the change")]
    Stale,
    #[error("the gateway was enrolled and has a history; revoke it instead")]
    WasEnrolled,
    #[error("the system gives no randomness for a code")]
    NoRandomness,
    #[error("the database failed")]
    Db(#[source] DbError),
}

impl From<DbError> for FleetError {
    fn from(e: DbError) -> Self {
        match e {
            // The one reference that people choose: the place was removed in the meantime.
            DbError::Reference => Self::NoSuchSite,
            e => Self::Db(e),
        }
    }
}

/// A code and until when it may be used.
#[derive(Debug)]
pub struct NewCode {
    pub code: Code,
    pub expires_at: Timestamp,
}

impl Fleet {
    pub async fn gateway(&self, id: GatewayId) -> Result<Option<GatewayRow>, DbError> {
        store::gateway(&self.db, id).await
    }

    /// In the order of name and id, after the given ones.
    pub async fn gateways(
        &self,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<GatewayRow>, DbError> {
        store::gateways(&self.db, after, limit).await
    }

    /// The newest first, before the given one.
    pub async fn events(
        &self,
        gateway: GatewayId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<EventRow>, DbError> {
        store::events(&self.db, gateway, before, limit).await
    }

    /// A gateway that waits for its machine, and the code by which the machine enrols.
    pub async fn create(
        &self,
        tx: &Tx,
        name: &str,
        site: Option<SiteId>,
    ) -> Result<(GatewayId, NewCode), FleetError> {
        let name = good_name(name)?;
        let id = GatewayId::new(self.ids.as_ref());
        store::insert_gateway(tx, id, name, site, self.clock.now()).await.map_err(|e| taken(e, name))?;
        Ok((id, self.put_code(tx, id).await?))
    }

    /// Another code; an unused one of before is void. For a gateway that was set up anew or revoked as well.
    pub async fn new_code(&self, tx: &Tx, id: GatewayId) -> Result<NewCode, FleetError> {
        self.put_code(tx, id).await
    }

    async fn put_code(&self, tx: &Tx, id: GatewayId) -> Result<NewCode, FleetError> {
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret).map_err(|_| FleetError::NoRandomness)?;
        let expires_at = self.clock.now().plus(self.enrolment_valid);
        store::drop_open_codes(tx, id).await?;
        store::insert_code(tx, &Sha256::digest(secret), id, expires_at).await?;
        Ok(NewCode { code: self.ca.code(secret), expires_at })
    }

    pub async fn change(
        &self,
        tx: &Tx,
        id: GatewayId,
        version: i64,
        name: &str,
        site: Option<SiteId>,
    ) -> Result<(), FleetError> {
        let name = good_name(name)?;
        match store::change_gateway(tx, id, version, name, site).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(FleetError::Stale),
            Err(e) => Err(taken(e, name)),
        }
    }

    /// Its certificates are void from the commit on; [`Self::revoked`] ends its sessions.
    pub async fn revoke(&self, tx: &Tx, id: GatewayId, by: &str) -> Result<Option<EventRow>, FleetError> {
        if !store::revoke(tx, id).await? {
            return Err(FleetError::NoSuchGateway);
        }
        store::drop_open_codes(tx, id).await?;
        Ok(self.note_in(tx, id, &Happening::Revoked { by: by.to_owned() }).await?)
    }

    /// After the commit of [`Self::revoke`].
    pub fn revoked(&self, id: GatewayId, event: Option<&EventRow>) {
        self.throw_out(id);
        self.tell_word(id, Enrolment::Revoked.word());
        self.tell_event(event);
    }

    /// Removes one that never was more than a name and a code.
    pub async fn remove(&self, tx: &Tx, id: GatewayId, version: i64) -> Result<(), FleetError> {
        let (found, enrolled_at) = store::version(tx, id).await?.ok_or(FleetError::NoSuchGateway)?;
        if enrolled_at.is_some() {
            return Err(FleetError::WasEnrolled);
        }
        if found != version {
            return Err(FleetError::Stale);
        }
        Ok(store::delete_gateway(tx, id).await?)
    }

    /// Codes that are of no use any more, and of each gateway the events beyond the newest.
    pub async fn forget(&self) -> Result<(), DbError> {
        store::forget_codes(&self.db, self.clock.now().minus(KEEP_CODES)).await?;
        for (gateway, _) in store::gateways_with_many_events(&self.db, KEEP_EVENTS).await? {
            let gone = store::trim_events(&self.db, gateway, KEEP_EVENTS).await?;
            tracing::info!(%gateway, gone, "old events of a gateway were removed");
        }
        Ok(())
    }

    /// A machine asks with a code for its first certificate.
    pub async fn enrol(&self, ask: &Enrol, address: &str) -> Result<Result<Enrolled, EnrolRefusal>, DbError> {
        let hash = Sha256::digest(&ask.code).to_vec();
        let now = self.clock.now();
        let (version, host) = (word(&ask.version), word(&ask.host));
        let done = self
            .db
            .tx(async |tx| {
                let Some(code) = store::code(&tx, &hash).await?.filter(|c| c.used_at.is_none()) else {
                    return Err(Stop::Refused(EnrolRefusal::UnknownCode));
                };
                if now > code.expires_at {
                    return Err(Stop::Refused(EnrolRefusal::Expired));
                }
                if !store::use_code(&tx, &hash, now).await? {
                    return Err(Stop::Refused(EnrolRefusal::UnknownCode));
                }
                let gateway = code.gateway;
                let ours = store::Enrolled { gateway, at: now, version: &version, host: &host, address };
                let Some(enrolled) = store::enrol(&tx, &ours).await? else {
                    return Err(Stop::Refused(EnrolRefusal::UnknownCode));
                };
                // A request that cannot be signed does not use the code up.
                let issued = self.ca.sign_gateway(&ask.csr, gateway, enrolled).map_err(|e| {
                    tracing::warn!(error = %e, %gateway, "an enrolment was refused");
                    Stop::Refused(EnrolRefusal::BadRequest)
                })?;
                store::set_certificate_expires(&tx, gateway, enrolled, issued.expires).await?;
                let what = Happening::Enrolled { host: host.clone(), address: address.to_string() };
                let event = self.note_in(&tx, gateway, &what).await?;
                Ok((gateway, issued.certificate.to_vec(), event))
            })
            .await;
        let done = match done {
            Ok(done) => Ok(done),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Db(e)) => return Err(e),
        };
        Ok(done.map(|(gateway, certificate, event)| {
            tracing::info!(%gateway, host, address, "gateway enrolled");
            // Whoever still holds a session by a certificate of before leaves; the new one is awaited.
            self.throw_out(gateway);
            self.expect(gateway);
            self.tell_state(gateway);
            self.tell_event(event.as_ref());
            Enrolled { gateway, certificate }
        }))
    }

    /// The next certificate of a gateway that is let in by its present one. It goes back to the same enrolment: if
    /// another one comes meanwhile, it is void like the present one.
    pub async fn renew(&self, by: &Identity, request: &[u8]) -> Result<Issued, RenewError> {
        if !by.is_due(self.clock.now()) {
            return Err(RenewError::NotDue);
        }
        let issued = self.ca.sign_gateway(request, by.gateway, by.enrolled)?;
        let (gateway, enrolled, expires) = (by.gateway, by.enrolled, issued.expires);
        let is_in_force = self
            .db
            .tx(async |tx| store::set_certificate_expires(&tx, gateway, enrolled, expires).await)
            .await?;
        if is_in_force { Ok(issued) } else { Err(RenewError::Void) }
    }
}

/// Why an enrolment's transaction is undone.
enum Stop {
    Refused(EnrolRefusal),
    Db(DbError),
}

impl From<DbError> for Stop {
    fn from(e: DbError) -> Self {
        Self::Db(e)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    #[error("more than half of the present certificate's life is left")]
    NotDue,
    #[error("the present certificate is void: the gateway was revoked or enrolled anew")]
    Void,
    #[error("the next certificate cannot be made")]
    Ca(#[from] CaError),
    #[error("the next certificate could not be noted")]
    Db(#[from] DbError),
}

fn good_name(name: &str) -> Result<&str, FleetError> {
    let name = name.trim();
    let fits = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(FleetError::BadName) }
}

fn taken(e: DbError, name: &str) -> FleetError {
    if e.broke("gateway_name_key") { FleetError::NameTaken(name.to_owned()) } else { e.into() }
}

/// What a stranger says of itself, short and without surprises.
fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORD).collect()
}

/// How often an address has tried of late; all addresses of a network of IPv6 count as one. Pure; whoever asks hands the
/// time in.
#[derive(Debug, Default)]
pub struct Tries {
    by_address: HashMap<IpAddr, (Timestamp, u32)>,
}

impl Tries {
    const WINDOW: Duration = Duration::from_mins(1);
    const IN_WINDOW: u32 = 5;
    /// More addresses than this within a minute are an attack; further ones wait.
    const ADDRESSES: usize = 4096;

    /// Counts a try and tells whether it is allowed.
    pub fn allow(&mut self, from: IpAddr, now: Timestamp) -> bool {
        let from = network_of(from);
        if self.by_address.len() >= Self::ADDRESSES {
            self.by_address.retain(|_, (since, _)| now.since(*since) < Self::WINDOW);
        }
        if self.by_address.len() >= Self::ADDRESSES && !self.by_address.contains_key(&from) {
            return false;
        }
        let (since, tries) = self.by_address.entry(from).or_insert((now, 0));
        if now.since(*since) >= Self::WINDOW {
            (*since, *tries) = (now, 0);
        }
        *tries += 1;
        *tries <= Self::IN_WINDOW
    }
}

/// The first 64 bits of an IPv6 address (RFC 4291, 2.5.4); an IPv4 address as it is.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_that_guesses_is_slowed_down_and_others_are_not() {
        let mut tries = Tries::default();
        let (a, b) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        let allowed = (0..20).filter(|i| tries.allow(a, Timestamp(i * 1000))).count();
        assert_eq!(allowed, 5);
        assert!(tries.allow(b, Timestamp(20_000)));
        assert!(tries.allow(a, Timestamp(60_000)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one_and_mapped_ipv4_addresses_do_not() {
        let allowed = |address: fn(u32) -> String| {
            let mut tries = Tries::default();
            (0..20).filter(|n| tries.allow(address(*n).parse().unwrap(), Timestamp(0))).count()
        };
        assert_eq!(allowed(|n| format!("2001:db8:1:2:{n:x}::1")), 5);
        assert_eq!(allowed(|n| format!("2001:db8:1:{n:x}::1")), 20);
        assert_eq!(allowed(|n| format!("::ffff:10.0.0.{n}")), 20);
    }

    #[test]
    fn a_flood_of_addresses_does_not_fill_the_memory() {
        let mut tries = Tries::default();
        for n in 0..10_000_u32 {
            tries.allow(IpAddr::V4(Ipv4Addr::from(n)), Timestamp(0));
        }
        assert!(tries.by_address.len() <= Tries::ADDRESSES);
        assert!(tries.allow(IpAddr::V4(Ipv4Addr::from(20_000)), Timestamp(61_000)));
    }
}
