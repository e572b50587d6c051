//! Groups: consecutive expects, asked side by side, each until its own deadline.
//!
//! A group is first expanded (loops, checks, conditions) into [`Leaf`]s. In `exec` each is asked until it holds (and
//! keeps holding) or its time is up; in a dry run once. What is asked at the same moment shares one [`Round`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::check::program::{Expect, ExpectKind, Member, Otherwise, Var};
use crate::value::{Truth, Unknown, UnknownCause, Value};

use super::finding::{self, Finding};
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::{Eval, bind_item};
use crate::engine::evaluation::scope::{Bound, Outdated};
use crate::engine::events::event::{Body, ExpectResult, Seconds, State};
use crate::engine::wording::describe;
use crate::engine::wording::in_place::{self, Called};

/// How often an expect is asked again, unless it says.
const DEFAULT_EVERY: Duration = Duration::from_millis(500);

/// How many expects of one group are asked at the same time. One that waits to be asked again is not among them.
const AT_ONCE: usize = 256;

/// How many expects of one group start together. A larger group is asked a part at a time.
const SIDE_BY_SIDE: usize = 1024;

/// An expect in its place: with its loops' names bound, and its times worked out.
pub struct Leaf<'p> {
    pub expect: &'p Expect,
    pub site: Site,
    /// Whole: `deploy.up["api"]`.
    pub id: String,
    pub timing: Timing<'p>,
    /// The checks that it belongs to, innermost last.
    pub checks: Vec<Called<'p>>,
    /// It can't be asked: what it hangs on is unknown.
    pub blocked: Option<Unknown>,
    /// The accepted risk that covers it.
    pub risk: Option<Arc<str>>,
}

/// `within`, `for`, `every` and `else`: of the expect itself, or of the check that it belongs to.
#[derive(Clone, Default)]
pub struct Timing<'p> {
    pub within: Option<Duration>,
    pub hold: Option<Duration>,
    pub every: Option<Duration>,
    /// With the site that its words are read at.
    pub otherwise: Option<(&'p Otherwise, Site)>,
}

/// A leaf that was asked for the last time.
pub struct Asked<'p> {
    pub leaf: Leaf<'p>,
    pub findings: Vec<Finding>,
    pub attempts: u32,
    pub elapsed: Duration,
    /// Why it failed though the last answer held: "held for 2s of 10s when the time was up".
    pub unkept: Option<String>,
}

impl Asked<'_> {
    pub fn holds(&self) -> bool {
        self.unkept.is_none() && self.findings.iter().all(Finding::holds)
    }

    pub fn state(&self) -> State {
        let states = || self.findings.iter().map(Finding::state);
        match states().find(|state| *state != State::Holds) {
            _ if self.holds() => State::Holds,
            Some(state) => state,
            // It held, and not for long enough.
            None => State::Differs,
        }
    }

    /// It keeps the step from passing.
    pub fn blocks(&self) -> bool {
        let warns = self.leaf.timing.otherwise.as_ref().is_some_and(|(otherwise, _)| otherwise.warn);
        !self.holds() && !warns && self.leaf.risk.is_none()
    }
}

/// The expects of a group, taken apart one by one as they are needed: a loop may have any number of them.
pub struct Leaves<'p> {
    /// Until all are.
    taking_apart: Option<BoxFuture<'p, ()>>,
    taken: mpsc::Receiver<Leaf<'p>>,
}

impl<'p> Leaves<'p> {
    pub async fn next(&mut self) -> Option<Leaf<'p>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Leaf<'p>>> {
        loop {
            if let Poll::Ready(leaf) = self.taken.poll_recv(cx) {
                return Poll::Ready(leaf);
            }
            match self.taking_apart.as_mut().map(|taking| taking.as_mut().poll(cx)) {
                // Dropped, it says that there are no more.
                Some(Poll::Ready(())) => self.taking_apart = None,
                Some(Poll::Pending) => return self.taken.poll_recv(cx),
                None => return Poll::Pending,
            }
        }
    }

    /// The next of them, as many as are asked side by side.
    pub async fn some(&mut self) -> Vec<Leaf<'p>> {
        let mut some = Vec::new();
        while some.len() < SIDE_BY_SIDE
            && let Some(leaf) = self.next().await
        {
            some.push(leaf);
        }
        some
    }
}

