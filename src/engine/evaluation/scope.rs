//! What names are bound to, while a program runs.
//!
//! A binding keeps, beside its answer, the line of the action that may have outdated it (in a dry run): an expect over
//! it is then judged "as of now".

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::check::program::Var;
use crate::value::Answer;

/// A value with what it rests on.
#[derive(Clone, Debug)]
pub struct Bound {
    pub answer: Answer,
    pub outdated: Option<Outdated>,
}

/// In a dry run: an action that was left out would have changed what was asked. The line it stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outdated {
    pub line: u32,
}

impl From<Answer> for Bound {
    fn from(answer: Answer) -> Self {
        Self { answer, outdated: None }
    }
}

/// Bindings of params, `let`s, captured secrets and results; a retried step binds its own anew.
#[derive(Debug, Default)]
pub struct Slots(RwLock<HashMap<Var, Bound>>);

impl Slots {
    pub fn get(&self, var: Var) -> Option<Bound> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&var).cloned()
    }

    pub fn bind(&self, var: Var, bound: Bound) {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(var, bound);
    }
}

/// Names bound around a place: loops, parameters of definitions, binders of quantifiers. Cheap to copy and extend,
/// since the expects of a group are asked side by side, each in its own scope.
#[derive(Clone, Debug, Default)]
pub struct Scope(Option<Arc<Local>>);

#[derive(Debug)]
struct Local {
    var: Var,
    bound: Bound,
    outer: Scope,
}

impl Scope {
    pub fn with(&self, var: Var, bound: Bound) -> Scope {
        Scope(Some(Arc::new(Local { var, bound, outer: self.clone() })))
    }

    pub fn get(&self, var: Var) -> Option<Bound> {
        let mut here = self;
        while let Some(local) = &here.0 {
            if local.var == var {
                return Some(local.bound.clone());
            }
            here = &local.outer;
        }
        None
    }
}
