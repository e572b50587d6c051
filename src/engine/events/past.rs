//! What a run's record says of it: a fold over its events, made to go on with a run that was cut off.
//!
//! In: the events of a journal. Out: a [`Past`]: for each step a tape of what happened in its last attempt, in order:
//! what was bound, which way was taken, which actions came to what. A resumed run goes through its steps with the tape
//! in hand, and acts only behind its end.

use std::collections::{HashMap, VecDeque};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::event::{Before, Body, Event, Part, Place, Published, Seconds, SourceFile, StepOutcome, Undone, Verdict};

/// A run, as its record tells it.
#[derive(Debug, Default)]
pub struct Past {
    pub events: Vec<Published>,
    pub run: Option<String>,
    pub hash: String,
    pub stdlib: String,
    pub root: String,
    pub sources: Vec<SourceFile>,
    pub params: Vec<(String, Json, String)>,
    pub only: Vec<String>,
    pub from: Option<String>,
    pub began: Timestamp,
    /// When the last was heard of it.
    pub last: Timestamp,
    /// By file and name.
    pub globals: HashMap<(String, String), Json>,
    pub steps: IndexMap<String, PastStep>,
    /// The run was ending already: why.
    pub ending: Option<String>,
    /// It was being rolled back: why.
    pub rolling_back: Option<String>,
    /// The run's own verdict. Where a rollback was to follow, the run has not ended by it.
    pub decided: Option<Verdict>,
    /// The verdict that ended the run.
    pub verdict: Option<Verdict>,
}

/// A step that was begun.
#[derive(Clone, Debug)]
pub struct PastStep {
    /// When its last attempt began.
    pub began: Timestamp,
    pub attempt: u32,
    /// What happened in its last attempt.
    pub tape: VecDeque<Happened>,
    pub ended: Option<(StepOutcome, Option<String>, u32, Seconds)>,
    /// Its first action had started.
    pub acted: bool,
    /// An action that had started changes something, as far as is declared.
    pub changed: bool,
    /// One of an earlier attempt does: what that was is not in `tape`.
    pub changed_before: bool,
    /// How often each `retry` was used, by its place.
    pub retries: HashMap<(String, u32), u32>,
    /// How it was mended in earlier attempts.
    pub mended: Vec<String>,
    /// What its proofs were before the first action of each part.
    pub before: HashMap<Option<Part>, Vec<Before>>,
    pub undo: VecDeque<Happened>,
    pub undone: Option<Undone>,
}

/// Something on a tape, and where it stands.
#[derive(Clone, Debug)]
pub struct Happened {
    pub what: What,
    pub file: String,
    pub line: u32,
}

#[derive(Clone, Debug)]
pub enum What {
    Bound { name: String, data: Json },
    Condition { data: Json },
    Action { action: String, since: Timestamp, end: Option<ActionEnd> },
    LeftOut,
    Group { ok: bool, reason: String },
    Handler { data: Json },
    Confirmed { given: bool, reason: String, data: Option<Json> },
    Retry { attempt: u32, of: u32, after: Seconds },
}

#[derive(Clone, Debug)]
pub struct ActionEnd {
    pub error: Option<String>,
    pub data: Option<Json>,
}

impl Past {
    pub fn of(events: Vec<Published>) -> Self {
        let mut past = Self::default();
        for event in &events {
            past.take(event.get());
        }
        past.events = events;
        past
    }

