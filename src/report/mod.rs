//! What people and programs see: each form a fold over the events of a run. Nothing here reads the world.

pub mod diagnostic;
mod fold;
pub mod json;
pub mod markdown;
pub mod safe;
pub mod style;
pub mod text;
