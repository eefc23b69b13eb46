//! Codes, and what a stranger may do.

use std::time::Duration;

use rcgen::KeyPair;
use steward_shared::wire::message::{ALPN, ALPN_ENROL, EnrolAnswer, EnrolRefusal};
use tokio::io::AsyncWriteExt as _;

use super::super::road::code;
use super::edge::{Hub, closed, hear};
use super::wire::{Way, over_both_roads};
use crate::kernel::db::testing::{fresh_databases, fresh_sqlite};

fn refusal(answer: &EnrolAnswer) -> Option<EnrolRefusal> {
    match answer {
        EnrolAnswer::Refused(r) => Some(*r),
        EnrolAnswer::Accepted(_) => None,
    }
}

async fn a_code_enrols_one_gateway_once(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
        let (gateway, secret) = hub.code("east").await;
        let key = KeyPair::generate().unwrap();
        let EnrolAnswer::Accepted(enrolled) = hub.enrol(&secret, &key).await else { panic!("refused") };
        assert_eq!(enrolled.gateway, gateway);
        assert_eq!(refusal(&hub.enrol(&secret, &key).await), Some(EnrolRefusal::UnknownCode));
        assert_eq!(hub.events(gateway, "gateway_enrolled").await.len(), 1);
    }
}

async fn a_code_that_is_too_old_is_refused_and_a_guess_too(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let (gateway, secret) = hub.code("east").await;
    let key = KeyPair::generate().unwrap();
    assert_eq!(refusal(&hub.enrol(&[0; 10], &key).await), Some(EnrolRefusal::UnknownCode));
    hub.clock.advance(Duration::from_mins(15) + Duration::from_millis(1));
    assert_eq!(refusal(&hub.enrol(&secret, &key).await), Some(EnrolRefusal::Expired));
    let new = hub.ctx.db.tx(async |tx| hub.fleet.new_code(&tx, gateway).await).await.unwrap();
    assert_eq!(
        refusal(&hub.enrol(&secret, &key).await),
        Some(EnrolRefusal::UnknownCode),
        "the old one is void"
    );
    assert!(refusal(&hub.enrol(&new.code.secret, &key).await).is_none());
}

async fn whoever_guesses_codes_is_slowed_down(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let key = KeyPair::generate().unwrap();
    for _ in 0..5 {
        assert_eq!(refusal(&hub.enrol(&[1; 10], &key).await), Some(EnrolRefusal::UnknownCode));
    }
    let (_, secret) = hub.code("east").await;
    assert_eq!(refusal(&hub.enrol(&secret, &key).await), Some(EnrolRefusal::SlowDown));
    hub.clock.advance(Duration::from_mins(1));
    assert_eq!(refusal(&hub.enrol(&secret, &key).await), None);
}

#[tokio::test]
async fn a_stranger_is_read_no_more_than_a_request_takes() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let connection = hub.dial(ALPN_ENROL, None).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&(16_385_u32).to_be_bytes()).await.unwrap();
    let answer = hear::<EnrolAnswer>(&mut recv).await.unwrap();
    assert_eq!(refusal(&answer), Some(EnrolRefusal::BadRequest), "before a byte of it came");
    // On a stream that the hub does not read.
    let connection = hub.dial(ALPN_ENROL, None).await.unwrap();
    let _first = connection.open_bi().await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    let mut written = 0;
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(300), send.write(&[0; 4096])).await {
        written += n.unwrap();
    }
    assert!((1..=16_384).contains(&written), "{written}");
}

async fn a_stranger_without_a_certificate_gets_no_session(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let connection = hub.dial(ALPN, None).await.unwrap();
    assert_eq!(closed(&connection).await, code::REFUSED);
}

over_both_roads!(
    a_code_enrols_one_gateway_once,
    a_code_that_is_too_old_is_refused_and_a_guess_too,
    whoever_guesses_codes_is_slowed_down,
    a_stranger_without_a_certificate_gets_no_session,
);