impl<'p> From<Vec<Leaf<'p>>> for Leaves<'p> {
    fn from(leaves: Vec<Leaf<'p>>) -> Self {
        let (put, taken) = mpsc::channel(leaves.len().max(1));
        for leaf in leaves {
            // There is room for each.
            let _ = put.try_send(leaf);
        }
        Self { taking_apart: None, taken }
    }
}

/// Takes a group apart.
pub struct Expansion<'c, 'p> {
    pub core: &'c Core,
    round: Arc<Round>,
    /// The checks that are being taken apart, innermost last.
    checks: Vec<Called<'p>>,
    out: mpsc::Sender<Leaf<'p>>,
}

impl<'c, 'p> Expansion<'c, 'p>
where
    'c: 'p,
{
    pub fn of(core: &'c Core, members: &'p [Member], site: &Site, round: &Arc<Round>) -> Leaves<'p> {
        // Of what is taken apart, little waits.
        let (out, taken) = mpsc::channel(64);
        let mut expansion = Self { core, round: round.clone(), checks: Vec::new(), out };
        let site = site.clone();
        let taking_apart = async move {
            let prefix = site.step.as_deref().map(|step| format!("{step}.")).unwrap_or_default();
            let keys = site.keys.to_string();
            expansion.members(members, site, prefix, keys, Timing::default(), None).await;
        };
        Leaves { taking_apart: Some(taking_apart.boxed()), taken }
    }

    /// `prefix` is the id so far, `keys` those of the loops around, which follow the expect's own part of the id.
    fn members<'a>(
        &'a mut self,
        members: &'p [Member],
        mut site: Site,
        prefix: String,
        keys: String,
        timing: Timing<'p>,
        blocked: Option<Unknown>,
    ) -> BoxFuture<'a, ()>
    where
        'p: 'a,
    {
        Box::pin(async move {
            for member in members {
                let eval = Eval::new(self.core, &site, &self.round);
                match member {
                    Member::Let { var, value, .. } => {
                        let bound = eval.bound(value).await;
                        site = site.with(*var, bound);
                    }
                    Member::Expect(expect) => {
                        self.expect(expect, &site, &prefix, &keys, &timing, blocked.clone()).await;
                    }
                    Member::For(each) => match eval.items(&each.over).await {
                        Ok(items) => {
                            let outdated = eval.outdated();
                            for (key, item) in items {
                                let inner = bind_item(&site, &each.vars, &key, &item, outdated);
                                let keys = format!("{keys}[{}]", loop_key(&key, &item));
                                self.members(&each.body, inner, prefix.clone(), keys, timing.clone(), blocked.clone())
                                    .await;
                            }
                        }
                        Err(answer) => {
                            let unknown = not_told(self.core, "the list that it loops over", &answer);
                            let mut inner = site.possibly(format!("for each of `{}`", self.core.words(each.over.span)));
                            for (_, var) in &each.vars {
                                inner = inner.with(*var, Bound::from(answer.clone()));
                            }
                            let keys = format!("{keys}[…]");
                            self.members(&each.body, inner, prefix.clone(), keys, timing.clone(), Some(unknown)).await;
                        }
                    },
                    Member::If(choice) => {
                        let mut open = site.clone();
                        let mut why = blocked.clone();
                        let mut decided = false;
                        for (condition, body) in &choice.branches {
                            let words = self.core.words(condition.span);
                            match Eval::new(self.core, &open, &self.round).truth(condition).await {
                                Truth::True => {
                                    self.members(
                                        body,
                                        open.clone(),
                                        prefix.clone(),
                                        keys.clone(),
                                        timing.clone(),
                                        why.clone(),
                                    )
                                    .await;
                                    decided = true;
                                    break;
                                }
                                Truth::False => {}
                                Truth::Unknown(unknown) => {
                                    let reason = format!("it hangs on `{words}`, which is unknown: {}", unknown.reason);
                                    let unknown = Unknown::new(unknown.cause, reason);
                                    let inner = open.possibly(format!("if `{words}`"));
                                    self.members(
                                        body,
                                        inner,
                                        prefix.clone(),
                                        keys.clone(),
                                        timing.clone(),
                                        Some(unknown.clone()),
                                    )
                                    .await;
                                    open = open.possibly(format!("if not `{words}`"));
                                    why = Some(unknown);
                                }
                            }
                        }
                        if let (false, Some(body)) = (decided, &choice.otherwise) {
                            self.members(body, open, prefix.clone(), keys.clone(), timing.clone(), why).await;
                        }
                    }
                }
            }
        })
    }

    async fn expect(
        &mut self,
        expect: &'p Expect,
        site: &Site,
        prefix: &str,
        keys: &str,
        outer: &Timing<'p>,
        blocked: Option<Unknown>,
    ) {
        let eval = Eval::new(self.core, site, &self.round);
        let mut timing = outer.clone();
        let mut blocked = blocked;
        for (written, slot) in
            [(&expect.within, &mut timing.within), (&expect.hold, &mut timing.hold), (&expect.every, &mut timing.every)]
        {
            if let Some(written) = written {
                match eval.duration(written).await {
                    Ok(duration) => *slot = Some(duration),
                    Err(unknown) => blocked = Some(unknown),
                }
            }
        }
        if let Some(otherwise) = &expect.otherwise {
            timing.otherwise = Some((otherwise, site.clone()));
        }
        let id = format!("{prefix}{}{keys}", expect.id);
        let ExpectKind::Check { check, args, name } = &expect.kind else {
            let checks = self.checks.clone();
            let risk = self.core.risks.covering(&id);
            // Nobody takes it when the group is not asked to its end.
            let _ = self.out.send(Leaf { expect, site: site.clone(), id, timing, checks, blocked, risk }).await;
            return;
        };
        let Some(definition) = self.core.program.checks.get(*check) else { return };
        // A check has a scope of its own: its parameters, and nothing of its caller's.
        let mut inner = Site { scope: crate::engine::evaluation::scope::Scope::default(), ..site.clone() };
        for ((_, var, ty), arg) in definition.params.iter().zip(args) {
            let mut bound = eval.bound(arg).await;
            if let crate::value::Answer::Known(value) = &bound.answer
                && *ty != crate::value::Type::Path
            {
                match crate::engine::evaluation::ask::coerce(value.clone(), ty, &self.core.program.root) {
                    Ok(value) => bound.answer = crate::value::Answer::Known(value),
                    Err(why) => blocked = Some(Unknown::new(UnknownCause::Invalid, why)),
                }
            }
            inner = inner.with(*var, bound);
        }
        let label = expect.named.then_some(&*expect.id);
        self.checks.push(Called { name, label, args, site: site.clone(), span: expect.span, depth: id.len() });
        self.members(&definition.body, inner, format!("{id}."), String::new(), timing, blocked).await;
        self.checks.pop();
    }
}

