//! When one expect is asked, and when it is decided: a state machine without a clock and without IO.
//!
//! In: what happens to the expect (it is due, an answer came, its deadline passed, the run is cut short), and when: times
//! count from the start of its group. Out: what to do next, and in the end the outcome.

use std::time::Duration;

/// How often an expect is polled, unless it says.
const DEFAULT_EVERY: Duration = Duration::from_millis(500);

/// Nothing is polled more often than this.
const SHORTEST_EVERY: Duration = Duration::from_millis(10);

/// `within`, `for` and `every`, as they were worked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub within: Option<Duration>,
    pub hold: Option<Duration>,
    pub every: Option<Duration>,
}

/// What an expect was answered in one poll.
pub trait Findings {
    /// All of it holds.
    fn hold(&self) -> bool;
}

/// What happens to an expect that is polled.
#[derive(Debug)]
pub enum Event<F> {
    /// The time that was waited for has come.
    Due,
    /// The answer to what was asked at `asked`.
    Answered { asked: Duration, findings: F },
    /// The deadline passed before the answer came.
    DeadlinePassed,
    /// Something ends the run before the deadline.
    Cut,
}

#[derive(Debug, PartialEq)]
pub enum Decision<F> {
    /// Poll now. An answer that comes behind [`PollState::deadline`] is late, and does not count.
    Ask,
    /// There is nothing to do before this time.
    Wait(Duration),
    Done(Outcome<F>),
}

/// How an expect was decided. `held`: for how long it had been seen to hold.
#[derive(Debug, PartialEq)]
pub enum Outcome<F> {
    /// It holds, and did for as long as it has to.
    Held(F),
    /// The last answer does not hold, and there is no time left for another one.
    Failed { findings: F, held: Option<Duration> },
    /// It held at the deadline, and not for long enough.
    TooShort { findings: F, held: Duration },
    /// No answer came before the deadline.
    NoAnswer,
    /// It was cut short while it could still have become true. `last`: what it was then, if it was answered at all.
    Undecided { last: Option<F>, held: Option<Duration> },
}

/// One expect that is polled.
#[derive(Debug)]
pub struct PollState<F> {
    deadline: Option<Duration>,
    hold: Option<Duration>,
    every: Duration,
    /// Another poll would find the same: what it hangs on is unknown.
    once: bool,
    phase: Phase,
    /// How often an answer came.
    answers: u32,
    last: Option<F>,
    /// Since when every answer held.
    held_since: Option<Duration>,
    /// For how long it has been seen to hold, or had been when it last did.
    held: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the time of the next poll.
    Waiting {
        due: Duration,
    },
    Asking {
        due: Duration,
    },
    /// For the deadline: another poll would come too late.
    Ending,
}

impl<F: Findings> PollState<F> {
    pub fn new(limits: Limits, once: bool) -> Self {
        let positive = |duration: &Duration| !duration.is_zero();
        Self {
            deadline: limits.within.filter(positive),
            hold: limits.hold.filter(positive),
            every: limits.every.unwrap_or(DEFAULT_EVERY).max(SHORTEST_EVERY),
            once,
            phase: Phase::Waiting { due: Duration::ZERO },
            answers: 0,
            last: None,
            held_since: None,
            held: None,
        }
    }

    /// Until when an answer counts.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// How often it was answered.
    pub fn answers(&self) -> u32 {
        self.answers
    }

    /// What it was when it was last answered, while it is not decided.
    pub fn last(&self) -> Option<&F> {
        self.last.as_ref()
    }

