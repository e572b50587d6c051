//! What keeps a run from being recorded, found or read, as types: who uses this library can tell one from another.

use std::io;
use std::path::PathBuf;

use crate::value::display::io_words;

use super::private::Fault;

/// Why the store of runs can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no folder here: {}", io_words(.0))]
    NoWorkingDirectory(#[source] io::Error),
    /// There is no state directory here or above.
    #[error(
        "no run is recorded in `{}` or above; runs are recorded in `.runbook` in their project's root, or in \
         `$RUNBOOK_STATE`",
        .0.display()
    )]
    NoneAbove(PathBuf),
    #[error("no run is recorded in `{0}`")]
    Empty(String),
    #[error("there is no run `{name}` in `{place}`; `runbook runs` lists them")]
    NotFound { name: String, place: String },
    #[error("`{name}` may be {}", .runs.join(" or "))]
    Ambiguous { name: String, runs: Vec<String> },
    /// Another process carries it out.
    #[error("run {0} is being carried out right now")]
    Locked(String),
    /// Others could have written what is read there.
    #[error("the state folder is not trusted: {0}")]
    Untrusted(String),
    #[error("the state folder `{place}` can't be {what}: {}", io_words(.source))]
    Directory { place: String, what: &'static str, source: io::Error },
    /// A run can't be begun, since it could not be recorded.
    #[error("{cause}; nothing was run, since nothing could be recorded{}", elsewhere(.cause))]
    NotBegun { cause: Box<StoreError> },
    #[error("the record of run {run} can't be {what}: {}", io_words(.source))]
    Journal { run: String, what: &'static str, source: io::Error },
    #[error("the record of run {run} was changed: {chain}; it can't be gone on from what may not be true")]
    Chain { run: String, chain: ChainError },
    #[error(transparent)]
    Newer(#[from] NewerFormat),
    #[error("a file that run {run} was read from is missing: {}", io_words(.source))]
    SourceMissing { run: String, source: io::Error },
    #[error("a file that run {run} was read from was changed (sources/{hash})")]
    SourceChanged { run: String, hash: String },
}

fn elsewhere(cause: &StoreError) -> &'static str {
    match cause {
        StoreError::Directory { .. } => " (`RUNBOOK_STATE` names another folder)",
        _ => "",
    }
}

impl StoreError {
    /// A fault of a directory, as what could not be done for it.
    pub(super) fn of(fault: Fault, failed: impl FnOnce(io::Error) -> Self) -> Self {
        match fault {
            Fault::Untrusted(why) => Self::Untrusted(why),
            Fault::Failed(error) => failed(error),
        }
    }
}

/// A line of a journal that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ChainError {
    /// Counts from 1.
    pub line: u64,
    pub fault: ChainFault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    #[error("it is not a line of a journal")]
    NotALine,
    #[error("its hash can't be read")]
    HashUnreadable,
    #[error("it is not what was written there, or a line before it is gone")]
    Changed,
    #[error("it is no event that this program knows")]
    NotAnEvent,
    #[error("its seal, which tells how many lines it has, can't be read")]
    SealUnreadable,
    #[error("the record had {sealed} lines when the run ended, and has {found}")]
    CutOff { sealed: u64, found: u64 },
    #[error("it is not the last line that the record had when the run ended")]
    NotTheLast,
}

/// A journal that a newer program wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record has format {format}, of runbook {program}; this is runbook {}, which reads format {}: use the newer one",
    env!("CARGO_PKG_VERSION"),
    crate::engine::events::event::FORMAT
)]
pub struct NewerFormat {
    pub format: u64,
    pub program: String,
}