/// Where a loop of statements is at one of its items: expects in it have ids of their own.
pub fn at_item(
    site: &Site,
    vars: &[(Arc<str>, Var)],
    (key, item): &(Value, Value),
    outdated: Option<Outdated>,
) -> Site {
    let keys = format!("{}[{}]", site.keys, loop_key(key, item)).into();
    Site { keys, ..bind_item(site, vars, key, item, outdated) }
}

/// How an item is named in an id: a map's key, a list's text, else its place.
fn loop_key(key: &Value, item: &Value) -> String {
    match (key, item) {
        (Value::Text(_), _) => key.to_string(),
        (_, Value::Text(_) | Value::Number(_) | Value::Secret(_)) => item.to_string(),
        _ => key.to_string(),
    }
}

fn not_told(core: &Core, what: &str, answer: &crate::value::Answer) -> Unknown {
    match answer {
        crate::value::Answer::Unknown(unknown) => {
            Unknown::new(unknown.cause, format!("{what} is unknown: {}", unknown.reason))
        }
        other => Unknown::new(UnknownCause::Invalid, format!("{what} is {}", describe::brief(core.redactor(), other))),
    }
}

/// Asks each leaf once, all in one round; what a dry run does.
pub async fn ask_once<'p>(core: &Core, leaves: Vec<Leaf<'p>>, round: &Arc<Round>) -> Vec<Asked<'p>> {
    let began = Instant::now();
    let places = &Semaphore::new(AT_ONCE);
    join_all(leaves.into_iter().map(|leaf| async move {
        let _place = places.acquire().await;
        let findings = put(core, &leaf, round).await;
        Asked { leaf, findings, attempts: 1, elapsed: began.elapsed(), unkept: None }
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
    let began = Instant::now();
    let mut rounds: HashMap<Instant, Arc<Round>> = HashMap::new();
    let places = &Semaphore::new(AT_ONCE);
    let mut asking = FuturesUnordered::new();
    let mut done: BTreeMap<usize, Asked<'p>> = BTreeMap::new();
    let mut told = 0;
    // Those that are asked again; and those that are decided, of which nothing was said yet.
    let (mut again, mut unsaid) = (HashSet::new(), Vec::new());
    // Those that started, and how many of them have not been asked once.
    let (mut started, mut unasked) = (0, 0);
    let mut more = together.len() == SIDE_BY_SIDE;
    let mut start = |leaf: Leaf<'p>| {
        core.emitter.emit(
            place(core, &leaf, ""),
            Body::ExpectStarted {
                text: leaf.expect.text.to_string(),
                within: leaf.timing.within.map(Seconds::from),
                hold: leaf.timing.hold.map(Seconds::from),
            },
        );
        let at = started;
        started += 1;
        let course = Course { at, leaf, attempts: 0, held_since: None, kept: Duration::ZERO, due: began, last: None };
        step(core, course, first.clone(), began, places, cancel)
    };
    for leaf in together {
        asking.push(start(leaf));
        unasked += 1;
    }
    loop {
        let outcome = tokio::select! {
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
            outcome = asking.next(), if !asking.is_empty() => outcome,
            else => break,
        };
        match outcome {
            Some(Next::Again(course)) => {
                unasked -= usize::from(again.insert(course.at));
                let now = Instant::now();
                rounds.retain(|due, _| *due >= now);
                let round = rounds.entry(course.due).or_default().clone();
                asking.push(step(core, course, round, began, places, cancel));
            }
            Some(Next::Done(at, asked)) => {
                unasked -= usize::from(!again.remove(&at));
                unsaid.push(at);
                done.insert(at, asked);
                // Told in the order in which they were written, each as soon as those before it are decided.
                while let Some(asked) = done.remove(&told) {
                    core.emitter.room().await;
                    report(core, &asked).await;
                    decided(asked);
                    told += 1;
                }
            }
            None => {}
        }
        // They are told when the one that is waited for is decided; who looks on sees it now.
        if again.contains(&told) {
            for at in std::mem::take(&mut unsaid) {
                if let Some(asked) = done.get(&at).filter(|_| at > told) {
                    let Asked { attempts, elapsed, .. } = asked;
                    let (attempts, elapsed) = (*attempts, Seconds::from(*elapsed));
                    let body = Body::ExpectDecided { state: asked.state(), attempts, elapsed };
                    core.emitter.emit(place(core, &asked.leaf, ""), body);
                }
            }
        } else if done.is_empty() {
            unsaid.clear();
        }
    }
}

/// The same of a few; all that they came to.
pub async fn ask_until<'p>(core: &Core, leaves: Vec<Leaf<'p>>, first: Arc<Round>, cancel: &Flag) -> Vec<Asked<'p>> {
    let mut all = Vec::new();
    ask_each(core, leaves.into(), first, cancel, |asked| all.push(asked)).await;
    all
}

