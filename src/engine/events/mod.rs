//! What leaves the engine, and what is read back of it: the events, the way out for them, and the history of a run.

pub mod event;
pub mod past;

pub(super) mod emit;
pub(super) mod printed;

mod journal_thread;

pub use emit::Outlets;
pub use past::Past;
