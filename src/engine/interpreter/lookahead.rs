//! The driver that looks ahead: what a part of a step proves, evaluated before it is run.
//!
//! It finds the expects of statements as they would be reached: before the first action of a part (its baseline), behind an
//! action whose end was not seen, and to learn whether a step is needed at all. Nothing is journaled, nothing is done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use async_trait::async_trait;

use super::driver::{At, Binding, Decision, Driver, Failure, FrameKind, Halt, Leave, Need, Retry, Section, Unneeded};
use super::task::Task;
use crate::check::program::{Call, Confirm, Expr, Member, Run, Step, Stmt};
use crate::diagnostic::Span;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::{Eval, Items};
use crate::engine::evaluation::scope::Bound;
use crate::engine::events::event::{Before, State};
use crate::engine::expects::group::{self, Expansion, Leaf};
use crate::value::{Answer, Truth, Unknown, UnknownCause, Value};

/// How long the proofs may take to answer before the first action: what does not answer by then proves nothing later.
const BRIEFLY: Duration = Duration::from_secs(1);

/// The most expects that are polled as proofs.
const MOST: usize = 10_000;

/// What each proof of a part is now, by its id.
pub(super) async fn baseline<'c>(core: &'c Core, step: &'c Step, part: &'c [Stmt], site: &Site) -> Vec<Before> {
    let round = Round::new();
    let site = Site { ahead: true, ..site.clone() };
    let looking = Lookahead::over(core, step, part, site, &round, Wanted::Expects);
    let Ok(ahead) = tokio::time::timeout(BRIEFLY, looking).await else { return Vec::new() };
    if ahead.too_many {
        return Vec::new();
    }
    // What stands before the first action is a gate, and proves nothing.
    let proofs = ahead.found.into_iter().filter(|(actions, _)| *actions > 0);
    let polled = join_all(proofs.map(|(_, leaf)| {
        let round = round.clone();
        async move {
            let expect = leaf.id.clone();
            let truth = tokio::time::timeout(BRIEFLY, group::holds_now(core, vec![leaf], &round)).await;
            Before { expect, state: truth.ok().flatten().map_or(State::Unknown, state) }
        }
    }));
    polled.await
}

fn state(truth: Truth) -> State {
    match truth {
        Truth::True => State::Holds,
        Truth::False => State::Differs,
        Truth::Unknown(_) => State::Unknown,
    }
}

/// The expects that stand right before the next action in these statements, and whether there is one.
pub(super) async fn before_the_next_action<'c>(
    core: &'c Core,
    step: &'c Step,
    stmts: &'c [Stmt],
    site: &Site,
    round: &Arc<Round>,
) -> (Vec<Leaf<'c>>, bool) {
    let ahead = Lookahead::over(core, step, stmts, site.clone(), round, Wanted::Expects).await;
    let before = ahead.found.into_iter().filter(|(actions, _)| *actions == 0);
    (before.map(|(_, leaf)| leaf).collect(), ahead.actions > 0)
}

/// Whether all that these statements prove holds now, so that no action is needed. Where nothing is proven, nothing shows that.
pub(super) async fn holds<'c>(core: &'c Core, step: &'c Step, body: &'c [Stmt], site: &Site) -> Truth {
    let ahead = Lookahead::over(core, step, body, site.clone(), &Round::new(), Wanted::Truth).await;
    ahead.truth.unwrap_or(Truth::False)
}

/// What is wanted of the expects ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Themselves.
    Expects,
    /// Whether they hold.
    Truth,
}

struct Lookahead<'c> {
    core: &'c Core,
    round: Arc<Round>,
    wanted: Wanted,
    /// How many actions stand before what comes next.
    actions: usize,
    /// The expects, each with the number of actions that stand before it.
    found: Vec<(usize, Leaf<'c>)>,
    /// There are more than are worth polling: they prove nothing ahead of time.
    too_many: bool,
    truth: Option<Truth>,
}

impl<'c> Lookahead<'c> {
    async fn over(
        core: &'c Core,
        step: &'c Step,
        stmts: &'c [Stmt],
        site: Site,
        round: &Arc<Round>,
        wanted: Wanted,
    ) -> Self {
        let ahead =
            Self { core, round: round.clone(), wanted, actions: 0, found: Vec::new(), too_many: false, truth: None };
        let mut task = Task::new(core, step, ahead);
        // It ends early where it has seen enough.
        let _ = task.block(FrameKind::Part, stmts, site, Section::Body).await;
        task.driver
    }

