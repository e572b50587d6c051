//! `exec`: carries a program out, step by step, and stops the moment anything is uncertain.
//!
//! In: a program, a world that can act, what was chosen, a way to cancel. Out: events, and the verdict.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::check::program::{Definition, Expr, Handler, Member, Program, Run, RunTarget, Step, Stmt, Var};
use crate::diagnostic::Span;
use crate::value::{Answer, Number, Truth, Type, Value, display};

use super::action::{self, Failed};
use super::ask::{self, Round};
use super::cancel::{Cancel, Cause, Flag};
use super::core::{Core, Site};
use super::describe;
use super::emit::Emitter;
use super::eval::{Eval, bind_item};
use super::event::{Body, ExpectCounts, Mode, Part, Place, Seconds, Sink, State, StepCounts, StepOutcome, Verdict};
use super::group::{self, Asked, Expansion};
use super::options::{Chosen, Options};
use super::redact::Redactor;
use super::scope::{Bound, Scope, Slots};
use super::start;
use super::stop::Watch;
use super::world::{Act, Clock, Look, Trust, Vouch};

/// A world that can be changed.
#[derive(Clone)]
pub struct Real {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub act: Arc<dyn Act>,
    pub clock: Arc<dyn Clock>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub verdict: Verdict,
    /// It was cut short from outside, or by a stop block.
    pub cause: Option<Cause>,
}

/// Carries the program out.
pub async fn exec(
    program: Arc<Program>,
    world: Real,
    options: &Options,
    redactor: Arc<Redactor>,
    cancel: Cancel,
    sinks: Vec<Box<dyn Sink>>,
) -> Ended {
    let began = Instant::now();
    let chosen = Chosen::of(&program, options);
    let core = Core {
        program,
        look: world.look,
        vouch: world.vouch,
        trust: Trust::AuthorsWord,
        emitter: Emitter::new(world.clock, redactor, sinks),
        slots: Slots::default(),
        changed: None,
        secrets: tokio::sync::Mutex::default(),
    };
    start::announce(&core, Mode::Exec, &chosen);
    let watch = Watch::new(&core.program);
    let exec = Exec { core: &core, act: world.act, cancel: cancel.clone(), watch: &watch };
    let mut tally = Outcomes::default();
    tokio::select! {
        biased;
        () = exec.steps(&chosen, &mut tally) => {}
        // It only ever ends what runs; it doesn't end itself.
        () = watch.keep(&core, &cancel.gently) => {}
        () = time_limit(&core.program, &cancel.gently) => {}
        () = tell(&core, &cancel) => {}
    }
    exec.verdict(tally, &chosen, began).await
}

/// Raises the flag when the header's `timeout` has passed.
async fn time_limit(program: &Program, flag: &Flag) {
    if let Some(limit) = program.timeout {
        tokio::time::sleep(limit).await;
        let text = display::duration_text(limit.try_into().unwrap_or_default());
        flag.raise(Cause::TimeLimit(text.into()));
    }
    std::future::pending().await
}

/// Tells at once that the run was told to end: what still has to finish may take a while. A stop block tells itself.
async fn tell(core: &Core, cancel: &Cancel) {
    for flag in [&cancel.gently, &cancel.at_once] {
        let reason = flag.raised().await;
        if !matches!(flag.cause(), Some(Cause::Stop(_))) {
            core.emitter.emit(Place::default(), Body::Cancelled { reason });
        }
    }
    std::future::pending().await
}

/// What the steps came to.
#[derive(Default)]
struct Outcomes {
    steps: StepCounts,
    reasons: Vec<String>,
    recovered: Vec<String>,
}

struct Exec<'c> {
    core: &'c Core,
    act: Arc<dyn Act>,
    cancel: Cancel,
    watch: &'c Watch,
}

/// Why a step's statements did not go on.
enum Halt {
    Failed(String),
    /// A handler's `retry`: from the top, after this long.
    Retry {
        after: Duration,
        of: u32,
        attempt: u32,
    },
}

