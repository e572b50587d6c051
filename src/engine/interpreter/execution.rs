//! `exec`, `resume` and `rollback`: a run, step by step, which stops the moment anything is uncertain.
//!
//! In: a program, a world that can act, what was chosen, a way to cancel; where a run is resumed, its history. Out: events,
//! and the verdict.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::context;
use super::driver::Section;
use super::footing::Footing;
use super::preflight;
use super::replay::{History, Replay, Resuming};
use super::run_state::{Execution, lock};
use super::start;
use super::stop::Stops;
use super::task::{StepEnd, Task};
use super::undo::Undoing;
use super::verdict::Outcomes;
use crate::check::program::{OnStop, Program, Step};
use crate::engine::cancel::{Cancel, Cause, Flag};
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::secrets;
use crate::engine::events::emit::Outlets;
use crate::engine::events::event::{Body, Mode, Resumed, Seconds, StepOutcome, Verdict};
use crate::engine::events::past::{Past, PastStep};
use crate::engine::options::{Chosen, Identity, Options};
use crate::engine::redact::Redactor;
use crate::engine::world::{ReadOnly, Real, Trust};
use crate::value::display;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The run's own verdict; a rollback has one beside it.
    pub verdict: Verdict,
    /// It was cut short from outside, or by a stop block.
    pub cause: Option<Cause>,
    /// Whether all that was to be rolled back was, and is proven so.
    pub undone: bool,
}

/// All that a run is made of.
pub struct Setup {
    pub program: Arc<Program>,
    pub world: Real,
    pub options: Options,
    pub identity: Identity,
    pub redactor: Arc<Redactor>,
    pub cancel: Cancel,
    pub outlets: Outlets,
}

/// Runs the program.
pub async fn exec(setup: Setup) -> Ended {
    RunMode::Fresh.run(setup).await
}

/// Resumes a run that was cut off, from the footing that `resume::preflight` found.
pub async fn resume(setup: Setup, past: &Past, footing: Footing, resumed: Resumed) -> Ended {
    RunMode::Resume(past, Box::new((footing, resumed))).run(setup).await
}

/// Rolls back what a run has begun, newest first.
pub async fn roll_back(setup: Setup, past: &Past, reason: String) -> Ended {
    RunMode::Rollback(past, reason).run(setup).await
}

enum RunMode<'p> {
    Fresh,
    Resume(&'p Past, Box<(Footing, Resumed)>),
    Rollback(&'p Past, String),
}

impl RunMode<'_> {
    async fn run(self, setup: Setup) -> Ended {
        let Setup { program, world, options, identity, redactor, cancel, outlets } = setup;
        let chosen = Chosen::of(&program, &options);
        let readable = ReadOnly::from(&world);
        let core = context(program, &readable, Trust::AuthorsWord, redactor, outlets, cancel.gently.clone(), false);
        let stops = Stops::new(&core.program);
        let (past, footing) = match &self {
            RunMode::Fresh => (None, Footing::default()),
            RunMode::Resume(past, how) => (Some(*past), how.0.clone()),
            RunMode::Rollback(past, _) => (Some(*past), Footing::default()),
        };
        let run = Execution {
            core: &core,
            act: world.act,
            people: world.people,
            host: identity.host.clone(),
            cancel: cancel.clone(),
            stops: &stops,
            past,
            footing,
            may_roll_back: !options.no_rollback,
            began: Instant::now(),
            acted: Mutex::default(),
            rollback: Mutex::default(),
            under_way: CancellationToken::new(),
            causes_shown: AtomicUsize::new(0),
        };
        let timeout = core.program.timeout.filter(|_| !matches!(self, RunMode::Rollback(..)));
        let mut outcomes = Outcomes::default();
        if let Some(past) = past {
            core.emitter.continue_behind(&past.events);
        }
        // Known before anything is shown.
        let reading = secrets::read_early(&core);
        let early = match &self {
            // A run that has to end does nothing that could show them.
            RunMode::Fresh => tokio::select! {
                early = reading => early,
                _ = cancel.gently.raised() => core.emitter.held(),
            },
            _ => reading.await,
        };
        let going = async {
            let steps = async {
                match self {
                    RunMode::Fresh => {
                        start::announce(&core, Mode::Exec, &chosen, &options, Some(identity));
                        core.emitter.emit_held(early);
                        run.steps(&chosen, &mut outcomes).await;
                    }
                    RunMode::Resume(_, how) => {
                        core.emit(&Site::default(), core.program.span, Body::Resumed(Box::new(how.1)));
                        core.emitter.emit_held(early);
                        run.steps(&chosen, &mut outcomes).await;
                    }
                    RunMode::Rollback(past, reason) => run.take_back(past, &reason, &mut outcomes).await,
                }
            };
            tokio::select! {
                biased;
                () = steps => {}
                // They only ever end what runs; they don't end themselves. A rollback is not ended by them.
                () = watch_over(&core, &run.under_way, &stops, &cancel.gently) => {}
                () = time_limit(timeout, &cancel.gently) => {}
            }
            run.all_is_said().await;
            run.finish(outcomes, &chosen).await
        };
        tokio::select! {
            biased;
            // Before what is ended goes on: the reason stands before its consequences.
            never = run.show_causes() => match never {},
            ended = going => ended,
        }
    }
}

