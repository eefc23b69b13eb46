//! The edge on meters of M-Bus behind a converter, and of IEC 62056-21 at a serial port: by primary number, by secondary
//! address, in several telegrams, at two rates. The meters are simulated; whether they speak right, `readers` asks others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use steward_protocols::{iec62056, mbus};
use steward_shared::profile::{Library, PointDef, Profile};
use steward_shared::reading::Value;
use steward_tests::programs::free_tcp_port;
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);
/// When nothing has come for so long, a frame is over.
const SILENCE: Duration = Duration::from_millis(30);

fn profile(id: &str) -> Arc<Profile> {
    Library::compiled_in().unwrap().get(id).unwrap()
}

/// A value for each point, no two alike; `of` tells meters apart.
fn value(point: &PointDef, of: u32) -> Value {
    let place = point.key.bytes().map(u32::from).sum::<u32>() + of;
    match point.key.as_str() {
        "set-day" | "month-end" => Value::Text("2026-12-31".to_owned()),
        "meter-clock" => Value::Text("2026-11-28 07:05".to_owned()),
        "meter-number" => Value::Text(format!("{of:08}")),
        _ if point.is_number() => {
            let number = f64::from(place) / f64::from(10_u32.pow(u32::from(point.decimals)));
            Value::Number(point.rules.max.map_or(number, |max| number.min(max)))
        }
        _ if point.kind == steward_shared::wire::message::PointKind::Text => Value::Text(format!("T{of}")),
        _ => Value::Number(f64::from(place % 2)),
    }
}

/// Serves one connection after another; what is said to a frame stands in `says`.
fn serve(mut says: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            stream.set_read_timeout(Some(SILENCE)).unwrap();
            let (mut heard, mut buffer) = (Vec::new(), [0; 512]);
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => heard.extend(&buffer[..n]),
                    Err(_) if heard.is_empty() => {}
                    Err(_) => {
                        let answer = says(&heard);
                        heard.clear();
                        if answer.is_some_and(|answer| stream.write_all(&answer).is_err()) {
                            break;
                        }
                    }
                }
            }
        }
    });
    port
}

/// The same at the end of a serial port; returns its path, and what keeps it open.
fn serve_port(mut says: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> (String, OwnedFd) {
    let ends = nix::pty::openpty(None, None).unwrap();
    let path = nix::unistd::ttyname(&ends.slave).unwrap().display().to_string();
    let mut ours = File::from(ends.master);
    let mut reads = ours.try_clone().unwrap();
    let (sender, heard) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok(n) = reads.read(&mut buffer) {
            if sender.send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        let mut frame = Vec::new();
        loop {
            match heard.recv_timeout(SILENCE) {
                Ok(bytes) => frame.extend(bytes),
                Err(RecvTimeoutError::Timeout) if frame.is_empty() => {}
                Err(RecvTimeoutError::Timeout) => {
                    // No sooner than such meters: the port is set for the answer meanwhile.
                    std::thread::sleep(Duration::from_millis(200));
                    let answer = says(&std::mem::take(&mut frame));
                    if answer.is_some_and(|answer| ours.write_all(&answer).is_err()) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    (path, ends.slave)
}

#[test]
fn meters_of_mbus_and_iec_62056_21_are_read_through_the_gateways_file() {
    let dir = tempfile::tempdir().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let (heat, cold) = (profile("kamstrup/multical-601"), profile("minol/minocal-c2"));
    // Each frame finds the meters as those before it left them.
    let mut before: Vec<Vec<u8>> = Vec::new();
    let bus = serve(move |frame| {
        let identity = |number| mbus::Identity { number, maker: 0x2C2D, version: 8, medium: 4 };
        if frame.first() == Some(&0x68) || frame.get(1) == Some(&0x40) {
            before.clear();
        }
        before.push(frame.to_vec());
        let mut answer = None;
        for (profile, number, digits) in [(&heat, 5, 5), (&heat, 6, 6), (&cold, 0, 7)] {
            let mut meter = mbus::Meter::new(&**profile, number, identity(digits)).unwrap();
            let show = |point: &PointDef| Some(value(point, digits));
            answer = before.iter().map(|frame| meter.answer(frame, show)).last().flatten().or(answer);
        }
        answer
    });
    let electricity = profile("logarex/lk13");
    let (port, _open) = serve_port(move |frame| {
        let mut meter = iec62056::Meter::new(&*electricity, "13".parse().unwrap()).unwrap();
        let show = |point: &PointDef| Some(value(point, 13));
        if frame.first() == Some(&0x06) {
            meter.answer(b"/?13!\r\n", show);
        }
        meter.answer(frame, show)
    });
    let device = |name: &str, profile: &str, address: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"{profile}\"\naddress = {address}\n")
    };
    let line = |name: &str, port: u16| {
        format!(
            "[[line]]\nname = \"{name}\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nframing = \"transparent\"\n"
        )
    };
    let text = format!(
        "[gateway]\nname = \"meters\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nnormal = \"2s\"\nslow = \"2s\"\nstatic = \"2s\"\n{}{}{}{}{}{}periods = {{ normal = \"8s\", slow = \"8s\", static = \"8s\" }}\n",
        dir.path().join("edge").display(),
        line("bus", bus),
        device("number-5", "kamstrup/multical-601", "5"),
        device("number-6", "kamstrup/multical-601", "\"00000006-KAM\""),
        device("digits-7", "minol/minocal-c2", "\"00000007\""),
        format_args!("[[line]]\nname = \"optical\"\nkind = \"serial\"\nport = \"{port}\"\n"),
        device("electricity", "logarex/lk13", "\"13\""),
    );
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, text).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    let meters = [
        ("number-5", profile("kamstrup/multical-601"), 5),
        ("number-6", profile("kamstrup/multical-601"), 6),
        ("digits-7", profile("minol/minocal-c2"), 7),
        ("electricity", profile("logarex/lk13"), 13),
    ];
    let wanted: usize = meters.iter().map(|(_, profile, _)| profile.points.len()).sum();
    let shown = eventually("every point of all meters was read", LONG, || {
        let values = edge.status().ok()?["values"].as_array()?.clone();
        let read = values.iter().filter(|v| v["quality"] == "good").count();
        (read == wanted).then_some(values)
    });
    for (name, profile, of) in &meters {
        for point in profile.points.iter().filter(|p| p.derived().is_none()) {
            let read =
                shown.iter().find(|v| v["device"] == *name && v["point"] == point.key.as_str()).unwrap();
            match value(point, *of) {
                Value::Number(number) => assert_eq!(read["value"].as_f64(), Some(number), "{name} {read}"),
                Value::Text(text) => assert_eq!(read["value"], text, "{name} {read}"),
            }
        }
    }
    edge.stop().unwrap();
}
