//! What an expect comes to in one asking: holds, differs or unknown, with expected and found in words.

use crate::check::program::{CompareOp, Expect, ExpectKind, Expr, ExprKind, LogicOp, Quantifier, Test};
use crate::diagnostic::Span;
use crate::value::{Answer, Truth, Unknown, UnknownCause, Value};

use super::poll::Findings;
use crate::engine::evaluation::compute;
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::scope::{Bound, Outdated};
use crate::engine::events::event::{DiffLine, State};
use crate::engine::redact::Redactor;
use crate::engine::wording::describe::{brief, brief_value};
use crate::engine::wording::diff;

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
    pub outdated: Option<Outdated>,
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
            outdated: None,
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
            let bound = eval.bound(subject).await;
            match &bound.answer {
                Answer::Unknown(unknown) => {
                    let outdated = bound.outdated;
                    return vec![Finding { outdated, ..Finding::unknown(expect, unknown.clone()) }];
                }
                Answer::Absent(absence) => {
                    return vec![Finding {
                        actual: format!("absent: {}", absence.0),
                        truth: Truth::False,
                        outdated: bound.outdated,
                        ..Finding::unknown(expect, Unknown::new(UnknownCause::Invalid, ""))
                    }];
                }
                Answer::Known(_) => {}
            }
            let inner = eval.with(*var, Bound { answer: bound.answer, outdated: bound.outdated });
            let mut findings = Vec::with_capacity(fields.len());
            for field in fields {
                findings
                    .push(judge(&inner, &field.condition, &format!(".{}", field.id), &field.text, field.span).await);
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
    let eval = &Eval::new(eval.core, &eval.site, &eval.round);
    let words = explain(eval, condition).await;
    // What was found on the way does not say why nothing can be said.
    let actual = match &words.truth {
        Truth::Unknown(unknown) => format!("unknown: {}", unknown.reason),
        _ => words.actual,
    };
    Finding {
        id: id.to_owned(),
        text: text.to_owned(),
        span,
        truth: words.truth,
        expected: words.expected,
        actual,
        diff: words.diff,
        outdated: eval.outdated(),
    }
}

struct Words {
    truth: Truth,
    expected: String,
    actual: String,
    diff: Vec<DiffLine>,
}

/// Evaluates a condition and puts expected and found into words, as near to what differs as can be.
async fn explain(eval: &Eval<'_>, condition: &Expr) -> Words {
    match &condition.kind {
        ExprKind::Compare { op, left, right } => {
            let (left, right) = (eval.eval(left).await, eval.eval(right).await);
            let truth = compute::compare(*op, &left, &right);
            let diff = match (op, &left, &right) {
                (CompareOp::Equal, Answer::Known(actual), Answer::Known(expected)) if truth == Truth::False => {
                    diff::values(eval.core.redactor(), expected, actual)
                }
                _ => Vec::new(),
            };
            Words {
                truth,
                expected: expected(eval.core.redactor(), *op, &right),
                actual: brief(eval.core.redactor(), &left),
                diff,
            }
        }
        ExprKind::Matches { subject, regex, negated } => {
            let found = eval.eval(subject).await;
            let positive = match &found {
                Answer::Known(value) => compute::matches(regex, value),
                Answer::Absent(_) => Truth::False,
                Answer::Unknown(unknown) => Truth::Unknown(unknown.clone()),
            };
            let truth = match &found {
                Answer::Known(_) if *negated => positive.negate(),
                _ => positive,
            };
            let not = if *negated { "does not match" } else { "matches" };
            let actual = match &found {
                Answer::Known(value) if *negated && truth == Truth::False => {
                    matched(eval.core.redactor(), regex, value)
                }
                _ => brief(eval.core.redactor(), &found),
            };
            Words { truth, expected: format!("{not} '{}'", regex.as_str()), actual, diff: Vec::new() }
        }
        ExprKind::Test { subject, test, negated } => {
            let found = eval.eval(subject).await;
            let word = match test {
                Test::Absent => "absent",
                Test::Present => "present",
                Test::Empty => "empty",
            };
            let not = if *negated { "not " } else { "" };
            Words {
                truth: compute::test(*test, *negated, &found),
                expected: format!("{not}{word}"),
                actual: brief(eval.core.redactor(), &found),
                diff: Vec::new(),
            }
        }
        ExprKind::Logic { op, terms } => {
            let mut all = Vec::with_capacity(terms.len());
            for term in terms {
                all.push(Box::pin(explain(eval, term)).await);
            }
            logic(*op, all)
        }
        ExprKind::Quantifier { kind, vars, over, body, .. }
            if matches!(kind, Quantifier::All | Quantifier::Any | Quantifier::None) =>
        {
            let truth = eval.truth(condition).await;
            let (quantifier, wanted) = match kind {
                Quantifier::All => ("all", Truth::True),
                Quantifier::Any => ("at least one", Truth::True),
                _ => ("none", Truth::False),
            };
            let text = eval.core.words(body.span);
            let actual = match eval.items(over).await {
                Err(answer) => brief(eval.core.redactor(), &answer),
                Ok(items) => {
                    let mut bad = Vec::new();
                    let mut count = 0;
                    let total = items.len();
                    for item in items {
                        let inner = eval.with_item(vars, &item);
                        let found = Box::pin(explain(&inner, body)).await;
                        if found.truth != wanted {
                            count += 1;
                            if bad.len() < 5 {
                                bad.push(format!("{} ({})", item_name(eval.core.redactor(), &item), found.actual));
                            }
                        }
                    }
                    let more =
                        if count > bad.len() { format!(" and {} more", count - bad.len()) } else { String::new() };
                    match (&truth, total) {
                        (Truth::True, total) => format!("{quantifier} of {total}"),
                        (_, 0) => "there is none at all".to_owned(),
                        (_, total) => format!("{count} of {total} not so: {}{more}", bad.join(", ")),
                    }
                }
            };
            Words { truth, expected: format!("{quantifier}: {text}"), actual, diff: Vec::new() }
        }
        ExprKind::Not(inner) => {
            let words = Box::pin(explain(eval, inner)).await;
            Words { truth: words.truth.negate(), expected: format!("not {}", words.expected), ..words }
        }
        _ => {
            let found = eval.eval(condition).await;
            Words {
                truth: compute::truth(&found),
                expected: "true".to_owned(),
                actual: brief(eval.core.redactor(), &found),
                diff: Vec::new(),
            }
        }
    }
}

