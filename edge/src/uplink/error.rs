//! Why there is no session, in words that a person at the gateway can act on. Display names the way out.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use quinn::{ConnectError, ConnectionError, TransportErrorCode};
use steward_shared::wire::code::CodeError;
use steward_shared::wire::frame::FrameError;
use steward_shared::wire::message::{EnrolRefusal, Refusal, RefusalReason};
use steward_shared::wire::mux::Closed;

use crate::buffer::BufferError;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{0} cannot be read or written; check that this user owns the data folder")]
    File(PathBuf, #[source] std::io::Error),
    #[error("{0} is damaged; enrol this gateway anew with a code from the hub's page")]
    Damaged(PathBuf),
    #[error("others may read the key {0}; run chmod 600 on it")]
    Exposed(PathBuf),
    #[error("a key or a certificate request could not be made")]
    Making(#[source] rcgen::Error),
    #[error("the hub's certificate for this gateway does not belong to its key")]
    ForeignCertificate,
    #[error("key and certificates cannot be used for a connection")]
    Tls(#[source] rustls::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    #[error("the hub does not know this code, or it was used already; make a new one on the gateway's page")]
    UnknownCode,
    #[error("this code is too old; make a new one on the gateway's page")]
    Expired,
    #[error("the hub did not accept the certificate request; update both programs to the same version")]
    BadRequest,
    #[error("too many tries from this address; wait a minute and try again")]
    SlowDown,
}

impl From<EnrolRefusal> for EnrolError {
    fn from(r: EnrolRefusal) -> Self {
        match r {
            EnrolRefusal::UnknownCode => Self::UnknownCode,
            EnrolRefusal::Expired => Self::Expired,
            EnrolRefusal::BadRequest => Self::BadRequest,
            EnrolRefusal::SlowDown => Self::SlowDown,
        }
    }
}

/// Why a session could not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error("this gateway is not enrolled; make a code on the hub's page and run steward-edge enrol with it")]
    NotEnrolled,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("hub address {0:?} cannot be resolved; write it as host:port in [hub] address")]
    Address(String, #[source] Option<std::io::Error>),
    #[error("no socket could be opened")]
    Socket(#[source] std::io::Error),
    #[error("the connection could not be set up")]
    Connect(#[from] ConnectError),
    #[error(
        "the hub at {0} does not answer; check the address, the network, and that UDP or TCP may pass to its port"
    )]
    Silent(String),
    #[error("the connection to the hub broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the hub closed the connection: {0}")]
    ClosedByHub(String),
    #[error(
        "the certificate of this gateway has expired; it must be enrolled anew with a code from the hub's page. \
         readings are still polled and kept"
    )]
    CertificateExpired,
    #[error(
        "the hub does not accept this gateway's certificate ({0}); enrol it anew with a code from the hub's page"
    )]
    CertificateRefused(&'static str),
    #[error(
        "who answers at the hub's address is not the hub this gateway was enrolled at ({0}): another hub, or a proxy; \
         let the hub's port pass by what looks into TLS. readings are still polled and kept"
    )]
    HubNotTrusted(String),
    #[error("the hub refused this gateway: {}", refusal_words(.0))]
    Refused(Refusal),
    #[error("the hub did not answer in time ({0})")]
    Deadline(&'static str),
    #[error("the hub ended the stream {0}")]
    StreamEnded(&'static str),
    #[error("the hub sent what this version does not understand ({0})")]
    Protocol(&'static str),
    #[error("a message could not be written or read")]
    Frame(#[from] FrameError),
    #[error("the buffer has no batch {1} of lane {0} any more; greeting the hub again")]
    Gap(&'static str, u64),
    #[error("the hub cannot take batch {1} of lane {0}; trying again later")]
    NoProgress(&'static str, u64),
    #[error("the buffer was replaced; greeting the hub again")]
    BufferReplaced,
    #[error(transparent)]
    Buffer(#[from] BufferError),
}

impl UplinkError {
    /// Whether trying again soon can help; otherwise somebody must do something first.
    pub(super) fn is_passing(&self) -> bool {
        !matches!(
            self,
            Self::Refused(_)
                | Self::CertificateExpired
                | Self::CertificateRefused(_)
                | Self::HubNotTrusted(_)
                | Self::Identity(_)
                | Self::Address(_, None)
        )
    }
}

impl From<ConnectionError> for UplinkError {
    fn from(e: ConnectionError) -> Self {
        match &e {
            // The hub looks at our certificate after our side of the handshake is done, so that its alert comes as a close.
            ConnectionError::ConnectionClosed(close) => alert(close.error_code)
                .and_then(Self::of_alert)
                .unwrap_or_else(|| Self::ClosedByHub(close.to_string())),
            ConnectionError::TransportError(t) if alert(t.code).is_some() => {
                Self::HubNotTrusted(t.reason.clone())
            }
            ConnectionError::ApplicationClosed(close) => {
                Self::closed_by_hub(&String::from_utf8_lossy(&close.reason))
            }
            _ => Self::Broken(Box::new(e)),
        }
    }
}

/// The same of the road over TCP.
impl From<Closed> for UplinkError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Peer { reason, .. } => Self::closed_by_hub(&reason),
            Closed::Lost(e) => {
                // The hub looks at our certificate after our side of the handshake is done.
                let refused = tls_error(&e).and_then(Self::of_tls);
                refused.unwrap_or_else(|| Self::Broken(Box::new(e)))
            }
            closed => Self::Broken(Box::new(closed)),
        }
    }
}

impl UplinkError {
    /// Of a handshake over TCP.
    pub(super) fn of_handshake(hub: &str, e: io::Error) -> Self {
        let refused = tls_error(&e).and_then(Self::of_tls);
        refused.unwrap_or_else(|| match e.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => {
                Self::Silent(hub.to_owned())
            }
            _ => Self::Broken(Box::new(e)),
        })
    }

    fn of_tls(e: &rustls::Error) -> Option<Self> {
        match e {
            rustls::Error::AlertReceived(alert) => Self::of_alert(u8::from(*alert)),
            // Something answers that is no hub.
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::InvalidMessage(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::NoApplicationProtocol => Some(Self::HubNotTrusted(e.to_string())),
            _ => None,
        }
    }

    /// What an alert of the hub (RFC 8446, 6.2) says of this gateway's certificate.
    fn of_alert(alert: u8) -> Option<Self> {
        match alert {
            45 => Some(Self::CertificateExpired),
            44 => Some(Self::CertificateRefused("revoked")),
            48 => Some(Self::CertificateRefused("signed by another hub")),
            42 | 43 | 46 | 49 | 51 | 116 => Some(Self::CertificateRefused("not valid")),
            _ => None,
        }
    }

    fn closed_by_hub(reason: &str) -> Self {
        Self::ClosedByHub(reason.chars().filter(|c| !c.is_control()).take(200).collect())
    }
}

fn tls_error(e: &io::Error) -> Option<&rustls::Error> {
    e.get_ref()?.downcast_ref()
}

/// The TLS alert in a QUIC error code (RFC 9001, 4.8).
fn alert(code: TransportErrorCode) -> Option<u8> {
    let code = u64::from(code);
    (0x100..0x200).contains(&code).then_some(code as u8)
}

fn refusal_words(r: &Refusal) -> String {
    let words = match r.reason {
        RefusalReason::Protocol => "it speaks another version; update the older program",
        RefusalReason::IdentityMismatch => "the certificate belongs to another gateway; enrol this one anew",
        RefusalReason::Unknown => {
            "it does not know it, or has revoked it; enrol it anew with a code from its page"
        }
        RefusalReason::Duplicate => {
            "another machine is connected as this gateway; find it, or enrol this one anew"
        }
    };
    let detail: String = r.detail.chars().filter(|c| !c.is_control()).take(200).collect();
    if detail.is_empty() { words.into() } else { format!("{words} ({detail})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_told_apart_from_other_codes() {
        assert_eq!(alert(TransportErrorCode::crypto(45)), Some(45));
        assert_eq!(alert(TransportErrorCode::NO_ERROR), None);
    }

    #[test]
    fn a_refusal_names_the_way_out() {
        let refusal = Refusal { reason: RefusalReason::Unknown, detail: "revoked\n".into() };
        let words = UplinkError::Refused(refusal).to_string();
        assert!(words.contains("enrol it anew") && words.ends_with("(revoked)"), "{words}");
    }
}
