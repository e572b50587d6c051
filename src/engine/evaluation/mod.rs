//! Working out values: an expression, a scope and the world come to an answer. Nothing in here can change the world.

pub mod functions;
pub mod shell_command;

pub(super) mod ask;
pub(super) mod compute;
pub(super) mod core;
pub(super) mod eval;
pub(super) mod facts;
pub(super) mod kept;
pub(super) mod observation;
pub(super) mod scope;
pub(super) mod secrets;
pub(super) mod settled;
pub(super) mod trace;

mod composed;
mod function_call;
mod url_text;
