//! Stop blocks: standing conditions that are asked while a run goes on, and end it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::check::program::{Program, Stop, StopKind};
use crate::value::Truth;

use crate::engine::cancel::{Cause, Flag};
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, State};

const DEFAULT_EVERY: Duration = Duration::from_secs(5);

/// How long a condition may be unknown before that, too, stops the run.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// No step is being run.
const BETWEEN: usize = usize::MAX;

/// Where the run is, for those who watch over it.
pub struct Watch {
    /// The step being run.
    now: AtomicUsize,
    /// The furthest step that was begun, counted from 1; 0 before the first.
    begun: AtomicUsize,
    moved: Notify,
    since: Vec<Mutex<Since>>,
}

/// Since when a condition has held, or been unknown.
#[derive(Default)]
struct Since {
    held: Option<Instant>,
    unknown: Option<Instant>,
}

impl Watch {
    pub fn new(program: &Program) -> Self {
        Self {
            now: AtomicUsize::new(BETWEEN),
            begun: AtomicUsize::new(0),
            moved: Notify::new(),
            since: program.stops.iter().map(|_| Mutex::default()).collect(),
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

    fn applies(&self, stop: &Stop) -> bool {
        let begun = stop.since.is_none_or(|since| self.begun.load(Ordering::SeqCst) > since);
        begun && !stop.except.contains(&self.now.load(Ordering::SeqCst))
    }

    /// Asks every stop condition, each in its own rhythm, until one ends the run. Never returns.
    pub async fn keep(&self, core: &Core, flag: &Flag) {
        join_all(core.program.stops.iter().zip(&self.since).map(|(stop, since)| self.one(core, stop, since, flag)))
            .await;
        std::future::pending().await
    }

    async fn one(&self, core: &Core, stop: &Stop, since: &Mutex<Since>, flag: &Flag) {
        let eval = Eval::new(core, &Site::default(), &Round::new());
        let every = match &stop.every {
            Some(every) => eval.duration(every).await.unwrap_or(DEFAULT_EVERY),
            None => DEFAULT_EVERY,
        };
        while flag.cause().is_none() {
            let moved = self.moved.notified();
            if !self.applies(stop) {
                *since.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Since::default();
                moved.await;
                continue;
            }
            self.ask(core, stop, since, flag, false).await;
            tokio::time::sleep(every.max(Duration::from_millis(10))).await;
        }
    }

    /// Asks all that apply once more, when the last step is done.
    pub async fn last(&self, core: &Core, flag: &Flag) {
        join_all(
            core.program
                .stops
                .iter()
                .zip(&self.since)
                .filter(|(stop, _)| stop.since.is_none_or(|since| self.begun.load(Ordering::SeqCst) > since))
                .map(|(stop, since)| self.ask(core, stop, since, flag, true)),
        )
        .await;
    }

    async fn ask(&self, core: &Core, stop: &Stop, since: &Mutex<Since>, flag: &Flag, last: bool) {
        let round = Round::new();
        let eval = Eval::of_stop(core, &Site::default(), &round, stop);
        let hold = match &stop.kind {
            StopKind::When { hold: Some(hold) } | StopKind::Unless { hold } => {
                eval.duration(hold).await.unwrap_or_default()
            }
            StopKind::When { hold: None } => Duration::ZERO,
        };
        let truth = eval.truth(&stop.condition).await;
        let (truth, found) = match (&stop.kind, truth) {
            (StopKind::When { .. }, truth) => (truth, "it holds".to_owned()),
            (StopKind::Unless { .. }, Truth::True) => (Truth::False, String::new()),
            (StopKind::Unless { .. }, Truth::False) => (Truth::True, "it does not hold".to_owned()),
            (StopKind::Unless { .. }, Truth::Unknown(unknown)) => (Truth::True, format!("unknown: {}", unknown.reason)),
        };
        // It may have come to a step that it excepts while it was asked.
        if !last && !self.applies(stop) {
            return;
        }
        let now = Instant::now();
        let (state, actual) = {
            let mut since = since.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match truth {
                Truth::True => {
                    since.unknown = None;
                    let began = *since.held.get_or_insert(now);
                    if now.saturating_duration_since(began) < hold {
                        return;
                    }
                    (State::Holds, found)
                }
                Truth::False => {
                    *since = Since::default();
                    return;
                }
                Truth::Unknown(unknown) => {
                    since.held = None;
                    let began = *since.unknown.get_or_insert(now);
                    // At the very end a condition that can't be told is an uncertainty like any other.
                    if !last && now.saturating_duration_since(began) < UNKNOWN_FOR {
                        return;
                    }
                    (State::Unknown, format!("unknown: {}", unknown.reason))
                }
            }
        };
        let reason = eval.message(&stop.reason).await;
        let told: Arc<str> = match state {
            State::Unknown => format!("{reason} ({actual})").into(),
            _ => reason.as_str().into(),
        };
        if flag.cause().is_none() {
            let text = core.words(stop.condition.span);
            core.emit(&Site::default(), stop.span, Body::StopHeld { reason, text, state, actual });
        }
        flag.raise(Cause::Stop(told));
    }
}
