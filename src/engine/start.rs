//! What a run and a dry run begin with and tell alike: the announcement, top-level bindings, `show`, conditions.

use crate::check::program::{Expr, GlobalKind, Member, Stmt};
use crate::diagnostic::Span;
use crate::value::{Answer, Truth, Value};

use super::ask::Round;
use super::core::{Core, Site};
use super::describe;
use super::eval::Eval;
use super::event::{Body, FORMAT, Mode, Param, StepTitle};
use super::group::{self, Expansion};
use super::options::Chosen;

/// The first event.
pub fn announce(core: &Core, mode: Mode, chosen: &Chosen) {
    let program = &core.program;
    let params = program
        .params
        .iter()
        .map(|param| Param {
            name: param.name.to_string(),
            ty: param.ty.to_string(),
            value: param.value.to_string(),
            origin: param.origin.to_string(),
        })
        .collect();
    let steps = program
        .steps
        .iter()
        .map(|step| StepTitle { name: step.name.to_string(), title: step.title.to_string() })
        .collect();
    core.emit(
        &Site::default(),
        program.span,
        Body::RunStarted {
            format: FORMAT,
            mode,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            stdlib: program.library.hash.to_string(),
            runbook: program.title.to_string(),
            hash: program.hash.to_string(),
            owner: program.owner.as_deref().map(str::to_owned),
            root: program.root.display().to_string(),
            params,
            steps,
            partial: chosen.partial.clone(),
        },
    );
}

/// Binds params and evaluates the top level's `let`s, in order. Secrets are read when they are first used.
pub async fn globals(core: &Core) {
    let site = Site::default();
    for global in &core.program.globals {
        match &global.kind {
            GlobalKind::Param(value) => core.slots.bind(global.var, Answer::Known(value.clone()).into()),
            GlobalKind::Let(expr) => {
                let bound = Eval::new(core, &site, &Round::new()).bound(expr).await;
                told_binding(core, &site, global.span, &global.name, &bound.answer);
                core.slots.bind(global.var, bound);
            }
            GlobalKind::Secret(_) => {}
        }
    }
}

/// Tells of a binding. What a record holds is told where it is looked at, not here.
pub fn told_binding(core: &Core, site: &Site, span: Span, name: &str, answer: &Answer) {
    let value = match answer {
        Answer::Known(Value::Record(record)) => record.name.to_string(),
        other => describe::brief(other),
    };
    core.emit(site, span, Body::Bound { name: name.to_owned(), value });
}

/// Tells what a condition came to.
pub fn told_condition(core: &Core, site: &Site, expr: &Expr, truth: &Truth) {
    let value = match truth {
        Truth::True => "true".to_owned(),
        Truth::False => "false".to_owned(),
        Truth::Unknown(unknown) => format!("unknown: {}", unknown.reason),
    };
    core.emit(site, expr.span, Body::Condition { text: core.words(expr.span), value });
}

/// `show`: text as it is, the rest as the language writes it.
pub async fn show(core: &Core, site: &Site, span: Span, values: &[Expr]) {
    let eval = Eval::new(core, site, &Round::new());
    for expr in values {
        let value = match eval.eval(expr).await {
            Answer::Known(Value::Text(text)) => text.to_string(),
            Answer::Known(value) => value.to_string(),
            other => describe::brief(&other),
        };
        core.emit(site, span, Body::Shown { text: core.words(expr.span), value });
    }
}

/// Whether all that a step or action proves holds already, so that it needs no action. Where nothing is proven, nothing shows that.
pub async fn needless(core: &Core, body: &[Stmt], site: &Site) -> Truth {
    let round = Round::new();
    let mut all = None;
    for members in groups(body) {
        let leaves = Expansion::of(core, members, site, &round).await;
        let holds = group::holds_now(core, leaves, &round).await;
        all = match (all, holds) {
            (Some(before), Some(holds)) => Some(Truth::and(before, holds)),
            (before, holds) => before.or(holds),
        };
    }
    all.unwrap_or(Truth::False)
}

/// The groups of a step's body, wherever they stand in it.
fn groups(stmts: &[Stmt]) -> Vec<&[Member]> {
    stmts
        .iter()
        .flat_map(|stmt| match stmt {
            Stmt::Group(members) => vec![members.as_slice()],
            Stmt::For(each) => groups(&each.body),
            Stmt::If(choice) => choice
                .branches
                .iter()
                .map(|(_, body)| body)
                .chain(&choice.otherwise)
                .flat_map(|body| groups(body))
                .collect(),
            _ => Vec::new(),
        })
        .collect()
}
