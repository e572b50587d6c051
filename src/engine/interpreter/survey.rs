//! Replay with nothing behind it: what a resume has to know before the first thing is done.
//!
//! In: the history of a step. Out: what was done and what held in it, in order, and whether the action that was under way
//! counts as done. It holds no means to act.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::action;
use super::driver::{At, FrameKind, Halt, Section};
use super::footing::{Decisions, Refused};
use super::live::Live;
use super::lookahead;
use super::replay::{Behind, Pending};
use crate::check::program::{Call, Member, Run};
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::facts::Change;
use crate::engine::events::event::{Doubt, State};
use crate::engine::events::past::PastStep;
use crate::engine::expects::group;

pub(super) struct Survey<'s, 'c> {
    pub core: &'c Core,
    pub past: &'s PastStep,
    pub decisions: &'s Decisions,
    pub findings: &'s Findings<'c>,
}

/// What surveys have found so far.
#[derive(Default)]
pub(super) struct Findings<'c>(Mutex<Found<'c>>);

#[derive(Default)]
pub(super) struct Found<'c> {
    /// What was done and what held, in order.
    pub seen: Vec<Seen<'c>>,
    /// The step whose action is in doubt, and what is known of it.
    pub doubt: Option<(String, Result<Doubt, Refused>)>,
}

pub(super) enum Seen<'c> {
    Held(&'c [Member], Site),
    /// What an action changed, and its line.
    Done(Change, u32),
}

impl<'c> Findings<'c> {
    pub fn note(&self, seen: Seen<'c>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.push(seen);
    }

    pub fn take(&self) -> Found<'c> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl<'c> Behind<'c> for Survey<'_, 'c> {
    fn live(&mut self) -> Result<&mut Live<'c>, Halt> {
        Err(Halt::HistoryEnds)
    }

    async fn done(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call) {
        let eval = Eval::new(self.core, at.site, &Round::new());
        let args = eval.args(call).await;
        let change = action::change(&eval, run, call, args.as_deref().ok()).await;
        self.findings.note(Seen::Done(change, self.core.line(run.span)));
    }

    fn held(&mut self, at: At<'_, 'c>, members: &'c [Member]) {
        self.findings.note(Seen::Held(members, at.site.clone()));
    }

    async fn doubt(
        &mut self,
        mut at: At<'_, 'c>,
        pending: &Pending,
        run: &'c Run,
        call: &'c Call,
    ) -> Result<Option<Doubt>, Halt> {
        self.done(at.again(), run, call).await;
        let name = &at.position.step.name;
        let decided = |names: &[String]| names.iter().any(|decided| **decided == **name);
        let doubt =
            |done: bool, because: String| Doubt { action: pending.action.clone(), since: pending.since, done, because };
        let found = if decided(&self.decisions.redo) {
            Ok(doubt(false, "a person decided that it is done again".to_owned()))
        } else if decided(&self.decisions.assume_done) {
            Ok(doubt(true, "a person decided that it was done".to_owned()))
        } else if at.position.step.idempotent {
            Ok(doubt(false, "its step is marked idempotent: it is safe to do again".to_owned()))
        } else {
            let proof = match (self.proof(&at).await, &run.bind) {
                (Ok(because), Some((name, _))) => {
                    Err(format!("it was done ({because}), but what it answered, `{name}`, was lost with the run"))
                }
                (proof, _) => proof,
            };
            proof.map(|because| doubt(true, because)).map_err(|why| Refused::InDoubt {
                step: name.to_string(),
                action: pending.action.clone(),
                since: pending.since,
                file: self.core.program.sources.name(run.span).to_owned(),
                line: self.core.line(run.span),
                why,
            })
        };
        let mut findings = self.findings.0.lock().unwrap_or_else(PoisonError::into_inner);
        findings.doubt = Some((name.to_string(), found));
        Err(Halt::HistoryEnds)
    }

    fn asks_for_rollback(&mut self, _why: String) {}
}

impl<'c> Survey<'_, 'c> {
    /// A proof of the action that did not hold before it and holds now; or why there is none.
    async fn proof(&self, at: &At<'_, 'c>) -> Result<String, String> {
        let part = match at.section {
            Section::Body => None,
            _ => at.site.part,
        };
        let before = self.past.before.get(&part).map(Vec::as_slice).unwrap_or_default();
        let round = Round::new();
        // As it was come to: in a loop at this very item, in a definition with its arguments.
        let mut proofs = Vec::new();
        for frame in at.position.frames.iter().rev() {
            let behind = frame.stmts.get(frame.at + 1..).unwrap_or_default();
            let step = at.position.step;
            let (leaves, acts) = lookahead::before_the_next_action(self.core, step, behind, &frame.site, &round).await;
            proofs.extend(leaves);
            if acts || frame.kind != FrameKind::Inner {
                break;
            }
        }
        if proofs.is_empty() {
            return Err("no expect right behind it proves it".to_owned());
        }
        proofs.retain(|leaf| before.iter().any(|before| before.expect == leaf.id && before.state == State::Differs));
        if proofs.is_empty() {
            return Err("what proves it held already before it, or could not be told then".to_owned());
        }
        let flag = Flag::default();
        let mut polling: FuturesUnordered<_> =
            proofs.into_iter().map(|leaf| group::ask_until(self.core, vec![leaf], Round::new(), &flag)).collect();
        while let Some(asked) = polling.next().await {
            if let Some(asked) = asked.iter().find(|asked| asked.holds()) {
                let text = match asked.findings.first() {
                    Some(finding) => group::asked_as(self.core, &asked.leaf, finding),
                    None => None,
                };
                let text = text.unwrap_or_else(|| asked.leaf.expect.text.to_string());
                return Ok(format!("`{text}` did not hold before it, and holds now"));
            }
        }
        Err("what proves it did not hold before it, and does not hold now".to_owned())
    }
}
