//! The statements of a step, in their order: actions, bindings, loops, conditions, groups of expects and what handles them.
//!
//! Each asks the tape first: what is recorded is taken from there, and only what stands behind its end is done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use crate::check::program::{Call, Definition, Expr, Handler, Member, Run, RunTarget, Stmt, Var};
use crate::diagnostic::Span;
use crate::value::{Answer, Truth, Type, UnknownCause, Value, recorded};

use super::action;
use super::exec::Exec;
use super::failure::{failure, failure_of_action, failures, reason};
use super::proof;
use super::resume::Pending;
use super::start;
use super::step::{Course, End, Frame, Halt, Kind, Within};
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::{self, Round};
use crate::engine::evaluation::core::Site;
use crate::engine::evaluation::eval::{Eval, Items};
use crate::engine::evaluation::scope::{Bound, Scope};
use crate::engine::events::event::{Body, Part};
use crate::engine::events::past::{ActionEnd, Happened, What};
use crate::engine::expects::group::{self, Asked, Expansion};
use crate::engine::wording::describe;

/// The most failures of a group that its handler is told of.
const MOST_FAILURES: usize = 1000;

const NEEDLESS: &str = "all that the step proves holds already";
const ENSURED: &str = "it is so already";

/// A group that failed: why, and what its handler is told.
struct Failing {
    reason: String,
    failures: Vec<Value>,
}

impl<'c> Exec<'c> {
    pub(super) fn flag(&self, within: Within) -> &Flag {
        if within == Within::Body { &self.cancel.gently } else { &self.cancel.at_once }
    }

    /// What is looked at is not waited for once the run was told to end.
    pub(super) async fn looking<T>(&self, within: Within, asking: impl Future<Output = T>) -> Result<T, String> {
        tokio::select! {
            biased;
            told = asking => Ok(told),
            reason = self.flag(within).raised() => Err(reason),
        }
    }

    pub(super) async fn asked_whether_needed(
        &self,
        course: &mut Course<'c>,
        site: &Site,
        span: Span,
        text: &str,
        asking: impl Future<Output = Truth>,
    ) -> Result<bool, Halt> {
        let fits = |what: &What| matches!(what, What::Condition { .. });
        if let Some(What::Condition { data }) = self.recorded(course, "whether it is needed", span, fits)? {
            return Ok(data == Json::Bool(true));
        }
        let truth = self.looking(Within::Body, asking).await.unwrap_or(Truth::True);
        let value = match &truth {
            Truth::True => "not needed: all that it proves holds already".to_owned(),
            Truth::False => "needed".to_owned(),
            Truth::Unknown(unknown) => format!("needed, as far as can be told: {}", unknown.reason),
        };
        let data = start::decided(self.core, &truth);
        self.core.emit(site, span, Body::Condition { text: text.to_owned(), value, data });
        Ok(truth == Truth::True)
    }

    /// What a condition comes to; or why it can't be told.
    pub(super) async fn condition(
        &self,
        course: &mut Course<'c>,
        expr: &Expr,
        site: &Site,
        within: Within,
    ) -> Result<Result<bool, String>, Halt> {
        let fits = |what: &What| matches!(what, What::Condition { .. });
        let truth = match self.recorded(course, "a condition", expr.span, fits)? {
            Some(What::Condition { data }) => match recorded::read(&data) {
                Answer::Known(Value::Bool(true)) => Truth::True,
                Answer::Known(Value::Bool(false)) => Truth::False,
                Answer::Unknown(unknown) => Truth::Unknown(unknown),
                _ => {
                    return Err(Halt::Misfit(format!(
                        "`{}` is no condition in the record",
                        self.core.words(expr.span)
                    )));
                }
            },
            _ => {
                let eval = Eval::new(self.core, site, &Round::new());
                match self.looking(within, eval.truth(expr)).await {
                    Ok(truth) => {
                        start::told_condition(self.core, site, expr, &truth);
                        truth
                    }
                    Err(reason) => return Ok(Err(reason)),
                }
            }
        };
        Ok(match truth {
            Truth::True => Ok(true),
            Truth::False => Ok(false),
            Truth::Unknown(unknown) => Err(format!("`{}` is unknown: {}", self.core.words(expr.span), unknown.reason)),
        })
    }