/// An expect on its way: how often it was asked, since when it holds, when it is due.
struct Course<'p> {
    at: usize,
    leaf: Leaf<'p>,
    attempts: u32,
    held_since: Option<Instant>,
    /// For how long it had held when it was last told.
    kept: Duration,
    due: Instant,
    last: Option<Vec<Finding>>,
}

enum Next<'p> {
    Again(Course<'p>),
    Done(usize, Asked<'p>),
}

/// Waits until a leaf is due, asks it, and tells whether that was the last time.
async fn step<'p>(
    core: &Core,
    mut course: Course<'p>,
    round: Arc<Round>,
    began: Instant,
    places: &Semaphore,
    cancel: &Flag,
) -> Next<'p> {
    let timing = &course.leaf.timing;
    let deadline = timing.within.map(|within| began + within);
    let every = timing.every.unwrap_or(DEFAULT_EVERY).max(Duration::from_millis(10));
    let (hold, within) = (timing.hold, timing.within);
    let done = |course: Course<'p>, findings: Vec<Finding>, unkept: Option<String>| {
        let attempts = course.attempts;
        Next::Done(course.at, Asked { leaf: course.leaf, findings, attempts, elapsed: began.elapsed(), unkept })
    };
    tokio::select! {
        () = tokio::time::sleep_until(course.due) => {}
        reason = cancel.raised() => {
            let findings = course.last.take().unwrap_or_else(|| vec![cancelled(course.leaf.expect, &reason)]);
            return done(course, findings, Some(format!("not asked any more: {reason}")));
        }
    }
    course.attempts += 1;
    let mut asked_at = Instant::now();
    let asking = async {
        let _place = places.acquire().await;
        asked_at = Instant::now();
        put(core, &course.leaf, &round).await
    };
    let findings = tokio::select! {
        findings = asking => findings,
        () = until(deadline) => match course.last.take() {
            // The last answer that came says more than that the next one did not.
            Some(last) if !last.iter().all(Finding::holds) => {
                course.attempts -= 1;
                last
            }
            // It held whenever it was told, and has to hold for longer.
            Some(last) => {
                course.attempts -= 1;
                let why = held_short(course.kept, hold);
                return done(course, last, Some(why));
            }
            None => vec![Finding::unknown(course.leaf.expect, late(within))],
        },
        reason = cancel.raised() => vec![cancelled(course.leaf.expect, &reason)],
    };
    let now = Instant::now();
    let time_left = deadline.is_some_and(|deadline| now < deadline);
    if findings.iter().all(Finding::holds) {
        let since = *course.held_since.get_or_insert(asked_at);
        let kept = now.saturating_duration_since(since);
        match hold {
            Some(hold) if kept < hold => {
                if deadline.is_some_and(|deadline| now >= deadline) {
                    return done(course, findings, Some(held_short(kept, Some(hold))));
                }
                course.kept = kept;
                course.due = (asked_at + every).min(since + hold).max(now);
                if let Some(deadline) = deadline {
                    course.due = course.due.min(deadline);
                }
                course.last = Some(findings);
                return Next::Again(course);
            }
            _ => return done(course, findings, None),
        }
    }
    let held_before = course.held_since.take();
    if !time_left || course.leaf.blocked.is_some() {
        let unkept = match (hold, held_before) {
            (Some(hold), Some(since)) => {
                let kept = text(now.saturating_duration_since(since));
                Some(format!("it held for {kept} of {}, then no longer", text(hold)))
            }
            _ => None,
        };
        return done(course, findings, unkept);
    }
    // Due times lie on one grid from the group's start, so that what is due together is asked together.
    let periods = (now - began).as_nanos() / every.as_nanos() + 1;
    let next = began + every.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
    course.due = deadline.map_or(next, |deadline| next.min(deadline));
    if let (Some(worst), Some(deadline)) = (findings.iter().find(|finding| !finding.holds()), deadline) {
        core.emitter.emit(
            place(core, &course.leaf, &worst.id),
            Body::ExpectAsked {
                attempt: course.attempts,
                state: worst.state(),
                expected: worst.expected.clone(),
                actual: worst.actual.clone(),
                remaining: Seconds::from(deadline.saturating_duration_since(now)),
            },
        );
    }
    course.last = Some(findings);
    // At the deadline itself nothing more can be told.
    if deadline.is_some_and(|deadline| course.due >= deadline) {
        tokio::select! {
            () = until(deadline) => {}
            _ = cancel.raised() => {}
        }
        let findings = course.last.take().unwrap_or_default();
        return done(course, findings, None);
    }
    Next::Again(course)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn text(duration: Duration) -> String {
    let rounded = Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    crate::value::display::duration_text(rounded.try_into().unwrap_or_default())
}

