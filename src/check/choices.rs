//! Params that take one of a few texts: `param target: "compose" | "kubernetes"`. What they are set to, what they are compared
//! with, and whether every choice is thought of.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::tree::{self, CompareOp, LogicOp};
use crate::value::Value;

use super::names::Checker;
use super::program::{Expr, ExprKind, Var};

impl Checker {
    /// The texts that a param takes.
    pub(super) fn choices(&mut self, param: &tree::Param) -> Arc<[Arc<str>]> {
        let mut choices: Vec<Arc<str>> = Vec::new();
        for text in &param.choices {
            match text.plain() {
                Some(choice) if choices.contains(&choice) => {
                    let message = format!("{} stands here twice", quoted(&choice));
                    self.error(Diagnostic::new(Code::BadParam, text.span, message).label("again here"));
                }
                Some(choice) => choices.push(choice),
                None => {
                    let message = "what a param takes is written out";
                    self.error(Diagnostic::new(Code::BadParam, text.span, message).label("not a plain text"));
                }
            }
        }
        choices.into()
    }

    /// Refuses what a param does not take.
    pub(super) fn chosen(&mut self, param: &tree::Param, value: &Value, origin: &str, span: Span) {
        let choices: Vec<Arc<str>> = param.choices.iter().filter_map(tree::StringLit::plain).collect();
        let Value::Text(text) = value else { return };
        if choices.is_empty() || choices.contains(text) {
            return;
        }
        let message = format!("{origin} gives `{}` {}, which it does not take", param.name.text, quoted(text));
        self.error(
            Diagnostic::new(Code::BadParam, span, message)
                .label(format!("takes {}", listed(&choices)))
                .help(meant(text, &choices)),
        );
    }

    /// A comparison of a param with a text that it never is.
    pub(super) fn never_chosen(&mut self, left: &Expr, right: &Expr) {
        for (one, other) in [(left, right), (right, left)] {
            let Some(choices) = self.chooser(one) else { continue };
            for (text, span) in texts(other) {
                if !choices.contains(&text) {
                    let message = format!("this is never {}", quoted(&text));
                    self.error(Diagnostic::new(Code::Incomparable, span, message).help(meant(&text, &choices)));
                }
            }
        }
    }

    /// The choices of a param that is named.
    fn chooser(&self, expr: &Expr) -> Option<Arc<[Arc<str>]>> {
        let ExprKind::Var(_, var) = &expr.kind else { return None };
        let choices = self.vars[var.0 as usize].choices.clone();
        (!choices.is_empty()).then_some(choices)
    }

    /// An `if` that asks for nothing but the choices of one param, and forgets one.
    pub(super) fn covers_all<T>(&mut self, branches: &[(Expr, Vec<T>)], otherwise: bool, span: Span) {
        if otherwise {
            return;
        }
        let mut asked: Option<Var> = None;
        let mut covered = Vec::new();
        for (condition, _) in branches {
            let mut found = Vec::new();
            let Some(var) = self.only_choices(condition, &mut found) else { return };
            if asked.is_some_and(|before| before != var) {
                return;
            }
            asked = Some(var);
            covered.append(&mut found);
        }
        let Some(var) = asked else { return };
        let info = &self.vars[var.0 as usize];
        let missing: Vec<Arc<str>> = info.choices.iter().filter(|choice| !covered.contains(choice)).cloned().collect();
        if missing.is_empty() {
            return;
        }
        let name = info.name.text.clone();
        let message = format!("nothing is said of what happens where `{name}` is {}", listed(&missing));
        let help = format!(
            "write `}} else if {name} == {} {{ … }}`, or `}} else {{ }}` where there is nothing to do",
            quoted(&missing[0])
        );
        let span = Span { end: span.start + 2, ..span };
        self.error(Diagnostic::new(Code::NotExhaustive, span, message).label("this leaves out a choice").help(help));
    }

    /// The one param whose choices a condition asks for, and which of them; nothing where it asks for anything else.
    fn only_choices(&self, condition: &Expr, covered: &mut Vec<Arc<str>>) -> Option<Var> {
        match &condition.kind {
            ExprKind::Compare { op: CompareOp::Equal | CompareOp::In, left, right } => {
                let (var, other) = match (&left.kind, &right.kind) {
                    (ExprKind::Var(_, var), _) if self.chooser(left).is_some() => (*var, right),
                    (_, ExprKind::Var(_, var)) if self.chooser(right).is_some() => (*var, left),
                    _ => return None,
                };
                let found = texts(other);
                let all = match &other.kind {
                    ExprKind::List(items) => items.len(),
                    _ => 1,
                };
                if found.len() != all {
                    return None;
                }
                covered.extend(found.into_iter().map(|(text, _)| text));
                Some(var)
            }
            ExprKind::Logic { op: LogicOp::Or, terms } => {
                let mut asked = None;
                for term in terms {
                    let var = self.only_choices(term, covered)?;
                    if asked.is_some_and(|before| before != var) {
                        return None;
                    }
                    asked = Some(var);
                }
                asked
            }
            _ => None,
        }
    }
}

/// The texts that are written out: one, or those of a list.
fn texts(expr: &Expr) -> Vec<(Arc<str>, Span)> {
    match &expr.kind {
        ExprKind::Literal(Value::Text(text)) => vec![(text.clone(), expr.span)],
        ExprKind::List(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn quoted(text: &str) -> String {
    crate::value::display::quoted(text)
}

fn listed(choices: &[Arc<str>]) -> String {
    choices.iter().map(|choice| quoted(choice)).collect::<Vec<_>>().join(" or ")
}

fn meant(text: &str, choices: &[Arc<str>]) -> String {
    match did_you_mean(text, choices.iter().map(|choice| &**choice)) {
        Some(meant) => format!("did you mean {}?", quoted(meant)),
        None => format!("it takes {}", listed(choices)),
    }
}