    /// What a loop goes over; or what there is instead.
    #[allow(clippy::type_complexity)]
    async fn items(
        &self,
        course: &mut Course<'c>,
        over: &Expr,
        site: &Site,
        within: Within,
    ) -> Result<Result<Items, Answer>, Halt> {
        let fits = |what: &What| matches!(what, What::Condition { .. });
        if let Some(What::Condition { data }) = self.recorded(course, "a loop", over.span, fits)? {
            let answer = start::remembered(self.core, site, over, &data).await;
            return Ok(answer
                .known()
                .cloned()
                .ok_or(answer)
                .and_then(|whole| crate::engine::evaluation::eval::items_of(&whole)));
        }
        let eval = Eval::new(self.core, site, &Round::new());
        let answer = self.looking(within, eval.eval(over)).await.map_err(Halt::Failed)?;
        let items = answer
            .known()
            .cloned()
            .ok_or(answer.clone())
            .and_then(|whole| crate::engine::evaluation::eval::items_of(&whole));
        let value = match &items {
            Ok(items) if items.len() == 1 => "1 item".to_owned(),
            Ok(items) => format!("{} items", items.len()),
            Err(other) => describe::brief(self.core.redactor(), other),
        };
        let data = self.core.recorded(&answer);
        self.core.emit(site, over.span, Body::Condition { text: self.core.words(over.span), value, data });
        Ok(items)
    }

