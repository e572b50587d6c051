//! Expected and found, in words and as values: as near to what decided a condition as can be.
//!
//! In: the trace of a condition. Out: words. The world is not asked: all that is told was found when the condition was.

use serde_json::Value as Json;

use crate::check::program::{CompareOp, LogicOp, Quantifier, Test};
use crate::diagnostic::{Sources, Span};
use crate::value::{Answer, Truth, Value, recorded};

use super::brief::{brief, brief_value};
use super::diff;
use crate::engine::evaluation::trace::{How, Item, Trace};
use crate::engine::events::event::DiffLine;
use crate::engine::redact::Redactor;

/// The largest value that an event carries beside the words, in bytes of JSON.
const LARGEST: usize = 4096;

/// What was expected, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub expected: String,
    pub actual: String,
    pub diff: Vec<DiffLine>,
    /// Where two values are compared: these, as a record keeps values.
    pub expected_value: Option<Json>,
    pub actual_value: Option<Json>,
}

/// Puts conditions of one program into words.
pub struct Wording<'c> {
    pub sources: &'c Sources,
    pub redactor: &'c Redactor,
}

impl Wording<'_> {
    pub fn of(&self, trace: &Trace<'_>) -> Words {
        let words = self.explain(trace);
        match &trace.truth {
            // What was found on the way does not say why nothing can be said.
            Truth::Unknown(unknown) => {
                Words { actual: format!("unknown: {}", unknown.reason), actual_value: None, diff: Vec::new(), ..words }
            }
            _ => words,
        }
    }

    fn explain(&self, trace: &Trace<'_>) -> Words {
        match &trace.how {
            How::Compare { op, left, right, .. } => {
                let diff = match (op, left, right) {
                    (CompareOp::Equal, Answer::Known(actual), Answer::Known(expected))
                        if trace.truth == Truth::False =>
                    {
                        diff::values(self.redactor, expected, actual)
                    }
                    _ => Vec::new(),
                };
                Words {
                    expected: compared(*op, &brief(self.redactor, right)),
                    actual: brief(self.redactor, left),
                    diff,
                    expected_value: self.value(right),
                    actual_value: self.value(left),
                }
            }
            How::Matches { subject, regex, negated, .. } => {
                let not = if *negated { "does not match" } else { "matches" };
                let actual = match subject {
                    Answer::Known(value) if *negated && trace.truth == Truth::False => self.matched(regex, value),
                    _ => brief(self.redactor, subject),
                };
                Words { expected: format!("{not} '{}'", regex.as_str()), actual, ..Words::default() }
            }
            How::Test { subject, test, negated, .. } => {
                let word = match test {
                    Test::Absent => "absent",
                    Test::Present => "present",
                    Test::Empty => "empty",
                };
                let not = if *negated { "not " } else { "" };
                Words { expected: format!("{not}{word}"), actual: brief(self.redactor, subject), ..Words::default() }
            }
            How::Not(inner) => {
                let words = self.explain(inner);
                Words { expected: format!("not {}", words.expected), diff: Vec::new(), expected_value: None, ..words }
            }
            How::Logic { op, terms } => self.logic(*op, &trace.truth, terms),
            How::Quantifier { kind, body, total, against, first } => {
                let quantifier = match kind {
                    Quantifier::All => "all",
                    Quantifier::Any => "at least one",
                    _ => "none",
                };
                let expected = format!("{quantifier}: {}", self.source(body.span));
                let actual = match (&trace.truth, *total) {
                    (Truth::True, total) => format!("{quantifier} of {total}"),
                    (_, 0) => "there is none at all".to_owned(),
                    (_, total) => {
                        let told = first.iter();
                        let told =
                            told.map(|(item, found)| format!("{} ({})", self.item_name(item), self.of(found).actual));
                        let more = match against.saturating_sub(first.len()) {
                            0 => String::new(),
                            more => format!(" and {more} more"),
                        };
                        format!("{against} of {total} failed: {}{more}", told.collect::<Vec<_>>().join(", "))
                    }
                };
                Words { expected, actual, ..Words::default() }
            }
            How::Value(answer) => {
                Words { expected: "true".to_owned(), actual: brief(self.redactor, answer), ..Words::default() }
            }
        }
    }

    /// Of terms joined by `and` the ones that don't hold are told; of those joined by `or`, all.
    fn logic(&self, op: LogicOp, truth: &Truth, terms: &[Trace<'_>]) -> Words {
        let told: Vec<&Trace<'_>> = match (op, truth) {
            (_, Truth::True) | (LogicOp::Or, _) => terms.iter().collect(),
            (LogicOp::And, _) => terms.iter().filter(|term| term.truth != Truth::True).collect(),
        };
        let apart = told.len() > 1 && !self.of_one_subject(&told);
        let parts = told.iter().map(|term| {
            let words = self.of(term);
            match (apart, subject(term)) {
                (true, Some(of)) => Words {
                    expected: self.source(term.expr.span),
                    actual: format!("{}: {}", self.source(of), words.actual),
                    diff: words.diff,
                    ..Words::default()
                },
                _ => words,
            }
        });
        let parts: Vec<Words> = parts.collect();
        let join = |part: fn(&Words) -> &String, joiner: &str| {
            let mut parts: Vec<&str> = parts.iter().map(|words| part(words).as_str()).collect();
            parts.dedup();
            parts.join(joiner)
        };
        let (expected_by, actual_by) = match (op, apart) {
            (LogicOp::And, _) => ("; ", "; "),
            (LogicOp::Or, true) => (" or ", "; "),
            (LogicOp::Or, false) => (" or ", " or "),
        };
        Words {
            expected: join(|words| &words.expected, expected_by),
            actual: join(|words| &words.actual, actual_by),
            diff: parts.iter().flat_map(|words| words.diff.clone()).collect(),
            ..Words::default()
        }
    }

    /// Whether all of it asks after the same: then one word says what was found.
    fn of_one_subject(&self, terms: &[&Trace<'_>]) -> bool {
        let mut subjects = terms.iter().map(|term| subject(term).map(|span| self.source(span)));
        let first = subjects.next().flatten();
        first.is_some() && subjects.all(|subject| subject == first)
    }

    /// The words of the program at a span, on one line.
    fn source(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A value for whoever computes with it. One that is large is told in words alone.
    fn value(&self, answer: &Answer) -> Option<Json> {
        let value = answer.known()?;
        if weight(value) > LARGEST {
            return None;
        }
        Some(recorded::write_value(value, &|text| self.redactor.is_open(text)))
    }

    /// The lines in which a pattern was found that should not have been.
    fn matched(&self, regex: &regex::Regex, value: &Value) -> String {
        if value.is_secret() {
            return brief_value(self.redactor, value);
        }
        let text = value.to_text().unwrap_or_default();
        let mut lines = text.lines().enumerate().filter(|(_, line)| regex.is_match(line));
        match lines.next() {
            Some((at, line)) => {
                let more = match lines.count() {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                format!("line {}: {}{more}", at + 1, brief_value(self.redactor, &Value::text(line)))
            }
            None => brief_value(self.redactor, value),
        }
    }

    /// What an item of a loop or quantifier is called: its name or id if it has one, its key in a map, else itself.
    fn item_name(&self, (key, item): &Item) -> String {
        if let Value::Record(record) = item {
            let name = ["name", "id"].iter().find_map(|field| record.get(field).and_then(Answer::known));
            if let Some(name) = name {
                return brief_value(self.redactor, name);
            }
        }
        match (key, item) {
            (Value::Text(_), _) => brief_value(self.redactor, key),
            (_, Value::Map(_) | Value::Record(_) | Value::List(_)) => format!("item {key}"),
            (_, item) => brief_value(self.redactor, item),
        }
    }
}

/// What a condition is about: the words before its operator.
fn subject(trace: &Trace<'_>) -> Option<Span> {
    match &trace.how {
        How::Compare { of, .. } | How::Matches { of, .. } | How::Test { of, .. } => Some(of.span),
        How::Value(_) => Some(trace.expr.span),
        How::Not(_) | How::Logic { .. } | How::Quantifier { .. } => None,
    }
}

fn compared(op: CompareOp, right: &str) -> String {
    match op {
        CompareOp::Equal => right.to_owned(),
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

/// How large a value is, about; no further than it matters.
fn weight(value: &Value) -> usize {
    let mut sum = 16;
    let mut add = |weight: usize| {
        sum += weight;
        sum <= LARGEST
    };
    match value.unsealed() {
        Value::Text(text) => {
            add(text.len());
        }
        Value::List(items) => {
            items.iter().all(|item| add(weight(item)));
        }
        Value::Map(map) => {
            map.entries.iter().all(|(key, item)| add(key.len() + weight(item)));
        }
        Value::Record(record) => {
            record.fields.iter().all(|(name, field)| add(name.len() + field.known().map_or(64, weight)));
        }
        _ => {}
    }
    sum
}
