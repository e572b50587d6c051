//! What a failed action said of its failure: the last lines of standard error, or the body of a refused request.
//!
//! In: what the action answered. Out: the reason of its failure, with a few lines of that behind it, without secrets.

use crate::check::program::FieldKind;
use crate::value::{Answer, Record, Value};

use crate::check::library::field_kind;
use crate::engine::redact::Redactor;

/// How many lines are told, counted from the last.
const LINES: usize = 3;

/// How much of all of them, in characters.
const LONGEST: usize = 300;

/// The reason, with what was said of it.
pub fn with(redactor: &Redactor, reason: String, result: &Answer) -> String {
    let said = match result {
        Answer::Known(Value::Record(record)) => said(record),
        _ => None,
    };
    // Cut behind the taking out: half a secret is none that is known.
    let said = said.map(|text| redactor.text(text)).unwrap_or_default();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return reason;
    }
    let last = lines[lines.len().saturating_sub(LINES)..].join(" / ");
    match last.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{reason}: {}…", last[..at].trim_end()),
        None => format!("{reason}: {last}"),
    }
}

/// Standard error, where the action has one; else the text that it was answered.
fn said(record: &Record) -> Option<&str> {
    let text = |name: &str| match record.get(name) {
        Some(Answer::Known(Value::Text(text))) if field_kind(&record.name, name) == Some(FieldKind::Content) => {
            Some(&**text)
        }
        _ => None,
    };
    match record.get("stderr") {
        Some(_) => text("stderr"),
        None => text("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(stderr: &str) -> Answer {
        let known = |text: &str| Answer::Known(Value::text(text));
        Answer::Known(Value::record("shell.result", [("text", known("printed")), ("stderr", known(stderr))]))
    }

    #[test]
    fn the_last_lines_of_standard_error_are_told() {
        let redactor = Redactor::default();
        let told = |stderr: &str| with(&redactor, "ended with status 1".to_owned(), &command(stderr));
        assert_eq!(told(""), "ended with status 1");
        assert_eq!(told("a\nb\n\nc\nd\n"), "ended with status 1: b / c / d");
        assert_eq!(told(&"x".repeat(1000)).chars().count(), "ended with status 1: ".len() + LONGEST + 1);
    }

    #[test]
    fn a_secret_is_taken_out_before_the_text_is_cut() {
        let redactor = Redactor::default();
        redactor.learn("key", &Value::text("hunter2-hunter2")).expect("long enough");
        let stderr = format!("{}hunter2-hunter2", "x".repeat(LONGEST - 8));
        assert!(!with(&redactor, String::new(), &command(&stderr)).contains("hunter2"));
    }

    #[test]
    fn the_body_of_a_refused_request_is_told() {
        let body = Answer::Known(Value::text("{\"error\": \"no such user\"}"));
        let answer = Answer::Known(Value::record("http.response", [("text", body)]));
        let told = with(&Redactor::default(), "was answered with 404".to_owned(), &answer);
        assert_eq!(told, "was answered with 404: {\"error\": \"no such user\"}");
    }
}
