//! The functions of `stdlib/core.runbook` and `stdlib/time.runbook`: computed from their arguments alone.
//!
//! What can't be converted is unknown, with the reason; of a secret the reason does not tell the text.

use std::sync::Arc;

use jiff::Timestamp;

use crate::check::program::ArithmeticOp;

use crate::syntax::literal;
use crate::value::display::quoted;
use crate::value::sensitive;
use crate::value::size::{self, NotRead, Room, read_json};
use crate::value::{Answer, Number, UnknownCause, Value};

use super::compute;
use crate::engine::redact::{self, Redactor};

/// What a function is called with.
pub struct Given<'a> {
    pub redactor: &'a Redactor,
    /// In the order of its declaration, without seals.
    pub args: &'a [Option<Value>],
    /// One of them was sealed.
    pub secret: bool,
    /// The id of the run; a dry run has none.
    pub run: Option<Arc<str>>,
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
    ("replace", replace),
    ("capture", capture),
    ("starts_with", |given| Answer::Known(Value::Bool(given.text(0).starts_with(&given.text(1))))),
    ("ends_with", |given| Answer::Known(Value::Bool(given.text(0).ends_with(&given.text(1))))),
    ("sort", sort),
    ("min", |given| extreme(given, std::cmp::Ordering::Less, "least")),
    ("max", |given| extreme(given, std::cmp::Ordering::Greater, "greatest")),
    ("sum", sum),
    ("time.format", format_time),
    ("run_id", |given| match &given.run {
        Some(run) => Answer::Known(Value::Text(run.clone())),
        None => Answer::unknown(UnknownCause::LeftOut, "a dry run has no id"),
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

fn replace(given: &Given<'_>) -> Answer {
    let (text, what, by) = (given.text(0), given.text(1), given.text(2));
    if what.is_empty() {
        return Answer::unknown(UnknownCause::Invalid, "nothing can't be replaced: the second argument is empty");
    }
    // Counted before it is made.
    let grown = text.matches(&what).count().saturating_mul(by.len().saturating_sub(what.len()));
    if !Room::default().text(text.len().saturating_add(grown)) {
        return size::too_large();
    }
    Answer::Known(Value::text(text.replace(&what, &by)))
}

fn capture(given: &Given<'_>) -> Answer {
    let Ok(regex) = regex::RegexBuilder::new(&given.text(1)).size_limit(1 << 20).build() else {
        return Answer::unknown(UnknownCause::Invalid, "the pattern is not a regular expression that can be read");
    };
    let text = given.text(0);
    match regex.captures(&text) {
        None => Answer::absent("the pattern finds nothing"),
        Some(found) if found.len() == 1 => Answer::Known(Value::text(&found[0])),
        Some(found) => match found.get(1) {
            Some(group) => Answer::Known(Value::text(group.as_str())),
            None => Answer::absent("the group of the pattern finds nothing"),
        },
    }
}

/// The items of a list in order, and whether that could be told.
fn sort(given: &Given<'_>) -> Answer {
    let Some(Value::List(items)) = given.first() else { return given.invalid("a list") };
    let mut sorted = items.to_vec();
    let mut unknown = None;
    sorted.sort_by(|a, b| {
        compute::order(a.unsealed(), b.unsealed()).unwrap_or_else(|why| {
            unknown.get_or_insert(why);
            std::cmp::Ordering::Equal
        })
    });
    match unknown {
        Some(why) => Answer::Unknown(why),
        None => Answer::Known(Value::list(sorted)),
    }
}

/// The item that is before all others, in this order.
fn extreme(given: &Given<'_>, wanted: std::cmp::Ordering, word: &str) -> Answer {
    let Some(Value::List(items)) = given.first() else { return given.invalid("a list") };
    let Some(mut best) = items.first() else { return Answer::absent(format!("an empty list has no {word} item")) };
    for item in items.iter() {
        match compute::order(item.unsealed(), best.unsealed()) {
            Ok(found) if found == wanted => best = item,
            Ok(_) => {}
            Err(why) => return Answer::Unknown(why),
        }
    }
    Answer::Known(best.clone())
}

fn sum(given: &Given<'_>) -> Answer {
    let Some(Value::List(items)) = given.first() else { return given.invalid("a list") };
    let mut items = items.iter().cloned().map(Answer::Known);
    let Some(first) = items.next() else { return Answer::absent("an empty list has no sum") };
    // One item is a sum only if it could be added to.
    if !matches!(
        first.known().map(Value::unsealed),
        Some(Value::Number(_) | Value::Duration(_) | Value::Size(_) | Value::Percent(_))
    ) {
        return given.invalid("a list of numbers, durations, sizes or percentages");
    }
    items.fold(first, |sum, item| compute::arithmetic(ArithmeticOp::Add, &sum, &item))
}

fn format_time(given: &Given<'_>) -> Answer {
    let Some(Value::Time(time)) = given.first() else { return given.invalid("a time") };
    let (pattern, zone) = (given.text(1), given.text(2));
    let invalid = |why: String| Answer::unknown(UnknownCause::Invalid, why);
    let zone = match zone.as_str() {
        "UTC" => jiff::tz::TimeZone::UTC,
        name => match jiff::tz::TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => return invalid(format!("there is no time zone {}", short(given.redactor, name))),
        },
    };
    match jiff::fmt::strtime::format(&pattern, &time.to_zoned(zone)) {
        Ok(text) if Room::default().text(text.len()) => Answer::Known(Value::text(text)),
        Ok(_) => size::too_large(),
        Err(error) => invalid(format!("the pattern {} can't be read: {error}", short(given.redactor, &pattern))),
    }
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
        call(name, &Given { redactor: &Redactor::default(), args, secret, run: None, step_began: None })
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
