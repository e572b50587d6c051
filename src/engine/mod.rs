//! Running programs: the one evaluator that `exec` and `dry-run` share, the life of a step, the events.
//!
//! In: a checked [`Program`](crate::check::program::Program) and a world behind the traits of [`world`]. Out: events, and
//! nothing else: the engine prints nothing and writes nothing.
//!
//! `interpreter` walks statements; `expects` polls what has to hold; `evaluation` works out values; `wording` puts both
//! into words; `events` is what leaves, and what is read back of it.

pub mod cancel;
pub mod evaluation;
pub mod events;
pub mod expects;
pub mod interpreter;
pub mod options;
pub mod redact;
pub mod world;

mod confinement;
mod risk;
mod stream;
mod wording;

pub use cancel::Cancel;
pub use events::{Outlets, Past};
pub use interpreter::{Begun, Ended, RollbackPlan, Setup, dry_run, exec, go_on, own_sources, questions, roll_back};
pub use options::{Identity, Options};
pub use redact::Redactor;
pub use world::{ReadOnly, Real};
