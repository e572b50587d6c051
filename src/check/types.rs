//! Which types go together.

use crate::syntax::tree::{ArithmeticOp, CompareOp};
use crate::value::Type;

/// Whether two values can ever be equal.
pub(super) fn comparable(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => true,
        (a, b) if a.is_textual() && b.is_textual() => true,
        (Type::Json, other) | (other, Type::Json) => match other {
            Type::Json | Type::Bool | Type::Number => true,
            Type::List(of) | Type::Map(of) => comparable(of, &Type::Json),
            other => other.is_textual(),
        },
        (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => comparable(a, b),
        (a, b) => a == b,
    }
}

/// The type of what is of one type or of the other; `None` where nothing is both.
pub(super) fn either(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => Some(Type::Any),
        (a, b) if a == b => Some(a.clone()),
        (a, b) if a.is_textual() && b.is_textual() => Some(Type::String),
        (Type::List(a), Type::List(b)) => either(a, b).map(Type::list),
        (Type::Map(a), Type::Map(b)) => either(a, b).map(Type::map),
        (Type::Json, other) | (other, Type::Json) if other.fits(&Type::Json) => Some(Type::Json),
        // What JSON holds is only known when it is asked.
        (Type::Json, _) | (_, Type::Json) => Some(Type::Any),
        _ => None,
    }
}

/// Whether one can be less than the other.
pub(super) fn orderable(a: &Type, b: &Type) -> bool {
    let ordered = |ty: &Type| {
        ty.is_textual()
            || matches!(
                ty,
                Type::Any | Type::Json | Type::Number | Type::Duration | Type::Size | Type::Percent | Type::Time
            )
    };
    ordered(a) && ordered(b) && comparable(a, b)
}

/// Whether `part` can be found in `whole`.
pub(super) fn holds(whole: &Type, part: &Type) -> bool {
    match whole {
        Type::Any | Type::Json => true,
        Type::List(of) => comparable(of, part),
        Type::Map(_) => part.is_textual() || matches!(part, Type::Any | Type::Json),
        whole if whole.is_textual() => part.is_textual() || matches!(part, Type::Any | Type::Json | Type::Number),
        _ => false,
    }
}

/// What arithmetic gives; `None` where it has no meaning.
pub(super) fn arithmetic(op: ArithmeticOp, a: &Type, b: &Type) -> Option<Type> {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    let number = |ty: &Type| matches!(ty, Type::Number | Type::Json);
    Some(match (op, a, b) {
        (_, Type::Any, _) | (_, _, Type::Any) => Type::Any,
        (_, a, b) if number(a) && number(b) => Type::Number,
        (Add | Subtract, Type::Duration, Type::Duration) => Type::Duration,
        (Add | Subtract, Type::Size, Type::Size) => Type::Size,
        (Add | Subtract, Type::Percent, Type::Percent) => Type::Percent,
        (Add | Subtract, Type::Time, Type::Duration) | (Add, Type::Duration, Type::Time) => Type::Time,
        (Subtract, Type::Time, Type::Time) => Type::Duration,
        (Add, Type::List(a), Type::List(b)) => Type::list(if a == b { (**a).clone() } else { Type::Any }),
        (Multiply, Type::Duration, b) | (Divide, Type::Duration, b) if number(b) => Type::Duration,
        (Multiply, a, Type::Duration) if number(a) => Type::Duration,
        (Multiply, Type::Size, b) | (Divide, Type::Size, b) if number(b) => Type::Size,
        (Multiply, a, Type::Size) if number(a) => Type::Size,
        (Multiply, Type::Size, Type::Percent) | (Multiply, Type::Percent, Type::Size) => Type::Size,
        (Divide, Type::Duration, Type::Duration) | (Divide, Type::Size, Type::Size) => Type::Number,
        (Remainder, _, _) => return None,
        _ => return None,
    })
}

/// What would mend a comparison of these, where that can be told.
pub(super) fn advice(op: CompareOp, a: &Type, b: &Type) -> Option<String> {
    let pair = |one: &Type, other: &Type| (a == one && b == other) || (a == other && b == one);
    let _ = op;
    if pair(&Type::Number, &Type::String) {
        return Some("a number is written without quotes; a text is read with `number(…)`".to_owned());
    }
    if pair(&Type::Number, &Type::Duration) {
        return Some("a duration has a unit: `2s`, `500ms`".to_owned());
    }
    if pair(&Type::Number, &Type::Size) {
        return Some("a size has a unit: `0B`, `10MiB`".to_owned());
    }
    if pair(&Type::Number, &Type::Percent) {
        return Some("a percentage is written `50%`".to_owned());
    }
    if pair(&Type::String, &Type::Duration) || pair(&Type::Json, &Type::Duration) {
        return Some("a text is read with `duration(…)`".to_owned());
    }
    if pair(&Type::String, &Type::Size) {
        return Some("a text is read with `size(…)`".to_owned());
    }
    if pair(&Type::String, &Type::Bool) {
        return Some("true and false are written without quotes".to_owned());
    }
    None
}

/// A type with its article, for messages.
pub(super) fn a(ty: &Type) -> String {
    match ty {
        Type::Any | Type::Item => "something".to_owned(),
        Type::Json => "a JSON value".to_owned(),
        Type::Url => "a URL".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::Record(name) => format!("a record `{name}`"),
        Type::Names(kind) => format!("one or several of `{kind}`, by name or as they are"),
        other => format!("a {other}"),
    }
}
