//! Carrying programs out: the one evaluator that `exec` and `dry-run` share, the life of a step, the events.
//!
//! In: a checked [`Program`](crate::check::program::Program) and a world behind the traits of [`world`]. Out: events, and
//! nothing else: the engine prints nothing and writes nothing.

pub mod cancel;
pub mod dry_run;
pub mod event;
pub mod exec;
pub mod functions;
pub mod options;
pub mod past;
pub mod redact;
pub mod resume;
pub mod shell_command;
pub mod world;

mod action;
mod ask;
mod compute;
mod confirm;
mod core;
mod describe;
mod diff;
mod emit;
mod eval;
mod facts;
mod failure;
mod finding;
mod group;
mod in_place;
mod journal_thread;
mod printed;
mod proof;
mod risk;
mod scope;
mod secrets;
mod start;
mod statement;
mod step;
mod stop;
mod url_text;

pub use cancel::Cancel;
pub use confirm::questions;
pub use dry_run::{ReadOnly, dry_run};
pub use emit::Outlets;
pub use exec::{Ended, Real, Setup, WayBack, exec, resume as go_on, roll_back};
pub use options::{Identity, Options};
pub use past::Past;
pub use redact::Redactor;
pub use start::own_sources;
