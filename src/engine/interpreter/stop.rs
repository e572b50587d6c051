//! Stop blocks: standing conditions that are polled while a run goes on, and end it.
//!
//! In: the conditions of a program, the step that the run is in. Out: the flag that ends the run. When a condition is quiet
//! and when it trips is decided by [`Standing`], which knows no clock and no world. A run neither starts nor ends while one
//! of them is undecided.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::check::program::{Program, Stop, StopKind};
use crate::engine::cancel::{Cause, Flag};
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, State, StopState};
use crate::value::Truth;

const DEFAULT_EVERY: Duration = Duration::from_secs(5);

/// How often a condition is polled that has to be decided before the run goes on.
const DECIDING_EVERY: Duration = Duration::from_millis(500);

/// How long a condition may be unknown before that, too, stops the run; and how long a run waits for one to be decided.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// No step is being run.
const BETWEEN: usize = usize::MAX;

/// What one poll of a condition comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ruling {
    Quiet,
    /// Not quiet, and not for long enough to stop the run: until then.
    Pending(Instant),
    /// It ends the run: whether on what is known, and what was found.
    Trips(State, String),
}

/// A condition over time: since when it has not been quiet.
#[derive(Clone, Debug, Default)]
struct Standing {
    tripping: Option<Instant>,
    unknown: Option<Instant>,
    polled: Option<Instant>,
}

/// What trips a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// True for that long; or unknown for 30 s.
    When(Duration),
    /// Not true for that long.
    Unless(Duration),
}

impl Standing {
    /// Takes an answer. `gap`: after a longer pause between two polls, what lay between them is not known.
    fn poll(&mut self, rule: Rule, truth: &Truth, now: Instant, gap: Duration) -> Ruling {
        if self.polled.is_some_and(|polled| now.saturating_duration_since(polled) > gap) {
            *self = Self::default();
        }
        self.polled = Some(now);
        let (since, hold, state, found) = match (rule, truth) {
            (Rule::When(_), Truth::False) | (Rule::Unless(_), Truth::True) => {
                *self = Self { polled: Some(now), ..Self::default() };
                return Ruling::Quiet;
            }
            (Rule::When(hold), Truth::True) => {
                self.unknown = None;
                (self.tripping.get_or_insert(now), hold, State::Holds, "it holds".to_owned())
            }
            (Rule::When(_), Truth::Unknown(unknown)) => {
                self.tripping = None;
                let found = format!("unknown: {}", unknown.reason);
                (self.unknown.get_or_insert(now), UNKNOWN_FOR, State::Unknown, found)
            }
            (Rule::Unless(hold), Truth::False) => {
                (self.tripping.get_or_insert(now), hold, State::Differs, "it does not hold".to_owned())
            }
            (Rule::Unless(hold), Truth::Unknown(unknown)) => {
                let found = format!("unknown: {}", unknown.reason);
                (self.tripping.get_or_insert(now), hold, State::Unknown, found)
            }
        };
        let until = *since + hold;
        if now >= until { Ruling::Trips(state, found) } else { Ruling::Pending(until) }
    }
}

/// The stop conditions of a run, and where the run is.
pub struct Stops {
    /// The step being run.
    now: AtomicUsize,
    /// The furthest step that was begun, counted from 1; 0 before the first.
    begun: AtomicUsize,
    moved: Notify,
    standing: Vec<Mutex<Standing>>,
}

/// A stop condition before the first action.
pub(super) struct AtStart {
    pub title: String,
    /// What was found, where it is not quiet.
    pub found: Option<String>,
}

impl Stops {
    pub fn new(program: &Program) -> Self {
        Self {
            now: AtomicUsize::new(BETWEEN),
            begun: AtomicUsize::new(0),
            moved: Notify::new(),
            standing: program.stops.iter().map(|_| Mutex::default()).collect(),
        }
    }

