//! Going on with a run that was cut off: what has to be known before the first thing is done.
//!
//! In: a program, what its record says, what a person decided. First it is looked at what is recorded, without acting:
//! which action was under way (is it done?), and whether what was proven still holds. Out: a [`Footing`] to go on from,
//! or why there is none. Nothing is recorded by looking.

use jiff::Timestamp;

use crate::check::program::{Call, Member, Program, Run};
use crate::value::{Truth, UnknownCause};

use super::action;
use super::exec::{Exec, Real, core_of};
use super::proof;
use super::start;
use super::step::{Course, End, Halt, Kind, Within};
use super::stop::Watch;
use crate::engine::cancel::{Cancel, Cause, Flag};
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::facts::{Change, Changed};
use crate::engine::evaluation::secrets;
use crate::engine::events::event::{Doubt, Resumed, State};
use crate::engine::events::past::Past;
use crate::engine::expects::group::{self, Expansion};
use crate::engine::options::{Chosen, Identity, Options};
use crate::engine::redact::Redactor;

/// What a person decided about steps.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Steps whose action in doubt is done again; or, where there is none, the whole step.
    pub redo: Vec<String>,
    /// Steps whose action in doubt counts as done.
    pub assume_done: Vec<String>,
}

/// What a run is gone on from.
#[derive(Clone, Debug, Default)]
pub struct Footing {
    pub doubt: Option<Doubt>,
    pub asked_again: u32,
    /// Steps that are done again from their top.
    pub redo: Vec<String>,
}

impl Footing {
    pub fn told(&self, past: &Past, identity: &Identity, torn: Option<u64>, changed: Option<String>) -> Resumed {
        Resumed {
            by: identity.by.clone(),
            host: identity.host.clone(),
            cut_off: past.last,
            during: past.during().map(str::to_owned),
            doubt: self.doubt.clone(),
            asked_again: self.asked_again,
            redo: self.redo.clone(),
            torn,
            changed,
        }
    }
}

/// Why a run can't be gone on with as it is.
#[derive(Clone, Debug)]
pub enum Refused {
    /// An action had started, and nothing tells whether it was done.
    InDoubt { step: String, action: String, since: Timestamp, file: String, line: u32, why: String },
    /// What was proven holds no longer.
    NoLonger(Vec<NoLonger>),
    /// The record and the runbook do not fit together.
    Misfit(String),
    /// A decision about a step that has nothing to decide.
    NothingToDecide { step: String, why: String },
}

/// An expect that held before the run was cut off.
#[derive(Clone, Debug)]
pub struct NoLonger {
    pub id: String,
    pub text: String,
    pub state: State,
    pub expected: String,
    pub actual: String,
    pub file: String,
    pub line: u32,
}

/// What is found on a look at what is recorded.
#[derive(Default)]
pub(super) struct Looked<'c> {
    seen: Vec<Seen<'c>>,
    doubt: Option<(String, Result<Doubt, Refused>)>,
}

enum Seen<'c> {
    Held(&'c [Member], Site),
    Done(Change, u32),
}

/// An action that had started.
pub(super) struct Pending {
    pub action: String,
    pub since: Timestamp,
    pub within: Within,
}

