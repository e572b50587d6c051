//! The driver that replays: each operation takes its outcome from the run's history, in order, as long as there is one.
//!
//! In: what the journal holds of a step. Out: the same bindings, decisions and failures as then; behind the end of the history
//! [`Behind`] says what comes: the world ([`Resuming`]), or nothing ([`super::survey`]). A journal that does not fit the
//! runbook is a [`Halt::Mismatch`].

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;

use super::confirm;
use super::driver::{At, Binding, Decision, Driver, Failure, Halt, Leave, Need, Position, Retry, Unneeded};
use super::live::{Live, leaves};
use super::run_state::Execution;
use super::start;
use super::task::first_span;
use crate::check::program::{Call, Confirm, Expr, Member, Run};
use crate::diagnostic::Span;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::eval::{Items, items_of};
use crate::engine::evaluation::scope::Bound;
use crate::engine::events::event::Doubt;
use crate::engine::events::past::{ActionEnd, Happened, What};
use crate::value::{Answer, Truth, UnknownCause, Value, recorded};

/// What the journal holds of a step's last attempt, or of undoing it, less what was gone through.
pub(super) struct History {
    entries: VecDeque<Happened>,
    /// The step has ended, for this reason: nothing comes behind it.
    ended: Option<String>,
}

impl History {
    pub fn new(entries: VecDeque<Happened>, ended: Option<String>) -> Self {
        Self { entries, ended }
    }

    /// Of a step that has not begun.
    pub fn none() -> Self {
        Self::new(VecDeque::new(), None)
    }

    pub fn is_over(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next entry, if there is one: it must be what the runbook has come to.
    fn next<T>(
        &mut self,
        core: &Core,
        position: &Position<'_>,
        expected: &str,
        span: Span,
        read: impl FnOnce(&What) -> Option<T>,
    ) -> Result<Option<T>, Halt> {
        let Some(next) = self.entries.front() else { return Ok(None) };
        let Some(found) = read(&next.what) else {
            let place = format!("{}:{}", core.program.sources.name(span), core.line(span));
            return Err(Halt::Mismatch(format!(
                "journal mismatch in step {}: the runbook expects {expected} ({place}), the journal has {} ({}:{})",
                position.step.name,
                kind(&next.what),
                next.file,
                next.line
            )));
        };
        self.entries.pop_front();
        Ok(Some(found))
    }
}

/// As a mismatch names it.
fn kind(what: &What) -> String {
    match what {
        What::Bound { name, .. } => format!("the binding `{name}`"),
        What::Condition { .. } => "a condition".to_owned(),
        What::Action { action, .. } => format!("the action `{action}`"),
        What::LeftOut => "an action that was not needed".to_owned(),
        What::Group { .. } => "a group of expects".to_owned(),
        What::Handler { .. } => "`on-failure`".to_owned(),
        What::Confirmed { .. } => "a confirmation".to_owned(),
        What::Retry { .. } => "a retry".to_owned(),
    }
}

/// An action that had started, and whose end is not in the journal.
pub(super) struct Pending {
    pub action: String,
    pub since: jiff::Timestamp,
}

/// What comes behind the end of the history.
#[async_trait]
pub(super) trait Behind<'c>: Send {
    /// Who does what is not in the journal.
    fn live(&mut self) -> Result<&mut Live<'c>, Halt>;

    /// An action that is in the journal with its end was come to.
    async fn done(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call);

    /// So was a group that held.
    fn held(&mut self, at: At<'_, 'c>, members: &'c [Member]);

    /// Whether an action that is in doubt counts as done, and why; or that it is done again.
    async fn doubt(
        &mut self,
        at: At<'_, 'c>,
        pending: &Pending,
        run: &'c Run,
        call: &'c Call,
    ) -> Result<Option<Doubt>, Halt>;

    /// A handler says that the run is rolled back.
    fn asks_for_rollback(&mut self, why: String);
}

pub(super) struct Replay<'c, B> {
    core: &'c Core,
    pub history: History,
    pub behind: B,
}

/// Behind the history comes the world.
pub(super) struct Resuming<'c> {
    run: &'c Execution<'c>,
    live: Live<'c>,
}

impl<'c> Resuming<'c> {
    pub fn new(run: &'c Execution<'c>) -> Self {
        Self { run, live: Live { run } }
    }
}

#[async_trait]
impl<'c> Behind<'c> for Resuming<'c> {
    fn live(&mut self) -> Result<&mut Live<'c>, Halt> {
        self.run.goes_on();
        Ok(&mut self.live)
    }

    async fn done(&mut self, _at: At<'_, 'c>, _run: &'c Run, _call: &'c Call) {}

    fn held(&mut self, _at: At<'_, 'c>, _members: &'c [Member]) {}

    async fn doubt(
        &mut self,
        _at: At<'_, 'c>,
        _pending: &Pending,
        _run: &'c Run,
        _call: &'c Call,
    ) -> Result<Option<Doubt>, Halt> {
        self.run.goes_on();
        Ok(self.run.footing.doubt.clone().filter(|doubt| doubt.done))
    }

    fn asks_for_rollback(&mut self, why: String) {
        self.run.asks_for_rollback(why);
    }
}

