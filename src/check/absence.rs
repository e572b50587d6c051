//! What may be absent: what a condition asks about it, and what an author has to be told.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{CompareOp, Quantifier, Test};
use crate::value::Type;

use super::expr::Checked;
use super::names::Checker;
use super::program::{AskedAbsence, Expr, ExprKind};
use super::types;

/// What follows from a condition, and so what a negation in it does where something is absent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    /// An expect: what is false fails.
    Proof,
    /// `if`, `when`: what is false is left out, and nobody is told.
    Choice,
}

impl Checker {
    /// `x == null`, where `x` may be absent: absent is not null, so this is never so.
    pub(super) fn compared_with_null(&mut self, op: CompareOp, other: &Checked, span: Span) {
        let words = self.sources.text(other.expr.span).split_whitespace().collect::<Vec<_>>().join(" ");
        if other.optional {
            let test = if op == CompareOp::Equal { "absent" } else { "present" };
            let message = format!("`{words}` may be absent, and what is absent is not null: this is never true for it");
            let help = format!("write `{words} is {test}`; for the `null` of a JSON text, `{words} in [null]`");
            self.error(Diagnostic::new(Code::NullForAbsent, span, message).label("compared with null").help(help));
        } else if !matches!(other.expr.ty, Type::Json | Type::Any) {
            let message = format!("{} is never null", types::a(&other.expr.ty));
            let help = "only JSON has `null`; what there is none of is absent: `… is absent`";
            self.error(Diagnostic::new(Code::Incomparable, span, message).label("compared with null").help(help));
        }
    }

    /// Warns of a negation that something absent would decide: `not (x == 1)` is true of an absent `x`, and `x != 1` is false.
    pub(super) fn negated_absence(&mut self, condition: &Expr, decides: Decides) {
        let asked = self.asked_absence(condition);
        let mut found = Vec::new();
        self.negations(condition, decides, false, &asked, &mut found);
        for (operand, span, negated) in found {
            let words = |span: Span| self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
            let (what, whole) = (words(operand), words(span));
            let message = match negated {
                true => format!("where `{what}` is absent this is true: absent is not equal to anything"),
                false => {
                    format!("where `{what}` is absent this is false, too: every comparison with something absent is")
                }
            };
            let help = format!("say what is meant: `{what} is present and {whole}`, or `{what} is absent or {whole}`");
            self.error(Diagnostic::new(Code::NegatedAbsence, span, message).label("may be absent").help(help));
        }
    }

    fn negations(
        &self,
        expr: &Expr,
        decides: Decides,
        under_not: bool,
        asked: &AskedAbsence,
        found: &mut Vec<(Span, Span, bool)>,
    ) {
        let negative = match &expr.kind {
            ExprKind::Not(inner) => {
                let before = found.len();
                self.negations(inner, decides, !under_not, asked, found);
                // The whole negation is what is mended.
                for (_, span, negated) in &mut found[before..] {
                    if *negated {
                        *span = expr.span;
                    }
                }
                return;
            }
            ExprKind::Compare { op, .. } => {
                matches!(op, CompareOp::NotEqual | CompareOp::NotIn | CompareOp::NotContains | CompareOp::NotMatches)
            }
            ExprKind::Matches { negated, .. } => *negated,
            ExprKind::Logic { terms, .. } => {
                return terms.iter().for_each(|term| self.negations(term, decides, under_not, asked, found));
            }
            ExprKind::Quantifier { body, kind, .. } if *kind != Quantifier::Map => {
                return self.negations(body, Decides::Choice, under_not, asked, found);
            }
            _ => return,
        };
        if !under_not && (!negative || decides == Decides::Proof) {
            return;
        }
        let operands: Vec<&Expr> = match &expr.kind {
            ExprKind::Compare { left, right, .. } => vec![left, right],
            ExprKind::Matches { subject, .. } => vec![subject],
            _ => Vec::new(),
        };
        for operand in operands {
            if self.optional.contains(&operand.span) && !asked.0.contains_key(&operand.span) {
                found.push((operand.span, expr.span, under_not));
                break;
            }
        }
    }

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
