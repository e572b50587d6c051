//! Numbers: whole ones and decimals, exactly; compared by what they mean.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// A number. `1` and `1.0` are equal, and so are `0.1 + 0.2` and `0.3`.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    /// Of up to 28 digits.
    Decimal(Decimal),
    /// What somebody's JSON holds and no 28 digits do, as near as it can be shown. Nothing is computed with it, and it
    /// compares with nothing.
    Beyond(f64),
}

impl Number {
    /// As near as 64 bits come, for what is measured: a duration, a size. Of what is beyond, not a number.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Decimal(value) => value.to_f64().unwrap_or(f64::NAN),
            Number::Beyond(_) => f64::NAN,
        }
    }

    /// The whole number that it is, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Number::Int(value) => Some(value),
            Number::Decimal(value) if value.is_integer() => value.to_i64(),
            Number::Decimal(_) | Number::Beyond(_) => None,
        }
    }

    fn decimal(self) -> Option<Decimal> {
        match self {
            Number::Int(value) => Some(Decimal::from(value)),
            Number::Decimal(value) => Some(value),
            Number::Beyond(_) => None,
        }
    }

    /// Whether it can be compared and computed with.
    pub fn is_exact(self) -> bool {
        !matches!(self, Number::Beyond(_))
    }

    fn of(value: Decimal) -> Number {
        let value = value.normalize();
        match value.to_i64() {
            Some(whole) if value.is_integer() => Number::Int(whole),
            _ => Number::Decimal(value),
        }
    }

    /// How often one length of time goes into another.
    pub fn ratio(of: i128, by: i128) -> Option<Number> {
        let exact = |value: i128| Decimal::try_from_i128_with_scale(value, 0).ok();
        exact(of)?.checked_div(exact(by)?).map(Number::of)
    }

    /// What was measured: the decimal that a 64-bit float is written as.
    pub fn measured(value: f64) -> Number {
        Number::parse(&value.to_string()).unwrap_or(Number::Beyond(value))
    }

    /// Whole numbers of 64 bits and fractions as they are written. Of a larger one JSON's reader has lost digits.
    pub fn from_json(number: &serde_json::Number) -> Number {
        if let Some(whole) = number.as_i64() {
            return Number::Int(whole);
        }
        if let Some(whole) = number.as_u64() {
            return Number::Decimal(Decimal::from(whole));
        }
        match number.as_f64() {
            Some(value) if value.abs() < 18_446_744_073_709_551_616.0 => Number::measured(value),
            Some(value) => Number::Beyond(value),
            None => Number::Beyond(f64::NAN),
        }
    }

    /// As JSON writes it.
    pub fn to_json(self) -> serde_json::Value {
        match self {
            Number::Int(value) => serde_json::Value::from(value),
            Number::Decimal(value) => {
                value.to_u64().filter(|_| value.is_integer()).map_or_else(|| self.as_f64().into(), Into::into)
            }
            Number::Beyond(value) => serde_json::Value::from(value),
        }
    }

    /// Reads `42`, `-1.5`, `1e3`, and nothing else: no `inf`, no `0x10`; and nothing of which digits would be lost.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        if !plain || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if let Ok(whole) = text.parse() {
            return Some(Number::Int(whole));
        }
        let (digits, power) = match text.split_once(['e', 'E']) {
            Some((digits, power)) => (digits, power.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let mut value = Decimal::from_str_exact(digits).ok()?;
        if value.is_zero() {
            return Some(Number::Int(0));
        }
        // Moved by hand: a power of ten is exact, or it does not fit.
        if power.unsigned_abs() > 60 {
            return None;
        }
        for _ in 0..power.max(0) {
            value = value.checked_mul(Decimal::TEN)?;
        }
        if power < 0 {
            value = value.normalize();
            value.set_scale(value.scale().checked_add(power.unsigned_abs())?).ok()?;
        }
        Some(Number::of(value))
    }

    /// `None` where 28 digits don't hold it: never silently another number.
    pub fn checked_add(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_add, Decimal::checked_add)
    }

    pub fn checked_subtract(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_sub, Decimal::checked_sub)
    }

    pub fn checked_multiply(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_mul, Decimal::checked_mul)
    }

    /// Rounded to 28 digits; `None` for a division by zero.
    pub fn checked_divide(self, other: Number) -> Option<Number> {
        self.combine(other, |_, _| None, Decimal::checked_div)
    }

    pub fn checked_remainder(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_rem, Decimal::checked_rem)
    }

    fn combine(
        self,
        other: Number,
        whole: impl Fn(i64, i64) -> Option<i64>,
        decimal: impl Fn(Decimal, Decimal) -> Option<Decimal>,
    ) -> Option<Number> {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && let Some(result) = whole(a, b)
        {
            return Some(Number::Int(result));
        }
        decimal(self.decimal()?, other.decimal()?).map(Number::of)
    }

    pub fn negated(self) -> Number {
        match self {
            Number::Int(value) => value.checked_neg().map_or_else(|| Number::of(-Decimal::from(value)), Number::Int),
            Number::Decimal(value) => Number::of(-value),
            Number::Beyond(value) => Number::Beyond(-value),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(b)),
            (a, b) => Some(a.decimal()?.cmp(&b.decimal()?)),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Int(value) => write!(f, "{value}"),
            Number::Decimal(value) => write!(f, "{value}"),
            Number::Beyond(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is no number"))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["0", "42", "-1.5", "0.1", "9223372036854775807", "-9223372036854775808", "18446744073709551616"] {
            assert_eq!(number(text).to_string(), text);
        }
        for (text, same) in [("1e3", "1000"), ("1.50", "1.5"), ("+2", "2"), ("2.5E-3", "0.0025"), ("-0.0", "0")] {
            assert_eq!(number(text).to_string(), same);
        }
        let long = "1234567890123456789012345678";
        assert_eq!(number(long).to_string(), long);
        for text in ["", "-", ".", "e", "1e999", "1e-999", "0x10", "inf", "1.2.3", "12345678901234567890123456789012"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert!(Number::parse("0.12345678901234567890123456789012").is_none(), "digits would be lost");
    }

    #[test]
    fn decimals_are_computed_as_they_are_written() {
        assert_eq!(number("0.1").checked_add(number("0.2")), Some(number("0.3")));
        assert_eq!(number("1").checked_divide(number("8")), Some(number("0.125")));
        assert_eq!(number("6").checked_divide(number("3")).map(|six| six.to_string()), Some("2".to_owned()));
        assert_eq!(number("1").checked_divide(number("3")).map(|third| third.to_string().len()), Some(30));
        assert_eq!(number("1").checked_divide(number("0")), None);
        assert_eq!(number("1").checked_remainder(number("0")), None);
        assert_eq!(number("7.5").checked_remainder(number("2")), Some(number("1.5")));
        let most = Number::Int(i64::MAX);
        assert_eq!(most.checked_add(number("1")).map(|sum| sum.to_string()), Some("9223372036854775808".to_owned()));
        let large = number("9999999999999999999999999999");
        assert_eq!(large.checked_multiply(large), None);
    }

    #[test]
    fn a_number_of_json_that_lost_digits_compares_with_nothing() {
        let read = |text: &str| Number::from_json(&serde_json::from_str(text).expect("a number"));
        assert_eq!(read("0.1").checked_add(read("0.2")), Some(number("0.3")));
        assert_eq!(read("18446744073709551615").to_string(), "18446744073709551615");
        for text in ["123456789012345678901", "1e300", "-1e25"] {
            assert_eq!(read(text).partial_cmp(&read(text)), None, "{text}");
            assert_eq!(read(text).checked_add(number("1")), None);
        }
        assert_eq!(read("1e-300").partial_cmp(&number("0")), None);
    }
}
