//! How a wire is opened: a serial port by its path, or a TCP connection by host and port. The line's owner
//! calls it, again after every loss; a byte stream comes out. A dial never outlives its deadline.

use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_serial::{DataBits, SerialPort, SerialStream, StopBits};

use super::gate::Doorstep;
use crate::config::WireConfig;

/// A host that swallows connection requests may take this long, and no longer.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// An open wire.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// Whether fractions of a millisecond matter on it.
    fn is_port(&self) -> bool {
        false
    }

    /// Sets how characters stand on it, where it is a port of this machine.
    fn set(&mut self, character: Character) -> io::Result<()> {
        let why = format!("{character} cannot be set: only a port of this machine can be set otherwise");
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }
}

impl Stream for TcpStream {}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {}

impl Stream for SerialStream {
    fn is_port(&self) -> bool {
        true
    }

    fn set(&mut self, character: Character) -> io::Result<()> {
        self.set_baud_rate(character.baud)?;
        self.set_data_bits(data_bits(character))?;
        self.set_parity(parity(character))?;
        self.set_stop_bits(stop_bits(character))?;
        Ok(())
    }
}

const fn data_bits(character: Character) -> DataBits {
    if character.data_bits == 7 { DataBits::Seven } else { DataBits::Eight }
}

const fn parity(character: Character) -> tokio_serial::Parity {
    match character.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    }
}

const fn stop_bits(character: Character) -> StopBits {
    if character.stop_bits == 2 { StopBits::Two } else { StopBits::One }
}

/// A wire that is being opened.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Opens a wire, any number of times. Tests hand in wires of their own.
pub trait Dial: Send + Sync {
    fn dial(&self) -> Dialling<'_>;

    /// What is opened, in words for logs: `127.0.0.1:502`, `/dev/ttyUSB0`.
    fn target(&self) -> String;
}

/// Modbus TCP, or a serial line behind a transparent converter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpDial {
    pub host: String,
    pub port: u16,
}

impl Dial for TcpDial {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let connected = timeout(DIAL_DEADLINE, TcpStream::connect((self.host.as_str(), self.port))).await;
            let stream = connected.map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {DIAL_DEADLINE:?}"))
            })??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A serial port. It is opened by path each time, so that an adapter that was pulled and put back is found
/// again (give a `/dev/serial/by-path/` name where several adapters may change places).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialDial {
    pub path: String,
    pub character: Character,
}

impl Dial for SerialDial {
    fn dial(&self) -> Dialling<'_> {
        // Opening is three ioctl calls on a device that is there or is not: it does not wait for the wire.
        Box::pin(async move {
            let builder = tokio_serial::new(&self.path, self.character.baud)
                .data_bits(data_bits(self.character))
                .parity(parity(self.character))
                .stop_bits(stop_bits(self.character));
            let port = SerialStream::open(&builder).map_err(io::Error::from)?;
            Ok(Box::new(port) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        self.path.clone()
    }
}

/// A UDP port: it has a name, and is no wire that could be dialled. Its owner opens it (`udp`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpPort(pub SocketAddrV4);

impl Dial for UdpPort {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async {
            Err(io::Error::new(io::ErrorKind::Unsupported, "a network is no wire to be dialled"))
        })
    }

    fn target(&self) -> String {
        format!("udp {}", self.0)
    }
}

/// The dial of a line in the gateway's file, for one that has it to itself.
pub fn dial_of(wire: &WireConfig) -> Arc<dyn Dial> {
    match wire {
        WireConfig::Tcp { host, port, .. } => Arc::new(TcpDial { host: host.clone(), port: *port }),
        WireConfig::Listen(listen) => Arc::new(Doorstep(listen.clone())),
        WireConfig::Bacnet(network) => Arc::new(UdpPort(network.listen)),
        WireConfig::Mstp(line) => {
            // Eight data bits, no parity, one stop bit, and no other (clause 9.2.3).
            let character = Character::new(line.baud, 8, Parity::None, 1);
            Arc::new(SerialDial { path: line.path.clone(), character })
        }
        // The transport below; its owner opens the session on it.
        WireConfig::Mqtt(broker) => Arc::new(TcpDial { host: broker.host.clone(), port: broker.port }),
        WireConfig::Serial(serial) => {
            Arc::new(SerialDial { path: serial.path.clone(), character: serial.character })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_does_not_exist_is_an_error_with_its_cause() {
        let dial = SerialDial {
            path: "/dev/there-is-no-such-port".to_owned(),
            character: Character::new(9600, 8, Parity::None, 1),
        };
        let error = dial.dial().await.err().expect("no such port");
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_error_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = TcpDial { host: "127.0.0.1".to_owned(), port }.dial().await.err().expect("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_ipv6_target_is_written_in_brackets() {
        assert_eq!(TcpDial { host: "fd00::7".to_owned(), port: 502 }.target(), "[fd00::7]:502");
    }
}
