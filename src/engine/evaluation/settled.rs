//! What an expression is by what is bound already: nothing is asked, and no secret is read, to tell it.

use std::sync::Arc;

use crate::check::program::{Arg, Call, Effect, Expr, ExprKind, GlobalKind, LinkKind, Text, TextPart, Var};
use crate::value::{Answer, Value};

use super::composed::Composed;
use super::compute;
use super::core::{Core, Site};
use super::{ask, function_call};
use crate::engine::world::ArgValue;

/// What names stand for in a place of a program.
#[derive(Clone, Copy)]
pub struct Settled<'c> {
    pub core: &'c Core,
    pub site: &'c Site,
}

impl Settled<'_> {
    /// The value, where it is known without asking.
    pub fn value(&self, expr: &Expr) -> Option<Value> {
        match &expr.kind {
            ExprKind::Literal(value) => Some(value.clone()),
            ExprKind::Var(_, var) => self.var(*var),
            ExprKind::Text(text) => self.text(text),
            ExprKind::Chain { base, links } => {
                let mut answer = Answer::Known(self.value(base)?);
                for link in links {
                    answer = match &link.kind {
                        LinkKind::Field(name) => compute::field(answer, name),
                        LinkKind::Index(at) => compute::index(answer, &Answer::Known(self.value(at)?)),
                    };
                }
                known(answer)
            }
            ExprKind::Call(call) if call.native.effect == Effect::Function => self.function(call),
            ExprKind::Arithmetic { first, rest } => {
                let mut sum = Answer::Known(self.value(first)?);
                for (op, term) in rest {
                    sum = compute::arithmetic(*op, &sum, &Answer::Known(self.value(term)?));
                }
                known(sum)
            }
            _ => None,
        }
    }

    pub fn text(&self, text: &Text) -> Option<Value> {
        let mut composed = Composed::of(text);
        for part in &text.parts {
            match part {
                TextPart::Text(text) => composed.text(text),
                TextPart::Hole(hole) => composed.value(&self.value(hole)?, &hole.ty).ok()?,
            }
        }
        known(composed.finish())
    }

    fn var(&self, var: Var) -> Option<Value> {
        match self.site.scope.get(var).or_else(|| self.core.slots.get(var)) {
            Some(bound) => known(bound.answer),
            None => match &self.core.program.global(var)?.kind {
                GlobalKind::Param(value) => Some(value.clone()),
                GlobalKind::Let(_) | GlobalKind::Secret(_) => None,
            },
        }
    }

    fn function(&self, call: &Call) -> Option<Value> {
        let mut args: Vec<(Arc<str>, ArgValue)> = Vec::with_capacity(call.args.len());
        for (param, arg) in call.native.params.iter().zip(&call.args) {
            let value = match (arg, &param.default) {
                (Some(Arg::Value(expr)), _) => self.value(expr)?,
                (Some(Arg::Shell(_)), _) => return None,
                (None, Some(default)) => default.clone(),
                (None, None) => continue,
            };
            let value = ask::coerce(value, &param.ty, &self.core.program.root).ok()?;
            args.push((param.name.clone(), ArgValue::Value(value)));
        }
        known(function_call::answer(self.core, self.site, call, &args))
    }
}

fn known(answer: Answer) -> Option<Value> {
    match answer {
        Answer::Known(value) => Some(value),
        Answer::Absent(_) | Answer::Unknown(_) => None,
    }
}
