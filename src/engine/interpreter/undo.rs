//! Rolling a run back: the steps whose first action had started, newest first, up to a point of no return.
//!
//! It comes behind the run's own verdict, and has a verdict beside it: ROLLED BACK, or ROLLBACK FAILED.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::Halt;
use super::replay::{History, Replay, Resuming};
use super::run_state::{Begun, Execution};
use super::task::Task;
use crate::check::program::{Program, Rollback, Step};
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::Site;
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, ExpectCounts, Part, Place, Seconds, State, StepCounts, Undone, Verdict};
use crate::engine::events::past::PastStep;
use crate::engine::options::Chosen;
use crate::value::display;

/// How a run is rolled back.
pub struct RollbackPlan<'p> {
    /// The steps that say how, newest first.
    pub undo: Vec<(&'p Step, &'p Rollback)>,
    /// Steps that have made lasting changes, and say nothing of it.
    pub stays: Vec<String>,
    /// The point of no return that it stops at.
    pub stops_at: Option<String>,
}

impl<'p> RollbackPlan<'p> {
    /// From the last step that has begun back to the first, or to a point of no return.
    pub fn of(program: &'p Program, begun: impl Fn(&Step) -> Begun) -> Self {
        let mut plan = Self { undo: Vec::new(), stays: Vec::new(), stops_at: None };
        for step in program.steps.iter().rev() {
            match (begun(step), &step.rollback) {
                (Begun::No, _) => {}
                (_, _) if step.no_return => {
                    plan.stops_at = Some(step.name.to_string());
                    break;
                }
                (_, Some(rollback)) => plan.undo.push((step, rollback)),
                (Begun::Harmless, None) => {}
                (Begun::Yes, None) => plan.stays.push(step.name.to_string()),
            }
        }
        plan
    }
}

pub(super) struct Undoing<'c> {
    run: &'c Execution<'c>,
    began: Instant,
}

impl<'c> Undoing<'c> {
    pub fn new(run: &'c Execution<'c>) -> Self {
        Self { run, began: Instant::now() }
    }

    fn past(&self, step: &Step) -> Option<&'c PastStep> {
        self.run.past.and_then(|past| past.steps.get(&*step.name))
    }

    /// Undoes them all, and says what that came to; whether it is proven that all of them were.
    pub async fn all(&self, reason: &str, decided: Verdict, chosen: &Chosen) -> bool {
        let run = self.run;
        let RollbackPlan { undo, stays, stops_at } = RollbackPlan::of(&run.core.program, |step| run.begun(step));
        if run.past.is_none_or(|past| past.rolling_back.is_none()) {
            let steps = undo.iter().map(|(step, _)| step.name.to_string()).collect();
            let (stays, stops_at) = (stays.clone(), stops_at.clone());
            let body = Body::RollbackStarted { reason: reason.to_owned(), steps, stays, stops_at };
            run.core.emitter.emit(Place::default(), body);
        }
        let mut undone = Vec::new();
        for (step, rollback) in undo {
            let done = match self.past(step).and_then(|past| past.undone.clone()).filter(|undone| undone.ok) {
                Some(before) => before,
                None => self.one(step, rollback).await,
            };
            undone.push(Undone { step: step.name.to_string(), ..done });
        }
        let mut reasons = vec![format!("rolled back: {reason}")];
        for Undone { step, ok, reason, .. } in &undone {
            if let Some(reason) = reason {
                let what = if *ok { "was undone, but" } else { "could not be undone:" };
                reasons.push(format!("step {step} {what} {reason}"));
            }
        }
        reasons
            .extend(stays.iter().map(|step| format!("step {step} has no rollback block; its changes were not undone")));
        if let Some(step) = &stops_at {
            reasons.push(format!(
                "rollback stopped at point-of-no-return step {step}; {step} and earlier steps were not undone"
            ));
        }
        run.all_is_said().await;
        // What came in the middle of it.
        if let Some(cause) = run.cancel.gently.cause().map(|cause| cause.to_string())
            && !reason.contains(&cause)
            && run.past.and_then(|past| past.ending.as_ref()).is_none_or(|ending| *ending != cause)
        {
            reasons.push(cause);
        }
        let all = undone.iter().all(|undone| undone.ok) && stops_at.is_none();
        self.verdict(all, decided, reasons, undone, chosen).await;
        all
    }

    /// Undoes one step.
    async fn one(&self, step: &'c Step, rollback: &'c Rollback) -> Undone {
        let run = self.run;
        let history = self.past(step).filter(|past| past.undone.is_none()).map(|past| past.undo.clone());
        let history = History::new(history.unwrap_or_default(), None);
        let site = Site::of(step).in_part(Part::Rollback);
        let within = match &rollback.within {
            Some(within) => Eval::new(run.core, &site, &Round::new()).duration(within).await.ok(),
            None => None,
        };
        let began = Instant::now();
        if history.is_over() {
            let body = Body::UndoStarted { title: step.title.to_string(), within: within.map(Seconds::from) };
            run.core.emit(&site, rollback.span, body);
        } else {
            run.core.emitter.silent(true);
        }
        let mut task = Task::new(run.core, step, Replay::new(run.core, history, Resuming::new(run)));
        let done = task.undo(&rollback.body, &site).await;
        run.goes_on();
        let elapsed = began.elapsed();
        let reason = done.err().map(Halt::reason);
        let ok = reason.is_none();
        let reason = reason.or_else(|| {
            let within = within.filter(|within| elapsed > *within)?;
            let text = |duration: Duration| display::duration_text(rounded(duration));
            Some(format!("took {}, longer than the {} that it may", text(elapsed), text(within)))
        });
        let undone = Undone { step: String::new(), ok, reason, elapsed: elapsed.into() };
        run.core.emit(&site, rollback.span, Body::UndoEnded(undone.clone()));
        undone
    }

    async fn verdict(&self, all: bool, decided: Verdict, reasons: Vec<String>, undone: Vec<Undone>, chosen: &Chosen) {
        let core = self.run.core;
        let sum = core.emitter.tally();
        let verdict = if all { Verdict::RolledBack } else { Verdict::RollbackFailed };
        core.emitter.emit(
            Place::default(),
            Body::Verdict {
                verdict,
                reasons,
                steps: StepCounts::default(),
                expects: ExpectCounts {
                    held: sum.count_of(State::Holds),
                    differed: sum.count_of(State::Differs),
                    unknown: sum.count_of(State::Unknown),
                    waived: sum.waived(),
                    undecided: sum.count_of(State::Undecided),
                },
                recovered: Vec::new(),
                warnings: Vec::new(),
                accepted: Vec::new(),
                undone,
                partial: chosen.partial.clone(),
                elapsed: Seconds::from(self.began.elapsed()),
                rolls_back: false,
                run_verdict: Some(decided),
            },
        );
        core.emitter.settle().await;
    }
}

fn rounded(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
