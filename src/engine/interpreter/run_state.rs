//! A run that acts: what every task of it shares.
//!
//! In: the engine's state, the world's means to act, the causes that end the run. Out: what has begun, and who has to know.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver::Section;
use super::footing::Footing;
use super::stop::Stops;
use crate::check::program::Step;
use crate::engine::cancel::{Cancel, Cause, Flag};
use crate::engine::evaluation::core::Core;
use crate::engine::events::event::{Body, Place};
use crate::engine::events::past::{Past, PastStep};
use crate::engine::world::{Act, People};

/// What of a step is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its first action has not started.
    No,
    /// Its actions have started; by their declaration none of them changes anything.
    Harmless,
    Yes,
}

/// A run that acts.
pub(super) struct Execution<'c> {
    pub core: &'c Core,
    pub act: Arc<dyn Act>,
    pub people: Arc<dyn People>,
    /// The host that it runs on.
    pub host: String,
    pub cancel: Cancel,
    pub stops: &'c Stops,
    pub past: Option<&'c Past>,
    pub footing: Footing,
    pub may_roll_back: bool,
    pub began: Instant,
    /// The steps whose first action has started; whether one of their actions changes something.
    pub acted: Mutex<HashMap<Arc<str>, bool>>,
    /// A handler says that the run is rolled back: why.
    pub rollback: Mutex<Option<String>>,
    /// The run does what is not in its journal.
    pub under_way: CancellationToken,
    /// How many of the causes that end the run were shown.
    pub causes_shown: AtomicUsize,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'c> Execution<'c> {
    /// Shows at once that the run has to end: what still has to finish may take a while. Never returns.
    pub async fn show_causes(&self) -> Infallible {
        for flag in [&self.cancel.gently, &self.cancel.at_once] {
            flag.raised().await;
            self.show_new_causes();
        }
        std::future::pending().await
    }

    /// Shows what was raised since. A stop block shows itself, and so does the preflight.
    fn show_new_causes(&self) {
        let raised = [&self.cancel.gently, &self.cancel.at_once].into_iter().filter_map(Flag::cause);
        for cause in raised.skip(self.causes_shown.load(Ordering::Relaxed)) {
            self.causes_shown.fetch_add(1, Ordering::Relaxed);
            if !matches!(cause, Cause::Stop(_) | Cause::Preflight(_)) {
                self.core.emitter.emit(Place::default(), Body::Cancelled { reason: cause.to_string() });
            }
        }
    }

    /// Before a verdict: what came last, behind which nothing waited any more, counts; also that the last events could not be
    /// written.
    pub async fn all_is_said(&self) {
        self.core.emitter.written().await;
        self.show_new_causes();
    }

    /// What ends the operations of a section.
    pub fn flag(&self, section: Section) -> &Flag {
        if section == Section::Body { &self.cancel.gently } else { &self.cancel.at_once }
    }

    /// What is read is not waited for once the run has to end.
    pub async fn unless_ended<T>(&self, section: Section, reading: impl Future<Output = T>) -> Result<T, String> {
        tokio::select! {
            biased;
            read = reading => Ok(read),
            reason = self.flag(section).raised() => Err(reason),
        }
    }

    /// From here on nothing is in the journal.
    pub fn goes_on(&self) {
        self.core.emitter.silent(false);
        self.under_way.cancel();
        if let Some(ending) = self.past.and_then(|past| past.ending.as_ref()) {
            self.cancel.gently.raise(Cause::Earlier(ending.as_str().into()));
        }
    }

    /// An action of a step has started. `changes`: it changes something, as far as is declared.
    pub fn acted(&self, step: &Step, changes: bool) {
        *lock(&self.acted).entry(step.name.clone()).or_default() |= changes;
    }

    pub fn has_acted(&self, step: &Step) -> bool {
        self.begun(step) != Begun::No
    }

    pub fn begun(&self, step: &Step) -> Begun {
        match lock(&self.acted).get(&step.name) {
            None => Begun::No,
            Some(false) => Begun::Harmless,
            Some(true) => Begun::Yes,
        }
    }

    pub fn asks_for_rollback(&self, why: String) {
        lock(&self.rollback).get_or_insert(why);
    }

    /// What is in the journal of a step, unless it is done again from its top.
    pub fn past_of(&self, step: &Step) -> Option<&'c PastStep> {
        let past = self.past?.steps.get(&*step.name)?;
        let again = self.footing.redo.iter().any(|redo| **redo == *step.name);
        (past.attempt > 0 && !again).then_some(past)
    }
}
