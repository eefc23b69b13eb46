//! Why there is no session, in words that a person at the gateway can act on. Display names the way out.

use std::path::PathBuf;

use quinn::{ConnectError, ConnectionError, TransportErrorCode};
use steward_shared::wire::code::CodeError;
use steward_shared::wire::frame::FrameError;
use steward_shared::wire::message::{EnrolRefusal, Refusal, RefusalReason};

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
    #[error("the hub at {0} does not answer; check the address, the network, and that UDP may pass")]
    Silent(String),
    #[error("the connection to the hub broke")]
    Broken(#[source] ConnectionError),
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
    #[error("the hub's certificate is not that of the hub this gateway was enrolled at: {0}")]
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
            ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
                Some(45) => Self::CertificateExpired,
                Some(44) => Self::CertificateRefused("revoked"),
                Some(48) => Self::CertificateRefused("signed by another hub"),
                Some(42 | 43 | 46 | 49 | 51 | 116) => Self::CertificateRefused("not valid"),
                _ => Self::ClosedByHub(close.to_string()),
            },
            ConnectionError::TransportError(t) if alert(t.code).is_some() => {
                Self::HubNotTrusted(t.reason.clone())
            }
            ConnectionError::ApplicationClosed(close) => {
                Self::ClosedByHub(String::from_utf8_lossy(&close.reason).chars().take(200).collect())
            }
            _ => Self::Broken(e),
        }
    }
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
