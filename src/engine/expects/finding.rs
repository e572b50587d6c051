//! What an expect comes to in one asking: holds, differs or unknown, with expected and found in words.

use serde_json::Value as Json;

use crate::check::program::{Expect, ExpectKind, Expr};
use crate::diagnostic::Span;
use crate::value::{Answer, Truth, Unknown, UnknownCause};

use super::poll::Findings;
use crate::engine::evaluation::eval::{Eval, Rests};
use crate::engine::evaluation::observation::Observation;
use crate::engine::evaluation::scope::{Bound, Outdated};
use crate::engine::evaluation::trace::Depth;
use crate::engine::events::event::{DiffLine, State};
use crate::engine::wording::condition::{Wording, Words};

/// One row of evidence: of an expect, or of a line of its block.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What follows the expect's id: `.status` for a line of a block, nothing for the whole.
    pub id: String,
    pub text: String,
    pub span: Span,
    pub truth: Truth,
    pub expected: String,
    pub actual: String,
    pub diff: Vec<DiffLine>,
    /// Where two values are compared: these, as a record keeps values.
    pub expected_value: Option<Json>,
    pub actual_value: Option<Json>,
    /// In a dry run: the action that may change it before it is asked.
    pub outdated: Option<Outdated>,
    /// What the world was asked for it.
    pub observed: Vec<Observation>,
}

impl Finding {
    pub fn state(&self) -> State {
        match self.truth {
            Truth::True => State::Holds,
            Truth::False => State::Differs,
            Truth::Unknown(_) => State::Unknown,
        }
    }

    pub fn holds(&self) -> bool {
        self.truth == Truth::True
    }

    /// It was cut short before the first answer.
    pub fn unanswered(expect: &Expect) -> Self {
        let unknown = Unknown::new(UnknownCause::LeftOut, "no answer yet");
        Self { actual: "no answer yet".to_owned(), ..Self::unknown(expect, unknown) }
    }

    /// It was not told at all.
    pub fn unknown(expect: &Expect, unknown: Unknown) -> Self {
        Self {
            id: String::new(),
            text: expect.text.to_string(),
            span: expect.span,
            expected: expected_of(expect),
            actual: format!("unknown: {}", unknown.reason),
            truth: Truth::Unknown(unknown),
            diff: Vec::new(),
            expected_value: None,
            actual_value: None,
            outdated: None,
            observed: Vec::new(),
        }
    }
}

impl Findings for Vec<Finding> {
    fn hold(&self) -> bool {
        self.iter().all(Finding::holds)
    }
}

fn expected_of(expect: &Expect) -> String {
    match &expect.kind {
        ExpectKind::Block { fields, .. } => {
            let lines = fields.iter().map(|field| field.text.strip_prefix(&*expect.text).unwrap_or(&field.text));
            lines.collect::<Vec<_>>().join(", ")
        }
        _ => expect.text.to_string(),
    }
}

/// Asks an expect once. A block whose subject is absent or unknown is one finding, not one a line: unless a line says
/// what holds of something absent.
pub async fn ask(eval: &Eval<'_>, expect: &Expect) -> Vec<Finding> {
    match &expect.kind {
        ExpectKind::Condition(condition) => {
            vec![judge(eval, condition, "", &expect.text, expect.span).await]
        }
        ExpectKind::Block { subject, var, fields } => {
            let alone = Eval::new(eval.core, &eval.site, &eval.round);
            let answer = alone.eval(subject).await;
            let rests = alone.rests();
            let whole = |unknown| Finding {
                outdated: rests.outdated,
                observed: rests.observed.clone(),
                ..Finding::unknown(expect, unknown)
            };
            match &answer {
                Answer::Unknown(unknown) => return vec![whole(unknown.clone())],
                Answer::Absent(absence) => {
                    let unknown = Unknown::new(UnknownCause::Invalid, "");
                    let actual = format!("absent: {}", absence.0);
                    return vec![Finding { truth: Truth::False, actual, ..whole(unknown) }];
                }
                Answer::Known(_) => {}
            }
            let inner = eval.with(*var, Bound { answer, outdated: rests.outdated });
            let mut findings = Vec::with_capacity(fields.len());
            for field in fields {
                let id = format!(".{}", field.id);
                let row = judge(&inner, &field.condition, &id, &field.text, field.span).await;
                let observed = rests.observed.iter().chain(&row.observed).cloned().collect();
                findings.push(Finding { observed, ..row });
            }
            findings
        }
        // Checks are taken apart into their expects before they are asked.
        ExpectKind::Check { .. } => Vec::new(),
    }
}

/// Judges one condition.
async fn judge(eval: &Eval<'_>, condition: &Expr, id: &str, text: &str, span: Span) -> Finding {
    // Each finding rests on what it asked itself.
    let eval = Eval::new(eval.core, &eval.site, &eval.round);
    let trace = eval.trace(condition, Depth::EachTerm).await;
    let wording = Wording { sources: &eval.core.program.sources, redactor: eval.core.redactor() };
    let Words { expected, actual, diff, expected_value, actual_value } = wording.of(&trace);
    let Rests { outdated, observed } = eval.rests();
    Finding {
        id: id.to_owned(),
        text: text.to_owned(),
        span,
        truth: trace.truth,
        expected,
        actual,
        diff,
        expected_value,
        actual_value,
        outdated,
        observed,
    }
}
