//! The gate with real connections on loopback: who is let in, who is turned away, and that neither can crowd out the other.

use tokio::io::AsyncWriteExt;

use super::*;
use crate::config::Network;

const SOON: Duration = Duration::from_secs(20);

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn config(listen: SocketAddr, register: &str) -> ListenConfig {
    let framing = steward_shared::profile::Framing::Rtu;
    ListenConfig {
        listen,
        register: register.into(),
        heartbeat: b"ping".to_vec(),
        allow: Vec::new(),
        framing,
    }
}

fn gauge() -> Arc<LineGauge> {
    Arc::new(LineGauge::new("l", []))
}

/// A modem dials in and says this; again until the port is open.
async fn modem(listen: SocketAddr, said: &[u8]) -> TcpStream {
    let mut stream = loop {
        match TcpStream::connect(listen).await {
            Ok(stream) => break stream,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    stream.write_all(said).await.unwrap();
    stream
}

/// Whether it was hung up on.
async fn is_turned_away(stream: &mut TcpStream) -> bool {
    matches!(timeout(SOON, stream.read(&mut [0; 9])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn several_modems_share_a_port_and_each_finds_its_line() {
    let listen = free_port();
    let mut gates = Gates::default();
    let east = gates.enter("east", &config(listen, "EAST"), &gauge());
    let west = gates.enter("west", &config(listen, "WEST"), &gauge());
    let mut second = modem(listen, b"WESTpingw").await;
    let mut first = modem(listen, b"EA").await;
    first.write_all(b"STe").await.unwrap();
    for (seat, said) in [(&east, b"e"), (&west, b"w")] {
        let mut wire = seat.dial().await.unwrap();
        let mut some = [0; 9];
        let n = timeout(SOON, wire.read(&mut some)).await.unwrap().unwrap();
        assert_eq!(&some[..n], said, "what follows the registration and the heartbeat is kept");
    }
    gates.leave("east").await;
    assert!(is_turned_away(&mut modem(listen, b"EAST").await).await, "its line is gone");
    gates.leave("west").await;
    assert!(TcpStream::connect(listen).await.is_err(), "nobody wants the port any more");
    drop(second.shutdown().await);
}

#[tokio::test]
async fn strangers_are_turned_away_counted_and_named() {
    let listen = free_port();
    let mut gates = Gates::default();
    let of_east = gauge();
    let _east = gates.enter("east", &config(listen, "EAST"), &of_east);
    assert!(is_turned_away(&mut modem(listen, b"NORTH\x00").await).await);
    let health = of_east.read().0;
    assert_eq!(of_east.strangers(), 1);
    let why = health.last_error.unwrap();
    assert!(why.contains("127.0.0.1 registered as \"NORTH\\x00\", and no line expects that"), "{why}");
    assert_eq!((health.troubles[0].what.as_str(), health.troubles[0].count), ("strangers", 1));
    gates.leave("east").await;
}

#[tokio::test]
async fn whoever_comes_from_elsewhere_is_turned_away_unheard() {
    let listen = free_port();
    let mut gates = Gates::default();
    let of_east = gauge();
    let elsewhere = Network { address: "10.8.0.0".parse().unwrap(), bits: 16 };
    let far = ListenConfig { allow: vec![elsewhere], ..config(listen, "EAST") };
    let _east = gates.enter("east", &far, &of_east);
    assert!(is_turned_away(&mut modem(listen, b"").await).await, "it need not say a word");
    let _west = gates.enter("west", &config(listen, "WEST"), &gauge());
    assert!(is_turned_away(&mut modem(listen, b"EAST").await).await, "another line's network is not its own");
    let why = of_east.read().0.last_error.unwrap();
    assert!(why.contains("which does not come from there"), "{why}");
    gates.leave("east").await;
    gates.leave("west").await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_no_modem_out() {
    let listen = free_port();
    let mut gates = Gates::default();
    let of_east = gauge();
    let east = gates.enter("east", &config(listen, "EAST"), &of_east);
    let _known = modem(listen, b"EAST").await;
    east.dial().await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(modem(listen, b"").await);
    }
    // All but a few were hung up on at once; the few are given some seconds to speak.
    timeout(Duration::from_secs(5), async {
        while of_east.strangers() < 36 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(of_east.strangers(), 36);
    timeout(SOON, async {
        while of_east.strangers() < 40 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    let why = of_east.read().0.last_error.unwrap();
    assert!(why.contains("did not say who it is"), "{why}");
    let _again = modem(listen, b"EAST").await;
    east.dial().await.unwrap();
    gates.leave("east").await;
}
