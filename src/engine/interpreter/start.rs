//! What a run and a dry run begin with and tell alike: the announcement, top-level bindings, `show`, conditions.

use sha2::{Digest, Sha256};

use super::driver::Decision;
use crate::check::library;
use crate::check::program::{Effect, Expr, GlobalKind, Program};
use crate::diagnostic::{Source, Span};
use crate::value::{Answer, Truth, UnknownCause, Value, recorded};

use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::compute;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::scope::Bound;
use crate::engine::evaluation::secrets;
use crate::engine::events::event::{Body, FORMAT, Mode, Param, Seconds, SourceFile, StepTitle};
use crate::engine::events::past::Past;
use crate::engine::options::{Chosen, Identity, Options};
use crate::engine::wording::describe;

/// The first event.
pub fn announce(core: &Core, mode: Mode, chosen: &Chosen, options: &Options, identity: Option<Identity>) {
    let program = &core.program;
    let params = program
        .params
        .iter()
        .map(|param| Param {
            name: param.name.to_string(),
            ty: param.ty.to_string(),
            value: param.value.to_string(),
            origin: param.origin.to_string(),
            data: core.recorded(&Answer::Known(param.value.clone())),
        })
        .collect();
    let (run, by, host) = match identity {
        Some(Identity { run, by, host }) => (run, Some(by), Some(host)),
        None => (None, None, None),
    };
    let sources = own_sources(program).map(|(_, file)| file).collect();
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
            run,
            by,
            host,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            stdlib: program.library.hash.to_string(),
            runbook: program.title.to_string(),
            hash: program.hash.to_string(),
            sources,
            owner: program.owner.as_deref().map(str::to_owned),
            limit: program.timeout.map(Seconds::from),
            root: program.root.display().to_string(),
            params,
            steps,
            partial: chosen.partial.clone(),
            only: options.only.clone(),
            from: options.from.clone(),
        },
    );
}

/// The files that a program was read from, less the standard library's: the runbook first, then its modules.
pub fn own_sources(program: &Program) -> impl Iterator<Item = (&Source, SourceFile)> {
    program.sources.iter().skip(library::FILES.len()).map(|(_, source)| {
        let path = source.path.as_deref().map(|path| std::path::absolute(path).unwrap_or(path.to_owned()));
        let hash = source.hash.get_or_init(|| library::hex(&Sha256::digest(source.text.as_bytes()))).clone();
        (source, SourceFile { name: source.name.clone(), path: path.map(|path| path.display().to_string()), hash })
    })
}

/// Binds params and evaluates the top level's `let`s, in order. Secrets that rest on these are then read, too, if that
/// has no side effect.
///
/// `past`: what a run that is gone on with had bound already; that stays.
pub async fn globals(core: &Core, past: Option<&Past>) {
    let site = Site::default();
    for global in &core.program.globals {
        match &global.kind {
            GlobalKind::Param(value) => core.slots.bind(global.var, Answer::Known(value.clone()).into()),
            GlobalKind::Let(expr) => {
                let file = core.program.sources.name(global.span).to_owned();
                if let Some(data) = past.and_then(|past| past.globals.get(&(file, global.name.to_string()))) {
                    let answer = remembered(core, &site, expr, data).await;
                    core.slots.bind(global.var, answer.into());
                    continue;
                }
                let bound = Eval::new(core, &site, &Round::new()).bound(expr).await;
                told_binding(core, &site, global.span, &global.name, &bound.answer);
                core.slots.bind(global.var, bound);
            }
            GlobalKind::Secret(_) => {}
        }
    }
    core.emitter.emit_held(secrets::read_early(core).await);
}

/// A value as it was recorded. One that was secret is worked out again, where that asks nothing of the world.
pub async fn remembered(core: &Core, site: &Site, expr: &Expr, data: &serde_json::Value) -> Answer {
    match recorded::read(data) {
        Answer::Unknown(unknown) if unknown.cause == UnknownCause::NotRecorded && !probes(expr) => {
            Eval::new(core, site, &Round::new()).eval(expr).await
        }
        answer => answer,
    }
}

/// Whether an expression asks the world.
pub fn probes(expr: &Expr) -> bool {
    secrets::calls(expr).iter().any(|call| call.native.effect != Effect::Function)
}

/// Tells of a binding. What a record holds is told where it is looked at, not here.
pub fn told_binding(core: &Core, site: &Site, span: Span, name: &str, answer: &Answer) {
    let answer = &match answer {
        Answer::Known(value) => Answer::Known(compute::by_name(name, value)),
        other => other.clone(),
    };
    let value = match answer {
        Answer::Known(Value::Record(record)) => record.name.to_string(),
        other => describe::brief(core.redactor(), other),
    };
    core.emit(site, span, Body::Bound { name: name.to_owned(), value, data: core.recorded(answer) });
}

/// Tells what a condition came to.
pub fn told_condition(core: &Core, site: &Site, expr: &Expr, truth: &Truth) {
    let value = match truth {
        Truth::True => "true".to_owned(),
        Truth::False => "false".to_owned(),
        Truth::Unknown(unknown) => format!("unknown: {}", unknown.reason),
    };
    core.emit(site, expr.span, Body::Condition { text: core.words(expr.span), value, data: decided(core, truth) });
}

/// What a condition came to, for the record.
pub fn decided(core: &Core, truth: &Truth) -> Option<serde_json::Value> {
    core.recorded(&match truth {
        Truth::True => Answer::Known(Value::Bool(true)),
        Truth::False => Answer::Known(Value::Bool(false)),
        Truth::Unknown(unknown) => Answer::Unknown(unknown.clone()),
    })
}

/// `show`: text as it is, the rest as the language writes it.
pub async fn show(core: &Core, site: &Site, span: Span, values: &[Expr]) {
    let eval = Eval::new(core, site, &Round::new());
    for expr in values {
        let value = match eval.eval(expr).await {
            Answer::Known(Value::Text(text)) => text.to_string(),
            Answer::Known(value) => value.to_string(),
            other => describe::brief(core.redactor(), &other),
        };
        core.emit(site, span, Body::Shown { text: core.words(expr.span), value });
    }
}

/// A secret: read, and redacted from now on.
pub async fn secret(core: &Core, site: &Site, name: &str, value: &Expr) -> Bound {
    let eval = Eval::new(core, site, &Round::new());
    let bound = eval.bound(value).await;
    Bound { answer: eval.sealed(name, bound.answer.clone()), ..bound }
}

/// Which way a condition goes.
pub fn decision(core: &Core, condition: &Expr, truth: Truth) -> Decision {
    match truth {
        Truth::True => Decision::Take,
        Truth::False => Decision::Leave,
        Truth::Unknown(unknown) => {
            Decision::Unknown(format!("`{}` is unknown: {}", core.words(condition.span), unknown.reason))
        }
    }
}