/// A step on its way.
struct Course<'c> {
    step: &'c Step,
    /// How often each `retry` was used, by where it stands.
    retries: HashMap<Span, u32>,
    /// How it was mended, each time.
    mended: Vec<String>,
    /// It is not needed: its expects hold already, so its actions are left out.
    needless: bool,
    /// What is being ensured holds already, so its actions are left out.
    ensured: bool,
}

const NEEDLESS: &str = "all that the step proves holds already";
const ENSURED: &str = "it is so already";

/// Which part of a step statements belong to: it decides whether a failure is handled and what cancels them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Body,
    Handler,
    Finally,
}

impl<'c> Exec<'c> {
    async fn steps(&self, chosen: &Chosen, tally: &mut Outcomes) {
        start::globals(self.core).await;
        let mut ended: Option<String> = None;
        let steps: &'c [Step] = &self.core.program.steps;
        for (at, step) in steps.iter().enumerate() {
            let reason = match &ended {
                _ if !chosen.holds(at) => Some("not chosen".to_owned()),
                Some(reason) => Some(reason.clone()),
                None => self.cancel.gently.cause().map(|cause| cause.to_string()),
            };
            if let Some(reason) = reason {
                tally.steps.skipped += 1;
                self.step_ended(step, StepOutcome::Skipped, Some(reason), 0, Duration::ZERO);
                continue;
            }
            self.watch.enter(at);
            let began = Instant::now();
            let (outcome, reason, attempts) = self.step(step).await;
            self.watch.leave();
            self.step_ended(step, outcome, reason.clone(), attempts, began.elapsed());
            let told = format!("step {}: {}", step.name, reason.as_deref().unwrap_or_default());
            match outcome {
                StepOutcome::Passed | StepOutcome::Planned => tally.steps.passed += 1,
                StepOutcome::Skipped => tally.steps.skipped += 1,
                StepOutcome::Recovered => {
                    tally.steps.recovered += 1;
                    tally.recovered.push(told);
                }
                StepOutcome::Failed => {
                    tally.steps.failed += 1;
                    tally.reasons.push(told);
                    ended = Some(format!("step {} failed", step.name));
                }
            }
        }
    }

    fn step_ended(&self, step: &Step, outcome: StepOutcome, reason: Option<String>, attempts: u32, elapsed: Duration) {
        let body = Body::StepEnded { outcome, reason, attempts, elapsed: Seconds::from(elapsed) };
        self.core.emit(&Site::of(step), step.span, body);
    }

    async fn verdict(&self, tally: Outcomes, chosen: &Chosen, began: Instant) -> Ended {
        let Outcomes { steps, mut reasons, recovered } = tally;
        // A condition that came to hold at the very end counts, too.
        if self.cancel.gently.cause().is_none() {
            self.watch.last(self.core, &self.cancel.gently).await;
        }
        let cause = self.cancel.gently.cause();
        if let Some(cause) = &cause {
            let told = cause.to_string();
            if !reasons.iter().any(|reason| reason.contains(&told)) {
                reasons.push(told);
            }
        }
        let verdict = if reasons.is_empty() { Verdict::Go } else { Verdict::NoGo };
        let sum = self.core.emitter.tally();
        self.core.emitter.emit(
            Place::default(),
            Body::Verdict {
                verdict,
                reasons,
                steps,
                expects: ExpectCounts {
                    held: sum.count_of(State::Holds),
                    differed: sum.count_of(State::Differs),
                    unknown: sum.count_of(State::Unknown),
                    waived: 0,
                },
                recovered,
                warnings: sum.warnings.into_values().collect(),
                partial: chosen.partial.clone(),
                elapsed: Seconds::from(began.elapsed()),
            },
        );
        Ended { verdict, cause }
    }

