//! A shell command with values in it is refused, or can be composed: with every value behind a variable, and none of it in
//! the text. `tests/e2e_shells.rs` runs such commands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::check::shell_text::{PlacedPart, analyse};
use runbook::diagnostic::Span;
use runbook::engine::evaluation::shell_command::{Piece, compose};
use runbook::syntax::tree::{Expr, ExprKind, StringLit, StringPart};
use runbook::value::{Type, Value};

const VALUE: &str = "\u{1}value\u{1}";

fuzz_target!(|text: &str| {
    let mut parts = Vec::new();
    for (at, piece) in text.split('§').enumerate() {
        if at > 0 {
            parts.push(StringPart::Hole(Expr { kind: ExprKind::Bad, span: Span::default() }));
        }
        if !piece.is_empty() {
            parts.push(StringPart::Text(piece.into(), Span::default()));
        }
    }
    let literal = StringLit { parts, span: Span::default() };
    let Ok(placed) = analyse(&literal) else { return };
    let values = text.matches('§').count();
    assert_eq!(placed.iter().filter(|part| matches!(part, PlacedPart::Hole { .. })).count(), values);
    let pieces = placed.iter().map(|part| match part {
        PlacedPart::Source(source) => Piece::Source(source),
        PlacedPart::Hole { place, takes, .. } => {
            Piece::Value { value: Value::text(VALUE), ty: &Type::String, place: *place, takes: *takes }
        }
    });
    // A value that is no number may not stand where a shell computes.
    let Ok(command) = compose(pieces.collect()) else { return };
    assert_eq!(command.env.len(), values);
    assert!(text.contains(VALUE) || !command.source.contains(VALUE));
});
