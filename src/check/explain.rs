//! What `runbook explain CODE` says: the sections of `docs/errors.md`, which is in the binary.

use crate::diagnostic::Code;

static ERRORS: &str = include_str!("../../docs/errors.md");

/// The section of a code, from its heading to the next.
pub fn explain(code: Code) -> &'static str {
    let heading = format!("## {} ", code.id());
    let Some(start) = ERRORS.find(&heading) else { return "" };
    let rest = &ERRORS[start..];
    let end = rest[3..].find("\n## ").map_or(rest.len(), |at| at + 4);
    rest[..end].trim_end()
}
