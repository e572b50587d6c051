//! What a run came to: what decides is polled, everything is counted, and the verdict says GO only for what was proven.

use std::time::Duration;

use super::failure;
use super::run_state::Execution;
use crate::check::program::{Proof, Step};
use crate::engine::cancel::Cause;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::Site;
use crate::engine::events::event::{Body, ExpectCounts, Place, Seconds, State, StepCounts, StepOutcome, Verdict};
use crate::engine::expects::group::{self, Asked, Expansion};
use crate::engine::options::Chosen;
use crate::engine::risk;

/// What the steps of a run came to.
#[derive(Default)]
pub(super) struct Outcomes {
    pub steps: StepCounts,
    pub reasons: Vec<String>,
    pub recovered: Vec<String>,
    /// What is said beside the reasons.
    pub remarks: Vec<String>,
    /// Why the run ended before its last step, or its verdict does not hold.
    pub ended: Option<String>,
    /// A person asked for the rollback of a run that had ended, or was cut off.
    pub asked_for_rollback: Option<String>,
}

impl Outcomes {
    /// Counts a step. Out: why no other step begins, if that is so.
    pub fn step(&mut self, step: &Step, outcome: StepOutcome, reason: &str) -> Option<String> {
        let line = || format!("step {}: {reason}", step.name);
        match outcome {
            StepOutcome::Passed | StepOutcome::Planned => self.steps.passed += 1,
            StepOutcome::Skipped => self.steps.skipped += 1,
            StepOutcome::Recovered => {
                self.steps.recovered += 1;
                self.recovered.push(line());
            }
            StepOutcome::Failed => {
                self.steps.failed += 1;
                self.reasons.push(line());
                return Some(format!("step {} failed", step.name));
            }
        }
        None
    }
}

impl<'c> Execution<'c> {
    /// Polls what decides; whether it holds.
    pub async fn decide(&self, outcomes: &mut Outcomes) -> bool {
        let Some(decision) = &self.core.program.verdict else { return true };
        let site = Site::of_verdict().begun(self.core.emitter.now());
        self.core.emit(&site, decision.span, Body::VerdictStarted);
        let round = Round::new();
        let leaves = Expansion::of(self.core, &decision.members, &site, &round);
        let mut bad = Vec::new();
        let decided = |asked: Asked<'c>| bad.extend(asked.blocks().then_some(asked));
        group::ask_each(self.core, leaves, round, &self.cancel.gently, decided).await;
        let mut first = None;
        for asked in &bad {
            let reason = failure::reason(self.core, asked, 0).await;
            outcomes.reasons.push(format!("verdict: {reason}"));
            first.get_or_insert(reason);
        }
        let ok = first.is_none();
        self.core.emit(&site, decision.span, Body::GroupEnded { ok, reason: first });
        ok
    }

    /// Says what the run came to. `rolls_back`: a rollback follows.
    pub async fn verdict(&self, outcomes: &Outcomes, chosen: &Chosen, rolls_back: bool) -> Verdict {
        let Outcomes { steps, recovered, remarks, .. } = outcomes;
        let mut reasons = outcomes.reasons.clone();
        let cause = self.cancel.gently.cause();
        if let Some(cause) = &cause {
            let words = cause.to_string();
            if !reasons.iter().any(|reason| reason.contains(&words)) {
                reasons.push(words);
            }
        }
        let sum = self.core.emitter.tally();
        let held = sum.count_of(State::Holds);
        if reasons.is_empty() && held == 0 && self.core.program.proof == Proof::Required {
            reasons.push("nothing was proven: no expect of this run was found to hold".to_owned());
        }
        let verdict = if reasons.is_empty() { Verdict::Go } else { Verdict::NoGo };
        let whole = chosen.partial.is_none() && steps.failed == 0 && cause.is_none();
        let (accepted, of_risks) = risk::account(&self.core.program, &sum.risks, self.core.emitter.now(), whole);
        let undoable = self.undoable();
        let hint = (verdict != Verdict::Go && !rolls_back && !undoable.is_empty())
            .then(|| format!("`runbook rollback` undoes what was begun: {}", undoable.join(", ")));
        let hint = hint.filter(|_| !matches!(cause, Some(Cause::Preflight(_))));
        self.core.emitter.emit(
            Place::default(),
            Body::Verdict {
                verdict,
                reasons,
                steps: *steps,
                expects: ExpectCounts {
                    held,
                    differed: sum.count_of(State::Differs),
                    unknown: sum.count_of(State::Unknown),
                    waived: sum.waived(),
                    undecided: sum.count_of(State::Undecided),
                },
                recovered: recovered.clone(),
                warnings: sum.warnings.into_values().chain(of_risks).chain(remarks.clone()).chain(hint).collect(),
                accepted,
                undone: Vec::new(),
                partial: chosen.partial.clone(),
                elapsed: Seconds::from(self.elapsed()),
                rolls_back,
                run_verdict: None,
            },
        );
        self.core.emitter.settle().await;
        verdict
    }

    /// The steps that have begun and say how they are undone, newest first.
    fn undoable(&self) -> Vec<String> {
        let steps = self.core.program.steps.iter().rev();
        let begun =
            steps.take_while(|step| !(step.no_return && self.has_acted(step))).filter(|step| self.has_acted(step));
        begun.filter(|step| step.rollback.is_some()).map(|step| step.name.to_string()).collect()
    }

    /// How long the run has taken. Of one that was cut off, the whole time counts.
    pub fn elapsed(&self) -> Duration {
        match self.past {
            Some(past) => self.core.emitter.now().duration_since(past.began).try_into().unwrap_or_default(),
            None => self.began.elapsed(),
        }
    }
}
