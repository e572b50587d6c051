//! Holds what runs print and record against the schema of `docs/`: every run of every test.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;

pub const SCHEMA: &str = include_str!("../../docs/events.schema.json");

/// Of one event, or of a list of them.
pub static EVENTS: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(SCHEMA).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
});

/// Lines that are events are as the schema says; other lines are nobody's business here.
#[track_caller]
pub fn events(lines: &str) {
    for line in lines.lines().filter(|line| line.starts_with("{\"seq\":")) {
        // A line may be cut off where a run was killed, or be spoilt on purpose.
        let Ok(event) = serde_json::from_str(line) else { continue };
        assert!(EVENTS.is_valid(&event), "not as docs/events.schema.json says:\n{line}");
    }
}

/// The journals below a folder.
#[track_caller]
pub fn records(folder: &Path) {
    let Ok(runs) = std::fs::read_dir(folder.join(".runbook/runs")) else { return };
    for run in runs.flatten() {
        if let Ok(journal) = std::fs::read_to_string(run.path().join("journal.jsonl")) {
            events(&journal);
        }
    }
}
