//! Computing with what is known: comparisons, tests, arithmetic, navigation. Pure; the world is asked elsewhere.
//!
//! Absent differs from everything: each comparison with it is false, the negated ones too. Unknown is contagious.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::check::program::{ArithmeticOp, CompareOp, Test};
use crate::value::{Answer, Map, Number, Sealed, Truth, Unknown, UnknownCause, Value, range};

use crate::engine::redact;

fn invalid(reason: impl Into<Arc<str>>) -> Unknown {
    Unknown::new(UnknownCause::Invalid, reason)
}

/// What a condition comes to: absent is not true.
pub fn truth(answer: &Answer) -> Truth {
    match answer {
        Answer::Known(value) => match value.unsealed() {
            Value::Bool(value) => Truth::from(*value),
            other => Truth::Unknown(invalid(format!("{} where true or false is needed", other.kind()))),
        },
        Answer::Absent(_) => Truth::False,
        Answer::Unknown(unknown) => Truth::Unknown(unknown.clone()),
    }
}

/// `left op right`.
pub fn compare(op: CompareOp, left: &Answer, right: &Answer) -> Truth {
    let (left, right) = match (left, right) {
        (Answer::Unknown(unknown), _) | (_, Answer::Unknown(unknown)) => return Truth::Unknown(unknown.clone()),
        (Answer::Absent(_), _) | (_, Answer::Absent(_)) => return Truth::False,
        (Answer::Known(left), Answer::Known(right)) => (left.unsealed(), right.unsealed()),
    };
    let positive = match op {
        CompareOp::Equal | CompareOp::NotEqual => equal(left, right),
        CompareOp::Less | CompareOp::LessOrEqual | CompareOp::Greater | CompareOp::GreaterOrEqual => {
            return match order(left, right) {
                Ok(ordering) => Truth::from(match op {
                    CompareOp::Less => ordering.is_lt(),
                    CompareOp::LessOrEqual => ordering.is_le(),
                    CompareOp::Greater => ordering.is_gt(),
                    _ => ordering.is_ge(),
                }),
                Err(unknown) => Truth::Unknown(unknown),
            };
        }
        CompareOp::In | CompareOp::NotIn => contains(right, left),
        CompareOp::Contains | CompareOp::NotContains => contains(left, right),
        CompareOp::Matches | CompareOp::NotMatches => match right {
            Value::Text(pattern) => match regex::RegexBuilder::new(pattern).size_limit(1 << 20).build() {
                Ok(regex) => matches(&regex, left),
                Err(_) => Truth::Unknown(invalid("the pattern is not a regular expression that can be read")),
            },
            other => Truth::Unknown(invalid(format!("{} where a pattern is needed", other.kind()))),
        },
    };
    match op {
        CompareOp::NotEqual | CompareOp::NotIn | CompareOp::NotContains | CompareOp::NotMatches => positive.negate(),
        _ => positive,
    }
}

/// Whether `regex` is found in what `value` reads as.
pub fn matches(regex: &regex::Regex, value: &Value) -> Truth {
    match value.unsealed().to_text() {
        Some(text) => Truth::from(regex.is_match(&text)),
        None => Truth::Unknown(invalid(format!("{} has no text to search", value.unsealed().kind()))),
    }
}

/// Equal in meaning; a record is equal to none but one of the same fields. What holds an unknown is unknown.
fn equal(left: &Value, right: &Value) -> Truth {
    match (left.unsealed(), right.unsealed()) {
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Truth::False;
            }
            a.iter().zip(b.iter()).fold(Truth::True, |all, (a, b)| all.and(equal(a, b)))
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.entries.len() != b.entries.len() {
                return Truth::False;
            }
            a.entries
                .iter()
                .fold(Truth::True, |all, (key, a)| all.and(b.get(key).map_or(Truth::False, |b| equal(a, b))))
        }
        (Value::Record(a), Value::Record(b)) => {
            if a.name != b.name || a.fields.len() != b.fields.len() {
                return Truth::False;
            }
            a.fields.iter().fold(Truth::True, |all, (key, a)| {
                all.and(match (a, b.get(key)) {
                    (Answer::Unknown(unknown), _) | (_, Some(Answer::Unknown(unknown))) => {
                        Truth::Unknown(unknown.clone())
                    }
                    (Answer::Known(a), Some(Answer::Known(b))) => equal(a, b),
                    (Answer::Absent(_), Some(Answer::Absent(_))) => Truth::True,
                    _ => Truth::False,
                })
            })
        }
        (Value::Number(a), Value::Number(b)) => match a.partial_cmp(b) {
            Some(ordering) => Truth::from(ordering.is_eq()),
            None => Truth::Unknown(beyond(a, b)),
        },
        (a, b) => Truth::from(a == b),
    }
}

