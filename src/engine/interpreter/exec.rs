//! `exec`: carries a program out, step by step, and stops the moment anything is uncertain.
//!
//! In: a program, a world that can act, what was chosen, a way to cancel; where a run is gone on with, its past. Out:
//! events, and the verdict.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::check::program::{OnStop, Program, Rollback, Step};
use crate::value::display;

use super::failure;
use super::resume::{Decisions, Footing, Looked};
use super::risk::{self, Risks};
use super::start;
use super::step::{Course, End, Halt, Within};
use super::stop::Watch;
use crate::engine::cancel::{Cancel, Cause, Flag};
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::scope::Slots;
use crate::engine::evaluation::secrets;
use crate::engine::events::emit::{Emitter, Outlets};
use crate::engine::events::event::{
    Body, ExpectCounts, Mode, Place, Resumed, Seconds, State, StepCounts, StepOutcome, Undone, Verdict,
};
use crate::engine::events::past::{Past, PastStep};
use crate::engine::expects::group::{self, Expansion};
use crate::engine::options::{Chosen, Identity, Options};
use crate::engine::redact::Redactor;
use crate::engine::world::{Act, Clock, Look, People, Trust, Vouch};

/// A world that can be changed.
#[derive(Clone)]
pub struct Real {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub act: Arc<dyn Act>,
    pub people: Arc<dyn People>,
    pub clock: Arc<dyn Clock>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub verdict: Verdict,
    /// It was cut short from outside, or by a stop block.
    pub cause: Option<Cause>,
    /// All that was to be undone was, and is proven so.
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

/// Carries the program out.
pub async fn exec(setup: Setup) -> Ended {
    Way::Anew.run(setup).await
}

/// Goes on with a run that was cut off, from the footing that `resume::preflight` found.
pub async fn resume(setup: Setup, past: &Past, footing: Footing, resumed: Resumed) -> Ended {
    Way::On(past, footing, resumed).run(setup).await
}

/// Undoes what a run has begun, newest first.
pub async fn roll_back(setup: Setup, past: &Past, reason: String) -> Ended {
    Way::Back(past, reason).run(setup).await
}

/// Which way a run goes.
#[allow(clippy::large_enum_variant)]
enum Way<'p> {
    Anew,
    On(&'p Past, Footing, Resumed),
    Back(&'p Past, String),
}

impl Way<'_> {
    async fn run(self, setup: Setup) -> Ended {
        let Setup { program, world, options, identity, redactor, cancel, outlets } = setup;
        let began = Instant::now();
        let chosen = Chosen::of(&program, &options);
        let core = core_of(program, &world, redactor, outlets, cancel.gently.clone());
        let watch = Watch::new(&core.program);
        let decisions = Decisions::default();
        let (past, footing) = match &self {
            Way::Anew => (None, Footing::default()),
            Way::On(past, footing, _) => (Some(*past), footing.clone()),
            Way::Back(past, _) => (Some(*past), Footing::default()),
        };
        let mut exec = Exec::new(&core, world.act, world.people, cancel.clone(), &watch, past, &decisions, footing);
        exec.looking = false;
        exec.host.clone_from(&identity.host);
        exec.may_undo = !options.no_rollback;
        let mut tally = Outcomes::default();
        let told = Told::default();
        if let Some(past) = past {
            core.emitter.continue_behind(&past.events);
        }
        // Known before anything is shown.
        let reading = secrets::read_early(&core);
        let early = match &self {
            // Told to end, it does nothing that could show them.
            Way::Anew => tokio::select! {
                early = reading => early,
                _ = cancel.gently.raised() => core.emitter.held(),
            },
            _ => reading.await,
        };
        match self {
            Way::Anew => start::announce(&core, Mode::Exec, &chosen, &options, Some(identity)),
            Way::On(_, _, resumed) => core.emit(&Site::default(), core.program.span, Body::Resumed(Box::new(resumed))),
            Way::Back(past, reason) => {
                tokio::select! {
                    biased;
                    () = tell(&core, &cancel, &told) => {}
                    () = exec.take_back(past, &reason, &mut tally) => {}
                }
                core.emitter.written().await;
                told.catch_up(&core, &cancel);
                return exec.verdict(tally, &chosen, began).await;
            }
        }
        core.emitter.emit_held(early);
        tokio::select! {
            biased;
            // Before what is ended goes on: the reason stands before its consequences.
            () = tell(&core, &cancel, &told) => {}
            () = exec.steps(&chosen, &mut tally) => {}
            // It only ever ends what runs; it doesn't end itself.
            () = watch_over(&core, &exec.on_its_way, &watch, &cancel.gently) => {}
            () = time_limit(&core.program, &cancel.gently) => {}
        }
        // What came last, behind which nothing waited any more: also that the last events could not be written.
        core.emitter.written().await;
        told.catch_up(&core, &cancel);
        exec.verdict(tally, &chosen, began).await
    }
}

/// The engine's state for a run.
pub(super) fn core_of(
    program: Arc<Program>,
    world: &Real,
    redactor: Arc<Redactor>,
    outlets: Outlets,
    unkept: Flag,
) -> Core {
    let emitter = Emitter::new(world.clock.clone(), redactor, outlets, unkept);
    Core {
        risks: Risks::in_force(&program, emitter.now()),
        program,
        look: world.look.clone(),
        vouch: world.vouch.clone(),
        trust: Trust::AuthorsWord,
        recording: emitter.records(),
        emitter,
        slots: Slots::default(),
        changed: None,
        secrets: tokio::sync::Mutex::default(),
        withheld: std::sync::RwLock::new([].into()),
    }
}

/// Asks the stop conditions, once the run does something that is not on its record.
async fn watch_over(core: &Core, on_its_way: &CancellationToken, watch: &Watch, flag: &Flag) {
    on_its_way.cancelled().await;
    watch.keep(core, flag).await;
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

/// Tells at once that the run was told to end: what still has to finish may take a while.
async fn tell(core: &Core, cancel: &Cancel, told: &Told) {
    for flag in [&cancel.gently, &cancel.at_once] {
        flag.raised().await;
        told.catch_up(core, cancel);
    }
    std::future::pending().await
}

/// How many of the two flags were told of.
#[derive(Default)]
struct Told(AtomicUsize);

impl Told {
    /// Tells of what was raised since. A stop block tells itself.
    fn catch_up(&self, core: &Core, cancel: &Cancel) {
        let raised = [&cancel.gently, &cancel.at_once].into_iter().filter_map(Flag::cause);
        for cause in raised.skip(self.0.load(Ordering::Relaxed)) {
            self.0.fetch_add(1, Ordering::Relaxed);
            if !matches!(cause, Cause::Stop(_)) {
                core.emitter.emit(Place::default(), Body::Cancelled { reason: cause.to_string() });
            }
        }
    }
}

/// What the steps came to.
#[derive(Default)]
struct Outcomes {
    steps: StepCounts,
    reasons: Vec<String>,
    recovered: Vec<String>,
    undone: Vec<Undone>,
    /// Undoing came to a point of no return.
    stopped_short: bool,
}

pub(super) struct Exec<'c> {
    pub core: &'c Core,
    pub act: Arc<dyn Act>,
    pub people: Arc<dyn People>,
    /// The host that it runs on.
    pub host: String,
    pub cancel: Cancel,
    watch: &'c Watch,
    pub past: Option<&'c Past>,
    /// It is only looked at what is recorded; nothing is done.
    pub looking: bool,
    looked: Mutex<Looked<'c>>,
    pub decisions: &'c Decisions,
    pub footing: Footing,
    may_undo: bool,
    /// The steps whose first action has started.
    begun: Mutex<HashSet<Arc<str>>>,
    /// A handler says that the run is to be undone: why.
    rollback: Mutex<Option<String>>,
    /// The run does what is not on its record.
    pub on_its_way: CancellationToken,
}

impl<'c> Exec<'c> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        core: &'c Core,
        act: Arc<dyn Act>,
        people: Arc<dyn People>,
        cancel: Cancel,
        watch: &'c Watch,
        past: Option<&'c Past>,
        decisions: &'c Decisions,
        footing: Footing,
    ) -> Self {
        Self {
            core,
            act,
            people,
            host: String::new(),
            cancel,
            watch,
            past,
            looking: true,
            looked: Mutex::default(),
            decisions,
            footing,
            may_undo: true,
            begun: Mutex::default(),
            rollback: Mutex::default(),
            on_its_way: CancellationToken::new(),
        }
    }

    pub(super) fn looked(&self) -> MutexGuard<'_, Looked<'c>> {
        self.looked.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What is recorded of a step, unless it is done again from its top.
    pub(super) fn past_of(&self, step: &Step) -> Option<&'c PastStep> {
        let past = self.past?.steps.get(&*step.name)?;
        let again = self.footing.redo.iter().any(|redo| **redo == *step.name);
        (past.attempt > 0 && !again).then_some(past)
    }

    pub(super) fn acted(&self, step: &Step) {
        self.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(step.name.clone());
    }

    pub(super) fn asks_for_rollback(&self, why: String) {
        self.rollback.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(why);
    }

    async fn steps(&self, chosen: &Chosen, tally: &mut Outcomes) {
        if self.past.is_none() {
            self.goes_on();
        }
        let globals = start::globals(self.core, self.past);
        match self.past {
            // Told to end, it begins no step: nothing needs the rest of them.
            None => drop(self.looking(Within::Body, globals).await),
            Some(_) => globals.await,
        }
        let mut ended: Option<String> = None;
        let steps: &'c [Step] = &self.core.program.steps;
        for (at, step) in steps.iter().enumerate() {
            let recorded = self.past.and_then(|past| past.steps.get(&*step.name));
            let past = self.past_of(step);
            if recorded.is_some_and(|past| past.acted) {
                self.acted(step);
            }
            // A step that was left out before stays so.
            if let Some(PastStep { ended: Some((StepOutcome::Skipped, ..)), attempt: 0, .. }) = recorded {
                tally.steps.skipped += 1;
                continue;
            }
            self.core.emitter.silent(past.is_some());
            if past.is_none() {
                self.goes_on();
            }
            let reason = match &ended {
                _ if !chosen.holds(at) => Some("not chosen".to_owned()),
                Some(reason) => Some(reason.clone()),
                None if past.is_some() => None,
                None => self.cancel.gently.cause().map(|cause| cause.to_string()),
            };
            if let Some(reason) = reason {
                tally.steps.skipped += 1;
                self.step_ended(step, StepOutcome::Skipped, Some(reason), 0, Duration::ZERO);
                continue;
            }
            self.watch.enter(at);
            let began = Instant::now();
            let done = self.step(step).await;
            self.watch.leave();
            let (outcome, reason) = match (past.and_then(|past| past.ended.clone()), done) {
                // What it came to is on the record; going through it told what it bound.
                (Some((outcome, reason, ..)), _) => (outcome, reason),
                (None, Ok((outcome, reason, attempts))) => {
                    self.goes_on();
                    self.step_ended(step, outcome, reason.clone(), attempts, began.elapsed());
                    (outcome, reason)
                }
                (None, Err(halt)) => {
                    self.goes_on();
                    let reason = match halt {
                        Halt::Misfit(why) | Halt::Failed(why) => why,
                        Halt::Retry { .. } | Halt::RecordEnds => "its record ends in the middle".to_owned(),
                    };
                    self.step_ended(step, StepOutcome::Failed, Some(reason.clone()), 1, began.elapsed());
                    (StepOutcome::Failed, Some(reason))
                }
            };
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
        // That the steps could not be recorded counts before anything is decided.
        self.core.emitter.written().await;
        self.goes_on();
        if ended.is_none() && self.cancel.gently.cause().is_none() && !self.decide(tally).await {
            ended = Some("the verdict does not hold".to_owned());
        }
        // A condition that came to hold at the very end counts, too.
        if self.cancel.gently.cause().is_none() && ended.is_none() {
            self.watch.last(self.core, &self.cancel.gently).await;
        }
        let failed = ended.or_else(|| self.cancel.gently.cause().map(|cause| cause.to_string()));
        let said = self.rollback.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let why = match (failed, said, self.core.program.on_stop) {
            (None, ..) | (Some(_), None, OnStop::Leave) => return,
            (Some(_), Some(said), _) => said,
            (Some(failed), None, OnStop::Rollback) => failed,
        };
        if self.may_undo {
            self.undo_all(&why, tally).await;
        } else {
            tally.reasons.push("not rolled back, as `--no-rollback` says".to_owned());
        }
    }

    /// Asks what decides; whether it holds.
    async fn decide(&self, tally: &mut Outcomes) -> bool {
        let Some(decision) = &self.core.program.verdict else { return true };
        let site = Site::of_verdict().begun(self.core.emitter.now());
        self.core.emit(&site, decision.span, Body::VerdictStarted);
        let round = Round::new();
        let leaves = Expansion::of(self.core, &decision.members, &site, &round);
        let mut bad = Vec::new();
        let decided = |asked: group::Asked<'c>| bad.extend(asked.blocks().then_some(asked));
        group::ask_each(self.core, leaves, round, &self.cancel.gently, decided).await;
        let mut first = None;
        for asked in &bad {
            let reason = failure::reason(self.core, asked, 0).await;
            tally.reasons.push(format!("verdict: {reason}"));
            first.get_or_insert(reason);
        }
        let ok = first.is_none();
        self.core.emit(&site, decision.span, Body::GroupEnded { ok, reason: first });
        ok
    }

    /// Undoes a run that has ended, or was cut off.
    async fn take_back(&self, past: &'c Past, reason: &str, tally: &mut Outcomes) {
        self.core.emitter.silent(true);
        start::globals(self.core, Some(past)).await;
        for step in &self.core.program.steps {
            let Some(recorded) = past.steps.get(&*step.name) else { continue };
            if recorded.acted {
                self.acted(step);
            }
            if recorded.attempt > 0 {
                // Gone through for what it bound.
                let mut course = Course::new(step, recorded.tape.clone(), End::Looking);
                let _ = self.go_through(&mut course, recorded).await;
            }
            match recorded.ended.as_ref().map(|(outcome, ..)| outcome) {
                Some(StepOutcome::Passed | StepOutcome::Planned) => tally.steps.passed += 1,
                Some(StepOutcome::Recovered) => tally.steps.recovered += 1,
                Some(StepOutcome::Skipped) => tally.steps.skipped += 1,
                Some(StepOutcome::Failed) | None => tally.steps.failed += 1,
            }
        }
        self.core.emitter.silent(false);
        tally.reasons.push(format!("rolled back: {reason}"));
        self.undo_all(reason, tally).await;
    }

    /// Undoes the steps whose first action had started, newest first, up to a point of no return.
    async fn undo_all(&self, reason: &str, tally: &mut Outcomes) {
        let begun = self.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let WayBack { undo, stays, stops_at } = WayBack::of(&self.core.program, |step| begun.contains(&step.name));
        let past = |step: &Step| self.past.and_then(|past| past.steps.get(&*step.name));
        if !self.past.is_some_and(|past| past.undoing && past.verdict.is_none()) {
            let steps = undo.iter().map(|(step, _)| step.name.to_string()).collect();
            let body = Body::RollbackStarted {
                reason: reason.to_owned(),
                steps,
                stays: stays.clone(),
                stops_at: stops_at.clone(),
            };
            self.core.emitter.emit(Place::default(), body);
        }
        for (step, rollback) in undo {
            if let Some(undone) = past(step).and_then(|past| past.undone.clone()).filter(|undone| undone.ok) {
                tally.undone.push(Undone { step: step.name.to_string(), ..undone });
                continue;
            }
            let tape =
                past(step).filter(|past| past.undone.is_none()).map(|past| past.undo.clone()).unwrap_or_default();
            let site = Site::of(step).in_part(crate::engine::events::event::Part::Rollback);
            let within = match &rollback.within {
                Some(within) => Eval::new(self.core, &site, &Round::new()).duration(within).await.ok(),
                None => None,
            };
            let began = Instant::now();
            let mut course = Course::new(step, tape, End::Live);
            if course.tape.is_empty() {
                let body = Body::UndoStarted { title: step.title.to_string(), within: within.map(Seconds::from) };
                self.core.emit(&site, rollback.span, body);
            } else {
                self.core.emitter.silent(true);
            }
            let done = self.undo(&mut course, &rollback.body, &site).await;
            self.goes_on();
            let elapsed = began.elapsed();
            let reason = match done {
                Ok(()) => None,
                Err(Halt::Failed(why) | Halt::Misfit(why)) => Some(why),
                Err(Halt::Retry { .. } | Halt::RecordEnds) => Some("its record ends in the middle".to_owned()),
            };
            let ok = reason.is_none();
            let reason = reason.or_else(|| {
                let within = within.filter(|within| elapsed > *within)?;
                let text = |duration: Duration| display::duration_text(rounded(duration));
                Some(format!("took {}, longer than the {} that it may", text(elapsed), text(within)))
            });
            let undone = Undone { step: String::new(), ok, reason, elapsed: elapsed.into() };
            self.core.emit(&site, rollback.span, Body::UndoEnded(undone.clone()));
            if let Some(reason) = &undone.reason {
                let what = if ok { "was undone, but" } else { "could not be undone:" };
                tally.reasons.push(format!("step {} {what} {reason}", step.name));
            }
            tally.undone.push(Undone { step: step.name.to_string(), ..undone });
        }
        for step in stays {
            tally.reasons.push(format!("step {step} has no `rollback`: what it did stays"));
        }
        if let Some(step) = stops_at {
            tally.stopped_short = true;
            tally.reasons.push(format!("there is no way back from step {step}: it and what was done before it stay"));
        }
    }

    fn step_ended(&self, step: &Step, outcome: StepOutcome, reason: Option<String>, attempts: u32, elapsed: Duration) {
        let body = Body::StepEnded { outcome, reason, attempts, elapsed: Seconds::from(elapsed) };
        self.core.emit(&Site::of(step), step.span, body);
    }

    async fn verdict(&self, tally: Outcomes, chosen: &Chosen, began: Instant) -> Ended {
        let Outcomes { steps, mut reasons, recovered, undone, stopped_short } = tally;
        let cause = self.cancel.gently.cause();
        let all_undone = undone.iter().all(|undone| undone.ok) && !stopped_short;
        if let Some(cause) = &cause {
            let told = cause.to_string();
            if !reasons.iter().any(|reason| reason.contains(&told)) {
                reasons.push(told);
            }
        }
        let verdict = if reasons.is_empty() { Verdict::Go } else { Verdict::NoGo };
        let sum = self.core.emitter.tally();
        let whole = chosen.partial.is_none() && steps.failed == 0 && cause.is_none();
        let (accepted, remarks) = risk::account(&self.core.program, &sum.risks, self.core.emitter.now(), whole);
        // Of a run that was cut off, the whole time counts.
        let elapsed = match self.past {
            Some(past) => self.core.emitter.now().duration_since(past.began).try_into().unwrap_or_default(),
            None => began.elapsed(),
        };
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
                    waived: sum.waived(),
                    undecided: sum.count_of(State::Undecided),
                },
                recovered,
                warnings: sum.warnings.into_values().chain(remarks).collect(),
                accepted,
                undone,
                partial: chosen.partial.clone(),
                elapsed: Seconds::from(elapsed),
            },
        );
        self.core.emitter.settle().await;
        // That the verdict itself could not be kept counts, too.
        let unkept = self.cancel.gently.cause().filter(|cause| matches!(cause, Cause::Unkept(_)));
        Ended { verdict, cause: cause.or(unkept), undone: all_undone }
    }
}

/// How a run is undone.
pub struct WayBack<'p> {
    /// The steps that say how, newest first.
    pub undo: Vec<(&'p Step, &'p Rollback)>,
    /// Steps that have begun, and say nothing of it.
    pub stays: Vec<String>,
    /// The point of no return that it stops at.
    pub stops_at: Option<String>,
}

impl<'p> WayBack<'p> {
    /// From the last step that has begun back to the first, or to a point of no return.
    pub fn of(program: &'p Program, begun: impl Fn(&Step) -> bool) -> Self {
        let mut way = Self { undo: Vec::new(), stays: Vec::new(), stops_at: None };
        for step in program.steps.iter().rev().filter(|step| begun(step)) {
            if step.no_return {
                way.stops_at = Some(step.name.to_string());
                break;
            }
            match &step.rollback {
                Some(rollback) => way.undo.push((step, rollback)),
                None => way.stays.push(step.name.to_string()),
            }
        }
        way
    }
}

fn rounded(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