    /// Attempt, handler, `finally`; again where the handler says so.
    async fn step(&self, step: &'c Step) -> (StepOutcome, Option<String>, u32) {
        let site = Site::of(step);
        let mut course = Course { step, retries: HashMap::new(), mended: Vec::new(), needless: false, ensured: false };
        let mut attempt = 1;
        loop {
            let site = site.begun(self.core.emitter.now());
            self.core.emit(&site, step.span, Body::StepStarted { title: step.title.to_string(), attempt });
            if attempt == 1
                && let Some(when) = &step.when
            {
                match self.condition(when, &site, Within::Body).await {
                    Ok(true) => {}
                    Ok(false) => {
                        let reason = format!("`when {}` is false", self.core.words(when.span));
                        return (StepOutcome::Skipped, Some(reason), attempt);
                    }
                    Err(reason) => return (StepOutcome::Failed, Some(reason), attempt),
                }
            }
            if step.if_needed {
                // Told to end while it looks, it does not begin: the statements see to that.
                course.needless = self.looking(Within::Body, self.needless(&step.body, &site)).await.unwrap_or(true);
            }
            let body = self.stmts(&mut course, &step.body, site.clone(), Within::Body).await;
            let finally = match &step.finally {
                Some(finally) => {
                    let site = site.in_part(Part::Finally);
                    self.stmts(&mut course, finally, site, Within::Finally).await
                }
                None => Ok(()),
            };
            let unfinished = match finally {
                Ok(()) => None,
                Err(Halt::Failed(reason)) => Some(format!("`finally`: {reason}")),
                Err(Halt::Retry { .. }) => Some("`finally` asked for a retry".to_owned()),
            };
            match (body, unfinished) {
                (Ok(()), None) if course.mended.is_empty() => return (StepOutcome::Passed, needless(&course), attempt),
                (Ok(()), None) => return (StepOutcome::Recovered, Some(course.mended.join("; ")), attempt),
                (Ok(()), Some(reason)) => return (StepOutcome::Failed, Some(reason), attempt),
                (Err(Halt::Failed(reason)), unfinished) => {
                    let reason = unfinished.map_or(reason.clone(), |more| format!("{reason}; {more}"));
                    return (StepOutcome::Failed, Some(reason), attempt);
                }
                (Err(Halt::Retry { .. }), Some(reason)) => return (StepOutcome::Failed, Some(reason), attempt),
                (Err(Halt::Retry { after, of, attempt: nth }), None) => {
                    if let Err(reason) = self.pause(after).await {
                        return (StepOutcome::Failed, Some(reason), attempt);
                    }
                    course.mended.push(format!("retried ({nth} of at most {of})"));
                    attempt += 1;
                }
            }
        }
    }

    async fn pause(&self, after: Duration) -> Result<(), String> {
        tokio::select! {
            () = tokio::time::sleep(after) => Ok(()),
            reason = self.cancel.gently.raised() => Err(reason),
        }
    }

    /// Whether all that a step proves holds already, so that it needs no action.
    async fn needless(&self, body: &[Stmt], site: &Site) -> bool {
        start::needless(self.core, body, site).await == Truth::True
    }

    fn flag(&self, within: Within) -> &Flag {
        if within == Within::Body { &self.cancel.gently } else { &self.cancel.at_once }
    }

    /// What is looked at is not waited for once the run was told to end.
    async fn looking<T>(&self, within: Within, asking: impl Future<Output = T>) -> Result<T, String> {
        tokio::select! {
            biased;
            told = asking => Ok(told),
            reason = self.flag(within).raised() => Err(reason),
        }
    }

    async fn condition(&self, expr: &Expr, site: &Site, within: Within) -> Result<bool, String> {
        let eval = Eval::new(self.core, site, &Round::new());
        let truth = self.looking(within, eval.truth(expr)).await?;
        start::told_condition(self.core, site, expr, &truth);
        match truth {
            Truth::True => Ok(true),
            Truth::False => Ok(false),
            Truth::Unknown(unknown) => Err(format!("`{}` is unknown: {}", self.core.words(expr.span), unknown.reason)),
        }
    }

