//! `1..5`: the whole numbers from one to another, both included.

use super::{Number, Value};

/// The most that a range holds.
pub const MOST: i64 = 1_000_000;

/// The two ends, or what is wrong with them as a sentence.
pub fn bounds(from: Number, to: Number) -> Result<(i64, i64), String> {
    let whole = |end: Number| end.as_i64().ok_or_else(|| format!("{end} is no whole number, so no range ends there"));
    let (a, b) = (whole(from)?, whole(to)?);
    if a > b {
        return Err(format!("the range {a}..{b} falls, so it holds nothing"));
    }
    // Counted without overflow: the ends may be the least and the greatest number.
    match b.checked_sub(a) {
        Some(steps) if steps < MOST => Ok((a, b)),
        _ => Err(format!("the range {a}..{b} holds more than {MOST} numbers")),
    }
}

/// The list; the reason where there is none.
pub fn list(from: Number, to: Number) -> Result<Value, String> {
    let (a, b) = bounds(from, to)?;
    Ok(Value::list((a..=b).map(|number| Value::Number(Number::Int(number)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_bounded_at_every_end() {
        let of = |a, b| bounds(Number::Int(a), Number::Int(b));
        assert_eq!(of(1, 1), Ok((1, 1)));
        assert_eq!(of(-2, 3), Ok((-2, 3)));
        assert!(of(5, 1).is_err());
        assert_eq!(of(0, MOST - 1), Ok((0, MOST - 1)));
        assert!(of(0, MOST).is_err());
        assert!(of(i64::MIN, i64::MAX).is_err());
        assert_eq!(list(Number::Int(1), Number::Int(3)).map(|list| list.to_string()), Ok("[1, 2, 3]".to_owned()));
    }
}
