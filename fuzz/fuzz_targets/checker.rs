//! Any text becomes a program, or has errors that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::check::program::Settings;
use runbook::check::{Input, check};
use runbook::report::diagnostic::render;

fuzz_target!(|bytes: &[u8]| {
    let input = Input { name: "fuzz.runbook".to_owned(), path: None, bytes: bytes.to_vec(), kept: None };
    let checked = check(input, &Settings::default());
    let errors = checked.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
    assert!(!(errors && checked.program.is_some()));
    let said = render(&checked.sources, &checked.diagnostics, false);
    assert!(said.len() < 1 << 20);
});