    fn stmts<'a>(
        &'a self,
        course: &'a mut Course<'c>,
        stmts: &'c [Stmt],
        site: Site,
        within: Within,
    ) -> BoxFuture<'a, Result<(), Halt>> {
        Box::pin(async move {
            for stmt in stmts {
                if let Some(cause) = self.flag(within).cause() {
                    return Err(Halt::Failed(cause.to_string()));
                }
                match stmt {
                    Stmt::Run(run) => self.run(course, run, &site, within).await?,
                    Stmt::Let { name, var, value, span } => {
                        let eval = Eval::new(self.core, &site, &Round::new());
                        let bound = self.looking(within, eval.bound(value)).await.map_err(Halt::Failed)?;
                        start::told_binding(self.core, &site, *span, name, &bound.answer);
                        self.core.slots.bind(*var, bound);
                    }
                    Stmt::Secret { name, var, value, span } => {
                        let reading = self.secret(&site, *span, name, *var, value);
                        self.looking(within, reading).await.map_err(Halt::Failed)?;
                    }
                    Stmt::Show { values, span } => {
                        let showing = start::show(self.core, &site, *span, values);
                        self.looking(within, showing).await.map_err(Halt::Failed)?;
                    }
                    Stmt::Group(members) => self.group(course, members, &site, within).await?,
                    Stmt::For(each) => {
                        let eval = Eval::new(self.core, &site, &Round::new());
                        let asking = self.looking(within, eval.items(&each.over));
                        let items = match asking.await.map_err(Halt::Failed)? {
                            Ok(items) => items,
                            Err(answer) => {
                                let list = self.core.words(each.over.span);
                                let reason = format!("`{list}` can't be looped over: {}", describe::brief(&answer));
                                self.unhandled(course, &site, within, reason, each.span).await?;
                                continue;
                            }
                        };
                        for (key, item) in &items {
                            let inner = bind_item(&site, &each.vars, key, item, None);
                            self.stmts(course, &each.body, inner, within).await?;
                        }
                    }
                    Stmt::If(choice) => {
                        let mut taken = choice.otherwise.as_deref();
                        for (condition, body) in &choice.branches {
                            match self.condition(condition, &site, within).await {
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
                            self.stmts(course, body, site.clone(), within).await?;
                        }
                    }
                    Stmt::Stop { why, span } => {
                        let reason = match why {
                            Some(why) => Eval::new(self.core, &site, &Round::new()).message(why).await,
                            None => format!("`stop` at line {}", self.core.line(*span)),
                        };
                        return Err(Halt::Failed(reason));
                    }
                    Stmt::Retry { times, after, span } => {
                        let eval = Eval::new(self.core, &site, &Round::new());
                        let of = match eval.eval(times).await {
                            Answer::Known(Value::Number(number)) => number.as_i64().unwrap_or(0),
                            _ => 0,
                        };
                        let of = u32::try_from(of).unwrap_or(0);
                        let after = match after {
                            Some(after) => eval.duration(after).await.map_err(|unknown| {
                                Halt::Failed(format!(
                                    "how long to wait before the retry is unknown: {}",
                                    unknown.reason
                                ))
                            })?,
                            None => Duration::ZERO,
                        };
                        let used = course.retries.entry(*span).or_default();
                        if *used < of {
                            *used += 1;
                            let attempt = *used;
                            self.core.emit(&site, *span, Body::Retrying { attempt, of, after: after.into() });
                            return Err(Halt::Retry { after, of, attempt });
                        }
                    }
                }
            }
            Ok(())
        })
    }

    async fn secret(&self, site: &Site, span: Span, name: &str, var: Var, value: &Expr) {
        let eval = Eval::new(self.core, site, &Round::new());
        let answer = eval.sealed(name, eval.eval(value).await);
        start::told_binding(self.core, site, span, name, &answer);
        self.core.slots.bind(var, answer.into());
    }

    async fn run(&self, course: &mut Course<'c>, run: &'c Run, site: &Site, within: Within) -> Result<(), Halt> {
        if course.ensured || course.needless && within != Within::Handler {
            let action = Eval::new(self.core, site, &Round::new()).action(run).await;
            let reason = if course.ensured { ENSURED } else { NEEDLESS }.to_owned();
            self.core.emit(site, run.span, Body::ActionSkipped { action, reason });
            return Ok(());
        }
        let call = match &run.target {
            RunTarget::Native(call) => call,
            RunTarget::Defined { action, args, if_needed, .. } => {
                let Some(definition) = self.core.program.actions.get(*action) else { return Ok(()) };
                let inner = self.enter(definition, args, site).await.map_err(Halt::Failed)?;
                let ensured = *if_needed
                    && self.looking(within, self.needless(&definition.body, &inner)).await.map_err(Halt::Failed)?;
                let before = course.ensured;
                course.ensured |= ensured;
                let done = self.stmts(course, &definition.body, inner, within).await;
                course.ensured = before;
                return done;
            }
        };
        match action::carry_out(self.core, &self.act, site, run, call, self.flag(within)).await {
            Ok(()) => Ok(()),
            Err(failed) => {
                let failures = vec![failure_of_action(self.core, site, &failed)];
                let reason = String::from(failed);
                if self.handles(course, within) {
                    // After a failed action only a retry can recover: what was to be done is not done.
                    self.handle(course, site, failures).await.map_err(|halt| halt.because(&reason))?;
                }
                Err(Halt::Failed(reason))
            }
        }
    }

    /// A scope of its own for a definition: its parameters, and nothing of its caller's.
    async fn enter(&self, definition: &Definition<Stmt>, args: &[Expr], site: &Site) -> Result<Site, String> {
        let eval = Eval::new(self.core, site, &Round::new());
        let mut inner = Site { scope: Scope::default(), ..site.clone() };
        for ((name, var, ty), arg) in definition.params.iter().zip(args) {
            let mut bound = eval.bound(arg).await;
            if let Answer::Known(value) = &bound.answer
                && *ty != Type::Path
            {
                let value = ask::coerce(value.clone(), ty, &self.core.program.root)
                    .map_err(|why| format!("`{name}` of `{}`: {why}", definition.name))?;
                bound.answer = Answer::Known(value);
            }
            inner = inner.with(*var, bound);
        }
        Ok(inner)
    }

    fn handles(&self, course: &Course<'_>, within: Within) -> bool {
        within == Within::Body && course.step.on_failure.is_some() && self.cancel.gently.cause().is_none()
    }

    /// What failed was neither an action nor a group: a handler may retry, but nothing mends it.
    async fn unhandled(
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
        let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        self.core.emit(&site, *span, Body::HandlerStarted { failures: count });
        let site = site.with(*var, Bound::from(Answer::Known(Value::list(failures))));
        self.stmts(course, body, site, Within::Handler).await
    }

    async fn ask(&self, members: &'c [Member], site: &Site, within: Within) -> Vec<Asked<'c>> {
        let round = Round::new();
        let leaves = Expansion::of(self.core, members, site, &round).await;
        group::ask_until(self.core, leaves, round, self.flag(within)).await
    }

    async fn group(
        &self,
        course: &mut Course<'c>,
        members: &'c [Member],
        site: &Site,
        within: Within,
    ) -> Result<(), Halt> {
        let asked = self.ask(members, site, within).await;
        let Some(reason) = reason(self.core, &asked).await else { return Ok(()) };
        if let Some(cause) = self.flag(within).cause() {
            return Err(Halt::Failed(cause.to_string()));
        }
        if !self.handles(course, within) {
            return Err(Halt::Failed(reason));
        }
        let failures =
            asked.iter().filter(|asked| asked.blocks()).flat_map(|asked| failures(self.core, asked)).collect();
        self.handle(course, site, failures).await.map_err(|halt| halt.because(&reason))?;
        if let Some(cause) = self.cancel.gently.cause() {
            return Err(Halt::Failed(format!("{reason}; {cause}")));
        }
        self.core.emit(site, course.step.span, Body::AskingAgain);
        let again = self.ask(members, site, within).await;
        match self::reason(self.core, &again).await {
            None => {
                course.mended.push(format!("its handler mended: {reason}"));
                Ok(())
            }
            Some(still) => Err(Halt::Failed(format!("{still}, also after its handler"))),
        }
    }
}

