//! What people and programs see: each form a fold over the events of a run. Nothing here reads the world.

mod called;
mod cases;
pub mod diagnostic;
mod fold;
pub mod html;
pub mod json;
pub mod junit;
pub mod live;
pub mod markdown;
pub mod safe;
pub mod style;
pub mod tap;
pub mod text;
pub mod texts;
pub mod times;