/// Polls the stop conditions, once the run does something that is not in its journal.
async fn watch_over(core: &Core, under_way: &CancellationToken, stops: &Stops, flag: &Flag) {
    under_way.cancelled().await;
    stops.keep(core, flag).await;
}

/// Raises the flag when the header's `timeout` has passed. Never returns.
async fn time_limit(limit: Option<Duration>, flag: &Flag) {
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        let text = display::duration_text(limit.try_into().unwrap_or_default());
        flag.raise(Cause::TimeLimit(text.into()));
    }
    std::future::pending().await
}

impl<'c> Execution<'c> {
    async fn steps(&'c self, chosen: &Chosen, outcomes: &mut Outcomes) {
        if self.past.is_none() {
            self.core.emitter.silent(false);
        }
        let globals = start::globals(self.core, self.past);
        match self.past {
            // A run that has to end begins no step: nothing needs the rest of them.
            None => drop(self.unless_ended(Section::Body, globals).await),
            Some(_) => globals.await,
        }
        if self.past.is_none()
            && let Err(refused) = preflight::before_exec(self, chosen).await
        {
            self.cancel.gently.raise(Cause::Preflight(refused.into()));
        }
        if self.past.is_none() {
            self.goes_on();
        }
        let mut ended: Option<String> = None;
        let steps: &'c [Step] = &self.core.program.steps;
        for (at, step) in steps.iter().enumerate() {
            if let Some(reason) = self.one(at, step, chosen, ended.as_deref(), outcomes).await {
                ended = Some(reason);
            }
        }
        // That the steps could not be journaled counts before anything is decided.
        self.core.emitter.written().await;
        self.goes_on();
        if self.past.is_some_and(|past| past.decided.is_some()) {
            // The verdict is in the journal: what is left is the rollback.
        } else {
            if ended.is_none() && self.cancel.gently.cause().is_none() && !self.decide(outcomes).await {
                ended = Some("the verdict does not hold".to_owned());
            }
            // A condition that is pending at the very end is decided first.
            if self.cancel.gently.cause().is_none() && ended.is_none() {
                self.stops.last(self.core, &self.cancel.gently).await;
            }
        }
        outcomes.ended = ended.or_else(|| self.cancel.gently.cause().map(|cause| cause.to_string()));
    }

    /// One step. Out: why no other one begins, if that is so.
    async fn one(
        &'c self,
        at: usize,
        step: &'c Step,
        chosen: &Chosen,
        ended: Option<&str>,
        outcomes: &mut Outcomes,
    ) -> Option<String> {
        let recorded = self.past.and_then(|past| past.steps.get(&*step.name));
        let past = self.past_of(step);
        if let Some(past) = recorded.filter(|past| past.acted) {
            self.acted(step, past.changed);
        }
        // A step that was left out before stays so.
        if let Some(PastStep { ended: Some((StepOutcome::Skipped, ..)), attempt: 0, .. }) = recorded {
            outcomes.steps.skipped += 1;
            return None;
        }
        self.core.emitter.silent(past.is_some());
        if past.is_none() {
            self.goes_on();
        }
        let mut reason = match ended {
            _ if !chosen.holds(at) => Some("not chosen".to_owned()),
            Some(reason) => Some(reason.to_owned()),
            None if past.is_some() => None,
            None => self.cancel.gently.cause().map(|cause| cause.to_string()),
        };
        if reason.is_none() {
            self.stops.enter(at);
            if past.is_none() {
                // What is in force from this step on is decided before it begins.
                self.stops.before(self.core, at, &self.cancel.gently).await;
                reason = self.cancel.gently.cause().map(|cause| cause.to_string());
            }
        }
        if let Some(reason) = reason {
            self.stops.leave();
            outcomes.steps.skipped += 1;
            self.step_ended(step, StepOutcome::Skipped, Some(reason), 0, Duration::ZERO);
            return None;
        }
        let began = Instant::now();
        let history = match past {
            Some(past) => {
                let ended = past.ended.as_ref().map(|(_, reason, ..)| reason.clone().unwrap_or_default());
                History::new(past.tape.clone(), ended)
            }
            None => History::none(),
        };
        let mut task = Task::new(self.core, step, Replay::new(self.core, history, Resuming::new(self)));
        if let Some(past) = past {
            task.position.retries.clone_from(&past.retries);
            task.recovered.clone_from(&past.mended);
        }
        let done = task.step(past.map(|past| (past.attempt, past.began))).await;
        self.stops.leave();
        let (outcome, reason) = match (past.and_then(|past| past.ended.clone()), done) {
            // What it came to is in the journal; going through it brought back what it bound.
            (Some((outcome, reason, ..)), _) => (outcome, reason),
            (None, Ok(StepEnd { outcome, reason, attempts })) => {
                self.goes_on();
                self.step_ended(step, outcome, reason.clone(), attempts, began.elapsed());
                (outcome, reason)
            }
            (None, Err(halt)) => {
                self.goes_on();
                let reason = halt.reason();
                self.step_ended(step, StepOutcome::Failed, Some(reason.clone()), 1, began.elapsed());
                (StepOutcome::Failed, Some(reason))
            }
        };
        outcomes.step(step, outcome, reason.as_deref().unwrap_or_default())
    }

