//! Who may be whom.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use rcgen::KeyPair;
use steward_shared::id::{BufferId, RandomIds};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{
    ALPN, ControlDown, ControlUp, Health, Lane, LaneDown, RefusalReason, Renew,
};

use super::super::road::code;
use super::edge::{Hub, NOW, Papers, Session, body, closed, hear, request, say};
use super::wire::{Way, over_both_roads};
use crate::gateways::{NotAdmitted, RenewError, identity};
use crate::kernel::db::testing::{TestDb, fresh_sqlite};
use crate::testing::eventually;

async fn refused(session: &mut Session) -> RefusalReason {
    match hear(&mut session.recv).await {
        Some(ControlDown::Refused(r)) => r.reason,
        other => panic!("{other:?}"),
    }
}

async fn fault_t1_an_expired_certificate_is_refused_and_a_code_brings_the_gateway_back(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    drop(hub.session(&papers, buffer, 0).await);
    hub.clock.advance(Duration::from_hours(24 * 30) + Duration::from_secs(1));
    // TLS 1.3: the client has finished its handshake before the server has looked at its certificate.
    let ended = match hub.dial(ALPN, Some(&papers)).await {
        Ok(connection) => connection.ended().await.1,
        Err(e) => e,
    };
    assert!(ended.to_lowercase().contains("certificate"), "{ended}");
    let again = hub.enrolled_again(papers.gateway).await;
    assert_eq!(again.gateway, papers.gateway);
    hub.session(&again, buffer, 0).await;
}

async fn fault_t3_a_hello_that_claims_another_gateway_is_refused_and_told(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let mut session = Session::dial(&hub, &east).await;
    session.say_hello(west.gateway, BufferId::new(&RandomIds), 0).await;
    assert_eq!(refused(&mut session).await, RefusalReason::IdentityMismatch);
    assert_eq!(closed(&session.connection).await, code::REFUSED);
    let told = hub.events(east.gateway, "identity_mismatch").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].security && told[0].detail.contains(&west.gateway.to_string()));
    assert!(hub.events(west.gateway, "identity_mismatch").await.is_empty());
}

async fn fault_t2_a_revoked_gateway_is_out_at_once_and_stays_out(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let event = hub.ctx.db.tx(async |tx| hub.fleet.revoke(&tx, papers.gateway, "admin").await).await.unwrap();
    hub.fleet.revoked(papers.gateway, event.as_ref());
    assert_eq!(closed(&session.connection).await, code::REVOKED);
    let mut again = Session::dial(&hub, &papers).await;
    again.say_hello(papers.gateway, BufferId::new(&RandomIds), 0).await;
    assert_eq!(refused(&mut again).await, RefusalReason::Unknown);
    assert_eq!(hub.events(papers.gateway, "refused_certificate").await.len(), 1);
}

