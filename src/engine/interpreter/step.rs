//! The life of a step: attempt, handler, `finally`, again where the handler says so; and its statements, in their order.
//!
//! In: a step of the program, and, where a run is gone on with, the tape of what happened in it before. Out: events, and
//! what the step came to. What stands on the tape is taken from there; what stands behind its end is done.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::check::program::{Step, Stmt};
use crate::diagnostic::Span;

use super::exec::Exec;
use super::start;
use crate::engine::evaluation::core::Site;
use crate::engine::events::event::{Body, Part, StepOutcome};
use crate::engine::events::past::{Happened, PastStep, What, retried};

/// Why a step's statements did not go on.
pub(super) enum Halt {
    Failed(String),
    /// A handler's `retry`: from the top, after this long.
    Retry {
        after: Duration,
        of: u32,
        attempt: u32,
    },
    /// A look ahead has come to the end of what is recorded.
    RecordEnds,
    /// The record and the runbook do not fit together.
    Misfit(String),
}

/// What comes behind the end of a tape.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The world: what is not recorded is done.
    Live,
    /// Nothing: it is only looked at what is recorded.
    Looking,
    /// Nothing: the step has ended, for this reason.
    Ended(String),
}

/// A step on its way.
pub(super) struct Course<'c> {
    pub step: &'c Step,
    /// How often each `retry` was used, by its place.
    pub retries: HashMap<(String, u32), u32>,
    /// How it was mended, each time.
    pub mended: Vec<String>,
    /// It is not needed: its expects hold already, so its actions are left out.
    pub needless: bool,
    /// What is being ensured holds already, so its actions are left out.
    pub ensured: bool,
    /// What is recorded of this attempt, and not yet gone through.
    pub tape: VecDeque<Happened>,
    pub end: End,
    pub part: CurrentPart<'c>,
    /// The lists of statements that it is in, innermost last.
    pub frames: Vec<Frame<'c>>,
}

/// A list of statements that is being carried out, and how far.
pub(super) struct Frame<'c> {
    pub kind: Kind,
    pub stmts: &'c [Stmt],
    pub at: usize,
    pub site: Site,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of a part of a step.
    Part,
    /// A loop at one of its items.
    Loop,
    /// A branch, or an `action` of the language.
    Inner,
}

/// Where in a step: the part that is being carried out.
#[derive(Clone, Default)]
pub(super) struct CurrentPart<'c> {
    pub stmts: &'c [Stmt],
    pub site: Site,
    /// What it proves was asked before its first action.
    pub baseline: bool,
}

/// Which part of a step statements belong to: it decides whether a failure is handled and what cancels them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Body,
    Handler,
    Finally,
    Rollback,
}

impl<'c> Course<'c> {
    pub fn new(step: &'c Step, tape: VecDeque<Happened>, end: End) -> Self {
        Self {
            step,
            retries: HashMap::new(),
            mended: Vec::new(),
            needless: false,
            ensured: false,
            tape,
            end,
            part: CurrentPart::default(),
            frames: Vec::new(),
        }
    }

    /// Begins a part; what it returns is gone back to behind it.
    pub fn enter(&mut self, stmts: &'c [Stmt], site: &Site) -> CurrentPart<'c> {
        std::mem::replace(&mut self.part, CurrentPart { stmts, site: site.clone(), baseline: false })
    }
}

impl<'c> Exec<'c> {
    /// Attempt, handler, `finally`; again where the handler says so.
    pub(super) async fn step(&self, step: &'c Step) -> Result<(StepOutcome, Option<String>, u32), Halt> {
        let past = self.past_of(step);
        let end = match past.map(|past| &past.ended) {
            _ if self.looking => End::Looking,
            Some(Some((_, reason, ..))) => End::Ended(reason.clone().unwrap_or_default()),
            _ => End::Live,
        };
        let mut course = Course::new(step, past.map(|past| past.tape.clone()).unwrap_or_default(), end);
        let mut attempt = 1;
        let mut began = None;
        if let Some(past) = past {
            course.retries.clone_from(&past.retries);
            course.mended.clone_from(&past.mended);
            (attempt, began) = (past.attempt, Some(past.began));
        }
        loop {
            let resumed = began.take();
            let site = Site::of(step).begun(resumed.unwrap_or_else(|| self.core.emitter.now()));
            if resumed.is_none() {
                self.live(&mut course);
                self.core.emit(&site, step.span, Body::StepStarted { title: step.title.to_string(), attempt });
            }
            let (body, unfinished) = match self.attempt(&mut course, &site, attempt).await? {
                Some(done) => done,
                None => {
                    self.core.leave_out(step);
                    let words = step.when.as_ref().map(|when| self.core.words(when.span)).unwrap_or_default();
                    return Ok((StepOutcome::Skipped, Some(format!("`when {words}` is false")), attempt));
                }
            };
            return Ok(match (body, unfinished) {
                (Ok(()), None) if course.mended.is_empty() => (StepOutcome::Passed, needless(&course), attempt),
                (Ok(()), None) => (StepOutcome::Recovered, Some(course.mended.join("; ")), attempt),
                (Ok(()), Some(reason)) | (Err(Halt::Retry { .. }), Some(reason)) => {
                    (StepOutcome::Failed, Some(reason), attempt)
                }
                (Err(Halt::Failed(reason)), unfinished) => {
                    let reason = unfinished.map_or(reason.clone(), |more| format!("{reason}; {more}"));
                    (StepOutcome::Failed, Some(reason), attempt)
                }
                (Err(Halt::Retry { after, of, attempt: nth }), None) => {
                    self.live(&mut course);
                    if matches!(course.end, End::Looking) {
                        return Err(Halt::RecordEnds);
                    }
                    if let Err(reason) = self.pause(after).await {
                        return Ok((StepOutcome::Failed, Some(reason), attempt));
                    }
                    course.mended.push(retried(nth, of));
                    course.tape.clear();
                    attempt += 1;
                    continue;
                }
                (Err(halt), _) => return Err(halt),
            });
        }
    }

