//! What the grammar could not read: parsed again, alone, to say what was expected.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::grammar::{Grammar, Rule};
use crate::syntax::messages;

use super::Lowering;

impl Lowering<'_> {
    /// Text before the first item: only comments and blanks may stand there.
    pub(in crate::syntax) fn stray(&mut self, text: &str, base: usize) {
        let mut at = base;
        for line in text.split_inclusive('\n') {
            let words = line.trim_start_matches('\u{feff}').trim();
            if !words.is_empty() && !words.starts_with('#') {
                let from = at + line.find(words).unwrap_or(0);
                let span = Span::new(self.file, from, from + words.len());
                self.diagnostics.push(messages::stray(span, words));
                return;
            }
            at += line.len();
        }
    }

    /// Tells of a line that no rule reads: parsed again by `rule`, alone, to say what was expected.
    pub(in crate::syntax) fn bad(&mut self, pair: &pest::iterators::Pair<'_, Rule>, rule: Rule) {
        let span = pair.as_span();
        let (slice, base) = (span.as_str().trim_end(), self.base + span.start());
        let diagnostic = match Grammar::parse(rule, slice) {
            Err(error) => self.explain(slice, base, &error),
            // It reads by itself, so it stands where nothing of its kind may.
            Ok(_) => messages::misplaced(Span::new(self.file, base, base + slice.len()), slice, rule),
        };
        self.diagnostics.push(diagnostic);
    }

    pub(in crate::syntax) fn explain(&self, slice: &str, base: usize, error: &Error<Rule>) -> Diagnostic {
        let at = match error.location {
            InputLocation::Pos(at) => at,
            InputLocation::Span((at, _)) => at,
        };
        let expected: &[Rule] = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives,
            ErrorVariant::CustomError { .. } => &[],
        };
        messages::syntax(self.file, slice, base, at.min(slice.len()), expected)
    }
}