/// Who is revoked stands in the row of each gateway, and not in a list that comes from elsewhere.
async fn fault_t10_a_damaged_row_lets_nobody_in_and_throws_nobody_out(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let gone = hub.enrolled("gone").await;
    hub.ctx.db.tx(async |tx| hub.fleet.revoke(&tx, gone.gateway, "admin").await).await.unwrap();
    let session = hub.session(&east, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    let damage = "update gateway set state = 'rev' || char(0) || 'ked' where name in ('east', 'gone')";
    test.db.execute(damage, vec![]).await.unwrap();
    // Whether it is still let in is asked ten times a second here.
    let (begun, mut seq) = (tokio::time::Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        seq += 1;
        assert_eq!(lane.ask(seq, body(&[(seq as i64, 1.0)])).await, LaneDown::Ack(seq));
    }
    let mut refused = Session::dial(&hub, &gone).await;
    refused.say_hello(gone.gateway, BufferId::new(&RandomIds), 0).await;
    assert_eq!(closed(&refused.connection).await, code::BUSY, "it is not known, so not now");
    assert!(hub.session(&west, BufferId::new(&RandomIds), 0).await.welcome.is_some());
    assert!(session.connection.is_open());
}

async fn the_certificate_of_before_an_enrolment_is_void(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let mut old = vec![hub.enrolled("east").await];
    let gateway = old[0].gateway;
    // All within one instant of the hub's clock, and then before it.
    for back in [0, 0, 5_000] {
        hub.clock.set(Timestamp(NOW - back));
        let new = hub.enrolled_again(gateway).await;
        for papers in &old {
            let mut session = Session::dial(&hub, papers).await;
            session.say_hello(gateway, BufferId::new(&RandomIds), 0).await;
            assert_eq!(refused(&mut session).await, RefusalReason::Unknown);
        }
        assert!(hub.session(&new, BufferId::new(&RandomIds), 0).await.welcome.is_some());
        old.push(new);
    }
}

async fn a_certificate_that_was_renewed_by_one_of_before_an_enrolment_is_void_too(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let old = hub.enrolled("east").await;
    let by = identity(&old.certificate).unwrap();
    hub.clock.advance(Duration::from_hours(24 * 20));
    let csr = request(&old.key);
    let renewed = hub.fleet.renew(&by, &csr).await.unwrap();
    hub.enrolled_again(old.gateway).await;
    let admitted = hub.fleet.admit(&identity(&renewed.certificate).unwrap()).await.unwrap();
    assert_eq!(admitted, Err(NotAdmitted::Superseded));
    let expires = async || hub.fleet.gateway(old.gateway).await.unwrap().unwrap().certificate_expires;
    let before = expires().await;
    hub.clock.advance(Duration::from_hours(1));
    assert!(matches!(hub.fleet.renew(&by, &csr).await, Err(RenewError::Void)));
    assert_eq!(expires().await, before);
}

async fn a_certificate_is_renewed_once_half_of_its_life_is_over_and_not_before(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let by = identity(&papers.certificate).unwrap();
    let csr = request(&papers.key);
    hub.clock.advance(Duration::from_hours(24 * 15) - Duration::from_secs(1));
    assert!(matches!(hub.fleet.renew(&by, &csr).await, Err(RenewError::NotDue)));
    // Its session goes on all the same: it is the gateway's clock that is wrong.
    let mut session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    say(&mut session.send, &ControlUp::Renew(Renew { csr: csr.clone() })).await;
    say(&mut session.send, &ControlUp::Health(Health { unacked: 7, ..Health::default() })).await;
    eventually("what it says next is heard", async || {
        hub.fleet.sight(papers.gateway).health.is_some_and(|h| h.unacked == 7)
    })
    .await;
    hub.clock.advance(Duration::from_secs(1));
    hub.fleet.renew(&by, &csr).await.unwrap();
}

async fn fault_t4_a_second_living_connection_is_a_clone(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let first = hub.session(&papers, buffer, 0).await;
    let mut second = Session::dial(&hub, &papers).await;
    second.say_hello(papers.gateway, buffer, 0).await;
    assert_eq!(refused(&mut second).await, RefusalReason::Duplicate);
    let told = hub.events(papers.gateway, "cloned_gateway").await;
    assert_eq!((told.len(), told[0].security), (1, true));
    assert!(first.connection.is_open(), "the first one goes on");
}

/// A gateway whose host has lost power: its session is in a runtime that is not driven any more.
struct Dead {
    hub: Arc<Hub>,
    papers: Papers,
    buffer: BufferId,
    end: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _test: TestDb,
}

impl Dead {
    async fn new(way: Way) -> Self {
        let test = fresh_sqlite().await;
        let hub = Arc::new(Hub::on(&test).await.by(way));
        let papers = hub.enrolled("east").await;
        let buffer = BufferId::new(&RandomIds);
        let (up, is_up) = tokio::sync::oneshot::channel();
        let (end, ended) = mpsc::channel::<()>();
        let (its_hub, its_papers) = (Arc::clone(&hub), papers.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let session = runtime.block_on(its_hub.session(&its_papers, buffer, 0));
            up.send(()).unwrap();
            let _ = ended.recv();
            drop(session);
        });
        is_up.await.unwrap();
        Self { hub, papers, buffer, end: Some(end), thread: Some(thread), _test: test }
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn a_gateway_that_comes_back_takes_over_from_its_dead_connection(way: Way) {
    let dead = Dead::new(way).await;
    let (hub, papers, buffer) = (&dead.hub, &dead.papers, dead.buffer);
    let again = hub.session(papers, buffer, 0).await;
    assert!(again.welcome.is_some());
    assert!(hub.events(papers.gateway, "cloned_gateway").await.is_empty());
    assert!(hub.fleet.sight(papers.gateway).online);
}

/// A gateway that is killed again and again leaves connections that wait for one another to be given up. What they said
/// of its buffer is old when their turn comes: it would pass for a restored one, and all would be sent again.
async fn of_two_that_wait_for_a_dead_connection_the_newer_one_is_served(way: Way) {
    let dead = Dead::new(way).await;
    let (hub, papers, buffer) = (&dead.hub, &dead.papers, dead.buffer);
    let mut waiting = Session::dial(hub, papers).await;
    waiting.say_hello(papers.gateway, buffer, 5).await;
    while hub.door.seats.arrivals(papers.gateway) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let newer = hub.session(papers, buffer, 9).await;
    assert!(newer.welcome.is_some() && newer.connection.is_open());
    assert_eq!(closed(&waiting.connection).await, code::REPLACED);
    assert_eq!(hub.events(papers.gateway, "epoch_began").await.len(), 1);
    assert!(hub.events(papers.gateway, "cloned_gateway").await.is_empty());
}

async fn a_gateway_renews_its_certificate_over_its_session(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let mut session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    hub.clock.advance(Duration::from_hours(24 * 20));
    let key = KeyPair::generate().unwrap();
    let csr = request(&key);
    say(&mut session.send, &ControlUp::Renew(Renew { csr })).await;
    let Some(ControlDown::Certificate(new)) = hear(&mut session.recv).await else { panic!("no certificate") };
    let new = identity(&new.certificate.into()).unwrap();
    assert_eq!(new.gateway, papers.gateway);
    assert_eq!(new.expires.as_millis(), NOW + 50 * 86_400_000);
    eventually("the end of the certificate is known", async || {
        let row = hub.fleet.gateway(papers.gateway).await.unwrap().unwrap();
        row.certificate_expires == Some(new.expires)
    })
    .await;
}

async fn a_session_does_not_outlive_its_certificate(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    hub.clock.advance(Duration::from_hours(24 * 30));
    assert_eq!(closed(&session.connection).await, code::BUSY);
    assert!(hub.events(papers.gateway, "gateway_revoked").await.is_empty());
}

async fn a_session_ends_when_its_certificate_is_void_though_nobody_threw_it_out(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let later = format!("update gateway set enrolled_at = {}", NOW + 5_000);
    test.db.execute(&later, vec![]).await.unwrap();
    assert_eq!(closed(&session.connection).await, code::REVOKED);
}

async fn a_security_event_that_could_not_be_stored_is_told_the_next_time(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let claim = async || {
        let mut session = Session::dial(&hub, &east).await;
        session.say_hello(west.gateway, BufferId::new(&RandomIds), 0).await;
        assert_eq!(refused(&mut session).await, RefusalReason::IdentityMismatch);
    };
    test.db.execute("alter table gateway_event rename to away", vec![]).await.unwrap();
    claim().await;
    test.db.execute("alter table away rename to gateway_event", vec![]).await.unwrap();
    claim().await;
    claim().await;
    assert_eq!(hub.events(east.gateway, "identity_mismatch").await.len(), 1, "once in an hour");
}

over_both_roads!(
    fault_t1_an_expired_certificate_is_refused_and_a_code_brings_the_gateway_back,
    fault_t3_a_hello_that_claims_another_gateway_is_refused_and_told,
    fault_t2_a_revoked_gateway_is_out_at_once_and_stays_out,
    fault_t10_a_damaged_row_lets_nobody_in_and_throws_nobody_out,
    the_certificate_of_before_an_enrolment_is_void,
    a_certificate_that_was_renewed_by_one_of_before_an_enrolment_is_void_too,
    a_certificate_is_renewed_once_half_of_its_life_is_over_and_not_before,
    fault_t4_a_second_living_connection_is_a_clone,
    a_gateway_that_comes_back_takes_over_from_its_dead_connection,
    of_two_that_wait_for_a_dead_connection_the_newer_one_is_served,
    a_gateway_renews_its_certificate_over_its_session,
    a_session_does_not_outlive_its_certificate,
    a_session_ends_when_its_certificate_is_void_though_nobody_threw_it_out,
    a_security_event_that_could_not_be_stored_is_told_the_next_time,
);