    pub fn next(&mut self, now: Duration, event: Event<F>) -> Decision<F> {
        match (event, self.phase) {
            (Event::Cut, _) => Decision::Done(self.cut(now)),
            (Event::Due, Phase::Waiting { due }) if now < due => Decision::Wait(due),
            (Event::Due, Phase::Waiting { due }) if !self.is_over(now) => {
                self.phase = Phase::Asking { due };
                Decision::Ask
            }
            (Event::Due, Phase::Asking { .. }) if !self.is_over(now) => Decision::Ask,
            (Event::Due, Phase::Ending) if !self.is_over(now) => Decision::Wait(self.deadline.unwrap_or(now)),
            (Event::Answered { asked, findings }, Phase::Asking { due })
                if self.deadline.is_none_or(|deadline| now <= deadline) =>
            {
                self.answers = self.answers.saturating_add(1);
                self.answered(now, due, asked, findings)
            }
            // An answer that comes too late says nothing: what came before it counts.
            (Event::Due | Event::DeadlinePassed | Event::Answered { .. }, _) => Decision::Done(self.at_deadline()),
        }
    }

    fn answered(&mut self, now: Duration, due: Duration, asked: Duration, findings: F) -> Decision<F> {
        if findings.hold() {
            // It held somewhen between the question and its answer: from the first answer to the last question is certain.
            let since = *self.held_since.get_or_insert(now);
            let held = asked.saturating_sub(since);
            self.held = Some(held);
            let Some(hold) = self.hold.filter(|hold| held < *hold) else {
                return Decision::Done(Outcome::Held(findings));
            };
            let done = since.saturating_add(hold);
            // What is done at about the same time is asked together, where there is time for that.
            let together = whole(done, SHORTEST_EVERY);
            let done = if self.is_over(together) { done } else { together };
            self.wait(findings, self.on_grid(due, now).min(done).max(now))
        } else {
            self.held_since = None;
            if self.once || self.deadline.is_none_or(|deadline| now >= deadline) {
                return Decision::Done(Outcome::Failed { findings, held: self.held });
            }
            self.wait(findings, self.on_grid(due, now))
        }
    }

    /// Due times lie on one grid from the group's start on, so that what is due together is asked together. Two polls are at
    /// least a period apart, but for one that completes a `for`.
    fn on_grid(&self, due: Duration, now: Duration) -> Duration {
        let after = whole(due.saturating_add(self.every), self.every);
        if after > now { after } else { whole(now.saturating_add(Duration::from_nanos(1)), self.every) }
    }

    fn wait(&mut self, findings: F, due: Duration) -> Decision<F> {
        self.last = Some(findings);
        if self.is_over(due) {
            self.phase = Phase::Ending;
            return Decision::Wait(self.deadline.unwrap_or(due));
        }
        self.phase = Phase::Waiting { due };
        Decision::Wait(due)
    }

    /// Whether a poll at this time would come too late.
    fn is_over(&self, at: Duration) -> bool {
        self.deadline.is_some_and(|deadline| at >= deadline)
    }

    fn at_deadline(&mut self) -> Outcome<F> {
        match self.last.take() {
            Some(findings) if findings.hold() => Outcome::TooShort { findings, held: self.held.unwrap_or_default() },
            Some(findings) => Outcome::Failed { findings, held: self.held },
            None => Outcome::NoAnswer,
        }
    }

    fn cut(&mut self, now: Duration) -> Outcome<F> {
        let next = match self.phase {
            Phase::Waiting { due } => due.max(now),
            Phase::Asking { .. } => now,
            Phase::Ending => return self.at_deadline(),
        };
        // What fails now, and has no time left to hold for as long as it must, has failed for good.
        let earliest = match self.held_since {
            Some(since) => since.saturating_add(self.hold.unwrap_or_default()),
            None => next.saturating_add(self.hold.unwrap_or_default()),
        };
        if self.last.is_some() && self.is_over(earliest.max(next)) {
            return self.at_deadline();
        }
        Outcome::Undecided { last: self.last.take(), held: self.held_since.and(self.held) }
    }
}

/// The first multiple of `step` that is not before `time`.
fn whole(time: Duration, step: Duration) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let step = step.as_nanos().max(1);
    let nanos = time.as_nanos().div_ceil(step).saturating_mul(step);
    let below = u32::try_from(nanos % SECOND).unwrap_or_default();
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, below))
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
