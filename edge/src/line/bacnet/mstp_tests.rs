//! The owner of a line against a slave that is played here, octet for octet: it takes part when nobody else is there, what
//! is asked is answered, and a port that goes away is told and used again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, LinkAddress, Peer, Settings};
use steward_protocols::bacnet::mstp;
use steward_protocols::bacnet::{Answer, ObjectId, ObjectType, PropertyId, PropertyRef, Request, Value};
use steward_shared::id::RandomIds;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Happening, MstpLine, MstpPort, Network, NoAnswer};
use crate::line::{Dial, Dialling, Stream};

const LONG: Duration = Duration::from_secs(30);

/// Each time it is dialled, the far end of a new wire is handed out. After the last the port is gone.
struct Wires(mpsc::Sender<DuplexStream>);

impl Dial for Wires {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async {
            let (near, far) = duplex(4096);
            let gone = || io::Error::new(io::ErrorKind::NotFound, "there is no such port");
            self.0.try_send(far).map_err(|_| gone())?;
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        "/dev/ttyUSB7".to_owned()
    }
}

fn request() -> Request {
    let object = ObjectId::new(ObjectType::ANALOG_INPUT, 5);
    Request::ReadProperty(PropertyRef::new(object, PropertyId::PRESENT_VALUE))
}

/// Answers requests to station 128 as Annex F.3.5 does, with the invoke id that was asked under.
async fn slave(far: &mut DuplexStream) -> io::Result<()> {
    let mut receiver = mstp::Receiver::new(128, Duration::from_secs(1));
    loop {
        let octet = far.read_u8().await?;
        let Some(mstp::Heard::Frame(asked)) = receiver.octet(octet, super::desk::now()) else { continue };
        if asked.kind != mstp::FrameType::DataExpectingReply {
            continue;
        }
        let invoke = asked.data[4];
        let mut data = vec![0x01, 0x00, 0x30, invoke, 0x0C, 0x0C, 0x00, 0x00, 0x00, 0x05, 0x19, 0x55];
        data.extend([0x3E, 0x44, 0x42, 0x90, 0x99, 0x9A, 0x3F]);
        let kind = mstp::FrameType::DataNotExpectingReply;
        let answer = mstp::Frame { kind, destination: asked.source, source: 128, data };
        far.write_all(&answer.encode()).await?;
    }
}

struct Serving {
    network: Network,
    happened: mpsc::Receiver<Happening>,
    far: mpsc::Receiver<DuplexStream>,
    cancel: CancellationToken,
}

fn serve() -> Serving {
    let (wires, far) = mpsc::channel(1);
    // Fewer addresses to look at: alone it is sooner.
    let node = mstp::Settings { max_master: 5, ..mstp::Settings::new(1, 115_200) };
    let port = MstpPort { dial: Arc::new(Wires(wires)), node };
    let settings = Settings { timeout: Duration::from_millis(400), retries: 0, ..Settings::mstp() };
    let (line, network, happened) = MstpLine::new(port, settings, Arc::new(RandomIds));
    let cancel = CancellationToken::new();
    tokio::spawn(line.run(cancel.clone()));
    Serving { network, happened, far, cancel }
}

impl Serving {
    async fn next(&mut self) -> Happening {
        timeout(LONG, self.happened.recv()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_slave_is_read_and_one_that_is_not_there_fails_in_its_time() {
    let mut serving = serve();
    let mut far = timeout(LONG, serving.far.recv()).await.unwrap().unwrap();
    tokio::spawn(async move { slave(&mut far).await });
    assert_eq!(serving.next().await, Happening::Up("/dev/ttyUSB7".into()));
    let peer = |mac| Peer::direct(LinkAddress::Mstp(mac));
    let absent = serving.network.ask(peer(99), request());
    let (answer, absent) = tokio::join!(serving.network.ask(peer(128), request()), absent);
    let Ok(Answer::Properties(list)) = answer else { panic!("{answer:?}") };
    assert_eq!(list[0].value.as_deref(), Ok([Value::Real(72.3)].as_slice()));
    assert_eq!(absent, Err(NoAnswer::Device(Failure::NoReply(1))));
    serving.cancel.cancel();
}

#[tokio::test]
async fn a_port_that_goes_away_is_told_and_used_when_it_is_back() {
    let mut serving = serve();
    let far = timeout(LONG, serving.far.recv()).await.unwrap().unwrap();
    drop(far);
    let Happening::Down(why) = serving.next().await else { panic!("down") };
    assert!(why.starts_with("/dev/ttyUSB7: "), "{why}");
    let refused = serving.network.ask(Peer::direct(LinkAddress::Mstp(128)), request()).await;
    assert!(matches!(refused, Err(NoAnswer::Down(_))), "{refused:?}");
    let mut far = timeout(LONG, serving.far.recv()).await.unwrap().unwrap();
    tokio::spawn(async move { slave(&mut far).await });
    loop {
        match serving.next().await {
            Happening::Up(_) => break,
            Happening::Down(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let answer = serving.network.ask(Peer::direct(LinkAddress::Mstp(128)), request()).await;
    assert!(answer.is_ok(), "{answer:?}");
    serving.cancel.cancel();
}
