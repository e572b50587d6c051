//! Ending a run early: a signal, a stop condition, the run's time limit.
//!
//! In: signals with the time at which they came, and causes from inside the run. Out: two flags. The first lets handlers,
//! `finally` blocks and the rollback finish; the second ends these, too. Only a person who insists, or a sender who
//! comes back after a while, raises the second one: service managers, wrappers and terminals send several signals where
//! they mean one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What ended a run early, if something did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGQUIT, or Ctrl-\.
    Quit,
    /// A `stop` block; its words.
    Stop(Arc<str>),
    /// The header's `timeout`.
    TimeLimit(Arc<str>),
    /// Whoever watched is gone: the terminal was closed, or what read the output.
    HangUp,
    /// What can be known before the first action speaks against the run.
    Preflight(Arc<str>),
    /// The run was ending already before it was cut off: why.
    Earlier(Arc<str>),
    /// The record can't be written: why.
    Unkept(Arc<str>),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Interrupt => f.write_str("interrupted from the keyboard"),
            Cause::Terminate => f.write_str("ended by SIGTERM"),
            Cause::Quit => f.write_str("ended by SIGQUIT"),
            Cause::Stop(reason) => write!(f, "stopped: {reason}"),
            Cause::TimeLimit(limit) => write!(f, "the run's time limit of {limit} has passed"),
            Cause::HangUp => f.write_str("the terminal, or what read the output, went away"),
            Cause::Preflight(why) => write!(f, "the preflight failed: {why}"),
            Cause::Earlier(reason) => f.write_str(reason),
            Cause::Unkept(why) => write!(f, "the run's record can't be written: {why}"),
        }
    }
}

/// A word that something has to end, and why.
#[derive(Clone, Debug, Default)]
pub struct Flag {
    token: CancellationToken,
    reason: Arc<Mutex<Option<Cause>>>,
}

impl Flag {
    /// The first cause stays.
    pub fn raise(&self, cause: Cause) {
        self.reason.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(cause);
        self.token.cancel();
    }

    pub fn cause(&self) -> Option<Cause> {
        self.reason.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Waits until it is raised; says why.
    pub async fn raised(&self) -> String {
        self.token.cancelled().await;
        self.cause().map(|cause| cause.to_string()).unwrap_or_default()
    }

    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// A signal that ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// SIGHUP: the terminal or the session is gone.
    HangUp,
}

impl From<Signal> for Cause {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Cause::Interrupt,
            Signal::Terminate => Cause::Terminate,
            Signal::Quit => Cause::Quit,
            Signal::HangUp => Cause::HangUp,
        }
    }
}

/// What a signal asks for, after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// End the run; handlers, `finally` and the rollback finish.
    End,
    /// End these, too.
    EndAtOnce,
    /// Nothing more: it belongs to a signal that was heard already.
    Nothing,
}

/// The signals that a run has heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// When the first one came that asks the run to end. A hang-up does not: it tells that nobody looks on any more.
    first: Option<Duration>,
    /// When the first interrupt came.
    interrupt: Option<Duration>,
}

impl Heard {
    /// Signals that come sooner after the first belong to it: service managers, sshd and CI runners send SIGTERM and
    /// SIGHUP, or SIGINT and SIGTERM, as a pair.
    pub const SAME: Duration = Duration::from_secs(2);

    /// Nobody presses Ctrl-C twice in so short a time, but a wrapper such as timeout(1) sends each signal to its child
    /// and once more to the child's process group.
    pub const ECHO: Duration = Duration::from_millis(50);

    /// Takes note of a signal that came at `now`, counted from any fixed moment, and tells what it asks for.
    pub fn hear(&mut self, signal: Signal, now: Duration) -> Asks {
        if signal == Signal::HangUp {
            return Asks::End;
        }
        let again = |before: Option<Duration>, gap: Duration| before.is_some_and(|at| now.saturating_sub(at) >= gap);
        let insists = again(self.first, Self::SAME) || signal == Signal::Interrupt && again(self.interrupt, Self::ECHO);
        let is_first = self.first.is_none();
        self.first.get_or_insert(now);
        if signal == Signal::Interrupt {
            self.interrupt.get_or_insert(now);
        }
        match (insists, is_first) {
            (true, _) => Asks::EndAtOnce,
            (false, true) => Asks::End,
            (false, false) => Asks::Nothing,
        }
    }
}

