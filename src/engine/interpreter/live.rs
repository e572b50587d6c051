//! The driver that acts: each operation is journaled, and done.
//!
//! In: an operation, the world. Out: events, and what it came to. Nothing but this driver can reach the world's means to act.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;

use super::action;
use super::confirm;
use super::driver::{At, Binding, Decision, Driver, Failure, Halt, Leave, Need, Retry, Section, Unneeded};
use super::failure::{failure_of_action, failures, reason};
use super::lookahead;
use super::run_state::Execution;
use super::start;
use super::task::first_span;
use crate::check::program::{Call, Confirm, Expr, Member, Run};
use crate::diagnostic::Span;
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::{Eval, Items, items_of};
use crate::engine::evaluation::scope::Bound;
use crate::engine::events::event::{Body, Seconds};
use crate::engine::expects::group::{self, Asked, Expansion};
use crate::engine::wording::describe;
use crate::value::{Answer, Truth, UnknownCause, Value};

/// The most failures of a group that its handler sees.
const MOST_FAILURES: usize = 1000;

const UNNEEDED: &str = "all that the step proves holds already";
const ENSURED: &str = "it is so already";

pub(super) struct Live<'c> {
    pub run: &'c Execution<'c>,
}

impl<'c> Live<'c> {
    fn core(&self) -> &'c Core {
        self.run.core
    }

    /// What ends the operations of a section.
    fn flag(&self, section: Section) -> &Flag {
        self.run.flag(section)
    }

    /// What is read is not waited for once the run has to end.
    async fn unless_ended<T>(&self, section: Section, reading: impl Future<Output = T>) -> Result<T, Halt> {
        self.run.unless_ended(section, reading).await.map_err(Halt::Failed)
    }

    fn goes_on(&self, section: Section) -> Result<(), Halt> {
        match self.flag(section).cause() {
            Some(cause) => Err(Halt::Failed(cause.to_string())),
            None => Ok(()),
        }
    }

    /// Does an action whose start is not in the journal, or that is done again.
    pub async fn carry_out(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call) -> Result<(), Failure> {
        let At { position, site, section } = at;
        let core = self.core();
        let step = position.step;
        // What is safe to do again needs no proof that it was done.
        if !position.part.baseline && core.recording && !step.idempotent {
            position.part.baseline = true;
            let asking = lookahead::baseline(core, step, position.part.stmts, &position.part.site);
            if let Ok(expects) = self.unless_ended(section, asking).await
                && !expects.is_empty()
            {
                core.emit(site, run.span, Body::Baseline { expects });
            }
        }
        let started = |changes| {
            if section != Section::Rollback {
                self.run.acted(step, changes);
            }
        };
        let done = action::carry_out(core, &self.run.act, site, run, call, self.flag(section), started).await;
        done.map_err(|failed| {
            let failures = vec![failure_of_action(core, site, &failed)];
            Failure { reason: String::from(failed), failures }
        })
    }

    /// An action whose end was not seen counts as done.
    pub fn assume(&self, at: &At<'_, 'c>, run: &Run, action: String, why: String) {
        let core = self.core();
        let reason = "the run was cut off before its answer was recorded";
        let unknown = Answer::unknown(UnknownCause::NotRecorded, reason);
        if let Some((_, var)) = &run.bind {
            core.slots.bind(*var, unknown.clone().into());
        }
        let body = Body::ActionEnded {
            action,
            ok: true,
            error: None,
            elapsed: Seconds::default(),
            data: run.bind.is_some().then(|| core.recorded(&unknown)).flatten(),
            assumed: Some(why),
        };
        core.emit(at.site, run.span, body);
    }
}

