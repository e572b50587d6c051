//! Groups: consecutive expects, asked side by side, each until its own deadline.
//!
//! In: the [`Leaf`]s of a group, as `expand` takes it apart. Out: each [`Asked`], reported in the order in which they were
//! written. When each is polled is decided by `poll`; this waits, asks the world, and hands the answers on. What is asked
//! at the same moment shares one [`Round`].

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::value::{Truth, Unknown, UnknownCause};

pub use super::asked::Asked;
use super::expand::SIDE_BY_SIDE;
pub use super::expand::{Expansion, Leaves, at_item};
use super::finding::{self, Finding};
pub use super::leaf::Leaf;
use super::poll::{Decision, Event, PollState};
pub use super::report::{asked_as, reason, report};
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, Seconds};

/// How many expects of one group are asked at the same time. One that waits to be asked again is not among them.
const AT_ONCE: usize = 256;

/// Asks each leaf once, all in one round; what a dry run does.
pub async fn ask_once<'p>(core: &Core, leaves: Vec<Leaf<'p>>, round: &Arc<Round>) -> Vec<Asked<'p>> {
    let began = Instant::now();
    let places = &Semaphore::new(AT_ONCE);
    join_all(leaves.into_iter().map(|leaf| async move {
        let _place = place(places).await;
        let findings = put(core, &leaf, round).await;
        Asked::once(leaf, findings, began.elapsed(), round.clone())
    }))
    .await
}

/// Asks until everything holds or its time is up; tells of each as it is decided, and hands it to `decided`. `cancel` ends the
/// asking.
///
/// `first` is the round in which the group was taken apart: what was asked then need not be asked again at once. The first
/// expects start together. Of a very large group the others start when those before them have been asked once, so that only
/// those are in memory that wait.
pub async fn ask_each<'p>(
    core: &Core,
    mut leaves: Leaves<'p>,
    first: Arc<Round>,
    cancel: &Flag,
    mut decided: impl FnMut(Asked<'p>),
) {
    let together = leaves.some().await;
    let poller = Poller { core, began: Instant::now(), places: Semaphore::new(AT_ONCE), cancel };
    let mut rounds = Rounds::default();
    let mut asking = FuturesUnordered::new();
    let mut order = InOrder::default();
    // Those that started, and how many of them have not been asked once.
    let (mut started, mut unasked) = (0, 0);
    let mut more = together.len() == SIDE_BY_SIDE;
    let mut start = |leaf: Leaf<'p>| {
        let limits = leaf.timing.limits;
        core.emitter.emit(
            leaf.place(core, ""),
            Body::ExpectStarted {
                text: leaf.expect.text.to_string(),
                within: limits.within.map(Seconds::from),
                hold: limits.hold.map(Seconds::from),
            },
        );
        let poll = PollState::new(limits, leaf.blocked.is_some());
        let polled = Polled { at: started, leaf, poll, due: Duration::ZERO };
        started += 1;
        poller.step(polled, first.clone())
    };
    for leaf in together {
        asking.push(start(leaf));
        unasked += 1;
    }
    loop {
        let next = tokio::select! {
            biased;
            leaf = leaves.next(), if more && unasked < SIDE_BY_SIDE => {
                match leaf {
                    Some(leaf) => {
                        core.emitter.room().await;
                        asking.push(start(leaf));
                        unasked += 1;
                    }
                    None => more = false,
                }
                continue;
            }
            next = asking.next(), if !asking.is_empty() => next,
            else => break,
        };
        match next {
            Some(Next::Again(polled)) => {
                unasked -= usize::from(order.again(polled.at));
                let round = rounds.at(polled.due, poller.now());
                asking.push(poller.step(polled, round));
            }
            Some(Next::Done(at, asked)) => {
                unasked -= usize::from(order.done(at, asked));
                while let Some(asked) = order.next() {
                    core.emitter.room().await;
                    report(core, &asked).await;
                    decided(asked);
                }
            }
            None => {}
        }
        order.tell_ahead(core);
    }
}

/// The same of a few; all that they came to.
pub async fn ask_until<'p>(core: &Core, leaves: Vec<Leaf<'p>>, first: Arc<Round>, cancel: &Flag) -> Vec<Asked<'p>> {
    let mut all = Vec::new();
    ask_each(core, leaves.into(), first, cancel, |asked| all.push(asked)).await;
    all
}

/// A place among those that are asked at the same time. One that is free is taken without asking tokio's scheduler: it makes
/// a task wait now and then, and who waited would be asked behind a thousand others, with all their answers kept until then.
async fn place(places: &Semaphore) -> Option<SemaphorePermit<'_>> {
    match places.try_acquire() {
        Ok(place) => Some(place),
        Err(_) => places.acquire().await.ok(),
    }
}

/// The rounds of what is asked again, by the time at which it is due.
#[derive(Default)]
struct Rounds(BTreeMap<Duration, Arc<Round>>);

impl Rounds {
    fn at(&mut self, due: Duration, now: Duration) -> Arc<Round> {
        while let Some(past) = self.0.first_entry()
            && *past.key() < now
        {
            past.remove();
        }
        self.0.entry(due).or_default().clone()
    }
}

/// What is decided, told in the order in which it was written: each as soon as those before it are decided.
#[derive(Default)]
struct InOrder<'p> {
    /// Decided, and not told.
    done: BTreeMap<usize, Asked<'p>>,
    /// How many are told.
    told: usize,
    /// Asked more than once.
    again: HashSet<usize>,
    /// Decided just now.
    unsaid: Vec<usize>,
}

