//! What may be absent: what a condition asks about it, and what an author has to be told.

use crate::diagnostic::Span;
use crate::syntax::tree::Test;

use super::names::Checker;
use super::program::{AskedAbsence, Expr, ExprKind};

impl Checker {
    /// What a condition compares, and asks the presence of as well: `file("x") is present and file("x").size > 1B`. There
    /// its absence is an answer, and not a question that was forgotten.
    pub(super) fn asked_absence(&self, condition: &Expr) -> AskedAbsence {
        let mut tests = Vec::new();
        tested(condition, &mut tests);
        let tests: Vec<(String, &Expr)> =
            tests.into_iter().map(|subject| (self.without_blanks(subject.span), subject)).collect();
        let mut asked = AskedAbsence::default();
        if !tests.is_empty() {
            self.operands(condition, &tests, &mut asked);
        }
        asked
    }

    fn without_blanks(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect()
    }

    /// Each expression in which something stands that is tested. Of a chain every beginning is one: `file("x")` in
    /// `file("x").size`.
    fn operands(&self, expr: &Expr, tests: &[(String, &Expr)], asked: &mut AskedAbsence) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for part in expr.parts() {
            found.extend(self.operands(part, tests, asked));
        }
        let mut ends = vec![expr.span];
        if let ExprKind::Chain { links, .. } = &expr.kind {
            ends.extend(links.iter().map(|link| Span { end: link.span.end, ..expr.span }));
        }
        for end in ends {
            let written = self.without_blanks(end);
            found.extend(tests.iter().enumerate().filter(|(_, (text, _))| *text == written).map(|(at, _)| at));
        }
        found.sort_unstable();
        found.dedup();
        if !found.is_empty() {
            asked.0.insert(expr.span, found.iter().map(|at| tests[*at].1.clone()).collect());
        }
        found
    }
}

fn tested<'e>(expr: &'e Expr, tests: &mut Vec<&'e Expr>) {
    if let ExprKind::Test { subject, test: Test::Absent | Test::Present, .. } = &expr.kind {
        tests.push(subject);
    }
    for part in expr.parts() {
        tested(part, tests);
    }
}
