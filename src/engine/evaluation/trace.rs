//! What a condition came to, with the values that decided it: what is put into words needs no second look.

use regex::Regex;

use crate::check::program::{CompareOp, Expr, LogicOp, Quantifier, Test};
use crate::value::{Answer, Truth, Value};

/// Of a condition over many items, how many that decided against it are kept.
pub const MOST_AGAINST: usize = 5;

/// How far a condition is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Until it is decided.
    Decision,
    /// Every term, so that each can be told.
    EachTerm,
}

/// A condition, and what it came to.
#[derive(Debug)]
pub struct Trace<'e> {
    pub expr: &'e Expr,
    pub truth: Truth,
    pub how: How<'e>,
}

/// What decided it.
#[derive(Debug)]
pub enum How<'e> {
    Compare {
        op: CompareOp,
        /// The expression of the left side.
        of: &'e Expr,
        left: Answer,
        right: Answer,
    },
    Matches {
        of: &'e Expr,
        subject: Answer,
        regex: &'e Regex,
        negated: bool,
    },
    Test {
        of: &'e Expr,
        subject: Answer,
        test: Test,
        negated: bool,
    },
    Not(Box<Trace<'e>>),
    Logic {
        op: LogicOp,
        terms: Vec<Trace<'e>>,
    },
    Quantifier {
        kind: Quantifier,
        body: &'e Expr,
        total: usize,
        /// How many items decided against it, and the first of these.
        against: usize,
        first: Vec<(Item, Trace<'e>)>,
    },
    /// A value that is true or false itself, or is neither.
    Value(Answer),
}

/// The key (or index) and the item.
pub type Item = (Value, Value);

impl Trace<'_> {
    pub fn into_answer(self) -> Answer {
        match (self.how, self.truth) {
            (How::Value(answer), _) => answer,
            (_, Truth::True) => Answer::Known(Value::Bool(true)),
            (_, Truth::False) => Answer::Known(Value::Bool(false)),
            (_, Truth::Unknown(unknown)) => Answer::Unknown(unknown),
        }
    }
}