    pub fn enter(&self, step: usize) {
        self.begun.fetch_max(step + 1, Ordering::SeqCst);
        self.now.store(step, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    pub fn leave(&self) {
        self.now.store(BETWEEN, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    fn in_force(&self, stop: &Stop) -> bool {
        stop.since.is_none_or(|since| self.begun.load(Ordering::SeqCst) > since)
    }

    fn applies(&self, stop: &Stop) -> bool {
        self.in_force(stop) && !stop.except.contains(&self.now.load(Ordering::SeqCst))
    }

    fn of<'p>(&self, program: &'p Program) -> impl Iterator<Item = (&'p Stop, &Mutex<Standing>)> {
        program.stops.iter().zip(&self.standing)
    }

    /// Polls every stop condition, each in its own rhythm, until one ends the run. Never returns.
    pub async fn keep(&self, core: &Core, flag: &Flag) {
        join_all(self.of(&core.program).map(|(stop, standing)| self.one(core, stop, standing, flag))).await;
        std::future::pending().await
    }

    async fn one(&self, core: &Core, stop: &Stop, standing: &Mutex<Standing>, flag: &Flag) {
        let every = every(core, stop).await;
        while flag.cause().is_none() {
            let moved = self.moved.notified();
            if !self.applies(stop) {
                *lock(standing) = Standing::default();
                moved.await;
                continue;
            }
            let (truth, eval) = poll(core, stop).await;
            // It may have come to a step that it excepts while it was polled.
            if self.applies(stop) {
                let rule = rule(&eval, stop).await;
                let ruling = lock(standing).poll(rule, &truth, Instant::now(), gap(every));
                if let Ruling::Trips(state, found) = ruling {
                    trip(core, stop, &eval, flag, state, found).await;
                }
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Before a step's first action: every condition that is in force from it on is polled to a decision.
    pub async fn before(&self, core: &Core, step: usize, flag: &Flag) {
        let stops = self.of(&core.program).filter(|(stop, _)| stop.since == Some(step));
        join_all(stops.filter(|(stop, _)| self.applies(stop)).map(|(stop, standing)| async move {
            if let Some((eval, state, found)) = decide(core, stop, standing, flag).await {
                trip(core, stop, &eval, flag, state, found).await;
            }
        }))
        .await;
    }

    /// Before the verdict: every condition that is in force is polled to a decision. It takes as long as it takes.
    pub async fn last(&self, core: &Core, flag: &Flag) {
        let stops = self.of(&core.program).filter(|(stop, _)| self.in_force(stop));
        join_all(stops.map(|(stop, standing)| async move {
            if let Some((eval, state, found)) = decide(core, stop, standing, flag).await {
                trip(core, stop, &eval, flag, state, found).await;
            }
        }))
        .await;
    }

    /// Before the first action: the conditions that are in force from the beginning, by their place.
    pub async fn at_start(&self, core: &Core, flag: &Flag) -> Vec<(usize, AtStart)> {
        let stops = self.of(&core.program).enumerate().filter(|(_, (stop, _))| self.in_force(stop));
        join_all(stops.map(|(at, (stop, standing))| async move {
            let found = decide(core, stop, standing, flag).await.map(|(_, _, found)| found);
            let title = Eval::new(core, &Site::default(), &Round::new()).message(&stop.reason).await;
            (at, AtStart { title, found })
        }))
        .await
    }
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn every(core: &Core, stop: &Stop) -> Duration {
    let eval = Eval::new(core, &Site::default(), &Round::new());
    let every = match &stop.every {
        Some(every) => eval.duration(every).await.unwrap_or(DEFAULT_EVERY),
        None => DEFAULT_EVERY,
    };
    every.max(Duration::from_millis(10))
}

/// Between two polls that lie further apart, nothing was watched.
fn gap(every: Duration) -> Duration {
    every.saturating_mul(2) + Duration::from_secs(5) + UNKNOWN_FOR
}

async fn rule(eval: &Eval<'_>, stop: &Stop) -> Rule {
    match &stop.kind {
        StopKind::When { hold: None } => Rule::When(Duration::ZERO),
        StopKind::When { hold: Some(hold) } => Rule::When(eval.duration(hold).await.unwrap_or_default()),
        StopKind::Unless { hold } => Rule::Unless(eval.duration(hold).await.unwrap_or_default()),
    }
}

async fn poll<'c>(core: &'c Core, stop: &Stop) -> (Truth, Eval<'c>) {
    let eval = Eval::of_stop(core, &Site::default(), &Round::new(), stop);
    (eval.truth(&stop.condition).await, eval)
}

/// Polls a condition until it is quiet (`None`) or trips. One that is neither after 30 s, or after the time it takes to
/// trip, is as good as tripped: nobody knows that it is quiet.
async fn decide<'c>(
    core: &'c Core,
    stop: &Stop,
    standing: &Mutex<Standing>,
    flag: &Flag,
) -> Option<(Eval<'c>, State, String)> {
    let began = Instant::now();
    let every = every(core, stop).await.min(DECIDING_EVERY);
    loop {
        let (truth, eval) = poll(core, stop).await;
        let rule = rule(&eval, stop).await;
        let (Rule::When(hold) | Rule::Unless(hold)) = rule;
        let now = Instant::now();
        // The guard does not outlive this line.
        let ruling = lock(standing).poll(rule, &truth, now, gap(every));
        match ruling {
            Ruling::Quiet => return None,
            Ruling::Trips(state, found) => return Some((eval, state, found)),
            Ruling::Pending(_) if now >= began + hold.max(UNKNOWN_FOR) => {
                return Some((eval, State::Unknown, "it could not be decided".to_owned()));
            }
            Ruling::Pending(until) => {
                tokio::select! {
                    () = tokio::time::sleep_until(until.min(now + every)) => {}
                    _ = flag.raised() => return None,
                }
            }
        }
    }
}

async fn trip(core: &Core, stop: &Stop, eval: &Eval<'_>, flag: &Flag, state: State, found: String) {
    let reason = eval.message(&stop.reason).await;
    let cause: Arc<str> = match state {
        State::Unknown => format!("{reason} ({found})").into(),
        _ => reason.as_str().into(),
    };
    if flag.cause().is_none() {
        let text = core.words(stop.condition.span);
        core.emit(&Site::default(), stop.span, Body::StopHeld { reason, text, state, actual: found });
    }
    flag.raise(Cause::Stop(cause));
}

/// In a dry run: whether each condition that is in force from the beginning is quiet now.
pub(super) async fn predict(core: &Core) -> u32 {
    let mut stopping = 0;
    for stop in core.program.stops.iter().filter(|stop| stop.since.is_none()) {
        let (truth, eval) = poll(core, stop).await;
        let (state, actual) = match (&stop.kind, truth) {
            (StopKind::When { .. }, Truth::False) => (StopState::Quiet, "it does not hold".to_owned()),
            (StopKind::Unless { .. }, Truth::True) => (StopState::Quiet, "it holds".to_owned()),
            (StopKind::When { .. }, Truth::True) => (StopState::WouldStop, "it holds".to_owned()),
            (StopKind::Unless { .. }, Truth::False) => (StopState::WouldStop, "it does not hold".to_owned()),
            (_, Truth::Unknown(unknown)) => (StopState::Unknown, format!("unknown: {}", unknown.reason)),
        };
        stopping += u32::from(state != StopState::Quiet);
        let word = match stop.kind {
            StopKind::When { .. } => "when",
            StopKind::Unless { .. } => "unless",
        };
        let reason = eval.message(&stop.reason).await;
        let text = format!("{word} {}", core.words(stop.condition.span));
        core.emit(&Site::default(), stop.span, Body::StopPredicted { reason, text, state, actual });
    }
    stopping
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Unknown, UnknownCause};

    const GAP: Duration = Duration::from_secs(60);

    fn unknown() -> Truth {
        Truth::Unknown(Unknown::new(UnknownCause::NoAnswer, "refused"))
    }

    /// What each of these answers, seconds after the first, comes to.
    fn rulings(rule: Rule, answers: &[(u64, Truth)]) -> Vec<&'static str> {
        let began = Instant::now();
        let mut standing = Standing::default();
        answers
            .iter()
            .map(|(at, truth)| match standing.poll(rule, truth, began + Duration::from_secs(*at), GAP) {
                Ruling::Quiet => "quiet",
                Ruling::Pending(_) => "pending",
                Ruling::Trips(State::Unknown, _) => "trips, unknown",
                Ruling::Trips(..) => "trips",
            })
            .collect()
    }

    #[tokio::test]
    async fn when_trips_once_it_has_been_true_for_long_enough() {
        let when = |hold| Rule::When(Duration::from_secs(hold));
        assert_eq!(rulings(when(0), &[(0, Truth::True)]), ["trips"]);
        assert_eq!(
            rulings(when(10), &[(0, Truth::True), (9, Truth::True), (10, Truth::True)]),
            ["pending", "pending", "trips"]
        );
        // What is false in between, or unknown, begins it anew.
        assert_eq!(
            rulings(when(10), &[(0, Truth::True), (5, Truth::False), (12, Truth::True), (21, Truth::True)]),
            ["pending", "quiet", "pending", "pending"]
        );
        assert_eq!(
            rulings(when(10), &[(0, Truth::True), (5, unknown()), (12, Truth::True)]),
            ["pending", "pending", "pending"]
        );
        // Unknown for 30 s is an uncertainty like any other.
        assert_eq!(
            rulings(when(0), &[(0, unknown()), (29, unknown()), (30, unknown())]),
            ["pending", "pending", "trips, unknown"]
        );
    }

    #[tokio::test]
    async fn unless_trips_once_it_has_not_been_true_for_long_enough() {
        let unless = Rule::Unless(Duration::from_secs(5));
        assert_eq!(rulings(unless, &[(0, Truth::True), (60, Truth::True)]), ["quiet", "quiet"]);
        assert_eq!(
            rulings(unless, &[(0, Truth::False), (3, unknown()), (5, Truth::False)]),
            ["pending", "pending", "trips"]
        );
        assert_eq!(rulings(unless, &[(0, unknown()), (5, unknown())]), ["pending", "trips, unknown"]);
        assert_eq!(
            rulings(unless, &[(0, unknown()), (4, Truth::True), (6, unknown())]),
            ["pending", "quiet", "pending"]
        );
    }

    #[tokio::test]
    async fn after_a_gap_nothing_is_known_of_what_lay_between() {
        let when = Rule::When(Duration::from_secs(10));
        assert_eq!(
            rulings(when, &[(0, Truth::True), (61, Truth::True), (71, Truth::True)]),
            ["pending", "pending", "trips"]
        );
    }
}
