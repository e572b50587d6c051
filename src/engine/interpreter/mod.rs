//! Walking statements: the life of a run and of a step, and what each statement comes to.
//!
//! [`task`] is the one interpreter; [`driver`] is what it asks for. [`live`] acts, [`replay`] takes outcomes from the journal
//! (and [`survey`] nothing else), [`predict`] is the dry run, [`lookahead`] finds what is proven further on.

pub mod resume;

mod action;
mod confirm;
mod context;
mod driver;
mod dry_run;
mod execution;
mod failure;
mod footing;
mod live;
mod lookahead;
mod predict;
mod preflight;
mod replay;
mod run_state;
mod start;
mod stop;
mod survey;
mod task;
mod undo;
mod verdict;

pub use confirm::questions;
pub use dry_run::dry_run;
pub use execution::{Ended, Setup, exec, resume as go_on, roll_back};
pub use run_state::Begun;
pub use start::own_sources;
pub use undo::RollbackPlan;
