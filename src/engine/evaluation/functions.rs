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

/// What a function is called with.
pub struct Given<'a> {
    pub redactor: &'a Redactor,
    /// In the order of its declaration, without seals.
    pub args: &'a [Option<Value>],
    /// One of them was sealed.
    pub secret: bool,
    /// When the step began in which it stands, if it stands in one.
    pub step_began: Option<Timestamp>,
}

type Function = fn(&Given<'_>) -> Answer;

/// Every function that there is: its full name, and what it computes. A test holds the stdlib's declarations against it.
pub const NATIVES: &[(&str, Function)] = &[
    ("number", |given| given.known(Number::parse(&given.text(0)).map(Value::Number), "a number")),
    ("json", json),
    ("trim", |given| Answer::Known(Value::text(given.text(0).trim()))),
    ("split", split),
    ("lines", |given| redact::with_sealed_lines(size::list_of(given.text(0).lines()))),
    ("duration", |given| {
        given.known(literal::duration(given.text(0).trim()).map(Value::Duration), "a duration such as `1m30s`")
    }),
    ("size", |given| given.known(literal::size(given.text(0).trim()).map(Value::Size), "a size such as `512MiB`")),
    ("timestamp", |given| {
        given.known(literal::time(given.text(0).trim()).map(Value::Time), "a time as RFC 3339 writes it")
    }),
    ("lower", |given| Answer::Known(Value::text(given.text(0).to_lowercase()))),
    ("upper", |given| Answer::Known(Value::text(given.text(0).to_uppercase()))),
    ("length", length),
    ("join", join),
    ("keys", |given| match given.first() {
        Some(Value::Map(map)) => Answer::Known(Value::list(map.entries.keys().cloned().map(Value::Text))),
        _ => given.invalid("a map"),
    }),
    ("output", |given| output(given.first())),
    ("without_last_newline", |given| Answer::Known(Value::text(without_last_newline(&given.text(0))))),
    ("secrets.is_secret", |given| Answer::Known(Value::Bool(sensitive::is_secret(&given.text(0), &given.text(1))))),
    ("step_began", |given| match given.step_began {
        Some(began) => Answer::Known(Value::Time(began)),
        None => Answer::unknown(UnknownCause::Invalid, "it is asked outside of steps, so none has begun"),
    }),
];

/// Calls a function.
pub fn call(name: &str, given: &Given<'_>) -> Answer {
    match NATIVES.iter().find(|(known, _)| *known == name) {
        Some((_, function)) => function(given),
        None => Answer::unknown(UnknownCause::Invalid, format!("this program has no function `{name}`")),
    }
}

impl Given<'_> {
    fn text(&self, at: usize) -> String {
        match self.args.get(at) {
            Some(Some(Value::Text(text))) => text.to_string(),
            Some(Some(other)) => other.to_text().map(|text| text.to_string()).unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn first(&self) -> Option<&Value> {
        self.args.first().and_then(Option::as_ref)
    }

    fn invalid(&self, what: &str) -> Answer {
        let shown = if self.secret { "a secret".to_owned() } else { short(self.redactor, &self.text(0)) };
        Answer::unknown(UnknownCause::Invalid, format!("{shown} is not {what}"))
    }

    fn known(&self, value: Option<Value>, what: &str) -> Answer {
        value.map_or_else(|| self.invalid(what), Answer::Known)
    }
}

fn json(given: &Given<'_>) -> Answer {
    match read_json(&given.text(0)) {
        Ok(json) => Answer::Known(json),
        Err(NotRead::TooLarge) => size::too_large(),
        Err(NotRead::NotJson(_)) if given.secret => given.invalid("JSON"),
        Err(NotRead::NotJson(error)) => {
            Answer::unknown(UnknownCause::Invalid, format!("the text is not JSON: {error}"))
        }
    }
}

fn split(given: &Given<'_>) -> Answer {
    let (whole, by) = (given.text(0), given.text(1));
    if by.is_empty() {
        return Answer::unknown(UnknownCause::Invalid, "a text can't be split by nothing");
    }
    redact::with_sealed_lines(size::list_of(whole.split(&by)))
}

fn join(given: &Given<'_>) -> Answer {
    let Some(Value::List(items)) = given.first() else { return given.invalid("a list") };
    let parts: Option<Vec<_>> = items.iter().map(|item| item.unsealed().to_text()).collect();
    let mut room = Room::default();
    let between = given.text(1);
    if parts.iter().flatten().any(|part| !room.text(part.len() + between.len())) {
        return size::too_large();
    }
    given.known(parts.map(|parts| Value::text(parts.join(&between))), "a list of texts")
}

fn length(given: &Given<'_>) -> Answer {
    let length = match given.first() {
        Some(Value::Text(text)) => Some(text.chars().count()),
        Some(Value::List(items)) => Some(items.len()),
        Some(Value::Map(map)) => Some(map.entries.len()),
        _ => None,
    };
    given.known(length.map(|length| Value::Number(Number::Int(length as i64))), "a text, list or map")
}

/// The text without one line break at its end, as secrets in files are meant.
pub fn without_last_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
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
        with(name, &[Some(Value::text(text))], false)
    }

    fn with(name: &str, args: &[Option<Value>], secret: bool) -> Answer {
        call(name, &Given { redactor: &Redactor::default(), args, secret, step_began: None })
    }

    #[test]
    fn conversions_say_what_they_can_not_read() {
        assert_eq!(of("number", " 42\n"), Answer::Known(Value::Number(Number::Int(42))));
        let Answer::Unknown(unknown) = of("number", "abc") else { panic!("known") };
        assert_eq!(&*unknown.reason, "\"abc\" is not a number");
        let Answer::Unknown(unknown) = with("number", &[Some(Value::text("abc"))], true) else { panic!("known") };
        assert!(!unknown.reason.contains("abc"));
    }

    #[test]
    fn nothing_of_a_secret_is_told_by_a_json_error() {
        let Answer::Unknown(unknown) = with("json", &[Some(Value::text("{hunter2"))], true) else { panic!("known") };
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
        assert!(too_large(with("split", &[Some(Value::text(large.as_str())), Some(by.clone())], false)));
        assert!(too_large(with("join", &[Some(list), Some(by)], false)));
        assert!(!too_large(of("upper", &large)));
    }

    #[test]
    fn one_line_break_at_the_end_goes() {
        assert_eq!(without_last_newline("a\r\n"), "a");
        assert_eq!(without_last_newline("a\n\n"), "a\n");
        assert_eq!(without_last_newline("a"), "a");
    }
}
