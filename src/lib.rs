//! runbook: a language in which a production change is written down, and the program that carries it out.
//!
//! Text becomes a checked program; a program and a world become events; events become everything that anyone sees.
//!
//! ```text
//!  text ──syntax──▶ tree ──check──▶ Program ──engine──▶ events ──▶ record (journal) ──▶ past, to go on from
//!                    ▲                 ▲                    └──────▶ report (terminal, JSON, Markdown)
//!        stdlib/*.runbook              world: Docker · shell · HTTP · files · network · time
//! ```
//!
//! The modules, each of which uses only those above it in this list (`record` keeps events and `report` shows them, `world`
//! fills the engine's traits); `tests/layers.rs` holds it:

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

/// Values, types, and what is known of them: known, absent, unknown, secret.
pub mod value;

/// What is wrong with a text, as data: code, span, message, advice. Rendered elsewhere.
pub mod diagnostic;

/// Text to tree, with every syntax error of a file, and its comments.
pub mod syntax;

/// Tree to [`check::program::Program`]: names, modules, types, effects, shell strings, params.
pub mod check;

/// The one evaluator that `exec` and `dry-run` share, the life of a step, the traits of the world, the events.
pub mod engine;

/// Processes that commands start: known as a tree, confined, ended wholly.
pub mod process;

/// The real world behind the engine's traits: one folder a backend.
pub mod world;

/// The record of runs: journals, their hash chain, the state folder, locks.
pub mod record;

/// Who has the terminal.
pub mod terminal;

/// One file a form: each a fold over events.
pub mod report;

/// One file a command.
pub mod cli;