    fn eval(&self, site: &Site) -> Eval<'c> {
        Eval::new(self.core, site, &self.round)
    }

    /// Part of what would be proven can't be told.
    fn unclear(&mut self, why: &str) {
        let unknown = Truth::Unknown(Unknown::new(UnknownCause::LeftOut, why));
        self.truth = Some(self.truth.take().map_or(unknown.clone(), |truth| truth.and(unknown)));
    }
}

#[async_trait]
impl<'c> Driver<'c> for Lookahead<'c> {
    const LOOKS_AHEAD: bool = true;

    async fn before(&mut self, _at: At<'_, 'c>) -> Result<(), Halt> {
        if self.too_many { Err(Halt::HistoryEnds) } else { Ok(()) }
    }

    async fn attempt(&mut self, _at: At<'_, 'c>, _attempt: u32) -> Result<(), Halt> {
        Ok(())
    }

    async fn pause(&mut self, _after: Duration) -> Result<(), Halt> {
        Ok(())
    }

    async fn bind(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        match self.core.slots.get(binding.var) {
            Some(bound) => Ok(bound),
            None => Ok(self.eval(at.site).bound(binding.value).await),
        }
    }

    async fn secret(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Result<Bound, Halt> {
        self.bind(at, binding).await
    }

    async fn decide(&mut self, at: At<'_, 'c>, condition: &'c Expr) -> Result<Decision, Halt> {
        Ok(match self.eval(at.site).truth(condition).await {
            Truth::True => Decision::Take,
            Truth::False => Decision::Leave,
            // Nothing in either branch proves anything.
            Truth::Unknown(unknown) => {
                self.unclear(&unknown.reason);
                Decision::Neither
            }
        })
    }

    async fn needed(&mut self, _at: At<'_, 'c>, _need: Need<'_, 'c>) -> Result<Truth, Halt> {
        Ok(Truth::False)
    }

    async fn items(&mut self, at: At<'_, 'c>, over: &'c Expr) -> Result<Result<Items, Answer>, Halt> {
        Ok(Ok(self.eval(at.site).items(over).await.unwrap_or_else(|answer| {
            if let Answer::Unknown(unknown) = &answer {
                self.unclear(&unknown.reason);
            }
            Items::none()
        })))
    }

    async fn act(&mut self, _at: At<'_, 'c>, _run: &'c Run, _call: &'c Call) -> Result<Result<(), Failure>, Halt> {
        self.actions += 1;
        Ok(Ok(()))
    }

    async fn leave_out(&mut self, _at: At<'_, 'c>, _run: &'c Run, _why: Unneeded) -> Result<(), Halt> {
        Ok(())
    }

    async fn expect(&mut self, at: At<'_, 'c>, members: &'c [Member]) -> Result<Result<(), Failure>, Halt> {
        let mut leaves = Expansion::of(self.core, members, at.site, &self.round);
        match self.wanted {
            Wanted::Expects => {
                while let Some(leaf) = leaves.next().await {
                    if self.found.len() == MOST {
                        self.too_many = true;
                        break;
                    }
                    self.found.push((self.actions, leaf));
                }
            }
            Wanted::Truth => loop {
                let some = leaves.some().await;
                if some.is_empty() {
                    break;
                }
                let holds = group::holds_now(self.core, some, &self.round).await;
                self.truth = match (self.truth.take(), holds) {
                    (Some(before), Some(holds)) => Some(before.and(holds)),
                    (before, holds) => before.or(holds),
                };
            },
        }
        Ok(Ok(()))
    }

    async fn expect_again(&mut self, _at: At<'_, 'c>) -> Result<(), Halt> {
        Ok(())
    }

    fn handles(&mut self) -> Result<bool, Halt> {
        Ok(false)
    }

    async fn handler(&mut self, _at: At<'_, 'c>, _failures: Vec<Value>) -> Result<Answer, Halt> {
        Ok(Answer::Known(Value::list([])))
    }

    async fn confirm(&mut self, _at: At<'_, 'c>, _confirm: &'c Confirm) -> Result<Option<String>, Halt> {
        Ok(None)
    }

    async fn show(&mut self, _at: At<'_, 'c>, _values: &'c [Expr], _span: Span) -> Result<(), Halt> {
        Ok(())
    }

    async fn retry(&mut self, _at: At<'_, 'c>, _retry: Retry<'c>) -> Result<(), Halt> {
        Ok(())
    }

    async fn leave(&mut self, _at: At<'_, 'c>, _leave: Leave<'c>) -> Result<(), Halt> {
        Ok(())
    }
}