impl<'c, B: Behind<'c>> Replay<'c, B> {
    pub fn new(core: &'c Core, history: History, behind: B) -> Self {
        Self { core, history, behind }
    }

    /// Who does what is not in the journal, once all that is in it was gone through.
    pub fn live(&mut self) -> Result<&mut Live<'c>, Halt> {
        match &self.history.ended {
            Some(reason) => Err(Halt::Failed(reason.clone())),
            None => self.behind.live(),
        }
    }

    fn data(&mut self, at: &At<'_, 'c>, expected: &str, span: Span) -> Result<Option<serde_json::Value>, Halt> {
        self.history.next(self.core, at.position, expected, span, |what| match what {
            What::Condition { data } => Some(data.clone()),
            _ => None,
        })
    }

    fn bound(&mut self, at: &At<'_, 'c>, what: &str, binding: Binding<'_>) -> Result<Option<serde_json::Value>, Halt> {
        let expected = format!("the {what} `{}`", binding.name);
        self.history.next(self.core, at.position, &expected, binding.span, |what| match what {
            What::Bound { name, data } if **name == **binding.name => Some(data.clone()),
            _ => None,
        })
    }
}

#[async_trait]
impl<'c, B: Behind<'c>> Driver<'c> for Replay<'c, B> {
    async fn before(&mut self, at: At<'_, 'c>) -> Result<(), Halt> {
        // What is in the journal was begun, whatever has come since.
        if !self.history.is_over() {
            return Ok(());
        }
        self.live()?.before(at).await
    }

    async fn attempt(&mut self, at: At<'_, 'c>, attempt: u32) -> Result<(), Halt> {
        self.live()?.attempt(at, attempt).await
    }

    async fn pause(&mut self, after: Duration) -> Result<(), Halt> {
        let paused = self.live()?.pause(after).await;
        self.history = History::none();
        paused
    }

    async fn bind(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        match self.bound(&at, "binding", binding)? {
            Some(data) => Ok(start::remembered(self.core, at.site, binding.value, &data).await.into()),
            None => self.live()?.bind(at, binding).await,
        }
    }

    /// A secret is not in the journal: it is read again from where it is kept. One that was captured from an answer is lost.
    async fn secret(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        if self.bound(&at, "secret", binding)?.is_none() {
            return self.live()?.secret(at, binding).await;
        }
        let mut bound = start::secret(self.core, at.site, binding.name, binding.value).await;
        if let Answer::Unknown(unknown) = &bound.answer
            && unknown.cause == UnknownCause::NotRecorded
        {
            let (step, name) = (&at.position.step.name, binding.name);
            let reason = format!(
                "the secret `{name}` was captured in step `{step}` before the run was cut off, and secrets are not \
                 recorded; `--redo {step}` captures it again"
            );
            bound.answer = Answer::unknown(UnknownCause::NotRecorded, reason);
        }
        Ok(bound)
    }

    async fn decide(&mut self, at: At<'_, 'c>, condition: &'c Expr) -> Result<Decision, Halt> {
        let Some(data) = self.data(&at, "a condition", condition.span)? else {
            return self.live()?.decide(at, condition).await;
        };
        let truth = match recorded::read(&data) {
            Answer::Known(Value::Bool(true)) => Truth::True,
            Answer::Known(Value::Bool(false)) => Truth::False,
            Answer::Unknown(unknown) => Truth::Unknown(unknown),
            _ => {
                let words = self.core.words(condition.span);
                return Err(Halt::Mismatch(format!("`{words}` is not a condition in the journal")));
            }
        };
        Ok(start::decision(self.core, condition, truth))
    }

    async fn needed(&mut self, at: At<'_, 'c>, need: Need<'_, 'c>) -> Result<Truth, Halt> {
        match self.data(&at, "whether it is needed", need.span)? {
            Some(serde_json::Value::Bool(true)) => Ok(Truth::True),
            Some(_) => Ok(Truth::False),
            None => self.live()?.needed(at, need).await,
        }
    }

    async fn items(&mut self, at: At<'_, 'c>, over: &'c Expr) -> Result<Result<Items, Answer>, Halt> {
        let Some(data) = self.data(&at, "a loop", over.span)? else { return self.live()?.items(at, over).await };
        let answer = start::remembered(self.core, at.site, over, &data).await;
        Ok(answer.known().cloned().ok_or(answer).and_then(|whole| items_of(&whole)))
    }

