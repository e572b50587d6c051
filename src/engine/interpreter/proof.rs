//! What a part of a step proves, asked ahead of time: before its first action (the baseline), and when a run is gone on
//! with, to tell whether an action that was cut off was done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use crate::check::program::{Checklist, RunTarget, Stmt};
use crate::value::{Answer, Truth, UnknownCause};

use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::scope::Scope;
use crate::engine::events::event::{Before, State};
use crate::engine::expects::group::{self, Expansion, Leaf};

/// How long the proofs may take to answer before the first action: what does not answer by then proves nothing later.
const BRIEFLY: Duration = Duration::from_secs(1);

/// The most expects that are asked as proofs.
const MOST: usize = 10_000;

/// What each proof of a part is now, told by its id.
pub async fn baseline(core: &Core, part: &[Stmt], site: &Site) -> Vec<Before> {
    let round = Round::new();
    let site = &Site { ahead: true, ..site.clone() };
    let Ok(proofs) = tokio::time::timeout(BRIEFLY, Proofs::of(core, part, site, &round)).await else {
        return Vec::new();
    };
    let asked = join_all(proofs.into_iter().map(|leaf| {
        let round = round.clone();
        async move {
            let expect = leaf.id.clone();
            let told = tokio::time::timeout(BRIEFLY, group::holds_now(core, vec![leaf], &round)).await;
            Before { expect, state: told.ok().flatten().map_or(State::Unknown, state) }
        }
    }));
    asked.await
}

fn state(truth: Truth) -> State {
    match truth {
        Truth::True => State::Holds,
        Truth::False => State::Differs,
        Truth::Unknown(_) => State::Unknown,
    }
}

/// The expects that stand right before the next action in these statements, and whether there is one.
pub async fn before_the_next_action<'c: 'p, 'p>(
    core: &'c Core,
    stmts: &'p [Stmt],
    site: &Site,
    round: &Arc<Round>,
) -> (Vec<Leaf<'p>>, bool) {
    let mut proofs = Proofs { core, round: round.clone(), actions: 0, found: Vec::new(), too_many: false };
    proofs.stmts(stmts, site.clone()).await;
    let acts = proofs.actions > 0;
    let before = proofs.found.into_iter().filter(|(actions, _)| *actions == 0);
    (before.map(|(_, leaf)| leaf).collect(), acts)
}

/// Gathers the expects of a part, each with the number of actions that stand before it.
struct Proofs<'c, 'p> {
    core: &'c Core,
    round: Arc<Round>,
    actions: usize,
    found: Vec<(usize, Leaf<'p>)>,
    /// There are more than are worth asking: they prove nothing ahead of time.
    too_many: bool,
}

impl<'c, 'p> Proofs<'c, 'p>
where
    'c: 'p,
{
    /// Those behind the first action.
    async fn of(core: &'c Core, part: &'p [Stmt], site: &Site, round: &Arc<Round>) -> Vec<Leaf<'p>> {
        let mut proofs = Self { core, round: round.clone(), actions: 0, found: Vec::new(), too_many: false };
        proofs.stmts(part, site.clone()).await;
        if proofs.too_many {
            return Vec::new();
        }
        // What stands before the first action is a gate, and proves nothing.
        proofs.found.into_iter().filter(|(actions, _)| *actions > 0).map(|(_, leaf)| leaf).collect()
    }

    fn stmts<'a>(&'a mut self, stmts: &'p [Stmt], mut site: Site) -> BoxFuture<'a, ()>
    where
        'p: 'a,
    {
        Box::pin(async move {
            for stmt in stmts {
                if self.too_many {
                    return;
                }
                let eval = Eval::new(self.core, &site, &self.round);
                match stmt {
                    Stmt::Group(members) | Stmt::Checklist(Checklist { seen: members, .. }) => {
                        let mut leaves = Expansion::of(self.core, members, &site, &self.round);
                        while let Some(leaf) = leaves.next().await {
                            if self.found.len() == MOST {
                                self.too_many = true;
                                return;
                            }
                            self.found.push((self.actions, leaf));
                        }
                    }
                    Stmt::Let { var, value, .. } | Stmt::Secret { var, value, .. } => {
                        if self.core.slots.get(*var).is_none() {
                            let bound = eval.bound(value).await;
                            site = site.with(*var, bound);
                        }
                    }
                    Stmt::For(each) => {
                        if let Ok(items) = eval.items(&each.over).await {
                            for item in items {
                                let inner = group::at_item(&site, &each.vars, &item, None);
                                self.stmts(&each.body, inner).await;
                            }
                        }
                    }
                    Stmt::If(choice) => {
                        let mut taken = choice.otherwise.as_deref();
                        for (condition, body) in &choice.branches {
                            match eval.truth(condition).await {
                                Truth::False => {}
                                Truth::True => {
                                    taken = Some(body);
                                    break;
                                }
                                // Which way it will go can't be told: nothing in it proves anything.
                                Truth::Unknown(_) => {
                                    taken = None;
                                    break;
                                }
                            }
                        }
                        if let Some(body) = taken {
                            self.stmts(body, site.clone()).await;
                        }
                    }
                    Stmt::Run(run) => match &run.target {
                        RunTarget::Native(_) => {
                            self.actions += 1;
                            if let Some((_, var)) = &run.bind
                                && self.core.slots.get(*var).is_none()
                            {
                                let unknown = Answer::unknown(UnknownCause::LeftOut, "not answered yet");
                                site = site.with(*var, unknown.into());
                            }
                        }
                        RunTarget::Defined { action, args, .. } => {
                            let Some(definition) = self.core.program.actions.get(*action) else { continue };
                            let mut inner = Site { scope: Scope::default(), ..site.clone() };
                            for ((_, var, _), arg) in definition.params.iter().zip(args) {
                                inner = inner.with(*var, eval.bound(arg).await);
                            }
                            self.stmts(&definition.body, inner).await;
                        }
                    },
                    Stmt::Confirm(_)
                    | Stmt::Show { .. }
                    | Stmt::Stop { .. }
                    | Stmt::Retry { .. }
                    | Stmt::RollBack { .. } => {}
                }
            }
        })
    }
}
