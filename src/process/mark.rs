//! The mark by which the processes of a command are known wherever they hang: a variable of their environment. It begins
//! with the run's own mark, so that the watchdog knows those of the whole run.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::origin::Origin;

/// The variable that marks a command's processes.
pub(super) const VARIABLE: &str = "RUNBOOK_COMMAND";

/// What the marks of this run begin with.
pub(super) static RUN: LazyLock<String> = LazyLock::new(|| Origin::here().to_string());

/// The mark of one more command.
pub(super) fn next() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", *RUN, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a mark is one of a run's.
pub(super) fn is_of(mark: &str, run: &str) -> bool {
    mark.strip_prefix(run).is_some_and(|rest| rest.starts_with('-'))
}
