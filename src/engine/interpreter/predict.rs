//! The driver that predicts: what would be run, what holds now, and where the run would end.
//!
//! In: an operation, a world that can only be read. Out: events. What an action would change is kept in mind: what is read
//! behind it is "as of now". Both branches of what is unknown are walked, from the same facts, and joined.

use std::time::Duration;

use async_trait::async_trait;

use super::action;
use super::confirm::question;
use super::driver::{At, Binding, Decision, Driver, Failure, Halt, Leave, Need, Retry, Section, Unneeded};
use super::lookahead;
use super::start;
use crate::check::program::{Call, Confirm, Expr, Member, Run, Stmt};
use crate::diagnostic::Span;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::eval::{Eval, Items};
use crate::engine::evaluation::facts::{Change, Mark};
use crate::engine::evaluation::scope::{Bound, Outdated};
use crate::engine::events::event::Body;
use crate::engine::expects::finding::Finding;
use crate::engine::expects::group::{self, Asked, Expansion};
use crate::value::{Answer, Truth, Unknown, UnknownCause, Value};

const WHEN_IT_COMES_TO_THAT: &str = "known only when it comes to that";

pub(super) struct Predict<'c> {
    core: &'c Core,
    /// Branches of which it is not known which one will be run: the facts before them, and what each has changed.
    forks: Vec<Fork>,
}

struct Fork {
    before: Mark,
    branches: Vec<Vec<(Change, Outdated)>>,
}

impl<'c> Predict<'c> {
    pub fn new(core: &'c Core) -> Self {
        Self { core, forks: Vec::new() }
    }

    /// A handler and a rollback are shown, so that a reviewer sees what may be run; what they would find is not foretold.
    fn foretells(at: &At<'_, 'c>) -> bool {
        matches!(at.section, Section::Body | Section::Finally)
    }

    fn bind_result(&self, run: &Run, reason: String) {
        if let Some((_, var)) = &run.bind {
            self.core.slots.bind(*var, Answer::unknown(UnknownCause::LeftOut, reason).into());
        }
    }

    /// Whether the run would end at these expects, as things stand; or may.
    async fn end(&mut self, at: &At<'_, 'c>, asked: &[Asked<'c>]) {
        if !self.core.reaches() {
            return;
        }
        let mut may = None;
        for asked in asked.iter().filter(|asked| asked.blocks()) {
            for finding in asked.failing() {
                // What an action before it may change, or would tell, is not foretold.
                if finding.outdated.is_some() || waits_for_an_action(finding) {
                    continue;
                }
                let certain = matches!(finding.truth, Truth::False)
                    && asked.leaf.timing.limits.within.is_none()
                    && asked.leaf.site.possible.is_none()
                    && at.site.possible.is_none()
                    && !self.core.doubted()
                    && !mends(at);
                let what = match asked.leaf.expect.named {
                    true => format!("{}{}", asked.leaf.id, finding.id),
                    false => group::asked_as(self.core, &asked.leaf, finding).unwrap_or_else(|| finding.text.clone()),
                };
                let reason = format!("{what}: expected {}, found {}", finding.expected, finding.actual);
                if certain {
                    return self.ends(at, finding.span, reason);
                }
                may.get_or_insert((finding.span, what, reason));
            }
        }
        if let Some((span, what, reason)) = may
            && !self.core.doubted()
        {
            self.core.emit(at.site, span, Body::RunEndsHere { certain: false, reason, then: Vec::new() });
            self.core.doubt(format!("if {what} holds by then"));
        }
    }

    fn ends(&mut self, at: &At<'_, 'c>, span: Span, reason: String) {
        let step = at.position.step;
        let mut then = Vec::new();
        if step.on_failure.is_some() {
            then.push(format!("on-failure of {}", step.name));
        }
        if step.finally.is_some() {
            then.push(format!("finally of {}", step.name));
        }
        self.core.emit(at.site, span, Body::RunEndsHere { certain: true, reason: reason.clone(), then });
        self.core.end_here(&step.name, reason);
    }
}

/// It is unknown since an action has to be run first, or since a dry run does not ask.
fn waits_for_an_action(finding: &Finding) -> bool {
    matches!(
        &finding.truth,
        Truth::Unknown(unknown) if matches!(unknown.cause, UnknownCause::LeftOut | UnknownCause::NotTrusted | UnknownCause::Denied)
    )
}

/// Whether the handler of the step may mend what fails in it.
fn mends(at: &At<'_, '_>) -> bool {
    fn may(stmts: &[Stmt]) -> bool {
        stmts.iter().any(|stmt| match stmt {
            Stmt::Run(_) | Stmt::Retry { .. } | Stmt::Confirm(_) | Stmt::Checklist(_) => true,
            Stmt::For(each) => may(&each.body),
            Stmt::If(choice) => {
                choice.branches.iter().any(|(_, body)| may(body)) || choice.otherwise.as_deref().is_some_and(may)
            }
            Stmt::Let { .. }
            | Stmt::Secret { .. }
            | Stmt::Show { .. }
            | Stmt::Group(_)
            | Stmt::Stop { .. }
            | Stmt::RollBack { .. } => false,
        })
    }
    at.section == Section::Body && at.position.step.on_failure.as_ref().is_some_and(|handler| may(&handler.body))
}

#[async_trait]
impl<'c> Driver<'c> for Predict<'c> {
    const FORESEES: bool = true;