impl<'p> InOrder<'p> {
    /// One is asked again; whether that is the first time.
    fn again(&mut self, at: usize) -> bool {
        self.again.insert(at)
    }

    /// One is decided; whether it was asked once only.
    fn done(&mut self, at: usize, asked: Asked<'p>) -> bool {
        self.unsaid.push(at);
        self.done.insert(at, asked);
        !self.again.remove(&at)
    }

    fn next(&mut self) -> Option<Asked<'p>> {
        let asked = self.done.remove(&self.told)?;
        self.told += 1;
        Some(asked)
    }

    /// What waits for one that is asked again is seen to be decided by who looks on now.
    fn tell_ahead(&mut self, core: &Core) {
        if self.again.contains(&self.told) {
            for at in std::mem::take(&mut self.unsaid) {
                if let Some(asked) = self.done.get(&at) {
                    let (attempts, elapsed) = (asked.attempts, Seconds::from(asked.elapsed));
                    let body = Body::ExpectDecided { state: asked.state(), attempts, elapsed };
                    core.emitter.emit(asked.leaf.place(core, ""), body);
                }
            }
        } else if self.done.is_empty() {
            self.unsaid.clear();
        }
    }
}

/// An expect of a group that is polled.
struct Polled<'p> {
    at: usize,
    leaf: Leaf<'p>,
    poll: PollState<Vec<Finding>>,
    due: Duration,
}

enum Next<'p> {
    Again(Polled<'p>),
    Done(usize, Asked<'p>),
}

/// What the expects of one group are polled with.
struct Poller<'c> {
    core: &'c Core,
    began: Instant,
    places: Semaphore,
    cancel: &'c Flag,
}

impl Poller<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until an expect is due and asks it once.
    async fn step<'p>(&self, mut polled: Polled<'p>, round: Arc<Round>) -> Next<'p> {
        let event = self.due(polled.due).await;
        let decision = match polled.poll.next(self.now(), event) {
            Decision::Ask => {
                let event = self.ask(&polled, &round).await;
                let decision = polled.poll.next(self.now(), event);
                if matches!(decision, Decision::Wait(_)) {
                    self.tell(&polled);
                }
                decision
            }
            decided => decided,
        };
        match decision {
            Decision::Done(outcome) => {
                let cut_by = || self.cancel.cause().map(|cause| cause.to_string()).unwrap_or_default();
                let asked = Asked::new(polled.leaf, outcome, polled.poll.answers(), self.now(), round, cut_by);
                Next::Done(polled.at, asked)
            }
            Decision::Wait(due) => Next::Again(Polled { due, ..polled }),
            Decision::Ask => Next::Again(polled),
        }
    }

    /// What is due already waits for no timer: these count in milliseconds.
    async fn due(&self, due: Duration) -> Event<Vec<Finding>> {
        if self.cancel.cause().is_some() {
            return Event::Cut;
        }
        if due <= self.now() {
            return Event::Due;
        }
        tokio::select! {
            () = tokio::time::sleep_until(self.began + due) => Event::Due,
            _ = self.cancel.raised() => Event::Cut,
        }
    }

    async fn ask(&self, polled: &Polled<'_>, round: &Arc<Round>) -> Event<Vec<Finding>> {
        let asking = async {
            let _place = place(&self.places).await;
            let asked = self.now();
            Event::Answered { asked, findings: put(self.core, &polled.leaf, round).await }
        };
        let deadline = async {
            match polled.poll.deadline() {
                Some(deadline) => tokio::time::sleep_until(self.began + deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answered = asking => answered,
            () = deadline => Event::DeadlinePassed,
            _ = self.cancel.raised() => Event::Cut,
        }
    }

    /// Tells what an expect is now that is polled again.
    fn tell(&self, polled: &Polled<'_>) {
        let worst = polled.poll.last().and_then(|last| last.iter().find(|finding| !finding.holds()));
        if let (Some(worst), Some(deadline)) = (worst, polled.poll.deadline()) {
            self.core.emitter.emit(
                polled.leaf.place(self.core, &worst.id),
                Body::ExpectAsked {
                    attempt: polled.poll.answers(),
                    state: worst.state(),
                    expected: worst.expected.clone(),
                    actual: worst.actual.clone(),
                    remaining: Seconds::from(deadline.saturating_sub(self.now())),
                },
            );
        }
    }
}

async fn put(core: &Core, leaf: &Leaf<'_>, round: &Arc<Round>) -> Vec<Finding> {
    match &leaf.blocked {
        Some(unknown) => vec![Finding::unknown(leaf.expect, unknown.clone())],
        None => finding::ask(&Eval::new(core, &leaf.site, round), leaf.expect).await,
    }
}

/// Whether all of it holds right now; asked quietly, for steps that are done only *if needed*.
///
/// `None` where nothing is asked.
pub async fn holds_now(core: &Core, leaves: Vec<Leaf<'_>>, round: &Arc<Round>) -> Option<Truth> {
    let asked = join_all(leaves.iter().map(|leaf| put(core, leaf, round))).await;
    asked
        .into_iter()
        .flatten()
        .map(|finding| match (finding.truth, finding.outdated) {
            (Truth::True | Truth::False, Some(outdated)) => {
                Truth::Unknown(Unknown::new(UnknownCause::LeftOut, format!("line {} may change it", outdated.line)))
            }
            (truth, _) => truth,
        })
        .reduce(Truth::and)
}
