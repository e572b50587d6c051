//! The functions of `stdlib/core.runbook` and `stdlib/time.runbook`: computed from their arguments alone.
//!
//! What can't be converted is unknown, with the reason; of a secret the reason does not tell the text.

use jiff::Timestamp;

use crate::syntax::literal;
use crate::value::display::quoted;
use crate::value::sensitive;
use crate::value::size::{self, NotRead, Room, read_json};
use crate::value::{Answer, Number, UnknownCause, Value};

use crate::engine::redact::{self, Redactor};

/// Every function that there is, by its full name. A test holds this list against the stdlib's declarations.
pub const NATIVES: &[&str] = &[
    "number",
    "json",
    "trim",
    "split",
    "lines",
    "duration",
    "size",
    "timestamp",
    "lower",
    "upper",
    "length",
    "join",
    "keys",
    "output",
    "without_last_newline",
    "secrets.is_secret",
    STEP_BEGAN,
];

/// The one function that depends on where it stands.
pub const STEP_BEGAN: &str = "step_began";

/// Calls a function. `args` are in the order of its declaration, without seals; `secret`: one of them was sealed.
pub fn call(redactor: &Redactor, name: &str, args: &[Option<Value>], secret: bool) -> Answer {
    let text = |at: usize| match args.get(at) {
        Some(Some(Value::Text(text))) => text.to_string(),
        Some(Some(other)) => other.to_text().map(|text| text.to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    let first = || args.first().and_then(Option::as_ref);
    let invalid = |what: &str| {
        let shown = if secret { "a secret".to_owned() } else { short(redactor, &text(0)) };
        Answer::unknown(UnknownCause::Invalid, format!("{shown} is not {what}"))
    };
    let known = |value: Option<Value>, what: &str| value.map_or_else(|| invalid(what), Answer::Known);
    match name {
        "number" => known(Number::parse(&text(0)).map(Value::Number), "a number"),
        "duration" => known(literal::duration(text(0).trim()).map(Value::Duration), "a duration such as `1m30s`"),
        "size" => known(literal::size(text(0).trim()).map(Value::Size), "a size such as `512MiB`"),
        "timestamp" => known(timestamp(text(0).trim()).map(Value::Time), "a time as RFC 3339 writes it"),
        "json" => match read_json(&text(0)) {
            Ok(json) => Answer::Known(json),
            Err(NotRead::TooLarge) => size::too_large(),
            Err(NotRead::NotJson(_)) if secret => invalid("JSON"),
            Err(NotRead::NotJson(error)) => {
                Answer::unknown(UnknownCause::Invalid, format!("the text is not JSON: {error}"))
            }
        },
        "secrets.is_secret" => Answer::Known(Value::Bool(sensitive::is_secret(&text(0), &text(1)))),
        "trim" => Answer::Known(Value::text(text(0).trim())),
        "lower" => Answer::Known(Value::text(text(0).to_lowercase())),
        "upper" => Answer::Known(Value::text(text(0).to_uppercase())),
        "without_last_newline" => Answer::Known(Value::text(without_last_newline(&text(0)))),
        "output" => output(first()),
        "lines" => redact::with_sealed_lines(size::list_of(text(0).lines())),
        "split" => {
            let (whole, by) = (text(0), text(1));
            if by.is_empty() {
                return Answer::unknown(UnknownCause::Invalid, "a text can't be split by nothing");
            }
            redact::with_sealed_lines(size::list_of(whole.split(&by)))
        }
        "join" => match first() {
            Some(Value::List(items)) => {
                let parts: Option<Vec<_>> = items.iter().map(|item| item.unsealed().to_text()).collect();
                let mut room = Room::default();
                let between = text(1).len();
                if parts.iter().flatten().any(|part| !room.text(part.len() + between)) {
                    return size::too_large();
                }
                known(parts.map(|parts| Value::text(parts.join(&text(1)))), "a list of texts")
            }
            _ => invalid("a list"),
        },
        "keys" => match first() {
            Some(Value::Map(map)) => Answer::Known(Value::list(map.entries.keys().cloned().map(Value::Text))),
            _ => invalid("a map"),
        },
        "length" => {
            let length = match first() {
                Some(Value::Text(text)) => Some(text.chars().count()),
                Some(Value::List(items)) => Some(items.len()),
                Some(Value::Map(map)) => Some(map.entries.len()),
                _ => None,
            };
            known(length.map(|length| Value::Number(Number::Int(length as i64))), "a text, list or map")
        }
        other => Answer::unknown(UnknownCause::Invalid, format!("this program has no function `{other}`")),
    }
}

/// The text without one line break at its end, as secrets in files are meant.
pub fn without_last_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn timestamp(text: &str) -> Option<Timestamp> {
    literal::time(text)
}

/// What a command printed, if it did not fail.
fn output(result: Option<&Value>) -> Answer {
    let Some(Value::Record(record)) = result else {
        return Answer::unknown(UnknownCause::Invalid, "this is not what a command came to");
    };
    let failed = |how: String| Answer::unknown(UnknownCause::Unreadable, format!("its command {how}"));
    match (record.get("status"), record.get("signal"), record.get("stdout")) {
        (Some(Answer::Known(Value::Number(Number::Int(0)))), _, Some(Answer::Known(Value::Text(stdout)))) => {
            Answer::Known(Value::text(without_last_newline(stdout)))
        }
        (Some(Answer::Known(status)), ..) => failed(format!("ended with status {status}")),
        (_, Some(Answer::Known(signal)), _) => failed(format!("was ended by {}", signal.to_text().unwrap_or_default())),
        _ => failed("ended, and it can't be told how".to_owned()),
    }
}

fn short(redactor: &Redactor, text: &str) -> String {
    match redactor.head(text, 60) {
        (head, true) => quoted(&head),
        (head, false) => format!("{}…", quoted(&head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Answer {
        call(&Redactor::default(), name, &[Some(Value::text(text))], false)
    }

    #[test]
    fn conversions_say_what_they_can_not_read() {
        assert_eq!(of("number", " 42\n"), Answer::Known(Value::Number(Number::Int(42))));
        let Answer::Unknown(unknown) = of("number", "abc") else { panic!("known") };
        assert_eq!(&*unknown.reason, "\"abc\" is not a number");
        let Answer::Unknown(unknown) = call(&Redactor::default(), "number", &[Some(Value::text("abc"))], true) else {
            panic!("known")
        };
        assert!(!unknown.reason.contains("abc"));
    }

    #[test]
    fn nothing_of_a_secret_is_told_by_a_json_error() {
        let Answer::Unknown(unknown) = call(&Redactor::default(), "json", &[Some(Value::text("{hunter2"))], true)
        else {
            panic!("known")
        };
        assert!(!unknown.reason.contains("hunter2"));
    }

    #[test]
    fn what_is_made_of_a_text_is_bounded() {
        let large = "a,\n".repeat(1 << 20);
        let too_large = |answer: Answer| {
            let Answer::Unknown(unknown) = answer else { return false };
            unknown.reason.contains("larger than")
        };
        assert!(too_large(of("lines", &large)));
        let [list, by] = [Value::list(std::iter::repeat_n(Value::text(large.as_str()), 12)), Value::text(",")];
        assert!(too_large(call(
            &Redactor::default(),
            "split",
            &[Some(Value::text(large.as_str())), Some(by.clone())],
            false
        )));
        assert!(too_large(call(&Redactor::default(), "join", &[Some(list), Some(by)], false)));
        assert!(!too_large(of("upper", &large)));
    }

    #[test]
    fn one_line_break_at_the_end_goes() {
        assert_eq!(without_last_newline("a\r\n"), "a");
        assert_eq!(without_last_newline("a\n\n"), "a\n");
        assert_eq!(without_last_newline("a"), "a");
    }
}
