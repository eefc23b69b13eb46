//! What the program that runs shows of itself, asked for on its page /status by the commands that tell of it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::text::{Lang, doctor as text};

/// A page that does not come in this time will not.
const PATIENCE: Duration = Duration::from_secs(5);
/// A page is never larger than this.
const LONGEST: u64 = 64 << 20;

/// The page of the program at `address`, as far as the reader wants it.
pub fn status<T: DeserializeOwned>(address: SocketAddr, lang: Lang) -> Result<T, String> {
    let at = address.to_string();
    let page = page(address).map_err(|e| text::away(lang, &at, &e.to_string()))?;
    serde_json::from_str(&page).map_err(|e| text::other(lang, &at, &e.to_string()))
}

fn page(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /status HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no page"))
}
