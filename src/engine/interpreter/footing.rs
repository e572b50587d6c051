//! What a run is resumed from, or why it is not.

use jiff::Timestamp;

use crate::engine::events::event::{Doubt, Resumed, State};
use crate::engine::events::past::Past;
use crate::engine::options::Identity;

/// What a person decided about steps.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Steps whose action in doubt is done again; or, where there is none, the whole step.
    pub redo: Vec<String>,
    /// Steps whose action in doubt counts as done.
    pub assume_done: Vec<String>,
}

/// What a run is gone on from.
#[derive(Clone, Debug, Default)]
pub struct Footing {
    pub doubt: Option<Doubt>,
    pub asked_again: u32,
    /// Steps that are done again from their top.
    pub redo: Vec<String>,
}

impl Footing {
    pub fn told(&self, past: &Past, identity: &Identity, torn: Option<u64>, changed: Option<String>) -> Resumed {
        Resumed {
            by: identity.by.clone(),
            host: identity.host.clone(),
            cut_off: past.last,
            during: past.during().map(str::to_owned),
            doubt: self.doubt.clone(),
            asked_again: self.asked_again,
            redo: self.redo.clone(),
            torn,
            changed,
        }
    }
}

/// Why a run can't be gone on with as it is.
#[derive(Clone, Debug)]
pub enum Refused {
    /// An action had started, and nothing tells whether it was done.
    InDoubt { step: String, action: String, since: Timestamp, file: String, line: u32, why: String },
    /// What was proven holds no longer.
    NoLonger(Vec<NoLonger>),
    /// The record and the runbook do not fit together.
    Misfit(String),
    /// A decision about a step that has nothing to decide.
    NothingToDecide { step: String, why: String },
}

/// An expect that held before the run was cut off.
#[derive(Clone, Debug)]
pub struct NoLonger {
    pub id: String,
    pub text: String,
    pub state: State,
    pub expected: String,
    pub actual: String,
    pub file: String,
    pub line: u32,
}
