//! What there is to show of a run, in its order.

use crate::engine::events::event::{Body, Published, Seconds, StepOutcome};

use super::collapse::Collapsed;
use super::over_time::OverTime;
use super::preflight::Preflight;

#[derive(Clone)]
pub(in crate::report) enum Entry {
    /// The run begins: its head.
    Run(Published),
    /// All was checked that can be known before the first action.
    Preflight(Box<Preflight>),
    Opened(Opened),
    Closed(Closed),
    /// An expect is asked, or asked anew: what its rows came to before counts no more.
    Asked(Published),
    /// A row of evidence.
    Row(Published, OverTime),
    /// Rows of a check that all hold.
    Collapsed(Box<Collapsed>),
    ActionEnded {
        event: Published,
        /// It was started; otherwise it could not even be.
        started: bool,
    },
    /// A verdict.
    Decided(Published),
    /// The sum of a dry run.
    Summed(Published),
    /// What is shown as it happened.
    Told(Published),
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum SectionKind {
    Step,
    /// What decides.
    Verdict,
    /// The run is undone.
    Rollback,
}

/// A section begins; or a step begins anew, and stays in its section.
#[derive(Clone)]
pub(in crate::report) struct Opened {
    pub event: Published,
    pub kind: SectionKind,
    pub name: String,
    /// Where it says more than the name.
    pub title: Option<String>,
    /// Counts from 1.
    pub attempt: u32,
    /// In a dry run: the run would end before it.
    pub not_reached: bool,
}

/// A section ends.
#[derive(Clone)]
pub(in crate::report) struct Closed {
    pub name: String,
    /// In seconds of the run.
    pub began: f64,
    pub ended: f64,
    /// Of a step: what it came to. One that was cut off, and what is no step, came to nothing of its own.
    pub end: Option<Published>,
}

impl Closed {
    /// What a step came to, why, and how long it took.
    pub fn step(&self) -> Option<(StepOutcome, Option<&str>, Seconds)> {
        match &self.end.as_ref()?.get().body {
            Body::StepEnded { outcome, reason, elapsed, .. } => Some((*outcome, reason.as_deref(), *elapsed)),
            _ => None,
        }
    }
}
