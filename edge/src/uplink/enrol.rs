//! From a one-time code to an identity: the gateway makes its key, knows the hub by the fingerprint in the code, says the
//! secret, and gets a certificate for its key. The command line calls this; the program may be running meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use steward_shared::id::GatewayId;
use steward_shared::time::Clock;
use steward_shared::wire::code::Code;
use steward_shared::wire::message::{Enrol, EnrolAnswer};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::address;
use super::dial::{Dialled, Order, dial};
use super::error::{EnrolError, IdentityError, UplinkError};
use super::frames::{self, FrameReader};
use super::identity::{self, Identity};
use super::network::{MachineNetwork, Network};
use super::road::{Road, RoadKind};
use super::tls;

const ANSWER: Duration = Duration::from_secs(20);
const STREAM: &str = "enrolment";

/// Enrols this gateway at the hub and keeps the identity in `state_dir`, in the place of any former one.
pub async fn enrol(
    state_dir: &Path,
    hub: &str,
    code: &str,
    version: &str,
    clock: Arc<dyn Clock>,
) -> Result<GatewayId, EnrolError> {
    enrol_over(&MachineNetwork, state_dir, hub, code, version, clock).await
}

/// The same over a network that is handed in.
pub async fn enrol_over(
    network: &dyn Network,
    state_dir: &Path,
    hub: &str,
    code: &str,
    version: &str,
    clock: Arc<dyn Clock>,
) -> Result<GatewayId, EnrolError> {
    let code: Code = code.parse()?;
    let key = identity::new_key()?;
    // A code is good once: that the identity can be kept is known before it is used.
    identity::prepare(state_dir, &key)?;
    let ask = Enrol {
        code: code.secret.to_vec(),
        csr: identity::request(&key)?,
        version: version.to_owned(),
        host: host(),
    };
    let order = Order::first(RoadKind::Quic);
    let configs = tls::enrolment(&code, &clock)?;
    let Dialled { road, address } = dial(network, hub, state_dir, &configs, order).await?;
    let answer = exchange(&road, &ask).await.map_err(|e| road.why(e));
    // The handshake has verified the chain against it.
    let ca = road.chain().into_iter().find(|c| code.names_ca(c));
    road.close("enrolled").await;
    let enrolled = match answer? {
        EnrolAnswer::Accepted(enrolled) => enrolled,
        EnrolAnswer::Refused(refusal) => return Err(refusal.into()),
    };
    let ca = ca.ok_or(UplinkError::Protocol("the chain lost its CA"))?;
    let identity = Identity::new(enrolled.gateway, key, CertificateDer::from(enrolled.certificate), ca)?;
    identity.save(state_dir)?;
    address::keep(state_dir, hub, address);
    Ok(enrolled.gateway)
}

async fn exchange(road: &Road, ask: &Enrol) -> Result<EnrolAnswer, UplinkError> {
    let opened = timeout(ANSWER, road.open(0)).await;
    let (mut up, down) = opened.map_err(|_| UplinkError::Deadline(STREAM))??;
    frames::write(&mut up, ask, STREAM).await?;
    up.shutdown().await.map_err(|_| UplinkError::StreamEnded(STREAM))?;
    FrameReader::new(down, STREAM).next_within(ANSWER).await
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|t| t.trim().to_owned()).unwrap_or_default()
}

impl From<rustls::Error> for IdentityError {
    fn from(e: rustls::Error) -> Self {
        Self::Tls(e)
    }
}