/// Of terms joined by `and` the ones that don't hold are told; of those joined by `or`, all.
fn logic(op: LogicOp, terms: Vec<Words>) -> Words {
    let truth = terms.iter().map(|term| term.truth.clone()).reduce(|all, term| match op {
        LogicOp::And => all.and(term),
        LogicOp::Or => all.or(term),
    });
    let truth = truth.unwrap_or(Truth::True);
    let told: Vec<&Words> = match (op, &truth) {
        (_, Truth::True) | (LogicOp::Or, _) => terms.iter().collect(),
        (LogicOp::And, _) => terms.iter().filter(|term| term.truth != Truth::True).collect(),
    };
    let join = |part: fn(&Words) -> &String| {
        let joiner = if op == LogicOp::And { "; " } else { " or " };
        let mut parts: Vec<&str> = told.iter().map(|term| part(term).as_str()).collect();
        parts.dedup();
        parts.join(joiner)
    };
    let (expected, actual) = (join(|term| &term.expected), join(|term| &term.actual));
    Words { truth, expected, actual, diff: told.iter().flat_map(|term| term.diff.clone()).collect() }
}

fn expected(redactor: &Redactor, op: CompareOp, right: &Answer) -> String {
    let right = brief(redactor, right);
    match op {
        CompareOp::Equal => right,
        CompareOp::NotEqual => format!("not {right}"),
        CompareOp::Less => format!("< {right}"),
        CompareOp::LessOrEqual => format!("<= {right}"),
        CompareOp::Greater => format!("> {right}"),
        CompareOp::GreaterOrEqual => format!(">= {right}"),
        CompareOp::In => format!("in {right}"),
        CompareOp::NotIn => format!("not in {right}"),
        CompareOp::Contains => format!("contains {right}"),
        CompareOp::NotContains => format!("does not contain {right}"),
        CompareOp::Matches => format!("matches {right}"),
        CompareOp::NotMatches => format!("does not match {right}"),
    }
}

/// The lines in which a pattern was found that should not have been.
fn matched(redactor: &Redactor, regex: &regex::Regex, value: &Value) -> String {
    if value.is_secret() {
        return brief_value(redactor, value);
    }
    let text = value.to_text().unwrap_or_default();
    let mut lines = text.lines().enumerate().filter(|(_, line)| regex.is_match(line));
    match lines.next() {
        Some((at, line)) => {
            let more = match lines.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            format!("line {}: {}{more}", at + 1, brief_value(redactor, &Value::text(line)))
        }
        None => brief_value(redactor, value),
    }
}

/// What an item of a loop or quantifier is called: its name or id if it has one, its key in a map, else itself.
fn item_name(redactor: &Redactor, (key, item): &(Value, Value)) -> String {
    if let Value::Record(record) = item {
        let name = ["name", "id"].iter().find_map(|field| record.get(field).and_then(Answer::known));
        if let Some(name) = name {
            return brief_value(redactor, name);
        }
    }
    match (key, item) {
        (Value::Text(_), _) => brief_value(redactor, key),
        (_, Value::Map(_) | Value::Record(_) | Value::List(_)) => format!("item {key}"),
        (_, item) => brief_value(redactor, item),
    }
}
