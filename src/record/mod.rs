//! The record of runs: journals in a state folder, who holds a lock, and what is read back from them.
//!
//! In: published events. Out: a journal that outlives the run, and the events of earlier runs. Everything behind one
//! small trait, [`Store`]: another place than a local folder can be put behind it.

mod error;
mod folder;
pub mod journal;
pub mod lock;
mod private;
mod replay;
mod room;

use std::time::Duration;

use jiff::Timestamp;

use crate::check::program::Program;
use crate::engine::events::event::{Ledger, Published, Verdict};

pub use error::{ChainError, ChainFault, NewerFormat, StoreError};
pub use folder::Folder;
pub use journal::LeftOut;
pub use lock::{Held, Lock, LockError};
pub use private::create;
pub use replay::Replay;

/// Where runs are recorded.
pub trait Store {
    /// Begins the record of a run of this program.
    fn begin(&self, program: &Program) -> Result<Begun, StoreError>;

    /// Takes a record up again, behind its last whole line. Refused while the run is carried out.
    fn take_up(&self, run: &str) -> Result<Begun, StoreError>;

    /// Every run, newest first.
    fn runs(&self) -> Result<Vec<Summary>, StoreError>;

    /// The one run that a name means: its id, the beginning or end of one, `last`.
    fn find(&self, name: &str) -> Result<String, StoreError>;

    /// What is recorded of a run.
    fn read(&self, run: &str) -> Result<Record, StoreError>;

    /// Reads a journal while it is written.
    fn replay(&self, run: &str) -> Replay;

    /// A file that the run was read from, by its hash.
    fn source(&self, run: &str, hash: &str) -> Result<Vec<u8>, StoreError>;
}

/// A record that is being written.
pub struct Begun {
    pub run: String,
    pub ledger: Box<dyn Ledger>,
    /// Held as long as the run is carried out.
    pub held: Held,
    /// Bytes of a torn last line, which were cut off.
    pub torn: Option<u64>,
    /// How many lines it had.
    pub lines: u64,
    /// How many events it had no room for, in the end.
    pub left_out: LeftOut,
}

/// What was read back.
pub struct Record {
    pub run: String,
    pub events: Vec<Published>,
    /// Bytes of a last line that is not whole: a loss of power.
    pub torn: Option<u64>,
    /// The first line that is not as it was written.
    pub broken: Option<ChainError>,
    /// How many lines are whole, and the hash of the last.
    pub lines: u64,
    pub hash: String,
    /// It is being carried out right now.
    pub running: bool,
}

/// A run in a list.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    pub run: String,
    pub runbook: String,
    pub file: String,
    pub by: Option<String>,
    pub host: Option<String>,
    pub started: Timestamp,
    /// When it ended; none while it runs or if it was cut off.
    pub ended: Option<Timestamp>,
    pub verdict: Option<Verdict>,
    /// What its rollback came to, if it was rolled back.
    pub rollback: Option<Verdict>,
    pub state: RunState,
    /// From its beginning to its end, or to when the last was heard of it, in seconds.
    pub duration: f64,
    /// Where it stopped: the step, or the first reason.
    pub stopped: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    Running,
    CutOff,
    Ended,
    /// Its record can't be read.
    Unreadable,
}

impl Summary {
    pub fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.duration).unwrap_or_default()
    }
}

/// Who carries runs out, as records and locks name them.
pub fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::Uid::effective())
        .ok()
        .flatten()
        .map_or_else(|| format!("uid {}", nix::unistd::Uid::effective()), |user| user.name)
}

/// This host, as records and locks name it.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this host".to_owned(),
        name => name.to_owned(),
    }
}