impl Halt {
    /// What failed first, and then what its handler came to.
    fn because(self, reason: &str) -> Halt {
        match self {
            Halt::Failed(more) => Halt::Failed(format!("{more}: {reason}")),
            retry => retry,
        }
    }
}

fn needless(course: &Course<'_>) -> Option<String> {
    course.needless.then(|| "not needed: all that it proves held already".to_owned())
}

/// Why a group fails, in a line; nothing if it holds.
async fn reason(core: &Core, asked: &[Asked<'_>]) -> Option<String> {
    let mut bad = asked.iter().filter(|asked| asked.blocks());
    let first = bad.next()?;
    let finding = first.findings.iter().find(|finding| !finding.holds()).or(first.findings.first());
    let told = match finding {
        Some(finding) => {
            let place = format!("{}:{}", core.program.sources.name(finding.span), core.line(finding.span));
            let kept = first.unkept.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
            // An id that was made up says nothing to its reader: the words that they wrote do.
            let named = first.leaf.expect.named;
            let what = match named {
                true => format!("{}{}", first.leaf.id, finding.id),
                false => group::asked_as(core, &first.leaf, finding).await.unwrap_or_else(|| finding.text.clone()),
            };
            format!("{what}: expected {}, found {}{kept} ({place})", finding.expected, finding.actual)
        }
        None => first.leaf.id.clone(),
    };
    Some(match bad.count() {
        0 => told,
        more => format!("{told}; and {more} more"),
    })
}

/// The records that a handler sees as `failures`, a row each.
fn failures(core: &Core, asked: &Asked<'_>) -> Vec<Value> {
    asked
        .findings
        .iter()
        .filter(|finding| !finding.holds())
        .map(|finding| {
            let id = format!("{}{}", asked.leaf.id, finding.id);
            let told = [("expect", &*id), ("expected", &finding.expected), ("found", &finding.actual)];
            failure(core, &asked.leaf.site, finding.span, told)
        })
        .collect()
}

fn failure_of_action(core: &Core, site: &Site, failed: &Failed) -> Value {
    let told =
        [("action", &*failed.action), ("expected", "done"), ("found", &failed.reason), ("output", &failed.output)];
    let Value::Record(record) = failure(core, site, failed.span, told) else { return Value::Null };
    let mut record = (*record).clone();
    if let Some(status) = failed.status {
        record.fields.insert("status".into(), Answer::Known(Value::Number(Number::Int(status))));
    }
    Value::Record(Arc::new(record))
}

/// A record `failure`, as `stdlib/core.runbook` declares it; what is not told is absent.
fn failure<'t>(core: &Core, site: &Site, span: Span, told: impl IntoIterator<Item = (&'t str, &'t str)>) -> Value {
    let told: HashMap<&str, &str> = told.into_iter().collect();
    let text = |field: &str| match told.get(field) {
        Some(text) => Answer::Known(Value::text(*text)),
        None => Answer::absent(format!("this failure has no `{field}`")),
    };
    let step = site.step.clone().unwrap_or_default();
    Value::record(
        "failure",
        [
            ("step", Answer::Known(Value::Text(step))),
            ("expect", text("expect")),
            ("action", text("action")),
            ("expected", text("expected")),
            ("found", text("found")),
            ("line", Answer::Known(Value::Number(Number::Int(i64::from(core.line(span)))))),
            ("output", Answer::Known(Value::text(*told.get("output").unwrap_or(&"")))),
            ("status", Answer::absent("it ended without one")),
        ],
    )
}