    /// Rolls back a run that has ended, or was cut off.
    async fn take_back(&'c self, past: &'c Past, reason: &str, outcomes: &mut Outcomes) {
        self.core.emitter.silent(true);
        start::globals(self.core, Some(past)).await;
        for step in &self.core.program.steps {
            let Some(recorded) = past.steps.get(&*step.name) else { continue };
            if recorded.acted {
                self.acted(step, recorded.changed);
            }
            if recorded.attempt > 0 {
                // Gone through for what it bound.
                let history = History::new(recorded.tape.clone(), Some(String::new()));
                let mut task = Task::new(self.core, step, Replay::new(self.core, history, Resuming::new(self)));
                task.position.retries.clone_from(&recorded.retries);
                task.go_through(recorded.attempt, recorded.began).await;
            }
            if let Some((outcome, reason, ..)) = &recorded.ended {
                let _ = outcomes.step(step, *outcome, reason.as_deref().unwrap_or_default());
            }
        }
        self.core.emitter.silent(false);
        if past.decided.is_none() {
            outcomes.reasons.push("the run was cut off, and is rolled back instead of resumed".to_owned());
        }
        outcomes.asked_for_rollback = Some(reason.to_owned());
    }

    /// The verdict; behind it the rollback, which has one of its own.
    async fn finish(&'c self, mut outcomes: Outcomes, chosen: &Chosen) -> Ended {
        // One that was cut off in its rollback is rolled back to the end.
        let begun = self.past.and_then(|past| past.rolling_back.clone());
        let rollback = match outcomes.asked_for_rollback.take().or(begun) {
            Some(reason) => Some(reason),
            None => self.rollback_why(&mut outcomes),
        };
        let decided = match self.past.and_then(|past| past.decided) {
            Some(verdict) => verdict,
            None => self.verdict(&outcomes, chosen, rollback.is_some()).await,
        };
        let mut undone = true;
        if let Some(reason) = rollback {
            undone = Undoing::new(self).all(&reason, decided, chosen).await;
        }
        self.core.emitter.settle().await;
        // What ended the rollback, and that the verdict itself could not be journaled, counts, too.
        Ended { verdict: decided, cause: self.cancel.gently.cause(), undone }
    }

    /// Why the run is rolled back, if it is.
    fn rollback_why(&self, outcomes: &mut Outcomes) -> Option<String> {
        let failed = outcomes.ended.clone()?;
        let asked = lock(&self.rollback).clone();
        let why = match (asked, self.core.program.on_stop) {
            (None, OnStop::Leave) => return None,
            (Some(asked), _) => asked,
            (None, OnStop::Rollback) => failed,
        };
        if self.may_roll_back {
            // What has not begun needs none.
            return self.core.program.steps.iter().any(|step| self.has_acted(step)).then_some(why);
        }
        outcomes.remarks.push("not rolled back, as `--no-rollback` says".to_owned());
        None
    }

    fn step_ended(&self, step: &Step, outcome: StepOutcome, reason: Option<String>, attempts: u32, elapsed: Duration) {
        let body = Body::StepEnded { outcome, reason, attempts, elapsed: Seconds::from(elapsed) };
        self.core.emit(&Site::of(step), step.span, body);
    }
}
