//! Any text becomes a tree whose errors stand within it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::diagnostic::{Diagnostic, FileId};
use runbook::syntax::{decode, parse};

fuzz_target!(|bytes: &[u8]| {
    let (text, found): (_, Vec<Diagnostic>) = match decode(FileId(0), bytes.to_vec()) {
        Ok(text) => {
            let parsed = parse(FileId(0), &text);
            (text, parsed.diagnostics)
        }
        Err((text, diagnostic)) => (text, vec![diagnostic]),
    };
    for label in found.iter().flat_map(|diagnostic| &diagnostic.labels) {
        assert!(text.is_char_boundary(label.span.start as usize) && text.is_char_boundary(label.span.end as usize));
    }
});
