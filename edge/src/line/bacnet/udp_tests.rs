//! The owner of the port against a device that is a plain socket here: what is asked is answered, what is silent fails
//! in its time, and a port that cannot be opened is told.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, LinkAddress, Peer, Settings};
use steward_protocols::bacnet::{Answer, ObjectId, ObjectType, PropertyId, PropertyRef, Request, Value};
use steward_shared::id::RandomIds;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Happening, Network, NoAnswer, Port, UdpLine};

const LOCAL: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
const LONG: Duration = Duration::from_secs(20);

fn present_value() -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, 10), PropertyId::PRESENT_VALUE)
}

struct Serving {
    network: Network,
    happened: tokio::sync::mpsc::Receiver<Happening>,
    cancel: CancellationToken,
}

fn serve(listen: SocketAddrV4, settings: Settings) -> Serving {
    let (line, network, happened) = UdpLine::new(Port { listen }, settings, Arc::new(RandomIds));
    let cancel = CancellationToken::new();
    tokio::spawn(line.run(cancel.clone()));
    Serving { network, happened, cancel }
}

fn quick() -> Settings {
    Settings { timeout: Duration::from_millis(60), retries: 1, ..Settings::default() }
}

async fn device() -> (UdpSocket, Peer) {
    let socket = UdpSocket::bind(LOCAL).await.unwrap();
    let std::net::SocketAddr::V4(at) = socket.local_addr().unwrap() else { panic!("bound to IPv4") };
    (socket, Peer::direct(at))
}

#[tokio::test]
async fn a_question_is_answered_and_a_silent_device_fails_in_its_time() {
    let (socket, peer) = device().await;
    let serving = serve(LOCAL, quick());
    let answering = async {
        let mut bytes = [0; 100];
        let (len, from) = socket.recv_from(&mut bytes).await.unwrap();
        // Annex F, read-property: present value of analog input 10.
        assert_eq!(&bytes[..len][9..], [12, 0x0C, 0, 0, 0, 10, 0x19, 85]);
        let mut answer = vec![0x81, 0x0A, 0, 22, 1, 0, 0x30, bytes[8], 12];
        answer.extend([0x0C, 0, 0, 0, 10, 0x19, 85, 0x3E, 0x44, 0x42, 0x90, 0x99, 0x9A, 0x3F]);
        answer[3] = answer.len() as u8;
        socket.send_to(&answer, from).await.unwrap();
    };
    let request = Request::ReadProperty(present_value());
    let (answer, ()) = tokio::join!(serving.network.ask(peer, request.clone()), answering);
    let Ok(Answer::Properties(list)) = answer else { panic!("{answer:?}") };
    assert_eq!(list[0].value.as_deref(), Ok([Value::Real(72.3)].as_slice()));
    let silent = timeout(LONG, serving.network.ask(peer, request)).await.unwrap();
    assert_eq!(silent, Err(NoAnswer::Device(Failure::NoReply(2))));
    serving.cancel.cancel();
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_used_when_it_is_free() {
    let (taken, at) = device().await;
    let LinkAddress::Ip(address) = at.address else { panic!("on BACnet/IP") };
    let mut serving = serve(address, quick());
    let down = timeout(LONG, serving.happened.recv()).await.unwrap();
    assert!(matches!(down, Some(Happening::Down(_))), "{down:?}");
    let refused = serving.network.ask(at, Request::ReadProperty(present_value())).await;
    assert!(matches!(refused, Err(NoAnswer::Down(_))), "{refused:?}");
    drop(taken);
    loop {
        match timeout(LONG, serving.happened.recv()).await.unwrap() {
            Some(Happening::Up(up)) => break assert_eq!(*up, *address.to_string()),
            Some(Happening::Down(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    serving.cancel.cancel();
}

#[tokio::test]
async fn whoever_asks_when_the_task_has_ended_is_told() {
    let (_, peer) = device().await;
    let serving = serve(LOCAL, quick());
    serving.cancel.cancel();
    let ended = timeout(LONG, serving.network.ask(peer, Request::ReadProperty(present_value()))).await;
    assert_eq!(ended.unwrap(), Err(NoAnswer::Ended));
}

#[tokio::test]
async fn a_broadcast_that_cannot_be_sent_is_told_once_with_the_way_out() {
    // Nothing is ever sent to port 0.
    let nowhere = SocketAddrV4::new(std::net::Ipv4Addr::new(127, 255, 255, 255), 0);
    let mut serving = serve(LOCAL, Settings { broadcast: nowhere.into(), ..quick() });
    let mut troubles = Vec::new();
    for _ in 0..2 {
        serving.network.who_is(None).await.unwrap();
        // An answer that comes behind it: by then it was tried.
        assert_eq!(serving.network.find(1).await, Ok(None));
    }
    while let Ok(happening) = serving.happened.try_recv() {
        if let Happening::Trouble(what) = happening {
            troubles.push(what.to_string());
        }
    }
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(
        troubles[0].contains("127.255.255.255:0") && troubles[0].contains("check the line's broadcast"),
        "{troubles:?}"
    );
    serving.cancel.cancel();
}
