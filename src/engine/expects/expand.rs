//! Taking a group apart: loops, conditions and checks become [`Leaf`]s, one by one as they are needed.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::check::program::{Expect, ExpectKind, Member, Var};
use crate::value::{Answer, Truth, Type, Unknown, UnknownCause, Value};

use super::leaf::{Called, Leaf, Timing};
use crate::engine::evaluation::ask::{Round, coerce};
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::{Eval, bind_item};
use crate::engine::evaluation::scope::{Bound, Outdated, Scope};
use crate::engine::wording::describe;

/// How many expects of one group start together. A larger group is asked a part at a time.
pub const SIDE_BY_SIDE: usize = 1024;

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
                    Member::For(each) => match eval.items_to_check(each).await {
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
        let limits = &mut timing.limits;
        let mut blocked = blocked;
        for (written, slot) in
            [(&expect.within, &mut limits.within), (&expect.hold, &mut limits.hold), (&expect.every, &mut limits.every)]
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
        let mut inner = Site { scope: Scope::default(), ..site.clone() };
        for ((_, var, ty), arg) in definition.params.iter().zip(args) {
            let mut bound = eval.bound(arg).await;
            if let Answer::Known(value) = &bound.answer
                && *ty != Type::Path
            {
                match coerce(value.clone(), ty, &self.core.program.root) {
                    Ok(value) => bound.answer = Answer::Known(value),
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

fn not_told(core: &Core, what: &str, answer: &Answer) -> Unknown {
    match answer {
        Answer::Unknown(unknown) if unknown.cause == UnknownCause::NothingToCheck => unknown.clone(),
        Answer::Unknown(unknown) => Unknown::new(unknown.cause, format!("{what} is unknown: {}", unknown.reason)),
        other => Unknown::new(UnknownCause::Invalid, format!("{what} is {}", describe::brief(core.redactor(), other))),
    }
}