/// Of two numbers that can't be compared, the one with too many digits.
fn beyond(a: &Number, b: &Number) -> Unknown {
    let number = if a.is_exact() { b } else { a };
    invalid(format!("{number} has more digits than can be compared (28, in JSON 64 bits)"))
}

/// Which comes first; the reason where that can't be told.
pub fn order(left: &Value, right: &Value) -> Result<std::cmp::Ordering, Unknown> {
    let ordering = match (left, right) {
        (Value::Number(a), Value::Number(b)) => return a.partial_cmp(b).ok_or_else(|| beyond(a, b)),
        (Value::Percent(a), Value::Percent(b)) => a.partial_cmp(b),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Size(a), Value::Size(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    };
    ordering.ok_or_else(|| invalid(format!("{} can't be measured against {}", left.kind(), right.kind())))
}

fn contains(whole: &Value, part: &Value) -> Truth {
    match (whole, part) {
        (Value::Text(whole), part) => match part.to_text() {
            Some(part) => Truth::from(whole.contains(&*part)),
            None => Truth::Unknown(invalid(format!("{} can't be looked for in a string", part.kind()))),
        },
        (Value::List(items), part) => items
            .iter()
            .fold(Truth::False, |any, item| if any == Truth::True { any } else { any.or(equal(item, part)) }),
        (Value::Map(map), Value::Text(key)) => Truth::from(map.get(key).is_some()),
        (whole, _) => Truth::Unknown(invalid(format!("{} holds nothing that could be looked for", whole.kind()))),
    }
}

/// `from..to`
pub fn range(from: &Answer, to: &Answer) -> Answer {
    match (from, to) {
        (Answer::Unknown(unknown), _) | (_, Answer::Unknown(unknown)) => Answer::Unknown(unknown.clone()),
        (Answer::Absent(absence), _) | (_, Answer::Absent(absence)) => Answer::Absent(absence.clone()),
        (Answer::Known(from), Answer::Known(to)) => match (from.unsealed(), to.unsealed()) {
            (Value::Number(from), Value::Number(to)) => match range::list(*from, *to) {
                Ok(list) => Answer::Known(list),
                Err(why) => Answer::Unknown(invalid(why)),
            },
            (from, to) => Answer::Unknown(invalid(format!("no range goes from {} to {}", from.kind(), to.kind()))),
        },
    }
}

/// `subject is [not] absent|present|empty`.
pub fn test(test: Test, negated: bool, subject: &Answer) -> Truth {
    let positive = match (test, subject) {
        (_, Answer::Unknown(unknown)) => return Truth::Unknown(unknown.clone()),
        (Test::Absent, Answer::Absent(_)) => Truth::True,
        (Test::Absent, Answer::Known(_)) => Truth::False,
        (Test::Present, Answer::Absent(_)) => Truth::False,
        (Test::Present, Answer::Known(_)) => Truth::True,
        // Absent is not empty, and not "not empty" either.
        (Test::Empty, Answer::Absent(_)) => return Truth::False,
        (Test::Empty, Answer::Known(value)) => match value.unsealed() {
            Value::Text(text) => Truth::from(text.is_empty()),
            Value::List(items) => Truth::from(items.is_empty()),
            Value::Map(map) => Truth::from(map.entries.is_empty()),
            other => return Truth::Unknown(invalid(format!("{} can't be empty", other.kind()))),
        },
    };
    if negated { positive.negate() } else { positive }
}

/// `left op right`; what has no result is unknown, with the reason.
pub fn arithmetic(op: ArithmeticOp, left: &Answer, right: &Answer) -> Answer {
    let (left, right) = match (left, right) {
        (Answer::Unknown(unknown), _) | (_, Answer::Unknown(unknown)) => return Answer::Unknown(unknown.clone()),
        (Answer::Absent(absence), _) | (_, Answer::Absent(absence)) => return Answer::Absent(absence.clone()),
        (Answer::Known(left), Answer::Known(right)) => (left, right),
    };
    let seal = [left, right].into_iter().find_map(|side| match side {
        Value::Secret(sealed) => Some(sealed.name().clone()),
        _ => None,
    });
    let result = match known_arithmetic(op, left.unsealed(), right.unsealed()) {
        Ok(value) => value,
        Err(_) if seal.is_some() => return Answer::Unknown(invalid("can't be computed from a secret")),
        Err(unknown) => return Answer::Unknown(unknown),
    };
    Answer::Known(match seal {
        Some(name) => Value::Secret(Sealed::new(name, result)),
        None => result,
    })
}

fn known_arithmetic(op: ArithmeticOp, left: &Value, right: &Value) -> Result<Value, Unknown> {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    let none = || {
        invalid(match op {
            Divide | Remainder => format!("{left} can't be divided by {right}"),
            _ => format!("{left} and {right} give nothing that can be held"),
        })
    };
    let value = match (op, left, right) {
        (Add, Value::Number(a), Value::Number(b)) => a.checked_add(*b).map(Value::Number),
        (Subtract, Value::Number(a), Value::Number(b)) => a.checked_subtract(*b).map(Value::Number),
        (Multiply, Value::Number(a), Value::Number(b)) => a.checked_multiply(*b).map(Value::Number),
        (Divide, Value::Number(a), Value::Number(b)) => a.checked_divide(*b).map(Value::Number),
        (Remainder, Value::Number(a), Value::Number(b)) => a.checked_remainder(*b).map(Value::Number),
        (Add, Value::Duration(a), Value::Duration(b)) => a.checked_add(*b).map(Value::Duration),
        (Subtract, Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration),
        (Multiply, Value::Duration(a), Value::Number(b)) | (Multiply, Value::Number(b), Value::Duration(a)) => {
            scaled(*a, b.as_f64()).map(Value::Duration)
        }
        (Divide, Value::Duration(a), Value::Number(b)) if b.as_f64() != 0.0 => {
            scaled(*a, 1.0 / b.as_f64()).map(Value::Duration)
        }
        (Divide, Value::Duration(a), Value::Duration(b)) => {
            Number::ratio(a.as_nanos(), b.as_nanos()).map(Value::Number)
        }
        (Add, Value::Size(a), Value::Size(b)) => a.checked_add(*b).map(Value::Size),
        (Subtract, Value::Size(a), Value::Size(b)) => a.checked_sub(*b).map(Value::Size),
        (Multiply, Value::Size(a), Value::Number(b)) | (Multiply, Value::Number(b), Value::Size(a)) => {
            whole(*a as f64 * b.as_f64()).map(Value::Size)
        }
        (Divide, Value::Size(a), Value::Number(b)) if b.as_f64() != 0.0 => {
            whole(*a as f64 / b.as_f64()).map(Value::Size)
        }
        (Divide, Value::Size(a), Value::Size(b)) => Number::Int(*a).checked_divide(Number::Int(*b)).map(Value::Number),
        (Multiply, Value::Size(a), Value::Percent(b)) | (Multiply, Value::Percent(b), Value::Size(a)) => {
            whole(*a as f64 * b / 100.0).map(Value::Size)
        }
        (Add, Value::Percent(a), Value::Percent(b)) => Some(Value::Percent(a + b)),
        (Subtract, Value::Percent(a), Value::Percent(b)) => Some(Value::Percent(a - b)),
        (Add, Value::Time(a), Value::Duration(b)) | (Add, Value::Duration(b), Value::Time(a)) => {
            a.checked_add(*b).ok().map(Value::Time)
        }
        (Subtract, Value::Time(a), Value::Duration(b)) => a.checked_sub(*b).ok().map(Value::Time),
        (Subtract, Value::Time(a), Value::Time(b)) => Some(Value::Duration(a.duration_since(*b))),
        (Add, Value::List(a), Value::List(b)) => Some(Value::list(a.iter().chain(b.iter()).cloned())),
        _ => return Err(invalid(format!("{} and {} can't be computed with each other", left.kind(), right.kind()))),
    };
    value.ok_or_else(none)
}

fn scaled(duration: SignedDuration, by: f64) -> Option<SignedDuration> {
    SignedDuration::try_from_secs_f64(duration.as_secs_f64() * by).ok()
}

fn whole(bytes: f64) -> Option<i64> {
    (bytes.is_finite() && bytes.abs() < i64::MAX as f64).then_some(bytes.round() as i64)
}

/// `-value`.
pub fn negative(answer: Answer) -> Answer {
    let zero = |value: &Value| match value {
        Value::Duration(_) => Some(Value::Duration(SignedDuration::ZERO)),
        Value::Size(_) => Some(Value::Size(0)),
        Value::Percent(_) => Some(Value::Percent(0.0)),
        Value::Number(_) => Some(Value::Number(Number::Int(0))),
        _ => None,
    };
    match &answer {
        Answer::Known(value) => match zero(value.unsealed()) {
            Some(zero) => arithmetic(ArithmeticOp::Subtract, &Answer::Known(zero), &answer),
            None => Answer::Unknown(invalid(format!("{} has no negative", value.unsealed().kind()))),
        },
        _ => answer,
    }
}

/// `value.name`
pub fn field(of: Answer, name: &str) -> Answer {
    navigate(of, |value| match value {
        Value::Record(record) => {
            record.get(name).cloned().unwrap_or_else(|| Answer::absent(format!("{} has no `{name}`", record.name)))
        }
        Value::Map(map) => key(map, name),
        other => Answer::absent(format!("{} has no field `{name}`", other.kind())),
    })
}

/// `value[at]`
pub fn index(of: Answer, at: &Answer) -> Answer {
    let at = match at {
        Answer::Known(at) => at.unsealed(),
        other => return other.clone(),
    };
    navigate(of, |value| match (value, at) {
        (Value::Map(map), Value::Text(name)) => key(map, name),
        (Value::List(items), Value::Number(number)) => {
            let found = number.as_i64().and_then(|at| {
                let at = if at < 0 { at.checked_add(i64::try_from(items.len()).ok()?)? } else { at };
                items.get(usize::try_from(at).ok()?)
            });
            found.cloned().map_or_else(
                || Answer::absent(format!("the list has {} items, and none at {number}", items.len())),
                Answer::Known,
            )
        }
        (value, at) => Answer::absent(format!("{} has nothing at {at}", value.kind())),
    })
}

fn key(map: &Map, name: &str) -> Answer {
    map.get(name)
        .map_or_else(|| Answer::absent(format!("no key `{name}`")), |value| Answer::Known(by_name(name, value)))
}

/// What a map holds under a key, sealed if that says that it is a secret: it can be compared and handed on, and not shown.
pub fn by_name(name: &str, value: &Value) -> Value {
    match value {
        Value::Text(text) if redact::says(name, text) => Value::Secret(Sealed::new(name, value.clone())),
        Value::Number(number) if redact::says(name, &number.to_string()) => {
            Value::Secret(Sealed::new(name, value.clone()))
        }
        other => other.clone(),
    }
}

/// Goes into a known value; what is found under a seal is sealed.
fn navigate(of: Answer, into: impl FnOnce(&Value) -> Answer) -> Answer {
    match of {
        Answer::Known(Value::Secret(sealed)) => match into(sealed.reveal()) {
            Answer::Known(value) => {
                Answer::Known(Value::Secret(Sealed::new(sealed.name().clone(), value.unsealed().clone())))
            }
            other => other,
        },
        Answer::Known(value) => into(&value),
        other => other,
    }
}