/// Looks at what is recorded, and at the world.
pub async fn preflight(
    program: std::sync::Arc<Program>,
    world: Real,
    redactor: std::sync::Arc<Redactor>,
    past: &Past,
    decisions: &Decisions,
) -> Result<Footing, Refused> {
    let mut core = core_of(program, &world, redactor, Vec::new().into(), Flag::default());
    core.changed = Some(Changed::default());
    core.emitter.silent(true);
    for name in decisions.redo.iter().chain(&decisions.assume_done) {
        if core.program.steps.iter().all(|step| *step.name != **name) {
            let why = "the runbook has no such step".to_owned();
            return Err(Refused::NothingToDecide { step: name.clone(), why });
        }
    }
    let watch = Watch::new(&core.program);
    let options = Options { only: past.only.clone(), from: past.from.clone(), ..Options::default() };
    let chosen = Chosen::of(&core.program, &options);
    let exec =
        Exec::new(&core, world.act, world.people, Cancel::new(), &watch, Some(past), decisions, Footing::default());
    secrets::read_early(&core).await;
    start::globals(&core, Some(past)).await;
    for (at, step) in core.program.steps.iter().enumerate() {
        let begun = chosen.holds(at) && past.steps.get(&*step.name).is_some_and(|past| past.attempt > 0);
        if begun && let Err(Halt::Misfit(why)) = exec.step(step).await {
            return Err(Refused::Misfit(why));
        }
        // What was begun of undoing it is gone through alike.
        if let (true, Some(rollback), Some(past)) = (past.undoing, &step.rollback, past.steps.get(&*step.name))
            && past.undone.is_none()
            && !past.undo.is_empty()
        {
            let mut course = Course::new(step, past.undo.clone(), End::Looking);
            if let Err(Halt::Misfit(why)) = exec.undo(&mut course, &rollback.body, &Site::of(step)).await {
                return Err(Refused::Misfit(why));
            }
        }
    }
    let Looked { seen, doubt } = std::mem::take(&mut *exec.looked());
    let in_doubt = doubt.as_ref().map(|(step, _)| step.clone());
    for step in &decisions.assume_done {
        if in_doubt.as_ref() != Some(step) {
            let why = "it has no action that started and whose end was not seen".to_owned();
            return Err(Refused::NothingToDecide { step: step.clone(), why });
        }
    }
    let redo: Vec<String> = decisions.redo.iter().filter(|step| in_doubt.as_ref() != Some(step)).cloned().collect();
    for step in &redo {
        if past.steps.get(step).is_none_or(|past| past.attempt == 0) {
            let why = "it has not begun, and is done in its turn".to_owned();
            return Err(Refused::NothingToDecide { step: step.clone(), why });
        }
    }
    let doubt = doubt.map(|(_, doubt)| doubt).transpose()?;
    // A run that was ending already proves nothing more: what is left is its end.
    let asked_again = match past.ending.is_some() || past.undoing {
        true => 0,
        false => ask_again(&core, seen, &redo).await?,
    };
    Ok(Footing { doubt, asked_again, redo })
}

/// Asks again what was proven and what nothing that was done since may have changed.
async fn ask_again(core: &Core, seen: Vec<Seen<'_>>, redo: &[String]) -> Result<u32, Refused> {
    let flag = Flag::default();
    let mut lost = Vec::new();
    let mut asked_again = 0;
    // From the last one back: what was done behind it is known by then.
    for seen in seen.into_iter().rev() {
        let (members, site) = match seen {
            Seen::Done(change, line) => {
                if let Some(changed) = &core.changed {
                    changed.add(change, line);
                }
                continue;
            }
            Seen::Held(members, site) => (members, site),
        };
        // What is done again from its top proves itself.
        if site.step.as_deref().is_some_and(|step| redo.iter().any(|redo| redo == step)) {
            continue;
        }
        let everything = core.changed.as_ref().is_some_and(Changed::everything);
        let round = Round::new();
        let mut leaves = Expansion::of(core, members, &site, &round);
        let mut again = Vec::new();
        loop {
            let mut some = leaves.some().await;
            if some.is_empty() {
                break;
            }
            some.retain(|leaf| leaf.expect.lasting || !everything);
            for asked in group::ask_once(core, some, &round).await {
                let outdated = asked.findings.iter().any(|finding| finding.outdated.is_some());
                let forgotten = asked.findings.iter().any(
                    |finding| matches!(&finding.truth, Truth::Unknown(unknown) if unknown.cause == UnknownCause::NotRecorded),
                );
                if forgotten || outdated && !asked.leaf.expect.lasting {
                    continue;
                }
                asked_again += u32::try_from(asked.findings.len()).unwrap_or(u32::MAX);
                if asked.blocks() {
                    again.push(asked.leaf);
                }
            }
        }
        if again.is_empty() {
            continue;
        }
        for asked in group::ask_until(core, again, Round::new(), &flag).await {
            for finding in asked.failing().filter(|_| asked.blocks()) {
                lost.push(NoLonger {
                    id: format!("{}{}", asked.leaf.id, finding.id),
                    text: group::asked_as(core, &asked.leaf, finding).unwrap_or_else(|| finding.text.clone()),
                    state: asked.state_of(finding),
                    expected: finding.expected.clone(),
                    actual: finding.actual.clone(),
                    file: core.program.sources.name(asked.leaf.authors_line(finding.span)).to_owned(),
                    line: core.line(asked.leaf.authors_line(finding.span)),
                });
            }
        }
    }
    lost.reverse();
    if lost.is_empty() { Ok(asked_again) } else { Err(Refused::NoLonger(lost)) }
}

