//! Ending a run early: an interrupt, a signal, a stop condition, the run's time limit.
//!
//! The first word lets handlers and `finally` blocks finish; a second one from the keyboard does not wait for them.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

/// What ended a run early, if something did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// A `stop` block; its words.
    Stop(Arc<str>),
    /// The header's `timeout`.
    TimeLimit(Arc<str>),
    /// Whoever watched is gone: the terminal was closed, or what read the output.
    HangUp,
    /// The run was ending already before it was cut off: why.
    Earlier(Arc<str>),
    /// The record can't be written: why.
    Unkept(Arc<str>),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Interrupt => f.write_str("interrupted from the keyboard"),
            Cause::Terminate => f.write_str("ended by SIGTERM"),
            Cause::Stop(reason) => write!(f, "stopped: {reason}"),
            Cause::TimeLimit(limit) => write!(f, "the run's time limit of {limit} has passed"),
            Cause::HangUp => f.write_str("the terminal, or what read the output, went away"),
            Cause::Earlier(reason) => f.write_str(reason),
            Cause::Unkept(why) => write!(f, "the run's record can't be written: {why}"),
        }
    }
}

/// A word that something has to end, and why.
#[derive(Clone, Debug, Default)]
pub struct Flag {
    token: CancellationToken,
    reason: Arc<Mutex<Option<Cause>>>,
}

impl Flag {
    /// The first cause stays.
    pub fn raise(&self, cause: Cause) {
        self.reason.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(cause);
        self.token.cancel();
    }

    pub fn cause(&self) -> Option<Cause> {
        self.reason.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Waits until it is raised; says why.
    pub async fn raised(&self) -> String {
        self.token.cancelled().await;
        self.cause().map(|cause| cause.to_string()).unwrap_or_default()
    }

    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// The two flags of a run. Clones are the same flags.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Ends what the steps do; handlers and `finally` still run.
    pub gently: Flag,
    /// Ends these, too.
    pub at_once: Flag,
}

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    /// An interrupt or signal from outside: gently the first time, at once the second.
    pub fn signal(&self, cause: Cause) {
        if self.gently.cause().is_some() {
            self.at_once.raise(cause);
        } else {
            self.gently.raise(cause);
        }
    }
}
