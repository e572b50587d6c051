//! The engine on a held clock, against a world in memory: thousands of made-up cases, each named by its number.
//!
//! `RUNBOOK_CASE=17 cargo test --test virtual_time NAME` runs one of them.

#[path = "../support/fake_world.rs"]
mod fake_world;
#[path = "../support/rng.rs"]
mod rng;

mod book;
mod cuts;
mod ends;
mod laws;
mod model;
mod polls;
mod runs;
