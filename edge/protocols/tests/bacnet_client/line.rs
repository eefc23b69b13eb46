//! The client on a line of MS/TP: bare messages to stations, and a device's time that begins when the request is on the
//! wire.

use std::time::Duration;

use steward_protocols::bacnet::apdu::Apdu;
use steward_protocols::bacnet::client::{Client, Event, Failure, LinkAddress, Peer, Settings};
use steward_protocols::bacnet::npdu::{Npdu, Station};
use steward_protocols::bacnet::{Answer, Request, Value};

use super::device::{beginning, input};

const SECOND: Duration = Duration::from_secs(1);
const STATION: LinkAddress = LinkAddress::Mstp(17);

fn sent(client: &mut Client) -> Vec<(LinkAddress, Vec<u8>)> {
    std::iter::from_fn(|| client.datagram()).map(|d| (d.to, d.bytes)).collect()
}

/// Annex F.3.5: the present value of analog input 5 is 72.3.
fn answer(invoke: u8) -> Vec<u8> {
    let data = [0x0C, 0, 0, 0, 5, 0x19, 0x55, 0x3E, 0x44, 0x42, 0x90, 0x99, 0x9A, 0x3F];
    let apdu = Apdu::ComplexAck { invoke, segment: None, service: 12, data: &data }.encode();
    Npdu::to(None, false, &apdu).encode()
}

fn ended(client: &mut Client) -> Vec<Result<Answer, Failure>> {
    let outcome = |event| match event {
        Event::Answered { outcome, .. } => Some(outcome),
        _ => None,
    };
    std::iter::from_fn(|| client.event()).filter_map(outcome).collect()
}

#[test]
fn a_device_has_its_time_from_when_the_request_is_on_the_wire() {
    let (mut client, mut now) = (Client::new(Settings { retries: 1, ..Settings::mstp() }), beginning());
    let peer = Peer::direct(STATION);
    client.ask(peer, Request::ReadProperty(input(5)), now);
    client.ask(peer, Request::ReadProperty(input(5)), now);
    // One at a time; bare, and with what an answer may have: 480 bytes (code 3).
    let request = vec![1, 4, 2, 0x73, 0, 12, 0x0C, 0, 0, 0, 5, 0x19, 85];
    assert_eq!(sent(&mut client), [(STATION, request.clone())]);
    // It waits for the token, far longer than a device may take.
    now += SECOND * 30;
    client.poll(now);
    assert!(sent(&mut client).is_empty());
    client.sent(LinkAddress::Mstp(18), now);
    client.sent(STATION, now);
    assert_eq!(client.deadline(), Some(now + SECOND * 6));
    now += SECOND * 6;
    client.poll(now);
    assert_eq!(sent(&mut client), [(STATION, request)], "asked again");
    client.sent(STATION, now);
    client.received(STATION, &answer(0), now);
    let answers = ended(&mut client);
    let Ok(Answer::Properties(list)) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(list[0].value.as_deref(), Ok([Value::Real(72.3)].as_slice()));
    // The second never gets the token.
    assert_eq!(sent(&mut client).len(), 1);
    now += SECOND * 60;
    client.poll(now);
    assert_eq!(ended(&mut client), [Err(Failure::Expired)]);
}

#[test]
fn devices_introduce_themselves_to_all_and_those_behind_a_router_too() {
    let (mut client, now) = (Client::new(Settings::mstp()), beginning());
    client.who_is(None);
    assert_eq!(sent(&mut client), [(LinkAddress::Mstp(255), vec![1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 8])]);
    // Annex F.4.9: device 3, 1024 bytes, no segments, vendor 99.
    let content = [0xC4, 0x02, 0, 0, 3, 0x22, 4, 0, 0x91, 3, 0x21, 99];
    let apdu = Apdu::Unconfirmed { service: 0, data: &content }.encode();
    client.received_by_all(STATION, &Npdu::to(Some(Station::EVERYBODY), false, &apdu).encode(), now);
    let peer = client.device(3).map(|device| device.peer);
    assert_eq!(peer, Some(Peer::direct(STATION)));
    assert_eq!(client.abilities(Peer::direct(STATION)).max_apdu, 480, "no longer than a common frame holds");
    let behind = Station::new(2001, &[5]).unwrap();
    let mut content = content;
    content[4] = 4;
    let apdu = Apdu::Unconfirmed { service: 0, data: &content }.encode();
    let npdu = Npdu { source: Some(behind), ..Npdu::to(Some(Station::EVERYBODY), false, &apdu) }.encode();
    client.received_by_all(LinkAddress::Mstp(1), &npdu, now);
    assert_eq!(client.device(4).map(|device| device.peer), Some(Peer::behind(LinkAddress::Mstp(1), behind)));
}