    /// Once from the top: what the body came to, and why `finally` failed, if it did. `None`: its `when` is false.
    #[allow(clippy::type_complexity)]
    async fn attempt(
        &self,
        course: &mut Course<'c>,
        site: &Site,
        attempt: u32,
    ) -> Result<Option<(Result<(), Halt>, Option<String>)>, Halt> {
        let step = course.step;
        if attempt == 1
            && let Some(when) = &step.when
        {
            match self.condition(course, when, site, Within::Body).await? {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(reason) => return Ok(Some((Err(Halt::Failed(reason)), None))),
            }
        }
        if step.if_needed {
            // Told to end while it looks, it does not begin: the statements see to that.
            let asking = start::needless(self.core, &step.body, site);
            course.needless = self.asked_whether_needed(course, site, step.span, "if needed", asking).await?;
        }
        let before = course.enter(&step.body, site);
        let body = self.stmts(course, Kind::Part, &step.body, site.clone(), Within::Body).await;
        course.part = before;
        if let Err(halt @ (Halt::RecordEnds | Halt::Misfit(_))) = body {
            return Err(halt);
        }
        let Some(finally) = &step.finally else { return Ok(Some((body, None))) };
        let site = site.in_part(Part::Finally);
        let before = course.enter(finally, &site);
        let done = self.stmts(course, Kind::Part, finally, site, Within::Finally).await;
        course.part = before;
        let unfinished = match done {
            Ok(()) => None,
            Err(Halt::Failed(reason)) => Some(format!("`finally`: {reason}")),
            Err(Halt::Retry { .. }) => Some("`finally` asked for a retry".to_owned()),
            Err(halt) => return Err(halt),
        };
        Ok(Some((body, unfinished)))
    }

    /// Goes through what is recorded of a step, for what it bound.
    pub(super) async fn go_through(&self, course: &mut Course<'c>, past: &PastStep) {
        course.retries.clone_from(&past.retries);
        let site = Site::of(course.step).begun(past.began);
        let _ = self.attempt(course, &site, past.attempt).await;
    }

    /// Undoes a step.
    pub(super) async fn undo(&self, course: &mut Course<'c>, body: &'c [Stmt], site: &Site) -> Result<(), Halt> {
        let site = site.in_part(Part::Rollback);
        let before = course.enter(body, &site);
        let done = self.stmts(course, Kind::Part, body, site, Within::Rollback).await;
        course.part = before;
        done
    }

    /// What is recorded at this place, if it is; else it is to be done.
    pub(super) fn recorded(
        &self,
        course: &mut Course<'c>,
        expected: &str,
        span: Span,
        fits: impl FnOnce(&What) -> bool,
    ) -> Result<Option<What>, Halt> {
        let Some(next) = course.tape.front() else {
            return match &course.end {
                End::Looking => Err(Halt::RecordEnds),
                End::Ended(reason) => Err(Halt::Failed(reason.clone())),
                End::Live => {
                    self.live(course);
                    Ok(None)
                }
            };
        };
        if !fits(&next.what) {
            let place = format!("{}:{}", self.core.program.sources.name(span), self.core.line(span));
            return Err(Halt::Misfit(format!(
                "in step `{}` the runbook comes to {expected} ({place}), where the record has {} ({}:{})",
                course.step.name,
                next.what.kind(),
                next.file,
                next.line
            )));
        }
        Ok(course.tape.pop_front().map(|happened| happened.what))
    }

    /// From here on, what happens is told: it is not on the record.
    pub(super) fn live(&self, course: &mut Course<'c>) {
        if course.tape.is_empty() && matches!(course.end, End::Live) {
            self.goes_on();
        }
    }

    async fn pause(&self, after: Duration) -> Result<(), String> {
        tokio::select! {
            () = tokio::time::sleep(after) => Ok(()),
            reason = self.cancel.gently.raised() => Err(reason),
        }
    }
}

impl What {
    /// As a misfit names it.
    fn kind(&self) -> String {
        match self {
            What::Bound { name, .. } => format!("the binding `{name}`"),
            What::Condition { .. } => "a condition".to_owned(),
            What::Action { action, .. } => format!("the action `{action}`"),
            What::LeftOut => "an action that was not needed".to_owned(),
            What::Group { .. } => "a group of expects".to_owned(),
            What::Handler { .. } => "`on-failure`".to_owned(),
            What::Confirmed { .. } => "a confirmation".to_owned(),
            What::Retry { .. } => "a retry".to_owned(),
        }
    }
}

impl Halt {
    /// What failed first, and then what its handler came to.
    pub(super) fn because(self, reason: &str) -> Halt {
        match self {
            Halt::Failed(more) => Halt::Failed(format!("{more}: {reason}")),
            other => other,
        }
    }
}

fn needless(course: &Course<'_>) -> Option<String> {
    course.needless.then(|| "not needed: all that it proves held already".to_owned())
}
