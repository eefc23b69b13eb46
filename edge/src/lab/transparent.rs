//! Devices behind a converter that hands bytes on between TCP and a serial line, as it finds them: a pause ends a frame.
//! Modbus RTU and ASCII and the languages of meters come so. It listens where it is told and nowhere else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::far_end::{Heard, Station};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::tcp::{accept, send};

/// Bytes that come closer together belong together.
const PAUSE: Duration = Duration::from_millis(8);
/// What has not become a frame in this time is noise.
const FORGET: Duration = Duration::from_millis(300);
/// Longer is no frame of any of the languages.
const MOST: usize = 2048;

/// Serves until cancelled.
pub async fn serve_transparent(
    listener: TcpListener,
    devices: Arc<dyn Station>,
    stop: CancellationToken,
) -> io::Result<()> {
    accept(listener, stop, |stream| answer(stream, Arc::clone(&devices))).await
}

async fn answer(mut stream: TcpStream, devices: Arc<dyn Station>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held: Vec<u8> = Vec::new();
    let mut tried = false;
    loop {
        let patience = match (held.is_empty(), tried) {
            (true, _) => Duration::MAX,
            (false, false) => PAUSE,
            (false, true) => FORGET,
        };
        let mut bytes = [0; 512];
        match timeout(patience, stream.read(&mut bytes)).await {
            Ok(read) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                held.extend_from_slice(bytes.get(..n).unwrap_or_default());
                tried = false;
                if held.len() > MOST {
                    held.clear();
                }
            }
            Err(_) if tried => held.clear(),
            Err(_) => match devices.hear(&held) {
                // The rest may still come: a network cuts as it likes.
                Heard::Broken => tried = true,
                Heard::Nobody => held.clear(),
                Heard::Answered(answers) => {
                    held.clear();
                    let mut waited = Duration::ZERO;
                    for answer in answers {
                        sleep(answer.turnaround.saturating_sub(waited)).await;
                        waited = waited.max(answer.turnaround);
                        send(&mut stream, &answer.bytes).await?;
                    }
                }
            },
        }
        tried &= !held.is_empty();
    }
}