    async fn act(&mut self, mut at: At<'_, 'c>, run: &'c Run, call: &'c Call) -> Result<Result<(), Failure>, Halt> {
        let recorded = self.history.next(self.core, at.position, "an action", run.span, |what| match what {
            What::Action { action, since, end } => Some((action.clone(), *since, end.clone())),
            _ => None,
        })?;
        match recorded {
            Some((action, _, Some(ActionEnd { error, data }))) => {
                self.behind.done(at.again(), run, call).await;
                if let Some((_, var)) = &run.bind {
                    let answer = match &data {
                        Some(data) => recorded::read(data),
                        None => Answer::unknown(
                            UnknownCause::NotRecorded,
                            format!("what `{action}` answered is not recorded"),
                        ),
                    };
                    self.core.slots.bind(*var, answer.into());
                }
                Ok(match error {
                    None => Ok(()),
                    Some(error) => Err(Failure { reason: format!("`{action}` {error}"), failures: Vec::new() }),
                })
            }
            Some((action, since, None)) => {
                let pending = Pending { action, since };
                match self.behind.doubt(at.again(), &pending, run, call).await? {
                    Some(doubt) => {
                        self.live()?.assume(&at, run, pending.action, doubt.because);
                        Ok(Ok(()))
                    }
                    None => Ok(self.live()?.carry_out(at, run, call).await),
                }
            }
            None => self.live()?.act(at, run, call).await,
        }
    }

    async fn leave_out(&mut self, at: At<'_, 'c>, run: &'c Run, why: Unneeded) -> Result<(), Halt> {
        let fits = |what: &What| matches!(what, What::LeftOut).then_some(());
        match self.history.next(self.core, at.position, "an action that is not needed", run.span, fits)? {
            Some(()) => Ok(()),
            None => self.live()?.leave_out(at, run, why).await,
        }
    }

    async fn expect(&mut self, at: At<'_, 'c>, members: &'c [Member]) -> Result<Result<(), Failure>, Halt> {
        let span = first_span(members, at.position.step);
        let group = self.history.next(self.core, at.position, "a group of expects", span, |what| match what {
            What::Group { ok, reason } => Some((*ok, reason.clone())),
            _ => None,
        })?;
        match group {
            Some((true, _)) => {
                self.behind.held(at, members);
                Ok(Ok(()))
            }
            Some((false, reason)) => Ok(Err(Failure { reason, failures: Vec::new() })),
            None => self.live()?.expect(at, members).await,
        }
    }

    async fn expect_again(&mut self, at: At<'_, 'c>) -> Result<(), Halt> {
        // The journal shows it by the group that follows.
        if !self.history.is_over() {
            return Ok(());
        }
        self.live()?.expect_again(at).await
    }

    fn handles(&mut self) -> Result<bool, Halt> {
        match self.history.entries.front() {
            Some(next) => Ok(matches!(next.what, What::Handler { .. })),
            None => self.live()?.handles(),
        }
    }

    async fn handler(&mut self, at: At<'_, 'c>, failures: Vec<Value>) -> Result<Answer, Halt> {
        let span = at.position.step.on_failure.as_ref().map_or(at.position.step.span, |handler| handler.span);
        let begun = self.history.next(self.core, at.position, "`on-failure`", span, |what| match what {
            What::Handler { data } => Some(data.clone()),
            _ => None,
        })?;
        match begun {
            Some(data) => Ok(recorded::read(&data)),
            None => self.live()?.handler(at, failures).await,
        }
    }

    async fn confirm(&mut self, at: At<'_, 'c>, confirm: &'c Confirm) -> Result<Option<String>, Halt> {
        let answered =
            self.history.next(self.core, at.position, "a confirmation", confirm.span, |what| match what {
                What::Confirmed { given, reason, data } => Some((*given, reason.clone(), data.clone())),
                _ => None,
            })?;
        match answered {
            Some((given, reason, data)) => {
                confirm::bind(self.core, confirm, data.as_ref().map(recorded::read));
                Ok((!given).then_some(reason))
            }
            None => self.live()?.confirm(at, confirm).await,
        }
    }

    async fn show(&mut self, at: At<'_, 'c>, values: &'c [Expr], span: Span) -> Result<(), Halt> {
        // What was shown is evidence of then: it is not read again.
        if !self.history.is_over() {
            return Ok(());
        }
        self.live()?.show(at, values, span).await
    }

    async fn retry(&mut self, at: At<'_, 'c>, retry: Retry<'c>) -> Result<(), Halt> {
        match self.history.entries.front() {
            Some(Happened { what: What::Retry { attempt, of, after }, .. }) => {
                let halt = Halt::Retry { after: after.duration(), of: *of, attempt: *attempt };
                self.history.entries.pop_front();
                Err(halt)
            }
            // There was none left.
            Some(_) => Ok(()),
            None => self.live()?.retry(at, retry).await,
        }
    }

    async fn leave(&mut self, at: At<'_, 'c>, leave: Leave<'c>) -> Result<(), Halt> {
        Err(leaves(self.core, at.site, leave, |why| self.behind.asks_for_rollback(why)).await)
    }
}
