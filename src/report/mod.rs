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

/// The middle of what an action printed, which is not recorded.
fn left_out(bytes: u64, lines: u64) -> String {
    let size = crate::value::display::size_text(i64::try_from(bytes).unwrap_or(i64::MAX));
    match lines {
        0 => format!("… {size} left out: only the beginning and the end are recorded"),
        1 => format!("… {size} (1 line) left out: only the beginning and the end are recorded"),
        lines => format!("… {size} ({lines} lines) left out: only the beginning and the end are recorded"),
    }
}