fn held_short(kept: Duration, hold: Option<Duration>) -> String {
    format!("it had held for {} of {} when the time was up", text(kept), text(hold.unwrap_or_default()))
}

fn late(within: Option<Duration>) -> Unknown {
    let within = within.map(text).unwrap_or_default();
    Unknown::new(UnknownCause::NoAnswer, format!("no answer when the {within} were up"))
}

fn cancelled(expect: &Expect, reason: &str) -> Finding {
    Finding::unknown(expect, Unknown::new(UnknownCause::LeftOut, format!("not asked to the end: {reason}")))
}

async fn put(core: &Core, leaf: &Leaf<'_>, round: &Arc<Round>) -> Vec<Finding> {
    match &leaf.blocked {
        Some(unknown) => vec![Finding::unknown(leaf.expect, unknown.clone())],
        None => finding::ask(&Eval::new(core, &leaf.site, round), leaf.expect).await,
    }
}

fn place(core: &Core, leaf: &Leaf<'_>, id: &str) -> crate::engine::events::event::Place {
    let mut place = core.place(&leaf.site, leaf.expect.span);
    place.expect = Some(format!("{}{id}", leaf.id));
    place
}

/// What a row was asked in this place, where that is not just what was written.
pub async fn asked_as(core: &Core, leaf: &Leaf<'_>, finding: &Finding) -> Option<String> {
    let field = match &leaf.expect.kind {
        ExpectKind::Block { fields, .. } => fields.iter().find(|field| field.span == finding.span),
        _ => None,
    };
    in_place::asked(&Eval::new(core, &leaf.site, &Round::new()), leaf, field).await
}