    pub(super) fn stmts<'a>(
        &'a self,
        course: &'a mut Course<'c>,
        kind: Kind,
        stmts: &'c [Stmt],
        site: Site,
        within: Within,
    ) -> BoxFuture<'a, Result<(), Halt>> {
        Box::pin(async move {
            course.frames.push(Frame { kind, stmts, at: 0, site: site.clone() });
            let done = self.each(course, stmts, site, within).await;
            course.frames.pop();
            done
        })
    }

    fn each<'a>(
        &'a self,
        course: &'a mut Course<'c>,
        stmts: &'c [Stmt],
        site: Site,
        within: Within,
    ) -> BoxFuture<'a, Result<(), Halt>> {
        Box::pin(async move {
            for (at, stmt) in stmts.iter().enumerate() {
                if let Some(frame) = course.frames.last_mut() {
                    frame.at = at;
                }
                self.core.emitter.room().await;
                if course.tape.is_empty()
                    && let Some(cause) = self.flag(within).cause()
                {
                    return Err(Halt::Failed(cause.to_string()));
                }
                match stmt {
                    Stmt::Run(run) => self.run(course, run, &site, within).await?,
                    Stmt::Let { name, var, value, span } => {
                        let bound = self.binding(course, name, value, *span, &site, within).await?;
                        self.core.slots.bind(*var, bound);
                    }
                    Stmt::Secret { name, var, value, span } => {
                        self.secret(course, &site, *span, name, *var, value, within).await?;
                    }
                    Stmt::Show { values, span } => {
                        // What was shown is evidence of then: it is not asked for again.
                        if course.tape.is_empty() {
                            if matches!(course.end, End::Looking) {
                                return Err(Halt::RecordEnds);
                            }
                            self.live(course);
                            let showing = start::show(self.core, &site, *span, values);
                            self.looking(within, showing).await.map_err(Halt::Failed)?;
                        }
                    }
                    Stmt::Group(members) => self.group(course, members, &site, within).await?,
                    Stmt::For(each) => {
                        let items = match self.items(course, &each.over, &site, within).await? {
                            Ok(items) => items,
                            Err(answer) => {
                                let list = self.core.words(each.over.span);
                                let reason = format!(
                                    "`{list}` can't be looped over: {}",
                                    describe::brief(self.core.redactor(), &answer)
                                );
                                self.unhandled(course, &site, within, reason, each.span).await?;
                                continue;
                            }
                        };
                        for item in items {
                            let inner = group::at_item(&site, &each.vars, &item, None);
                            self.stmts(course, Kind::Loop, &each.body, inner, within).await?;
                        }
                    }
                    Stmt::If(choice) => {
                        let mut taken = choice.otherwise.as_deref();
                        for (condition, body) in &choice.branches {
                            match self.condition(course, condition, &site, within).await? {
                                Ok(true) => {
                                    taken = Some(body);
                                    break;
                                }
                                Ok(false) => {}
                                Err(reason) => {
                                    taken = None;
                                    self.unhandled(course, &site, within, reason, choice.span).await?;
                                    break;
                                }
                            }
                        }
                        if let Some(body) = taken {
                            self.stmts(course, Kind::Inner, body, site.clone(), within).await?;
                        }
                    }
                    Stmt::Confirm(confirm) => self.confirm(course, confirm, &site, within).await?,
                    Stmt::Checklist(list) => self.checklist(course, list, &site, within).await?,
                    Stmt::Stop { why, span } => {
                        let reason = match why {
                            Some(why) => Eval::new(self.core, &site, &Round::new()).message(why).await,
                            None => format!("`stop` at line {}", self.core.line(*span)),
                        };
                        return Err(Halt::Failed(reason));
                    }
                    Stmt::RollBack { span } => {
                        let line = self.core.line(*span);
                        self.asks_for_rollback(format!(
                            "the handler of step {} says so (line {line})",
                            course.step.name
                        ));
                        return Err(Halt::Failed("rolled back".to_owned()));
                    }
                    Stmt::Retry { times, after, span } => {
                        self.retry(course, times, after.as_ref(), *span, &site).await?;
                    }
                }
            }
            Ok(())
        })
    }

    async fn retry(
        &self,
        course: &mut Course<'c>,
        times: &Expr,
        after: Option<&Expr>,
        span: Span,
        site: &Site,
    ) -> Result<(), Halt> {
        if let Some(Happened { what: What::Retry { attempt, of, after }, .. }) = course.tape.front() {
            let halt = Halt::Retry { after: after.duration(), of: *of, attempt: *attempt };
            course.tape.pop_front();
            return Err(halt);
        }
        let eval = Eval::new(self.core, site, &Round::new());
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
        let place = (self.core.program.sources.name(span).to_owned(), self.core.line(span));
        let used = course.retries.entry(place).or_default();
        if *used < of {
            *used += 1;
            let attempt = *used;
            if course.tape.is_empty() && matches!(course.end, End::Looking) {
                return Err(Halt::RecordEnds);
            }
            self.live(course);
            self.core.emit(site, span, Body::Retrying { attempt, of, after: after.into() });
            return Err(Halt::Retry { after, of, attempt });
        }
        Ok(())
    }

    async fn binding(
        &self,
        course: &mut Course<'c>,
        name: &Arc<str>,
        value: &Expr,
        span: Span,
        site: &Site,
        within: Within,
    ) -> Result<Bound, Halt> {
        let fits = |what: &What| matches!(what, What::Bound { name: bound, .. } if **bound == **name);
        if let Some(What::Bound { data, .. }) = self.recorded(course, &format!("the binding `{name}`"), span, fits)? {
            return Ok(start::remembered(self.core, site, value, &data).await.into());
        }
        let eval = Eval::new(self.core, site, &Round::new());
        let bound = self.looking(within, eval.bound(value)).await.map_err(Halt::Failed)?;
        start::told_binding(self.core, site, span, name, &bound.answer);
        Ok(bound)
    }

    /// A secret is not in the record: it is read again from where it is kept. One that was captured from an answer is lost.
    #[allow(clippy::too_many_arguments)]
    async fn secret(
        &self,
        course: &mut Course<'c>,
        site: &Site,
        span: Span,
        name: &Arc<str>,
        var: Var,
        value: &Expr,
        within: Within,
    ) -> Result<(), Halt> {
        let fits = |what: &What| matches!(what, What::Bound { name: bound, .. } if **bound == **name);
        let known = self.recorded(course, &format!("the secret `{name}`"), span, fits)?.is_some();
        let reading = async {
            let eval = Eval::new(self.core, site, &Round::new());
            eval.sealed(name, eval.eval(value).await)
        };
        let mut answer = self.looking(within, reading).await.map_err(Halt::Failed)?;
        if known {
            if let Answer::Unknown(unknown) = &answer
                && unknown.cause == UnknownCause::NotRecorded
            {
                let step = &course.step.name;
                let reason = format!(
                    "the secret `{name}` was captured in step `{step}` before the run was cut off, and secrets are not \
                     recorded; `--redo {step}` captures it again"
                );
                answer = Answer::unknown(UnknownCause::NotRecorded, reason);
            }
        } else {
            start::told_binding(self.core, site, span, name, &answer);
        }
        self.core.slots.bind(var, answer.into());
        Ok(())
    }

    async fn run(&self, course: &mut Course<'c>, run: &'c Run, site: &Site, within: Within) -> Result<(), Halt> {
        let call = match &run.target {
            RunTarget::Native(call) => call,
            RunTarget::Defined { action, args, if_needed, name } => {
                let Some(definition) = self.core.program.actions.get(*action) else { return Ok(()) };
                let needless = course.ensured || course.needless && within != Within::Handler;
                if needless {
                    return self.left_out(course, run, site).await;
                }
                let inner = self.enter(course, definition, args, site).await?;
                let mut ensured = false;
                if *if_needed {
                    let asking = start::needless(self.core, &definition.body, &inner);
                    ensured =
                        self.asked_whether_needed(course, site, run.span, &format!("ensure {name}"), asking).await?;
                }
                let before = course.ensured;
                course.ensured |= ensured;
                let done = self.stmts(course, Kind::Inner, &definition.body, inner, within).await;
                course.ensured = before;
                return done;
            }
        };
        if course.ensured || course.needless && within != Within::Handler {
            return self.left_out(course, run, site).await;
        }
        let fits = |what: &What| matches!(what, What::Action { .. });
        let outcome = match self.recorded(course, "an action", run.span, fits)? {
            Some(What::Action { action, end: Some(end), .. }) => {
                self.done_before(run, call, site).await;
                self.answered_before(run, end.data.as_ref(), &action);
                match end {
                    ActionEnd { error: None, .. } => Ok(()),
                    ActionEnd { error: Some(error), .. } => Err((format!("`{action}` {error}"), Vec::new())),
                }
            }
            Some(What::Action { action, since, end: None }) => {
                let pending = Pending { action: action.clone(), since, within };
                match self.decided(course, pending, run, call, site).await? {
                    Some(why) => {
                        self.assume(run, site, action, why);
                        Ok(())
                    }
                    None => self.carry_out(course, run, call, site, within).await,
                }
            }
            _ => self.carry_out(course, run, call, site, within).await,
        };
        let Err((reason, failures)) = outcome else { return Ok(()) };
        if self.handles(course, within) {
            // After a failed action only a retry can recover: what was to be done is not done.
            self.handle(course, site, failures).await.map_err(|halt| halt.because(&reason))?;
        }
        Err(Halt::Failed(reason))
    }

    async fn left_out(&self, course: &mut Course<'c>, run: &Run, site: &Site) -> Result<(), Halt> {
        let fits = |what: &What| matches!(what, What::LeftOut);
        if self.recorded(course, "an action that is not needed", run.span, fits)?.is_none() {
            let action = Eval::new(self.core, site, &Round::new()).action(run).await;
            let reason = if course.ensured { ENSURED } else { NEEDLESS }.to_owned();
            self.core.emit(site, run.span, Body::ActionSkipped { action, reason });
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        course: &mut Course<'c>,
        run: &'c Run,
        call: &'c Call,
        site: &Site,
        within: Within,
    ) -> Result<(), (String, Vec<Value>)> {
        // What is safe to do again needs no proof that it was done.
        if !course.part.baseline && self.core.recording && !course.step.idempotent {
            course.part.baseline = true;
            let asking = proof::baseline(self.core, course.part.stmts, &course.part.site);
            if let Ok(expects) = self.looking(within, asking).await
                && !expects.is_empty()
            {
                self.core.emit(site, run.span, Body::Baseline { expects });
            }
        }
        let started = || {
            if within != Within::Rollback {
                self.acted(course.step);
            }
        };
        let done = action::carry_out(self.core, &self.act, site, run, call, self.flag(within), started).await;
        done.map_err(|failed| {
            let failures = vec![failure_of_action(self.core, site, &failed)];
            (String::from(failed), failures)
        })
    }

    /// An action whose end was not seen counts as done.
    fn assume(&self, run: &Run, site: &Site, action: String, why: String) {
        let reason = "the run was cut off before its answer was recorded";
        if let Some((_, var)) = &run.bind {
            self.core.slots.bind(*var, Answer::unknown(UnknownCause::NotRecorded, reason).into());
        }
        let unknown = Answer::unknown(UnknownCause::NotRecorded, reason);
        let body = Body::ActionEnded {
            action,
            ok: true,
            error: None,
            elapsed: crate::engine::events::event::Seconds::default(),
            data: run.bind.is_some().then(|| self.core.recorded(&unknown)).flatten(),
            assumed: Some(why),
        };
        self.core.emit(site, run.span, body);
    }

    fn answered_before(&self, run: &Run, data: Option<&Json>, action: &str) {
        if let Some((_, var)) = &run.bind {
            let answer = match data {
                Some(data) => recorded::read(data),
                None => Answer::unknown(UnknownCause::NotRecorded, format!("what `{action}` answered is not recorded")),
            };
            self.core.slots.bind(*var, answer.into());
        }
    }

    /// A scope of its own for a definition: its parameters, and nothing of its caller's.
    async fn enter(
        &self,
        course: &mut Course<'c>,
        definition: &Definition<Stmt>,
        args: &[Expr],
        site: &Site,
    ) -> Result<Site, Halt> {
        let eval = Eval::new(self.core, site, &Round::new());
        let mut inner = Site { scope: Scope::default(), ..site.clone() };
        for ((name, var, ty), arg) in definition.params.iter().zip(args) {
            let mut bound = match start::probes(arg) {
                // What the world said once is not asked again when the run is gone on with.
                true => self.binding(course, name, arg, arg.span, site, Within::Body).await?,
                false => eval.bound(arg).await,
            };
            if let Answer::Known(value) = &bound.answer
                && *ty != Type::Path
            {
                let value = ask::coerce(value.clone(), ty, &self.core.program.root)
                    .map_err(|why| Halt::Failed(format!("`{name}` of `{}`: {why}", definition.name)))?;
                bound.answer = Answer::Known(value);
            }
            inner = inner.with(*var, bound);
        }
        Ok(inner)
    }

    fn handles(&self, course: &mut Course<'c>, within: Within) -> bool {
        self.live(course);
        within == Within::Body && course.step.on_failure.is_some() && self.cancel.gently.cause().is_none()
    }

    /// What failed was neither an action nor a group: a handler may retry, but nothing mends it.
    pub(super) async fn unhandled(
        &self,
        course: &mut Course<'c>,
        site: &Site,
        within: Within,
        reason: String,
        span: Span,
    ) -> Result<(), Halt> {
        if self.handles(course, within) {
            let failure = failure(self.core, site, span, [("expected", "something known"), ("found", &reason)]);
            self.handle(course, site, vec![failure]).await.map_err(|halt| halt.because(&reason))?;
        }
        Err(Halt::Failed(reason))
    }

    /// Runs the step's handler.
    async fn handle(&self, course: &mut Course<'c>, site: &Site, failures: Vec<Value>) -> Result<(), Halt> {
        let Some(Handler { failures: var, body, span }) = &course.step.on_failure else { return Ok(()) };
        let site = site.in_part(Part::OnFailure);
        let fits = |what: &What| matches!(what, What::Handler { .. });
        let failures = match self.recorded(course, "`on-failure`", *span, fits)? {
            Some(What::Handler { data }) => recorded::read(&data),
            _ => {
                let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
                let failures = Answer::Known(Value::list(failures));
                let data = self.core.recorded(&failures);
                self.core.emit(&site, *span, Body::HandlerStarted { failures: count, data });
                failures
            }
        };
        let site = site.with(*var, Bound::from(failures));
        let before = course.enter(body, &site);
        let done = self.stmts(course, Kind::Part, body, site, Within::Handler).await;
        course.part = before;
        done
    }

    /// Asks a group, or takes from the record what it came to. `None`: it holds.
    async fn asked(
        &self,
        course: &mut Course<'c>,
        members: &'c [Member],
        site: &Site,
        within: Within,
    ) -> Result<Option<Failing>, Halt> {
        let span = first_span(members).unwrap_or(course.step.span);
        let fits = |what: &What| matches!(what, What::Group { .. });
        if let Some(What::Group { ok, reason }) = self.recorded(course, "a group of expects", span, fits)? {
            if ok {
                self.held_before(members, site);
            }
            return Ok((!ok).then_some(Failing { reason, failures: Vec::new() }));
        }
        let round = Round::new();
        let leaves = Expansion::of(self.core, members, site, &round);
        let (mut first, mut bad) = (None, 0);
        let mut told = Vec::new();
        let decided = |asked: Asked<'c>| {
            if asked.blocks() {
                if told.len() < MOST_FAILURES {
                    told.extend(failures(self.core, &asked));
                }
                bad += 1;
                first.get_or_insert(asked);
            }
        };
        group::ask_each(self.core, leaves, round, self.flag(within), decided).await;
        let reason = match &first {
            Some(first) => Some(reason(self.core, first, bad - 1).await),
            None => None,
        };
        self.core.emit(site, span, Body::GroupEnded { ok: reason.is_none(), reason: reason.clone() });
        told.truncate(MOST_FAILURES);
        Ok(reason.map(|reason| Failing { reason, failures: told }))
    }

    pub(super) async fn group(
        &self,
        course: &mut Course<'c>,
        members: &'c [Member],
        site: &Site,
        within: Within,
    ) -> Result<(), Halt> {
        let Some(Failing { reason, failures }) = self.asked(course, members, site, within).await? else {
            return Ok(());
        };
        if course.tape.is_empty()
            && let Some(cause) = self.flag(within).cause()
        {
            return Err(Halt::Failed(cause.to_string()));
        }
        if !self.handles(course, within) {
            return Err(Halt::Failed(reason));
        }
        self.handle(course, site, failures).await.map_err(|halt| halt.because(&reason))?;
        self.live(course);
        if course.tape.is_empty()
            && let Some(cause) = self.cancel.gently.cause()
        {
            return Err(Halt::Failed(format!("{reason}; {cause}")));
        }
        self.core.emit(site, course.step.span, Body::AskingAgain);
        match self.asked(course, members, site, within).await? {
            None => {
                course.mended.push(format!("its handler mended: {reason}"));
                Ok(())
            }
            Some(still) => Err(Halt::Failed(format!("{}, also after its handler", still.reason))),
        }
    }
}

fn first_span(members: &[Member]) -> Option<Span> {
    members.first().map(|member| match member {
        Member::Expect(expect) => expect.span,
        Member::For(each) => each.span,
        Member::If(choice) => choice.span,
        Member::Let { span, .. } => *span,
    })
}
