//! A small HTTP client over a plain connection, one request each. It speaks HTTP/1.0, so that an answer ends
//! with its connection: nothing to parse but the head. Keeps the session's cookie.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Http {
    address: SocketAddr,
    cookie: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case; the last of several stands.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} and no JSON: {}", self.status, self.text()))
    }

    /// The JSON of a good answer; another status is an error with the server's words.
    pub fn ok(&self) -> anyhow::Result<Value> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }
}

impl Http {
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, None, &[])
    }

    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send("POST", path, Some(body), &[])
    }

    /// Makes a session and keeps its cookie.
    pub fn log_in(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.post(path, body)?;
        let session = answer.ok()?;
        let cookie = answer.headers.get("set-cookie").context("the server set no cookie")?;
        self.cookie = cookie.split(';').next().map(str::to_owned);
        Ok(session)
    }

    /// Forgets the session.
    pub fn log_out(&mut self) {
        self.cookie = None;
    }

    pub fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut reader = self.request(method, path, body, headers)?;
        let (status, headers) = read_head(&mut reader)?;
        let mut body = Vec::new();
        reader.read_to_end(&mut body).with_context(|| format!("the answer to {method} {path} broke off"))?;
        Ok(Answer { status, headers, body })
    }

    /// Opens a stream of server-sent events.
    pub fn events(&self, path: &str) -> anyhow::Result<Stream> {
        let mut reader = self.request("GET", path, None, &[("accept", "text/event-stream")])?;
        let (status, _) = read_head(&mut reader)?;
        if status != 200 {
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            bail!("{status} for {path}: {text}");
        }
        Ok(Stream { reader })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)
            .with_context(|| format!("nobody answers on {}", self.address))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string);
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {}\r\n", self.address);
        if let Some(cookie) = &self.cookie {
            write!(head, "cookie: {cookie}\r\n")?;
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        if let Some(body) = &body {
            write!(head, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())?;
        }
        head += "\r\n";
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.unwrap_or_default().as_bytes())?;
        Ok(BufReader::new(stream))
    }
}

fn read_head(reader: &mut impl BufRead) -> anyhow::Result<(u16, BTreeMap<String, String>)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.with_context(|| format!("this is no HTTP answer: {line:?}"))?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok((status, headers)) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// Server-sent events, one after the other.
#[derive(Debug)]
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    /// The next event's name and data; none when the server ended the stream. Comments are passed over.
    pub fn next_event(&mut self) -> anyhow::Result<Option<(String, Value)>> {
        let (mut name, mut data) = (String::from("message"), String::new());
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim_end().split_once(':') {
                None if line.trim_end().is_empty() && !data.is_empty() => {
                    return Ok(Some((name, serde_json::from_str(&data)?)));
                }
                Some(("event", word)) => word.trim().clone_into(&mut name),
                Some(("data", text)) => data += text.trim_start(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that gives one answer, and what it was asked.
    fn serve(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let n = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        (address, thread)
    }

    #[test]
    fn a_log_in_keeps_the_cookie_for_what_follows() {
        let (address, asked) =
            serve("HTTP/1.0 201 Created\r\nSet-Cookie: steward_session=abc; HttpOnly\r\n\r\n{\"user\":1}");
        let mut http = Http::new(address);
        let session = http.log_in("/api/v1/session", &serde_json::json!({"user": "a"})).unwrap();
        assert_eq!(session["user"], 1);
        assert!(asked.join().unwrap().starts_with("POST /api/v1/session HTTP/1.0\r\n"));
        assert_eq!(http.cookie.as_deref(), Some("steward_session=abc"));
    }

    #[test]
    fn a_refusal_is_an_error_with_the_servers_words() {
        let (address, _asked) = serve("HTTP/1.0 403 Forbidden\r\n\r\n{\"title\":\"you may not\"}");
        let error = Http::new(address).get("/x").unwrap().ok().unwrap_err().to_string();
        assert!(error.contains("403") && error.contains("you may not"), "{error}");
    }

    #[test]
    fn events_come_one_by_one_and_heartbeats_are_passed_over() {
        let (address, _asked) =
            serve("HTTP/1.0 200 OK\r\n\r\n: heartbeat\n\nevent: value\ndata: {\"point\":1}\n\ndata: 2\n\n");
        let mut events = Http::new(address).events("/api/v1/live").unwrap();
        assert_eq!(events.next_event().unwrap(), Some(("value".into(), serde_json::json!({"point": 1}))));
        assert_eq!(events.next_event().unwrap(), Some(("message".into(), serde_json::json!(2))));
        assert_eq!(events.next_event().unwrap(), None);
    }
}
