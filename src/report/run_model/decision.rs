//! What a run came to: a verdict, as every form shows it.

use crate::engine::events::event::{
    Accepted, Body, Event, ExpectCounts, Seconds, StateCounts, StepCounts, Undone, Verdict,
};

use super::super::times::time;
use super::standing::counted;

/// How something looks: in colour, by a mark, by a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Tone {
    Good,
    Bad,
    Doubtful,
}

/// A verdict. A run may have two: its own, and that of its rollback, each with its own time.
#[derive(Clone, Copy)]
pub(in crate::report) struct Decision<'e> {
    pub verdict: Verdict,
    pub reasons: &'e [String],
    pub steps: StepCounts,
    pub expects: ExpectCounts,
    pub recovered: &'e [String],
    pub warnings: &'e [String],
    pub accepted: &'e [Accepted],
    pub undone: &'e [Undone],
    pub partial: Option<&'e str>,
    pub elapsed: Seconds,
}

impl<'e> Decision<'e> {
    pub fn of(event: &'e Event) -> Option<Self> {
        let Body::Verdict {
            verdict,
            reasons,
            steps,
            expects,
            recovered,
            warnings,
            accepted,
            undone,
            partial,
            elapsed,
            ..
        } = &event.body
        else {
            return None;
        };
        Some(Self {
            verdict: *verdict,
            reasons,
            steps: *steps,
            expects: *expects,
            recovered,
            warnings,
            accepted,
            undone,
            partial: partial.as_deref(),
            elapsed: *elapsed,
        })
    }

    pub fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Go => "GO",
            Verdict::NoGo => "NO-GO",
            Verdict::RolledBack => "ROLLED BACK",
            Verdict::RollbackFailed => "ROLLBACK FAILED",
        }
    }

    /// A GO that rests on accepted risks.
    pub fn has_risks(&self) -> bool {
        self.verdict == Verdict::Go && !self.accepted.is_empty()
    }

    pub fn tone(&self) -> Tone {
        match self.verdict {
            Verdict::Go if self.accepted.is_empty() => Tone::Good,
            Verdict::Go | Verdict::RolledBack => Tone::Doubtful,
            Verdict::NoGo | Verdict::RollbackFailed => Tone::Bad,
        }
    }

    /// It is about the rollback alone: the run has a verdict of its own.
    pub fn is_of_rollback(&self) -> bool {
        matches!(self.verdict, Verdict::RolledBack | Verdict::RollbackFailed)
    }

    /// How many steps came to what; the first is said even if there is none.
    pub fn step_counts(&self) -> [(u32, &'static str); 4] {
        let StepCounts { passed, recovered, failed, skipped } = self.steps;
        [(passed, "passed"), (recovered, "recovered"), (failed, "failed"), (skipped, "skipped")]
    }

    pub fn expect_counts(&self) -> [(u32, &'static str); 5] {
        let ExpectCounts { held, differed, unknown, waived, undecided } = self.expects;
        [
            (held, "held"),
            (differed, "differed"),
            (unknown, "unknown"),
            (undecided, "not decided"),
            (waived, "accepted as a risk"),
        ]
    }

    /// The steps, and the expects, each count of them, also where there are none; "not decided" only where there are.
    pub fn all_counts(&self) -> (String, String) {
        let ExpectCounts { held, differed, unknown, waived, undecided } = self.expects;
        let steps = self.step_counts().map(|(count, what)| format!("{count} {what}")).join(", ");
        let undecided = if undecided > 0 { format!("{undecided} not decided, ") } else { String::new() };
        (steps, format!("{held} held, {differed} differed, {unknown} unknown, {undecided}{waived} accepted"))
    }

    /// "1 step undone, 1 not".
    pub fn undone_counts(&self) -> String {
        let done = self.undone.iter().filter(|undone| undone.ok).count();
        let steps = if done == 1 { "step" } else { "steps" };
        match self.undone.len() - done {
            0 => format!("{done} {steps} undone"),
            failed => format!("{done} {steps} undone, {failed} not"),
        }
    }
}

/// "undone", "undone late", "not undone".
pub(in crate::report) fn undone(undone: &Undone) -> (Tone, &'static str) {
    match (undone.ok, &undone.reason) {
        (true, None) => (Tone::Good, "undone"),
        (true, Some(_)) => (Tone::Doubtful, "undone late"),
        (false, _) => (Tone::Bad, "not undone"),
    }
}

/// "deploy not undone: `true` failed, 1.2s".
pub(in crate::report) fn undone_words(undone: &Undone) -> String {
    let what = if undone.ok { "undone" } else { "not undone" };
    let reason = undone.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {what}{reason}, {}", undone.step, time(undone.elapsed))
}

/// What the expects of a dry run are.
pub(in crate::report) struct StatesNow {
    /// Said in any case.
    pub always: [(u32, &'static str); 3],
    /// Counted apart, and said where there are any: nobody saw these.
    pub apart: [(u32, &'static str); 3],
}

impl From<&StateCounts> for StatesNow {
    fn from(counts: &StateCounts) -> Self {
        let StateCounts { holds, differs, unknown, assumed, accepted, not_reached } = *counts;
        Self {
            always: [(holds, "hold now"), (differs, "differ now"), (unknown, "unknown")],
            apart: [(assumed, "assumed"), (accepted, "accepted as a risk"), (not_reached, "not reached")],
        }
    }
}

impl StatesNow {
    /// "2 hold now, 0 differ now, 1 unknown, 1 assumed"
    pub fn words(&self) -> String {
        let always = self.always.map(|(count, what)| format!("{count} {what}")).join(", ");
        let apart = counted(&self.apart);
        if apart.is_empty() { always } else { format!("{always}, {apart}") }
    }
}
