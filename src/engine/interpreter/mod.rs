//! Walking statements: the life of a run and of a step, and what each statement comes to.

pub mod dry_run;
pub mod exec;
pub mod resume;

mod action;
mod confirm;
mod failure;
mod proof;
mod start;
mod statement;
mod step;
mod stop;

pub use confirm::questions;
pub use dry_run::{ReadOnly, dry_run};
pub use exec::{Ended, Real, Setup, WayBack, exec, resume as go_on, roll_back};
pub use start::own_sources;

pub(super) mod risk;
