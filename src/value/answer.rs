//! What is known of something: a value, that there is none, or that it can't be told.

use std::sync::Arc;

use super::Value;

/// Known, absent or unknown. Everything that is evaluated comes to one of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Known(Value),
    /// It is known that there is none: no such key, file, variable.
    Absent(Absence),
    /// It can't be told. Contagious.
    Unknown(Unknown),
}

/// Why there is none, as a phrase that a reader can finish "absent: …" with.
#[derive(Clone, Debug, PartialEq)]
pub struct Absence(pub Arc<str>);

/// Why it can't be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    pub cause: UnknownCause,
    /// A phrase that a reader can finish "unknown: …" with: "printed by `run` at line 12, which a dry run leaves out".
    pub reason: Arc<str>,
}

/// The kinds of not knowing; a program reads them, people read the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownCause {
    /// An action would have told, and a dry run leaves it out.
    LeftOut,
    /// Nothing answered: refused, reset, timed out, a name that doesn't resolve.
    NoAnswer,
    /// Who runs this may not see it, or the sandbox did not let the probe.
    Denied,
    /// A vouched probe that no sandbox reaches, in a dry run without `--trust-probes`.
    NotTrusted,
    /// What was answered can't be read: not UTF-8, over the limit, not what was asked for.
    Unreadable,
    /// It was known before the run was cut off, and is not in its record: a secret.
    NotRecorded,
    /// What is compared is absent, in a condition where that decides nothing.
    Absent,
    /// There was nothing to check: an empty list.
    NothingToCheck,
    /// It can't be computed: a division by zero, a text that is no number.
    Invalid,
}

impl Answer {
    pub fn absent(why: impl Into<Arc<str>>) -> Answer {
        Answer::Absent(Absence(why.into()))
    }

    pub fn unknown(cause: UnknownCause, reason: impl Into<Arc<str>>) -> Answer {
        Answer::Unknown(Unknown::new(cause, reason))
    }

    pub fn known(&self) -> Option<&Value> {
        match self {
            Answer::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Goes on with a known value; absent and unknown stay what they are.
    pub fn and_then(self, next: impl FnOnce(Value) -> Answer) -> Answer {
        match self {
            Answer::Known(value) => next(value),
            other => other,
        }
    }
}

impl From<Value> for Answer {
    fn from(value: Value) -> Answer {
        Answer::Known(value)
    }
}

impl Unknown {
    pub fn new(cause: UnknownCause, reason: impl Into<Arc<str>>) -> Self {
        Self { cause, reason: reason.into() }
    }
}

/// Kleene's three-valued logic (K3): what an expect comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    True,
    False,
    Unknown(Unknown),
}

impl Truth {
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
            (Truth::True, Truth::True) => Truth::True,
        }
    }

    pub fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::True, _) | (_, Truth::True) => Truth::True,
            (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
            (Truth::False, Truth::False) => Truth::False,
        }
    }

    pub fn negate(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            unknown => unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::True } else { Truth::False }
    }
}
