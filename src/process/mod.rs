//! Processes that this program starts for others: known as a tree, confined where they may only look, and ended wholly,
//! also if this program is killed.
//!
//! In: a command that is about to be started. Out: the same command with a mark by which all that it starts is found again.
//! `world` starts commands with it; `record` has its locks held until nothing of a run is left.

mod mark;
mod origin;
mod private_dirs;
mod process_tree;
mod procfs;
pub mod sandbox;
mod watchdog;

pub use private_dirs::{Tidying, tidy};
pub use process_tree::ProcessTree;
pub use watchdog::{ARGUMENT, hold, watchdog_main};

use std::os::fd::BorrowedFd;

/// What was held need not be held any more: what nobody waited for is ended by then.
pub fn release(file: BorrowedFd<'_>) {
    process_tree::finish_ending();
    watchdog::release(file);
}

/// This program ends in order: waits until what nobody waited for any more has been ended, and dismisses the watchdog.
pub fn finish() {
    process_tree::finish_ending();
    watchdog::dismiss();
}
