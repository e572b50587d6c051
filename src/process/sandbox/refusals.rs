//! What the sandbox refused. One refusal is enough for the probe's answer to be unknown, whatever it printed.

use std::sync::{Arc, Mutex, PoisonError};

/// How many refusals are named; the others are counted.
const NAMED: usize = 3;

/// The refusals of one probe. Clones are the same list.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<Refused>>);

#[derive(Default)]
struct Refused {
    /// The probe is in its sandbox.
    entered: bool,
    /// The first of them, each once.
    named: Vec<String>,
    more: u64,
    connections: u64,
}

/// Something that the sandbox refused.
pub(super) struct Refusal {
    /// What was tried, as an order: "open /etc/hosts for writing".
    pub what: String,
    /// It was a connection, or something else that needs the network.
    pub connection: bool,
}

impl Refusals {
    pub(super) fn note(&self, refusal: Refusal) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.connections += u64::from(refusal.connection);
        if refused.named.contains(&refusal.what) {
            return;
        }
        if refused.named.len() < NAMED {
            refused.named.push(refusal.what);
        } else {
            refused.more += 1;
        }
    }

    pub(super) fn enter(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entered = true;
    }

    pub(super) fn is_entered(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entered
    }

    /// Why the answer is unknown, where something was refused.
    pub fn reason(&self) -> Option<String> {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.named.is_empty() {
            return None;
        }
        let mut reason = format!("the sandbox refused: {}", refused.named.join("; "));
        if refused.more > 0 {
            reason.push_str(&format!("; and {} more", refused.more));
        }
        if refused.connections > 0 {
            reason.push_str("; a command that only reads over the network is `sh(…, network: true)`");
        }
        Some(reason)
    }
}