/// Tells what an expect came to: an event a row.
pub async fn report(core: &Core, asked: &Asked<'_>) {
    let leaf = &asked.leaf;
    let message = match &leaf.timing.otherwise {
        Some((otherwise, site)) if !asked.holds() => {
            Some(Eval::new(core, site, &Round::new()).message(&otherwise.message).await)
        }
        _ => None,
    };
    let whole = in_place::whole(&Eval::new(core, &leaf.site, &Round::new()), leaf).await;
    let warn = leaf.timing.otherwise.as_ref().is_some_and(|(otherwise, _)| otherwise.warn);
    for finding in &asked.findings {
        // What held, but not long enough, did not hold.
        let state = match (finding.state(), &asked.unkept) {
            (State::Holds, Some(_)) => State::Differs,
            (state, _) => state,
        };
        let (reason, cause) = match &finding.truth {
            Truth::Unknown(unknown) => (Some(unknown.reason.to_string()), Some(unknown.cause)),
            _ => (None, None),
        };
        let asked_as = asked_as(core, leaf, finding).await;
        let mut place = place(core, leaf, &finding.id);
        place.line = Some(core.line(finding.span));
        place.file = Some(core.program.sources.name(finding.span).to_owned());
        core.emitter.emit(
            place,
            Body::ExpectEnded(Box::new(ExpectResult {
                state,
                text: finding.text.clone(),
                asked: asked_as,
                check: whole.clone(),
                via: in_place::via(&Eval::new(core, &leaf.site, &Round::new()), leaf),
                expected: finding.expected.clone(),
                actual: finding.actual.clone(),
                reason: asked.unkept.clone().or(reason),
                cause,
                diff: finding.diff.clone(),
                message: if state == State::Holds { None } else { message.clone() },
                warn,
                risk: leaf.risk.as_deref().map(str::to_owned),
                waived: leaf.risk.is_some() && state != State::Holds && !warn,
                named: leaf.expect.named,
                attempts: asked.attempts,
                elapsed: Seconds::from(asked.elapsed),
                within: leaf.timing.within.map(Seconds::from),
                as_of_now: finding.outdated.map(|outdated| format!("line {} changes it", outdated.line)),
                assumed: None,
                shared: None,
                inside: Vec::new(),
                expected_value: None,
                actual_value: None,
            })),
        );
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
            (Truth::True, Some(outdated)) => {
                Truth::Unknown(Unknown::new(UnknownCause::LeftOut, format!("line {} may change it", outdated.line)))
            }
            (truth, _) => truth,
        })
        .reduce(Truth::and)
}
