//! Just what differs between an expected and an actual value.
//!
//! In: two values. Out: the lines of a diff, with secrets by name. Empty where one line of "expected …, found …" says it.

use similar::{ChangeTag, TextDiff};

use crate::value::{Answer, Record, Value};

use super::brief::brief_value;
use crate::engine::events::event::{DiffLine, DiffSign};
use crate::engine::redact::Redactor;

/// The longest diff that is told, in lines.
const LONGEST: usize = 60;

/// Lines of context around a change of a text.
const CONTEXT: usize = 2;

/// What of `actual` is not as `expected`.
pub fn values(redactor: &Redactor, expected: &Value, actual: &Value) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    match (expected, actual) {
        (Value::Text(expected), Value::Text(actual)) if expected.contains('\n') || actual.contains('\n') => {
            texts(redactor, expected, actual, &mut lines);
        }
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) | (Value::Record(_), Value::Record(_)) => {
            nested(redactor, "", expected, actual, &mut lines);
        }
        _ => {}
    }
    if lines.len() > LONGEST {
        let more = lines.len() - LONGEST;
        lines.truncate(LONGEST);
        lines.push(DiffLine { sign: DiffSign::Skip, text: format!("{more} more lines") });
    }
    lines
}

fn push(lines: &mut Vec<DiffLine>, sign: DiffSign, text: String) {
    lines.push(DiffLine { sign, text });
}

fn texts(redactor: &Redactor, expected: &str, actual: &str, lines: &mut Vec<DiffLine>) {
    // Compared as they are; what is shown of a line depends on the lines before it.
    let diff = TextDiff::from_lines(expected, actual);
    let old = redactor.lines(expected, diff.iter_old_slices());
    let new = redactor.lines(actual, diff.iter_new_slices());
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        let skipped = group.first().map_or(0, |op| op.old_range().start);
        if at > 0 || skipped > 0 {
            push(lines, DiffSign::Skip, String::new());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => DiffSign::Expected,
                ChangeTag::Insert => DiffSign::Actual,
                ChangeTag::Equal => DiffSign::Both,
            };
            let shown = match (change.old_index(), change.new_index()) {
                (_, Some(at)) => new.get(at),
                (Some(at), None) => old.get(at),
                (None, None) => None,
            };
            push(lines, sign, shown.cloned().unwrap_or_default());
        }
    }
}

/// Goes down to what differs, and names the way there: `user.name: "a"`.
fn nested(redactor: &Redactor, path: &str, expected: &Value, actual: &Value, lines: &mut Vec<DiffLine>) {
    if expected == actual {
        return;
    }
    match (expected, actual) {
        (Value::List(expected), Value::List(actual)) => lists(redactor, path, expected, actual, lines),
        (Value::Map(expected), Value::Map(actual)) => {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for (key, value) in &expected.entries {
                match actual.get(key) {
                    Some(found) => nested(redactor, &below(key), value, found, lines),
                    None => {
                        push(lines, DiffSign::Expected, format!("{}: {}", below(key), brief_value(redactor, value)))
                    }
                }
            }
            for (key, value) in &actual.entries {
                if expected.get(key).is_none() {
                    let shown = if actual.hidden { "…".to_owned() } else { brief_value(redactor, value) };
                    push(lines, DiffSign::Actual, format!("{}: {shown}", below(key)));
                }
            }
        }
        (Value::Record(expected), Value::Record(actual)) => records(redactor, path, expected, actual, lines),
        _ => {
            let named = |value: &Value| {
                if path.is_empty() {
                    brief_value(redactor, value)
                } else {
                    format!("{path}: {}", brief_value(redactor, value))
                }
            };
            push(lines, DiffSign::Expected, named(expected));
            push(lines, DiffSign::Actual, named(actual));
        }
    }
}

fn records(redactor: &Redactor, path: &str, expected: &Record, actual: &Record, lines: &mut Vec<DiffLine>) {
    for (field, answer) in &expected.fields {
        let below = if path.is_empty() { field.to_string() } else { format!("{path}.{field}") };
        match (answer, actual.get(field)) {
            (Answer::Known(expected), Some(Answer::Known(actual))) => nested(redactor, &below, expected, actual, lines),
            (expected, Some(actual)) if expected == actual => {}
            (expected, actual) => {
                push(lines, DiffSign::Expected, format!("{below}: {expected}"));
                if let Some(actual) = actual {
                    push(lines, DiffSign::Actual, format!("{below}: {actual}"));
                }
            }
        }
    }
}

/// Items that are missing, and items that are there besides; their order where only that differs.
fn lists(redactor: &Redactor, path: &str, expected: &[Value], actual: &[Value], lines: &mut Vec<DiffLine>) {
    let at = |text: String| if path.is_empty() { text } else { format!("{path}: {text}") };
    let words = |items: &[Value]| items.iter().map(|item| brief_value(redactor, item)).collect::<Vec<_>>();
    let (expected, actual) = (words(expected), words(actual));
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.iter().map(String::as_str).collect(), actual.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&old, &new);
    for (nth, group) in diff.grouped_ops(1).iter().enumerate() {
        let skipped = group.first().map_or(0, |op| op.old_range().start);
        if nth > 0 || skipped > 0 {
            push(lines, DiffSign::Skip, String::new());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => DiffSign::Expected,
                ChangeTag::Insert => DiffSign::Actual,
                ChangeTag::Equal => DiffSign::Both,
            };
            push(lines, sign, at(change.value().to_string()));
        }
    }
}
