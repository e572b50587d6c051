//! What a run could prove: that it can prove something at all, and that many rows are not one observation.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::Name;

use super::names::Checker;
use super::program::{
    Decision, Definition, Effect, Expect, ExpectKind, Expr, ExprKind, Member, Proof, RunTarget, Step, Stmt, Var,
};

impl Checker {
    /// Warns of a runbook in which nothing could be proven: its runs would all be NO-GO.
    pub(super) fn proves_nothing(
        &mut self,
        steps: &[Step],
        verdict: Option<&Decision>,
        actions: &[Definition<Stmt>],
        proof: Proof,
        header: Span,
    ) {
        // What could not be read may have been an expect; and a definition that calls itself, an error, never ends.
        if proof == Proof::None || self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let proves = verdict.is_some_and(|verdict| verdict.members.iter().any(blocks))
            || steps.iter().any(|step| step.body.iter().any(|stmt| proving(stmt, actions)));
        if proves {
            return;
        }
        let span = Span { end: header.start + 7, ..header };
        let message = "this run could only end as \"nothing was proven\": no expect could keep it from GO";
        let help = "put an `expect` behind what it does; or, where it only does things, `proof = none` into the header";
        self.error(Diagnostic::new(Code::NoProof, span, message).label("no expect that blocks").help(help));
    }

    /// Warns of a loop that asks one question again and again: each of its rows is the same answer.
    pub(super) fn same_question(&mut self, vars: &[(Arc<str>, Var)], body: &[Member], names: &[Name]) {
        let Some(name) = names.last() else { return };
        let bound: Vec<Var> = vars.iter().map(|(_, var)| *var).collect();
        let mut found = Vec::new();
        repeated(body, &bound, &mut found);
        for span in found {
            let message = format!(
                "`{}` changes nothing in what is asked here: it is asked once, and each row of the loop shows that answer",
                name.text
            );
            let help = "put the loop's name into the question, or take the expect out of the loop";
            self.error(
                Diagnostic::new(Code::SameQuestion, span, message).label("the same question each time").help(help),
            );
        }
    }
}

fn blocks(member: &Member) -> bool {
    match member {
        Member::Expect(expect) => !expect.otherwise.as_ref().is_some_and(|otherwise| otherwise.warn),
        Member::For(each) => each.body.iter().any(blocks),
        Member::If(choice) => {
            choice.branches.iter().map(|(_, body)| body).chain(&choice.otherwise).any(|body| body.iter().any(blocks))
        }
        Member::Let { .. } => false,
    }
}

fn proving(stmt: &Stmt, actions: &[Definition<Stmt>]) -> bool {
    let any = |body: &[Stmt]| body.iter().any(|stmt| proving(stmt, actions));
    match stmt {
        Stmt::Group(members) => members.iter().any(blocks),
        Stmt::Checklist(list) => list.seen.iter().any(blocks),
        Stmt::For(each) => any(&each.body),
        Stmt::If(choice) => choice.branches.iter().map(|(_, body)| body).chain(&choice.otherwise).any(|body| any(body)),
        // Definitions don't call themselves.
        Stmt::Run(run) => match &run.target {
            RunTarget::Defined { action, .. } => actions.get(*action).is_some_and(|action| any(&action.body)),
            RunTarget::Native(_) => false,
        },
        _ => false,
    }
}

/// The expects that ask the world and none of these names.
fn repeated(members: &[Member], bound: &[Var], found: &mut Vec<Span>) {
    for member in members {
        match member {
            Member::Expect(expect) => {
                let asked = asked(expect);
                let asks = matches!(expect.kind, ExpectKind::Check { .. }) || asked.iter().any(|expr| asks(expr));
                if asks && !asked.iter().any(|expr| reads(expr, bound)) {
                    found.push(expect.span);
                }
            }
            // What is asked may hang on a name, so that the rows differ.
            Member::If(choice) if choice.branches.iter().any(|(condition, _)| reads(condition, bound)) => {}
            Member::If(choice) => {
                choice
                    .branches
                    .iter()
                    .map(|(_, body)| body)
                    .chain(&choice.otherwise)
                    .for_each(|body| repeated(body, bound, found));
            }
            Member::For(each) if reads(&each.over, bound) => {}
            Member::For(each) => repeated(&each.body, bound, found),
            // What it binds may rest on a name.
            Member::Let { value, .. } if reads(value, bound) => return,
            Member::Let { .. } => {}
        }
    }
}

fn asked(expect: &Expect) -> Vec<&Expr> {
    match &expect.kind {
        ExpectKind::Condition(condition) => vec![condition],
        ExpectKind::Block { subject, fields, .. } => {
            std::iter::once(subject).chain(fields.iter().map(|field| &field.condition)).collect()
        }
        ExpectKind::Check { args, .. } => args.iter().collect(),
    }
}

fn asks(expr: &Expr) -> bool {
    let call = match &expr.kind {
        ExprKind::Call(call) => call.native.effect != Effect::Function,
        _ => false,
    };
    call || expr.parts().into_iter().any(asks)
}

fn reads(expr: &Expr, bound: &[Var]) -> bool {
    matches!(&expr.kind, ExprKind::Var(_, var) if bound.contains(var))
        || expr.parts().into_iter().any(|part| reads(part, bound))
}