    async fn before(&mut self, _at: At<'_, 'c>) -> Result<(), Halt> {
        Ok(())
    }

    async fn attempt(&mut self, at: At<'_, 'c>, attempt: u32) -> Result<(), Halt> {
        let step = at.position.step;
        self.core.emit(at.site, step.span, Body::StepStarted { title: step.title.to_string(), attempt });
        Ok(())
    }

    async fn pause(&mut self, _after: Duration) -> Result<(), Halt> {
        Ok(())
    }

    async fn bind(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        if !Self::foretells(&at) && start::probes(binding.value) {
            return Ok(Answer::unknown(UnknownCause::LeftOut, WHEN_IT_COMES_TO_THAT).into());
        }
        let bound = Eval::new(self.core, at.site, &Round::new()).bound(binding.value).await;
        if Self::foretells(&at) {
            start::told_binding(self.core, at.site, binding.span, binding.name, &bound.answer);
        }
        Ok(bound)
    }

    async fn secret(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        if !Self::foretells(&at) {
            return Ok(Answer::unknown(UnknownCause::LeftOut, WHEN_IT_COMES_TO_THAT).into());
        }
        let bound = start::secret(self.core, at.site, binding.name, binding.value).await;
        start::told_binding(self.core, at.site, binding.span, binding.name, &bound.answer);
        Ok(bound)
    }

    async fn decide(&mut self, at: At<'_, 'c>, condition: &'c Expr) -> Result<Decision, Halt> {
        if !Self::foretells(&at) && start::probes(condition) {
            return Ok(Decision::Unknown(WHEN_IT_COMES_TO_THAT.to_owned()));
        }
        let eval = Eval::new(self.core, at.site, &Round::new());
        let truth = eval.truth(condition).await;
        // What an earlier action may change can't be foretold.
        let truth = match (truth, eval.outdated()) {
            (Truth::Unknown(unknown), _) => Truth::Unknown(unknown),
            (now, Some(Outdated { line })) => {
                let now = if now == Truth::True { "true" } else { "false" };
                let reason = format!("{now} as of now, and line {line} may change it");
                Truth::Unknown(Unknown::new(UnknownCause::LeftOut, reason))
            }
            (truth, None) => truth,
        };
        if Self::foretells(&at) {
            start::told_condition(self.core, at.site, condition, &truth);
        }
        Ok(start::decision(self.core, condition, truth))
    }

    async fn needed(&mut self, at: At<'_, 'c>, need: Need<'_, 'c>) -> Result<Truth, Halt> {
        if !Self::foretells(&at) {
            return Ok(Truth::Unknown(Unknown::new(UnknownCause::LeftOut, WHEN_IT_COMES_TO_THAT)));
        }
        Ok(lookahead::holds(self.core, at.position.step, need.body, need.site).await)
    }

    async fn items(&mut self, at: At<'_, 'c>, over: &'c Expr) -> Result<Result<Items, Answer>, Halt> {
        if !Self::foretells(&at) && start::probes(over) {
            return Ok(Err(Answer::unknown(UnknownCause::LeftOut, WHEN_IT_COMES_TO_THAT)));
        }
        Ok(Eval::new(self.core, at.site, &Round::new()).items(over).await)
    }

