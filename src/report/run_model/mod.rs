//! The run, as every form shows it: the one fold over its events.
//!
//! In: events, in their order. Out: [`Entry`]s as they are due, for forms that show a run as it goes on; gathered to
//! [`Section`]s for those that show it when it is over. What was handed on is not kept here, so a run of a million rows takes
//! no more memory than one of ten.

mod collapse;
mod decision;
mod entry;
mod label;
mod over_time;
mod preflight;
mod row;
mod run_clock;
mod scope;
mod section;
mod standing;
mod under_way;

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, Event, Published};

use collapse::{Collapse, Released};
use run_clock::RunClock;

pub(super) use collapse::{Collapsed, Collapsing};
pub(super) use decision::{Decision, StatesNow, Tone, undone, undone_words};
pub(super) use entry::{Closed, Entry, Opened, SectionKind};
pub(super) use over_time::{Found, MOST, OverTime, Polled};
pub(super) use preflight::{Preflight, finding, subject};
pub(super) use row::{Row, is_text};
pub(super) use scope::{Scope, Turn};
pub(super) use section::{Item, Printed, Section, Sections, blocks};
pub(super) use standing::{RowCounts, Standing, counted};
pub(super) use under_way::{Asked, UnderWay};

/// What the section of a rollback is called.
const ROLLBACK: &str = "rollback";
const ROLLBACK_TITLE: &str = "Undoing what was begun";

pub(super) struct RunModel {
    clock: RunClock,
    collapse: Collapse,
    /// What the rows that are asked were found to be, for who shows that.
    polled: Option<Polled>,
    preflight: Option<Preflight>,
    /// The section that goes on, and when it began.
    open: Option<(String, f64)>,
    /// The step and the action whose end was not seen so far.
    acting: Option<(String, String)>,
    decided: bool,
    /// When the last event was, in seconds of the run.
    now: f64,
}

impl RunModel {
    pub fn new(collapsing: Collapsing) -> Self {
        Self {
            clock: RunClock::default(),
            collapse: Collapse::new(collapsing),
            polled: None,
            preflight: None,
            open: None,
            acting: None,
            decided: false,
            now: 0.0,
        }
    }

    /// With what each row was found to be over time.
    pub fn over_time(mut self) -> Self {
        self.polled = Some(Polled::default());
        self
    }

    /// It has a verdict, or a sum.
    pub fn is_decided(&self) -> bool {
        self.decided
    }

    /// The step and the action whose end was not seen.
    pub fn unseen(&self) -> Option<(&str, &str)> {
        self.acting.as_ref().map(|(step, action)| (step.as_str(), action.as_str()))
    }

    /// What there is to show now.
    pub fn take(&mut self, event: &Published) -> Vec<Entry> {
        let over_time = self.polled.as_mut().map(|polled| polled.take(event)).unwrap_or_default();
        let mut out = Vec::new();
        self.now = self.clock.at(event.get().time);
        match &event.get().body {
            // These say nothing of their own, and so keep no rows apart.
            Body::ExpectAsked { .. } | Body::ExpectDecided { .. } => return out,
            Body::ExpectStarted { .. } => return vec![Entry::Asked(event.clone())],
            Body::Probed { .. } => return vec![Entry::Told(event.clone())],
            Body::ExpectEnded(_) => {
                if self.collapse.keeps(event) {
                    return out;
                }
                self.release(&mut out);
                // The first of another check.
                if !self.collapse.keeps(event) {
                    out.push(Entry::Row(event.clone(), over_time));
                }
                return out;
            }
            _ => self.release(&mut out),
        }
        self.tell(event, &mut out);
        out
    }

    /// There is no more.
    pub fn finish(&mut self) -> Vec<Entry> {
        let mut out = Vec::new();
        self.release(&mut out);
        self.close(&mut out);
        // It was cut off while it was checked.
        out.extend(self.preflight.take().map(|preflight| Entry::Preflight(Box::new(preflight))));
        out
    }

    fn tell(&mut self, event: &Published, out: &mut Vec<Entry>) {
        let now = self.now;
        let Event { place, body, .. } = event.get();
        let step = place.step.clone().unwrap_or_default();
        let opened = |kind, name: &str, title: &str, attempt| Opened {
            event: event.clone(),
            kind,
            name: name.to_owned(),
            title: (title != name).then(|| title.to_owned()),
            attempt,
            not_reached: place.not_reached,
        };
        match body {
            Body::RunStarted { .. } => out.push(Entry::Run(event.clone())),
            Body::PreflightStarted => self.preflight = Some(Preflight::default()),
            Body::PreflightChecked(check) => {
                self.preflight.get_or_insert_default().checks.push((**check).clone());
            }
            Body::PreflightEnded { ok, checked, refused } => {
                let checks = self.preflight.take().unwrap_or_default().checks;
                let preflight = Preflight { checks, ok: *ok, checked: *checked, refused: *refused };
                out.push(Entry::Preflight(Box::new(preflight)));
            }
            Body::StepStarted { title, attempt } => {
                if *attempt == 1 || self.open.as_ref().is_none_or(|(name, _)| *name != step) {
                    self.open(&step, out);
                }
                out.push(Entry::Opened(opened(SectionKind::Step, &step, title, *attempt)));
            }
            Body::StepEnded { .. } => {
                if self.open.as_ref().is_some_and(|(name, _)| *name != step) {
                    self.close(out);
                }
                let began = self.open.take().map_or(now, |(_, began)| began);
                out.push(Entry::Closed(Closed { name: step, began, ended: now, end: Some(event.clone()) }));
            }
            Body::VerdictStarted => {
                self.open(VERDICT, out);
                out.push(Entry::Opened(opened(SectionKind::Verdict, VERDICT, VERDICT_TITLE, 1)));
            }
            Body::RollbackStarted { .. } => {
                self.open(ROLLBACK, out);
                out.push(Entry::Opened(opened(SectionKind::Rollback, ROLLBACK, ROLLBACK_TITLE, 1)));
            }
            Body::ActionStarted { action, .. } => {
                self.acting = Some((step, action.clone()));
                out.push(Entry::Told(event.clone()));
            }
            Body::ActionEnded { .. } => {
                let started = self.acting.take().is_some();
                out.push(Entry::ActionEnded { event: event.clone(), started });
            }
            Body::Resumed(resumed) => {
                self.acting = None;
                self.clock.away(resumed.cut_off, event.get().time);
                out.push(Entry::Told(event.clone()));
            }
            Body::Verdict { .. } => {
                self.decided = true;
                self.close(out);
                out.push(Entry::Decided(event.clone()));
            }
            Body::Summary { .. } => {
                self.decided = true;
                self.close(out);
                out.push(Entry::Summed(event.clone()));
            }
            _ => out.push(Entry::Told(event.clone())),
        }
    }

    fn open(&mut self, name: &str, out: &mut Vec<Entry>) {
        self.close(out);
        self.open = Some((name.to_owned(), self.now));
    }

    fn close(&mut self, out: &mut Vec<Entry>) {
        if let Some((name, began)) = self.open.take() {
            out.push(Entry::Closed(Closed { name, began, ended: self.now, end: None }));
        }
    }

    fn release(&mut self, out: &mut Vec<Entry>) {
        match self.collapse.release() {
            Some(Released::Rows(rows)) => {
                out.extend(rows.into_iter().map(|row| Entry::Row(row, OverTime::default())));
            }
            Some(Released::Collapsed(collapsed)) => out.push(Entry::Collapsed(collapsed)),
            None => {}
        }
    }
}
