//! Between the uplink, which hears the hub, and the supervisor, which alone changes the configuration.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use steward_shared::document::Fault;
use steward_shared::id::GatewayId;
use steward_shared::wire::config::{CheckConfig, CheckedConfig, ConfigFault, ConfigReport, SignedConfig};
use steward_shared::wire::message::Names;
use tokio::sync::{mpsc, watch};

use super::present::NAME;
use crate::chinese::chinese;

/// Faults of one text that are told; who mends these sees the others.
const MOST: usize = 100;
/// Letters of one text.
const MAX_WORDS: usize = 500;

/// What the hub wants.
#[derive(Debug)]
pub enum Incoming {
    /// As it came, and who the hub is.
    New {
        signed: SignedConfig,
        ca: CertificateDer<'static>,
        gateway: GatewayId,
    },
    Check {
        check: CheckConfig,
        answers: mpsc::Sender<CheckedConfig>,
    },
}

/// The uplink's end.
#[derive(Clone, Debug)]
pub struct Link {
    pub inbox: mpsc::Sender<Incoming>,
    pub report: watch::Receiver<Arc<ConfigReport>>,
}

impl Link {
    /// Of an uplink whose gateway cannot be configured from the hub.
    pub fn closed() -> Self {
        let (inbox, report) = (mpsc::channel(1).0, watch::channel(Arc::default()).1);
        Self { inbox, report }
    }
}

/// Faults as they travel, in both languages.
pub fn told(faults: &[Fault]) -> Vec<ConfigFault> {
    let both = |en: &str| Names { zh: short(&chinese(en)), en: short(en) };
    let of = |fault: &Fault| ConfigFault {
        line: if fault.file == NAME { fault.line as u32 } else { 0 },
        column: if fault.file == NAME { fault.column as u32 } else { 0 },
        path: match fault.file.as_str() {
            "" | NAME => short(&fault.path),
            // Of a profile, or of the environment.
            file => short(&format!("{file}:{}: {}", fault.line, fault.path)),
        },
        message: both(&fault.message),
        way_out: both(&fault.way_out),
    };
    faults.iter().take(MOST).map(of).collect()
}

/// What a fault quotes may be as long as the text that it is in, and a report is one message.
pub fn short(text: &str) -> String {
    text.chars().take(MAX_WORDS).collect()
}
