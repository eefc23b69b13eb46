//! A client of the hub's API over a plain socket on loopback: one request, one connection, no compression.
//! It speaks HTTP/1.0, so that the answer ends where the connection ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::json::Json;

const LIMIT: Duration = Duration::from_secs(30);

pub struct Answer {
    pub status: u16,
    pub cookie: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Result<Json, String> {
        Json::parse(&self.body)
    }
}

/// `cookie` and `body` may be empty.
pub fn request(port: u16, method: &str, path: &str, cookie: &str, body: &str) -> Result<Answer, String> {
    send(port, method, path, cookie, body).map_err(|e| format!("{method} {path} on port {port}: {e}"))
}

fn send(port: u16, method: &str, path: &str, cookie: &str, body: &str) -> Result<Answer, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
    stream.set_write_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
    let mut head =
        format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n", body.len());
    if !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    if !cookie.is_empty() {
        head = format!("{head}Cookie: {cookie}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    read(&String::from_utf8_lossy(&bytes))
}

fn read(text: &str) -> Result<Answer, String> {
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer has no end of its head")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status = status.ok_or("the answer has no status")?;
    let cookie = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .and_then(|(_, value)| value.split(';').next())
        .map(|pair| pair.trim().to_owned());
    Ok(Answer { status, cookie, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_cookie_and_body_are_found() {
        let answer = read(
            "HTTP/1.0 201 Created\r\nSet-Cookie: steward_session=abc; HttpOnly\r\n\r\n{\"needed\":false}",
        );
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.cookie.as_deref()), (201, Some("steward_session=abc")));
        assert_eq!(answer.json().unwrap().get("needed"), &Json::Bool(false));
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        assert!(read("HTTP/1.0 200 OK\r\nContent").is_err());
        assert!(read("\r\n\r\n").is_err());
    }
}
