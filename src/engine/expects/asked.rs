//! An expect that is decided: its last findings, and how it came to its end.

use std::sync::Arc;
use std::time::Duration;

use super::finding::Finding;
use super::leaf::Leaf;
use super::poll::Outcome;
use crate::engine::evaluation::ask::Round;
use crate::engine::events::event::State;
use crate::value::display;
use crate::value::{Unknown, UnknownCause};

/// An expect that was polled for the last time.
pub struct Asked<'p> {
    pub leaf: Leaf<'p>,
    pub findings: Vec<Finding>,
    pub attempts: u32,
    pub elapsed: Duration,
    /// In which it was asked for the last time.
    pub round: Arc<Round>,
    ended: Ended,
}

/// What decided it.
enum Ended {
    /// Its last findings. `held`: for how long it had held before, and has to.
    Answered { held: Option<Duration> },
    /// The deadline, before it had held for long enough.
    TooShort { held: Duration },
    /// Nothing: it was cut short.
    Cut { by: String, held: Option<Duration> },
}

impl<'p> Asked<'p> {
    /// One that was polled once.
    pub fn once(leaf: Leaf<'p>, findings: Vec<Finding>, elapsed: Duration, round: Arc<Round>) -> Self {
        Self { leaf, findings, attempts: 1, elapsed, round, ended: Ended::Answered { held: None } }
    }

    /// `cut_by`: what cut it short, if something did.
    pub fn new(
        leaf: Leaf<'p>,
        outcome: Outcome<Vec<Finding>>,
        answers: u32,
        elapsed: Duration,
        round: Arc<Round>,
        cut_by: impl FnOnce() -> String,
    ) -> Self {
        let (findings, ended) = match outcome {
            Outcome::Held(findings) => (findings, Ended::Answered { held: None }),
            Outcome::Failed { findings, held } => (findings, Ended::Answered { held }),
            Outcome::TooShort { findings, held } => (findings, Ended::TooShort { held }),
            Outcome::NoAnswer => {
                let within = leaf.timing.limits.within.map(text).unwrap_or_default();
                let late = Unknown::new(UnknownCause::NoAnswer, format!("no response within {within}"));
                (vec![Finding::unknown(leaf.expect, late)], Ended::Answered { held: None })
            }
            Outcome::Undecided { last, held } => {
                let findings = last.unwrap_or_else(|| vec![Finding::unanswered(leaf.expect)]);
                (findings, Ended::Cut { by: cut_by(), held })
            }
        };
        // That nothing was answered in time is known after one attempt.
        Self { leaf, findings, attempts: answers.max(1), elapsed, round, ended }
    }

    pub fn holds(&self) -> bool {
        matches!(self.ended, Ended::Answered { .. }) && self.findings.iter().all(Finding::holds)
    }

    pub fn state(&self) -> State {
        let states = self.findings.iter().map(|finding| self.state_of(finding));
        states.into_iter().find(|state| *state != State::Holds).unwrap_or(State::Holds)
    }

    /// What one of its rows came to.
    pub fn state_of(&self, finding: &Finding) -> State {
        match &self.ended {
            Ended::Answered { .. } => finding.state(),
            // It held, and not for long enough.
            Ended::TooShort { .. } if finding.holds() => State::Differs,
            Ended::TooShort { .. } => finding.state(),
            // A row that has to hold at one moment only did so.
            Ended::Cut { .. } if finding.holds() && self.leaf.timing.limits.hold.is_none() => State::Holds,
            Ended::Cut { .. } => State::Undecided,
        }
    }

    /// The rows that do not hold.
    pub fn failing(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| self.state_of(finding) != State::Holds)
    }

    /// It keeps the step from passing.
    pub fn blocks(&self) -> bool {
        !self.holds() && !self.leaf.warns() && !self.is_accepted()
    }

    /// An accepted risk covers each of its rows that does not hold.
    fn is_accepted(&self) -> bool {
        let Some(cover) = &self.leaf.risk else { return false };
        let mut states = self.failing().map(|finding| self.state_of(finding)).peekable();
        states.peek().is_some() && states.all(|state| cover.accepts(state))
    }

    /// What its findings do not tell: that it did not hold for long enough, what cut it short.
    pub fn remark(&self) -> Option<String> {
        let required = self.leaf.timing.limits.hold;
        let held = |held: Option<Duration>| Some(format!("{} of the required {}", text(held?), text(required?)));
        match &self.ended {
            Ended::Answered { held: before } if !self.holds() => {
                Some(format!("it held for {}, then no longer", held(*before)?))
            }
            Ended::Answered { .. } => None,
            Ended::TooShort { held: kept } => {
                Some(format!("deadline reached after holding for {}", held(Some(*kept))?))
            }
            Ended::Cut { by, held: kept } => Some(match held(*kept) {
                Some(kept) => format!("cut short after holding for {kept}: {by}"),
                None => format!("cut short: {by}"),
            }),
        }
    }
}

fn text(duration: Duration) -> String {
    let rounded = Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    display::duration_text(rounded.try_into().unwrap_or_default())
}
