//! Numbers: whole ones exactly, the rest as IEEE 754 doubles; compared by what they mean.

use std::cmp::Ordering;

/// A number. `1` and `1.0` are equal.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    /// The whole number that it is, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Number::Int(value) => Some(value),
            Number::Float(value) => {
                (value.fract() == 0.0 && value >= i64::MIN as f64 && value < i64::MAX as f64).then_some(value as i64)
            }
        }
    }

    pub fn from_json(number: &serde_json::Number) -> Number {
        match number.as_i64() {
            Some(value) => Number::Int(value),
            None => Number::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// Reads `42`, `-1.5`, `1e3`, and nothing else: no `inf`, no `0x10`, and no `1e999`, which would be infinite.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        if !plain || text.is_empty() {
            return None;
        }
        let float = || text.parse().ok().filter(|value: &f64| value.is_finite()).map(Number::Float);
        text.parse().map(Number::Int).ok().or_else(float)
    }

    /// `None` where whole numbers overflow 64 bits: never silently another number.
    pub fn checked_add(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_add, |a, b| a + b)
    }

    pub fn checked_subtract(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_sub, |a, b| a - b)
    }

    pub fn checked_multiply(self, other: Number) -> Option<Number> {
        self.combine(other, i64::checked_mul, |a, b| a * b)
    }

    /// A whole number only where it comes out even; `None` for a division by zero.
    pub fn checked_divide(self, other: Number) -> Option<Number> {
        if other.as_f64() == 0.0 {
            return None;
        }
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && a.checked_rem(b) == Some(0)
        {
            return a.checked_div(b).map(Number::Int);
        }
        Some(Number::Float(self.as_f64() / other.as_f64()))
    }

    pub fn checked_remainder(self, other: Number) -> Option<Number> {
        if other.as_f64() == 0.0 {
            return None;
        }
        self.combine(other, i64::checked_rem, |a, b| a % b)
    }

    fn combine(
        self,
        other: Number,
        whole: impl Fn(i64, i64) -> Option<i64>,
        float: impl Fn(f64, f64) -> f64,
    ) -> Option<Number> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => whole(a, b).map(Number::Int),
            (a, b) => {
                let result = float(a.as_f64(), b.as_f64());
                result.is_finite().then_some(Number::Float(result))
            }
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
            (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Int(value) => write!(f, "{value}"),
            Number::Float(value) => write!(f, "{value}"),
        }
    }
}
