//! What people and programs see of a run. Nothing here reads the world.
//!
//! In: events. [`run_model`] is the one fold over them; each form renders what it gives. Out: text, in one of the forms.

mod at_end;
pub mod diagnostic;
pub mod html;
pub mod json;
pub mod junit;
pub mod live;
pub mod markdown;
mod run_model;
pub mod safe;
pub mod style;
pub mod tap;
mod test_cases;
pub mod text;
pub mod texts;
pub mod times;

/// The middle of what an action printed, which is not recorded.
fn left_out(bytes: u64, lines: u64) -> String {
    let size = rough(bytes);
    match lines {
        0 => format!("… {size} left out: only the beginning and the end are recorded"),
        1 => format!("… {size} (1 line) left out: only the beginning and the end are recorded"),
        lines => format!("… {size} ({lines} lines) left out: only the beginning and the end are recorded"),
    }
}

/// A size as people say it: `36.2 MiB`.
fn rough(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64 / 1024.0, 0);
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if bytes < 1024 { format!("{bytes} bytes") } else { format!("{size:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_said_roughly() {
        for (bytes, said) in [(0, "0 bytes"), (1023, "1023 bytes"), (1 << 20, "1.0 MiB"), (37_906_946, "36.2 MiB")] {
            assert_eq!(super::rough(bytes), said);
        }
    }
}