    fn take(&mut self, event: &Event) {
        let place = &event.place;
        self.last = event.time;
        // What happens behind a verdict goes on with the run, as an undoing on request does.
        if !matches!(event.body, Body::Verdict { .. }) {
            self.verdict = None;
        }
        match &event.body {
            Body::RunStarted { run, hash, stdlib, root, sources, params, only, from, .. } => {
                self.began = event.time;
                self.run.clone_from(run);
                self.hash.clone_from(hash);
                self.stdlib.clone_from(stdlib);
                self.root.clone_from(root);
                self.sources.clone_from(sources);
                self.only.clone_from(only);
                self.from.clone_from(from);
                let recorded = params.iter();
                self.params = recorded
                    .map(|param| (param.name.clone(), param.data.clone().unwrap_or_default(), param.origin.clone()))
                    .collect();
            }
            Body::Cancelled { reason } => drop(self.ending.get_or_insert(reason.clone())),
            Body::StopHeld { reason, .. } => drop(self.ending.get_or_insert(format!("stopped: {reason}"))),
            Body::RollbackStarted { reason, .. } => self.rolling_back = Some(reason.clone()),
            Body::Verdict { verdict, rolls_back, .. } => {
                self.decided.get_or_insert(*verdict);
                self.verdict = (!rolls_back).then_some(*verdict);
                if self.verdict.is_some() {
                    self.rolling_back = None;
                }
            }
            Body::Bound { name, data, .. } if place.step.is_none() => {
                let file = place.file.clone().unwrap_or_default();
                self.globals.insert((file, name.clone()), data.clone().unwrap_or_default());
            }
            Body::StepStarted { attempt, .. } => {
                let name = place.step.clone().unwrap_or_default();
                let before = self.steps.shift_remove(&name);
                let mut step = PastStep::begun(event.time, *attempt);
                step.acted = before.as_ref().is_some_and(|before| before.acted);
                step.changed = before.as_ref().is_some_and(|before| before.changed);
                step.changed_before = step.changed;
                if let Some(before) = before.filter(|_| *attempt > 1) {
                    step.retries = before.retries;
                    step.mended = before.mended;
                    step.mended.extend(before.tape.iter().rev().find_map(|happened| match happened.what {
                        What::Retry { attempt, of, .. } => Some(retried(attempt, of)),
                        _ => None,
                    }));
                }
                self.steps.insert(name, step);
            }
            Body::StepEnded { outcome, reason, attempts, elapsed } => {
                let name = place.step.clone().unwrap_or_default();
                let step = self.steps.entry(name).or_insert_with(|| PastStep::begun(event.time, 0));
                step.ended = Some((*outcome, reason.clone(), *attempts, *elapsed));
            }
            Body::UndoEnded(undone) => {
                if let Some(step) = place.step.as_ref().and_then(|step| self.steps.get_mut(step)) {
                    step.undone = Some(undone.clone());
                }
            }
            body => {
                if let Some(step) = place.step.as_ref().and_then(|step| self.steps.get_mut(step)) {
                    step.take(event.time, place, body);
                }
            }
        }
    }

    /// The step that the run was in when it was cut off.
    pub fn during(&self) -> Option<&str> {
        let open = |step: &PastStep| step.ended.is_none() || !step.undo.is_empty() && step.undone.is_none();
        self.steps.iter().rfind(|(_, step)| open(step)).map(|(name, _)| name.as_str())
    }
}

impl PastStep {
    fn begun(began: Timestamp, attempt: u32) -> Self {
        Self {
            began,
            attempt,
            tape: VecDeque::new(),
            ended: None,
            acted: false,
            changed: false,
            changed_before: false,
            retries: HashMap::new(),
            mended: Vec::new(),
            before: HashMap::new(),
            undo: VecDeque::new(),
            undone: None,
        }
    }

    fn take(&mut self, time: Timestamp, place: &Place, body: &Body) {
        let at = (place.file.clone().unwrap_or_default(), place.line.unwrap_or_default());
        let undoing = place.part == Some(Part::Rollback);
        let tape = if undoing { &mut self.undo } else { &mut self.tape };
        let what = match body {
            Body::Bound { name, data, .. } => {
                What::Bound { name: name.clone(), data: data.clone().unwrap_or_default() }
            }
            Body::Condition { data, .. } => What::Condition { data: data.clone().unwrap_or_default() },
            Body::ActionStarted { action, changes, .. } => {
                self.acted |= !undoing;
                self.changed |= !undoing && !changes.is_nothing();
                // One that was in doubt is done again: its end is the new one's.
                if matches!(tape.back(), Some(Happened { what: What::Action { end: None, .. }, .. })) {
                    tape.pop_back();
                }
                What::Action { action: action.clone(), since: time, end: None }
            }
            Body::ActionEnded { action, error, data, .. } => {
                let ended = Some(ActionEnd { error: error.clone(), data: data.clone() });
                match tape.back_mut() {
                    Some(Happened { what: What::Action { end: end @ None, .. }, .. }) => {
                        *end = ended;
                        return;
                    }
                    // It was never started.
                    _ => What::Action { action: action.clone(), since: time, end: ended },
                }
            }
            Body::ActionSkipped { .. } => What::LeftOut,
            Body::GroupEnded { ok, reason } => What::Group { ok: *ok, reason: reason.clone().unwrap_or_default() },
            Body::HandlerStarted { data, .. } => What::Handler { data: data.clone().unwrap_or_default() },
            Body::Confirmed(confirmed) => What::Confirmed {
                given: confirmed.given,
                reason: confirmed.reason.clone().unwrap_or_default(),
                data: confirmed.data.clone(),
            },
            Body::Retrying { attempt, of, after } => {
                self.retries.insert(at.clone(), *attempt);
                What::Retry { attempt: *attempt, of: *of, after: *after }
            }
            // One that had failed is undone again from its beginning.
            Body::UndoStarted { .. } => {
                self.undo.clear();
                self.undone = None;
                return;
            }
            Body::Baseline { expects } => {
                self.before.insert(place.part, expects.clone());
                return;
            }
            _ => return,
        };
        let (file, line) = at;
        tape.push_back(Happened { what, file, line });
    }
}

/// How a step that was retried was mended.
pub fn retried(nth: u32, of: u32) -> String {
    format!("retried ({nth} of at most {of})")
}
