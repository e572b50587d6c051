//! The secrets of a runbook that can be read without a side effect: variables and files.
//!
//! In: a program. Out: the redactor knows them before anything is shown, each is read once, and commands do not
//! inherit the variables that hold them. A secret of another kind (a command, a prompt, an answer), and a file that is
//! not there yet, is learned when it is read.

use std::sync::Arc;

use crate::check::program::{Arg, Call, Effect, Expr, ExprKind, GlobalKind, Program, Role, Stmt};
use crate::value::{Answer, Sealed, Value};

use super::ask::Round;
use super::core::{Core, Site};
use super::eval::Eval;
use super::kept::Kept;
use crate::engine::events::emit::Held;

/// Reads what can be read before the first action. Returns the probes that were made for it, to be shown once the run
/// has been announced.
pub async fn read_early(core: &Core) -> Vec<Held> {
    let site = Site { ahead: true, ..Site::default() };
    let mut shown = Vec::new();
    for global in &core.program.globals {
        let GlobalKind::Secret(source) = &global.kind else { continue };
        let eval = Eval::new(core, &site, &Round::new());
        withhold(core, &eval, source).await;
        if !harmless(source) || core.secrets.lock().await.contains_key(&global.var) {
            continue;
        }
        core.emitter.hold();
        let answer = eval.eval(source).await;
        let held = core.emitter.held();
        // What is absent or unknown now may be known when it is needed; what is too short is refused then.
        if let Answer::Known(value) = answer
            && core.learn(&global.name, value.unsealed()).is_ok()
        {
            let answer = Answer::Known(Value::Secret(Sealed::new(global.name.clone(), value.unsealed().clone())));
            let early = calls(source).iter().any(|call| call.native.role != Some(Role::Variable));
            core.secrets.lock().await.insert(global.var, Kept { answer, early });
            shown.extend(held);
        }
    }
    for (name, source) in of_steps(&core.program) {
        let eval = Eval::new(core, &site, &Round::new());
        withhold(core, &eval, source).await;
        if harmless(source) {
            core.emitter.hold();
            if let Answer::Known(value) = eval.eval(source).await {
                let _ = core.learn(name, value.unsealed());
            }
            // It is read again where it stands, and shown there.
            core.emitter.held();
        }
    }
    shown
}

/// Whether nothing but variables and files of this host is read.
fn harmless(source: &Expr) -> bool {
    calls(source).iter().all(|call| {
        call.native.effect == Effect::Function || matches!(call.native.role, Some(Role::Variable | Role::Local))
    })
}

/// Commands do not inherit the variables that a secret is read from.
async fn withhold(core: &Core, eval: &Eval<'_>, source: &Expr) {
    for call in calls(source).into_iter().filter(|call| call.native.role == Some(Role::Variable)) {
        if let Some(Some(Arg::Value(name))) = call.args.first()
            && harmless(name)
            && let Answer::Known(name) = eval.eval(name).await
            && let Some(name) = name.unsealed().to_text()
        {
            core.withhold(name);
        }
    }
}

/// The secrets that are bound in steps and actions, wherever they stand in them.
fn of_steps(program: &Program) -> Vec<(&Arc<str>, &Expr)> {
    let mut found = Vec::new();
    for step in &program.steps {
        in_stmts(&step.body, &mut found);
        let others = [
            step.on_failure.as_ref().map(|handler| &handler.body),
            step.finally.as_ref(),
            step.rollback.as_ref().map(|rollback| &rollback.body),
        ];
        others.into_iter().flatten().for_each(|stmts| in_stmts(stmts, &mut found));
    }
    program.actions.iter().for_each(|action| in_stmts(&action.body, &mut found));
    found
}

fn in_stmts<'p>(stmts: &'p [Stmt], found: &mut Vec<(&'p Arc<str>, &'p Expr)>) {
    for stmt in stmts {
        match stmt {
            Stmt::Secret { name, value, .. } => found.push((name, value)),
            Stmt::For(each) => in_stmts(&each.body, found),
            Stmt::If(choice) => {
                choice.branches.iter().for_each(|(_, body)| in_stmts(body, found));
                choice.otherwise.iter().for_each(|body| in_stmts(body, found));
            }
            _ => {}
        }
    }
}

/// Every call in an expression.
pub fn calls(expr: &Expr) -> Vec<&Call> {
    let mut found = Vec::new();
    calls_in(expr, &mut found);
    found
}

fn calls_in<'e>(expr: &'e Expr, found: &mut Vec<&'e Call>) {
    if let ExprKind::Call(call) = &expr.kind {
        found.push(call);
    }
    for part in expr.parts() {
        calls_in(part, found);
    }
}