impl<'c> Exec<'c> {
    /// On a look: a group held.
    pub(super) fn held_before(&self, members: &'c [Member], site: &Site) {
        if self.looking {
            self.looked().seen.push(Seen::Held(members, site.clone()));
        }
    }

    /// An action was done, or at least tried.
    pub(super) async fn done_before(&self, run: &'c Run, call: &'c Call, site: &Site) {
        if !self.looking {
            return;
        }
        let eval = Eval::new(self.core, site, &Round::new());
        let args = eval.args(call).await;
        let change = action::change(&eval, run, call, args.as_deref().ok()).await;
        self.looked().seen.push(Seen::Done(change, self.core.line(run.span)));
    }

    /// Whether an action that had started counts as done, and why; or that it is to be done again.
    pub(super) async fn decided(
        &self,
        course: &mut Course<'c>,
        pending: Pending,
        run: &'c Run,
        call: &'c Call,
        site: &Site,
    ) -> Result<Option<String>, Halt> {
        if !self.looking {
            if matches!(course.end, End::Looking) {
                return Err(Halt::RecordEnds);
            }
            self.goes_on();
            let doubt = self.footing.doubt.as_ref();
            return Ok(doubt.filter(|doubt| doubt.done).map(|doubt| doubt.because.clone()));
        }
        self.done_before(run, call, site).await;
        let step = course.step.name.to_string();
        let doubt =
            |done: bool, because: String| Doubt { action: pending.action.clone(), since: pending.since, done, because };
        let told = if self.decisions.redo.contains(&step) {
            Ok(doubt(false, "a person decided that it is done again".to_owned()))
        } else if self.decisions.assume_done.contains(&step) {
            Ok(doubt(true, "a person decided that it was done".to_owned()))
        } else if course.step.idempotent {
            Ok(doubt(false, "its step is marked idempotent: it is safe to do again".to_owned()))
        } else {
            let proof = match (self.proof_of(course, &pending, site).await, &run.bind) {
                (Ok(because), Some((name, _))) => {
                    Err(format!("it was done ({because}), but what it answered, `{name}`, was lost with the run"))
                }
                (proof, _) => proof,
            };
            match proof {
                Ok(because) => Ok(doubt(true, because)),
                Err(why) => Err(Refused::InDoubt {
                    step: step.clone(),
                    action: pending.action.clone(),
                    since: pending.since,
                    file: self.core.program.sources.name(run.span).to_owned(),
                    line: self.core.line(run.span),
                    why,
                }),
            }
        };
        self.looked().doubt = Some((step, told));
        Err(Halt::RecordEnds)
    }

    /// A proof of the action that did not hold before it and holds now; or why there is none.
    async fn proof_of(&self, course: &Course<'c>, pending: &Pending, site: &Site) -> Result<String, String> {
        let part = match pending.within {
            Within::Body => None,
            _ => site.part,
        };
        let before = self.past_of(course.step).and_then(|past| past.before.get(&part)).cloned().unwrap_or_default();
        let round = Round::new();
        // As it was come to: in a loop at this very item, in a definition with its arguments.
        let mut proofs = Vec::new();
        for frame in course.frames.iter().rev() {
            let behind = frame.stmts.get(frame.at + 1..).unwrap_or_default();
            let (leaves, acts) = proof::before_the_next_action(self.core, behind, &frame.site, &round).await;
            proofs.extend(leaves);
            if acts || frame.kind != Kind::Inner {
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
        let mut asking: futures_util::stream::FuturesUnordered<_> =
            proofs.into_iter().map(|leaf| group::ask_until(self.core, vec![leaf], Round::new(), &flag)).collect();
        use futures_util::StreamExt;
        while let Some(asked) = asking.next().await {
            if let Some(asked) = asked.iter().find(|asked| asked.holds()) {
                let finding = asked.findings.first();
                let text = match finding {
                    Some(finding) => group::asked_as(self.core, &asked.leaf, finding),
                    None => None,
                };
                let text = text.unwrap_or_else(|| asked.leaf.expect.text.to_string());
                return Ok(format!("`{text}` did not hold before it, and holds now"));
            }
        }
        Err("what proves it did not hold before it, and does not hold now".to_owned())
    }

    /// From here on nothing is on the record.
    pub(super) fn goes_on(&self) {
        self.core.emitter.silent(false);
        self.on_its_way.cancel();
        if let Some(ending) = self.past.and_then(|past| past.ending.as_ref()) {
            self.cancel.gently.raise(Cause::Earlier(ending.as_str().into()));
        }
    }
}
