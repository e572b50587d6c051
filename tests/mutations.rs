//! Runbooks with slips in them: every one is checked in time, to a program or to errors, and without a panic.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use runbook::check::program::Settings;
use runbook::check::{Input, check};
use support::mutate::{Chance, mutated};

/// The runbooks of the project, and those in its pages.
fn texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["runbooks", "runbooks/secureconnect", "runbooks/orchestration", "stdlib", "docs", "tests/lang"] {
        let mut paths: Vec<_> =
            std::fs::read_dir(root.join(folder)).expect("read").flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("runbook") => texts.push(std::fs::read_to_string(path).expect("read")),
                Some("md") => {
                    let page = std::fs::read_to_string(path).expect("read");
                    let blocks = page
                        .split("```runbook")
                        .skip(1)
                        .filter_map(|block| block.split("```").next()?.split_once('\n'));
                    texts.extend(blocks.map(|(_, text)| text.to_owned()));
                }
                _ => {}
            }
        }
    }
    texts
}

/// `.ci/run --all` tries more, with a seed of its own.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn a_runbook_with_slips_is_a_program_or_has_errors() {
    let texts = texts();
    assert!(texts.len() > 300, "{}", texts.len());
    let mut chance = Chance::new(number("RUNBOOK_SEED", 20_261_121));
    let (mut programs, mut refused) = (0, 0);
    for _ in 0..number("RUNBOOK_CASES", 400) {
        let bytes = mutated(&texts, &mut chance);
        let began = Instant::now();
        let input = Input { name: "slip.runbook".to_owned(), path: None, bytes: bytes.clone(), kept: None };
        let checked = check(input, &Settings::default());
        let said = runbook::report::diagnostic::render(&checked.sources, &checked.diagnostics, false);
        let errors = checked.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
        let took = began.elapsed();
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        assert!(took < Duration::from_secs(20), "{took:?} for:\n{}", text());
        assert!(said.len() < 1 << 20, "{} bytes are said of:\n{}", said.len(), text());
        assert!(!(errors && checked.program.is_some()), "a program with errors:\n{}", text());
        if errors { refused += 1 } else { programs += 1 }
    }
    assert!(programs > 0 && refused > 0, "{programs} and {refused}");
}