    async fn act(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call) -> Result<Result<(), Failure>, Halt> {
        let eval = Eval::new(self.core, at.site, &Round::new());
        let line = self.core.line(run.span);
        let action = eval.action(run).await;
        let args = eval.args(call).await;
        let change = action::change(&eval, run, call, args.as_deref().ok()).await;
        let changes = change.to_event(&self.core.program.root);
        self.core.emit(at.site, run.span, Body::ActionPlanned { action, changes });
        self.bind_result(run, format!("what line {line} answers, which a dry run leaves out"));
        if Self::foretells(&at)
            && let Some(changed) = &self.core.changed
        {
            changed.add(change, line);
        }
        Ok(Ok(()))
    }

    async fn leave_out(&mut self, at: At<'_, 'c>, run: &'c Run, _why: Unneeded) -> Result<(), Halt> {
        let action = Eval::new(self.core, at.site, &Round::new()).action(run).await;
        self.bind_result(run, format!("printed by `{action}`, which is not needed"));
        let reason = "what it is done for holds already".to_owned();
        self.core.emit(at.site, run.span, Body::ActionSkipped { action, reason });
        Ok(())
    }

    async fn expect(&mut self, at: At<'_, 'c>, members: &'c [Member]) -> Result<Result<(), Failure>, Halt> {
        if !Self::foretells(&at) {
            return Ok(Ok(()));
        }
        let round = Round::new();
        let mut leaves = Expansion::of(self.core, members, at.site, &round);
        loop {
            let some = leaves.some().await;
            if some.is_empty() {
                return Ok(Ok(()));
            }
            let asked = group::ask_once(self.core, some, &round).await;
            for asked in &asked {
                group::report(self.core, asked).await;
            }
            self.end(&at, &asked).await;
        }
    }

    async fn expect_again(&mut self, _at: At<'_, 'c>) -> Result<(), Halt> {
        Ok(())
    }

    fn handles(&mut self) -> Result<bool, Halt> {
        Ok(false)
    }

    async fn handler(&mut self, _at: At<'_, 'c>, failures: Vec<Value>) -> Result<Answer, Halt> {
        Ok(Answer::Known(Value::list(failures)))
    }

    async fn confirm(&mut self, at: At<'_, 'c>, confirm: &'c Confirm) -> Result<Option<String>, Halt> {
        let question = question(at.site, confirm);
        let answer = question.answer.map(|wanted| format!("{}: {}", wanted.name, wanted.kind));
        let body = Body::ConfirmPlanned { text: question.text, role: question.role, answer };
        self.core.emit(at.site, confirm.span, body);
        if let Some(answer) = &confirm.answer {
            let reason = format!("typed by {} when it is run", confirm.role);
            self.core.slots.bind(answer.var, Answer::unknown(UnknownCause::LeftOut, reason).into());
        }
        Ok(None)
    }

    async fn show(&mut self, at: At<'_, 'c>, values: &'c [Expr], span: Span) -> Result<(), Halt> {
        if Self::foretells(&at) {
            start::show(self.core, at.site, span, values).await;
        }
        Ok(())
    }

    async fn retry(&mut self, _at: At<'_, 'c>, _retry: Retry<'c>) -> Result<(), Halt> {
        Ok(())
    }

    async fn leave(&mut self, _at: At<'_, 'c>, _leave: Leave<'c>) -> Result<(), Halt> {
        Ok(())
    }

    fn fork(&mut self) {
        if let Some(changed) = &self.core.changed {
            self.forks.push(Fork { before: changed.mark(), branches: Vec::new() });
        }
    }

    fn other_branch(&mut self) {
        if let (Some(changed), Some(fork)) = (&self.core.changed, self.forks.last_mut()) {
            fork.branches.push(changed.take_since(fork.before));
        }
    }

    fn join(&mut self) {
        if let (Some(changed), Some(fork)) = (&self.core.changed, self.forks.pop()) {
            fork.branches.into_iter().for_each(|branch| changed.join(branch));
        }
    }
}