#[async_trait]
impl<'c> Driver<'c> for Live<'c> {
    async fn before(&mut self, at: At<'_, 'c>) -> Result<(), Halt> {
        self.core().emitter.room().await;
        self.goes_on(at.section)
    }

    async fn attempt(&mut self, at: At<'_, 'c>, attempt: u32) -> Result<(), Halt> {
        let step = at.position.step;
        self.core().emit(at.site, step.span, Body::StepStarted { title: step.title.to_string(), attempt });
        Ok(())
    }

    async fn pause(&mut self, after: Duration) -> Result<(), Halt> {
        self.goes_on(Section::Body)?;
        self.unless_ended(Section::Body, tokio::time::sleep(after)).await
    }

    async fn bind(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        let eval = Eval::new(self.core(), at.site, &Round::new());
        let bound = self.unless_ended(at.section, eval.bound(binding.value)).await?;
        start::told_binding(self.core(), at.site, binding.span, binding.name, &bound.answer);
        Ok(bound)
    }

    async fn secret(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        let reading = start::secret(self.core(), at.site, binding.name, binding.value);
        let bound = self.unless_ended(at.section, reading).await?;
        start::told_binding(self.core(), at.site, binding.span, binding.name, &bound.answer);
        Ok(bound)
    }

    async fn decide(&mut self, at: At<'_, 'c>, condition: &'c Expr) -> Result<Decision, Halt> {
        let eval = Eval::new(self.core(), at.site, &Round::new());
        let truth = self.unless_ended(at.section, eval.truth(condition)).await?;
        start::told_condition(self.core(), at.site, condition, &truth);
        Ok(start::decision(self.core(), condition, truth))
    }

    async fn needed(&mut self, at: At<'_, 'c>, need: Need<'_, 'c>) -> Result<Truth, Halt> {
        let core = self.core();
        let asking = lookahead::holds(core, at.position.step, need.body, need.site);
        let truth = self.run.unless_ended(Section::Body, asking).await.unwrap_or(Truth::True);
        let value = match &truth {
            Truth::True => "not needed: all that it proves holds already".to_owned(),
            Truth::False => "needed".to_owned(),
            Truth::Unknown(unknown) => format!("needed, as far as can be told: {}", unknown.reason),
        };
        let data = start::decided(core, &truth);
        core.emit(at.site, need.span, Body::Condition { text: need.text, value, data });
        // In doubt it is needed.
        Ok(if truth == Truth::True { Truth::True } else { Truth::False })
    }

    async fn items(&mut self, at: At<'_, 'c>, over: &'c Expr) -> Result<Result<Items, Answer>, Halt> {
        let core = self.core();
        let eval = Eval::new(core, at.site, &Round::new());
        let answer = self.unless_ended(at.section, eval.eval(over)).await?;
        let items = answer.known().cloned().ok_or(answer.clone()).and_then(|whole| items_of(&whole));
        let value = match &items {
            Ok(items) if items.len() == 1 => "1 item".to_owned(),
            Ok(items) => format!("{} items", items.len()),
            Err(other) => describe::brief(core.redactor(), other),
        };
        let data = core.recorded(&answer);
        core.emit(at.site, over.span, Body::Condition { text: core.words(over.span), value, data });
        Ok(items)
    }

    async fn act(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call) -> Result<Result<(), Failure>, Halt> {
        Ok(self.carry_out(at, run, call).await)
    }

    async fn leave_out(&mut self, at: At<'_, 'c>, run: &'c Run, why: Unneeded) -> Result<(), Halt> {
        let action = Eval::new(self.core(), at.site, &Round::new()).action(run).await;
        let reason = match why {
            Unneeded::Ensured => ENSURED,
            Unneeded::Step => UNNEEDED,
        };
        self.core().emit(at.site, run.span, Body::ActionSkipped { action, reason: reason.to_owned() });
        Ok(())
    }

    async fn expect(&mut self, at: At<'_, 'c>, members: &'c [Member]) -> Result<Result<(), Failure>, Halt> {
        let core = self.core();
        let round = Round::new();
        let leaves = Expansion::of(core, members, at.site, &round);
        let (mut first, mut bad) = (None, 0);
        let mut told = Vec::new();
        let decided = |asked: Asked<'c>| {
            if asked.blocks() {
                if told.len() < MOST_FAILURES {
                    told.extend(failures(core, &asked));
                }
                bad += 1;
                first.get_or_insert(asked);
            }
        };
        group::ask_each(core, leaves, round, self.flag(at.section), decided).await;
        let reason = match &first {
            Some(first) => Some(reason(core, first, bad - 1).await),
            None => None,
        };
        let span = first_span(members, at.position.step);
        core.emit(at.site, span, Body::GroupEnded { ok: reason.is_none(), reason: reason.clone() });
        told.truncate(MOST_FAILURES);
        match reason {
            None => Ok(Ok(())),
            Some(reason) => {
                // Cut short, it is the run that ends, not the group that failed.
                self.goes_on(at.section)?;
                Ok(Err(Failure { reason, failures: told }))
            }
        }
    }

    async fn expect_again(&mut self, at: At<'_, 'c>) -> Result<(), Halt> {
        self.goes_on(Section::Body)?;
        self.core().emit(at.site, at.position.step.span, Body::AskingAgain);
        Ok(())
    }

    fn handles(&mut self) -> Result<bool, Halt> {
        Ok(self.flag(Section::Body).cause().is_none())
    }

    async fn handler(&mut self, at: At<'_, 'c>, failures: Vec<Value>) -> Result<Answer, Halt> {
        let core = self.core();
        let span = at.position.step.on_failure.as_ref().map_or(at.position.step.span, |handler| handler.span);
        let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        let failures = Answer::Known(Value::list(failures));
        let data = core.recorded(&failures);
        core.emit(at.site, span, Body::HandlerStarted { failures: count, data });
        Ok(failures)
    }

    async fn confirm(&mut self, at: At<'_, 'c>, confirm: &'c Confirm) -> Result<Option<String>, Halt> {
        Ok(confirm::ask(self.run, at.site, at.section, confirm).await)
    }

    async fn show(&mut self, at: At<'_, 'c>, values: &'c [Expr], span: Span) -> Result<(), Halt> {
        self.unless_ended(at.section, start::show(self.core(), at.site, span, values)).await
    }

    async fn retry(&mut self, at: At<'_, 'c>, retry: Retry<'c>) -> Result<(), Halt> {
        let core = self.core();
        let Retry { times, after, span } = retry;
        let eval = Eval::new(core, at.site, &Round::new());
        let of = match eval.eval(times).await {
            Answer::Known(Value::Number(number)) => number.as_i64().unwrap_or(0),
            _ => 0,
        };
        let of = u32::try_from(of).unwrap_or(0);
        let after = match after {
            Some(after) => eval.duration(after).await.map_err(|unknown| {
                Halt::Failed(format!("how long to wait before the retry is unknown: {}", unknown.reason))
            })?,
            None => Duration::ZERO,
        };
        // A run that has to end tries nothing again.
        self.goes_on(Section::Body)?;
        let place = (core.program.sources.name(span).to_owned(), core.line(span));
        let used = at.position.retries.entry(place).or_default();
        if *used >= of {
            return Ok(());
        }
        *used += 1;
        let attempt = *used;
        core.emit(at.site, span, Body::Retrying { attempt, of, after: after.into() });
        Err(Halt::Retry { after, of, attempt })
    }

    async fn leave(&mut self, at: At<'_, 'c>, leave: Leave<'c>) -> Result<(), Halt> {
        Err(leaves(self.core(), at.site, leave, |why| self.run.asks_for_rollback(why)).await)
    }
}

/// A `stop` or `rollback` ends the part. Neither is journaled: both follow from what is.
pub(super) async fn leaves(core: &Core, site: &Site, leave: Leave<'_>, roll_back: impl FnOnce(String)) -> Halt {
    match leave {
        Leave::Stop { why: Some(why), .. } => Halt::Failed(Eval::new(core, site, &Round::new()).message(why).await),
        Leave::Stop { why: None, span } => Halt::Failed(format!("`stop` at line {}", core.line(span))),
        Leave::RollBack { span } => {
            let step = site.step.as_deref().unwrap_or_default();
            roll_back(format!("the handler of step {step} says so (line {})", core.line(span)));
            Halt::Failed("rolled back".to_owned())
        }
    }
}
