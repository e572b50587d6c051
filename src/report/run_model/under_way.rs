//! What goes on right now: the step, the action with its last lines, the expects with how often they were polled.
//!
//! In: events as they come, also those from before the run was resumed. Out: fields, for who draws them.

use std::collections::VecDeque;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, Event, Seconds, State, expect_of};
use crate::engine::world::Stream;

use super::super::safe::safe;
use super::label::keys;

/// So many of the last lines of a command are kept.
const TAIL: usize = 5;

/// Of a group that is larger, those that hold are only counted.
const MANY: usize = 2000;

#[derive(Default)]
pub(in crate::report) struct UnderWay {
    pub began: Option<Timestamp>,
    pub limit: Option<Seconds>,
    pub steps: usize,
    pub done: usize,
    pub held: u32,
    pub bad: u32,
    pub step: Option<Step>,
    pub action: Option<Action>,
    pub tail: VecDeque<(Stream, String)>,
    /// Of the group that is asked, by id.
    pub expects: IndexMap<String, Asked>,
    /// How many others of it held.
    pub gone: usize,
}

pub(in crate::report) struct Step {
    pub name: String,
    pub title: String,
    pub began: Timestamp,
}

pub(in crate::report) struct Action {
    pub first_line: String,
    pub began: Timestamp,
    pub limit: Option<Seconds>,
}

pub(in crate::report) struct Asked {
    pub words: String,
    pub until: Option<Timestamp>,
    pub attempts: u32,
    pub found: String,
    /// What it came to, and how long that took.
    pub state: Option<(State, Seconds)>,
}

impl UnderWay {
    pub fn take(&mut self, event: &Event) {
        let now = event.time;
        let id = event.place.expect.as_deref().unwrap_or_default();
        match &event.body {
            Body::RunStarted { steps, limit, .. } => {
                self.began = Some(now);
                self.steps = steps.len();
                self.limit = *limit;
            }
            Body::PreflightStarted => self.step("preflight", "Before the first action", now),
            Body::PreflightEnded { .. } => self.step = None,
            Body::StepStarted { title, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.step(name, if title == name { "" } else { title }, now);
                self.expects.clear();
            }
            Body::VerdictStarted => self.step(VERDICT, VERDICT_TITLE, now),
            Body::StepEnded { .. } => {
                self.done += 1;
                self.step = None;
                self.expects.clear();
            }
            Body::RollbackStarted { reason, .. } => self.step("rollback", reason, now),
            Body::UndoStarted { title, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.step(&format!("undoing {name}"), if title == name { "" } else { title }, now);
                self.expects.clear();
            }
            Body::Verdict { .. } => self.step = None,
            Body::ActionStarted { action, limit, .. } => {
                let first_line = safe(action.lines().next().unwrap_or_default());
                self.action = Some(Action { first_line, began: now, limit: *limit });
                self.tail.clear();
                self.expects.clear();
            }
            Body::Output { stream, text } => {
                let lines: Vec<&str> = text.rsplit('\n').take(TAIL).collect();
                self.tail.extend(lines.iter().rev().map(|line| (*stream, safe(line))));
                self.tail.drain(..self.tail.len().saturating_sub(TAIL));
            }
            Body::ActionEnded { .. } => {
                self.action = None;
                self.tail.clear();
            }
            Body::ExpectStarted { text, within, .. } => {
                let until = within.and_then(|within| later(now, within));
                let keys = keys(id).map(|keys| format!(" {}", safe(keys))).unwrap_or_default();
                let words = format!("{}{keys}", safe(text));
                let asked = Asked { words, until, attempts: 0, found: String::new(), state: None };
                self.expects.insert(id.to_owned(), asked);
            }
            Body::ExpectAsked { attempt, actual, remaining, .. } => {
                if let Some(asked) = self.asked(id) {
                    asked.attempts = *attempt;
                    asked.found = safe(actual);
                    asked.until = later(now, *remaining);
                }
            }
            Body::ExpectDecided { state, attempts, elapsed } => {
                if let Some(asked) = self.asked(id) {
                    asked.attempts = *attempts;
                    asked.state = Some((*state, *elapsed));
                }
            }
            Body::ExpectEnded(result) => {
                match result.state {
                    State::Holds => self.held += 1,
                    _ => self.bad += 1,
                }
                // Of very many that held, it is enough to know how many.
                if result.state == State::Holds && self.expects.len() > MANY && self.expects.swap_remove(id).is_some() {
                    self.gone += 1;
                    return;
                }
                if let Some(asked) = self.asked(id) {
                    asked.attempts = result.attempts;
                    // One of its rows that does not hold tells for all.
                    if asked.state.is_none_or(|(state, _)| state == State::Holds) {
                        asked.state = Some((result.state, result.elapsed));
                    }
                }
            }
            Body::GroupEnded { .. } => {
                self.expects.clear();
                self.gone = 0;
            }
            // What was under way when the run was cut off is so no longer; nobody waited in between.
            Body::Resumed(_) => {
                self.began = Some(now);
                self.step.iter_mut().for_each(|step| step.began = now);
                self.action = None;
                self.tail.clear();
                self.expects.clear();
            }
            _ => {}
        }
    }

    /// Something goes on that could be drawn.
    pub fn has_begun(&self) -> bool {
        self.steps > 0
    }

    fn step(&mut self, name: &str, title: &str, began: Timestamp) {
        self.step = Some(Step { name: safe(name), title: safe(title), began });
    }

    fn asked(&mut self, row: &str) -> Option<&mut Asked> {
        let id = expect_of(row, |known| self.expects.contains_key(known)).to_owned();
        self.expects.get_mut(&id)
    }
}

fn later(now: Timestamp, after: Seconds) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(after.duration()).ok()?).ok()
}
