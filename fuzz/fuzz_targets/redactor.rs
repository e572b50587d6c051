//! A secret is in no text that the redactor has gone through, whatever stands around it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::engine::Redactor;
use runbook::value::Value;

fuzz_target!(|pieces: (&str, &str, &str)| {
    let (before, secret, behind) = pieces;
    let redactor = Redactor::new();
    // One that is too short or too long to be looked for is refused.
    if redactor.learn("fuzz", &Value::text(secret)).is_err() {
        return;
    }
    let clean = redactor.text(&format!("{before}{secret}{behind}"));
    for open in clean.split("‹secret fuzz›") {
        assert!(!open.contains(secret), "{clean:?} holds {secret:?}");
    }
    let _ = redactor.head(&format!("{before}{secret}{behind}"), before.len() + 3);
});