/// The two flags of a run. Clones are the same flags.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Ends what the steps do; handlers and `finally` still run.
    pub gently: Flag,
    /// Ends these, too.
    pub at_once: Flag,
    heard: Arc<Mutex<Heard>>,
}

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal came at `now`, counted from any moment that is the same for all of them. What ended the run before, if
    /// it was no signal, does not count: after a time limit or a stop condition, the first signal is the first.
    pub fn signal(&self, signal: Signal, now: Duration) -> Asks {
        let asks = self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).hear(signal, now);
        match asks {
            Asks::End => self.gently.raise(signal.into()),
            Asks::EndAtOnce => self.at_once.raise(signal.into()),
            Asks::Nothing => {}
        }
        asks
    }

    /// Whether a signal has asked the run to end, and was the first to do so.
    pub fn by_signal(&self) -> bool {
        matches!(self.gently.cause(), Some(Cause::Interrupt | Cause::Terminate | Cause::Quit | Cause::HangUp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Asks::{End, EndAtOnce, Nothing};
    use Signal::{HangUp, Interrupt, Quit, Terminate};

    const ALL: [Signal; 4] = [Interrupt, Terminate, Quit, HangUp];

    /// What each of these asks for, in their order; times in milliseconds.
    fn asks(signals: &[(Signal, u64)]) -> Vec<Asks> {
        let mut heard = Heard::default();
        signals.iter().map(|(signal, at)| heard.hear(*signal, Duration::from_millis(*at))).collect()
    }

    #[test]
    fn each_pair_of_signals_at_each_gap() {
        for first in ALL {
            for second in ALL {
                for gap in [0, 1, 49, 50, 120, 1_999, 2_000, 60_000] {
                    let expected = match (first, second) {
                        // A hang-up never presses, and what comes after one is the first request.
                        (HangUp, _) | (_, HangUp) => End,
                        (Interrupt, Interrupt) if gap >= 50 => EndAtOnce,
                        _ if gap >= 2_000 => EndAtOnce,
                        _ => Nothing,
                    };
                    assert_eq!(asks(&[(first, 7), (second, 7 + gap)]), [End, expected], "{first:?} {second:?} {gap}");
                }
            }
        }
    }

    #[test]
    fn several_signals() {
        // A service manager that stops a unit, and comes back.
        assert_eq!(asks(&[(Terminate, 0), (HangUp, 1), (Terminate, 90_000)]), [End, End, EndAtOnce]);
        assert_eq!(asks(&[(HangUp, 0), (Terminate, 10_000), (Terminate, 10_001)]), [End, End, Nothing]);
        // Through a wrapper that sends each twice: the second press insists, the echo of the first does not.
        assert_eq!(
            asks(&[(Interrupt, 0), (Interrupt, 1), (Interrupt, 700), (Interrupt, 701)]),
            [End, Nothing, EndAtOnce, EndAtOnce]
        );
        // A key that is held down.
        assert_eq!(asks(&[(Interrupt, 0), (Interrupt, 33), (Interrupt, 66)]), [End, Nothing, EndAtOnce]);
        // A person behind a signal of another kind presses twice.
        assert_eq!(asks(&[(Terminate, 0), (Interrupt, 100), (Interrupt, 400)]), [End, Nothing, EndAtOnce]);
        // Pairs every second are not one after the other: two seconds behind the first one counts.
        assert_eq!(asks(&[(Terminate, 0), (Quit, 1_000), (Terminate, 2_000)]), [End, Nothing, EndAtOnce]);
    }

    #[test]
    fn what_ended_the_run_before_is_no_signal() {
        for cause in [
            Cause::TimeLimit("1s".into()),
            Cause::Stop("low".into()),
            Cause::HangUp,
            Cause::Unkept("full".into()),
            Cause::Earlier("cut off".into()),
        ] {
            let cancel = Cancel::new();
            cancel.gently.raise(cause.clone());
            assert_eq!(cancel.signal(Terminate, Duration::from_secs(100)), End);
            assert_eq!(cancel.at_once.cause(), None, "{cause:?}");
            assert_eq!(cancel.gently.cause(), Some(cause));
            assert_eq!(cancel.signal(Terminate, Duration::from_secs(103)), EndAtOnce);
            assert_eq!(cancel.at_once.cause(), Some(Cause::Terminate));
        }
    }
}
