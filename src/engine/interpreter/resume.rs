//! Going on with a run that was cut off: what has to be known before the first thing is done.
//!
//! In: a program, what its record says, what a person decided. First it is looked at what is recorded, without acting:
//! which action was under way (is it done?), and whether what was proven still holds. Out: a [`Footing`] to go on from,
//! or why there is none. Nothing is recorded by looking.

use crate::check::program::Program;
use crate::value::{Truth, UnknownCause};

use super::context::context;
use super::driver::Halt;
pub use super::footing::{Decisions, Footing, NoLonger, Refused};
use super::replay::{History, Replay};
use super::start;
use super::survey::{Findings, Found, Seen, Survey};
use super::task::Task;
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::facts::{Change, Changed};
use crate::engine::evaluation::secrets;
use crate::engine::events::past::Past;
use crate::engine::expects::group::{self, Expansion};
use crate::engine::options::{Chosen, Options};
use crate::engine::redact::Redactor;
use crate::engine::world::{ReadOnly, Trust};

/// Looks at what is recorded, and at the world.
pub async fn preflight(
    program: std::sync::Arc<Program>,
    world: impl Into<ReadOnly>,
    redactor: std::sync::Arc<Redactor>,
    past: &Past,
    decisions: &Decisions,
) -> Result<Footing, Refused> {
    let core = context(program, &world.into(), Trust::AuthorsWord, redactor, Vec::new().into(), Flag::default(), true);
    core.emitter.silent(true);
    for name in decisions.redo.iter().chain(&decisions.assume_done) {
        if core.program.steps.iter().all(|step| *step.name != **name) {
            let why = "the runbook has no such step".to_owned();
            return Err(Refused::NothingToDecide { step: name.clone(), why });
        }
    }
    let options = Options { only: past.only.clone(), from: past.from.clone(), ..Options::default() };
    let chosen = Chosen::of(&core.program, &options);
    let findings = Findings::default();
    secrets::read_early(&core).await;
    start::globals(&core, Some(past)).await;
    for (at, step) in core.program.steps.iter().enumerate() {
        let Some(before) = past.steps.get(&*step.name).filter(|before| before.attempt > 0) else { continue };
        let survey = |history| {
            let survey = Survey { core: &core, past: before, decisions, findings: &findings };
            Task::new(&core, step, Replay::new(&core, History::new(history, None), survey))
        };
        if before.changed_before {
            findings.note(Seen::Done(Change::Everything, core.line(step.span)));
        }
        if chosen.holds(at) {
            let mut task = survey(before.tape.clone());
            task.position.retries.clone_from(&before.retries);
            if let Err(Halt::Mismatch(why)) = task.step(Some((before.attempt, before.began))).await {
                return Err(Refused::Misfit(why));
            }
        }
        // What was begun of undoing it is gone through alike.
        if let (true, Some(rollback)) = (past.rolling_back.is_some(), &step.rollback)
            && before.undone.is_none()
            && !before.undo.is_empty()
            && let Err(Halt::Mismatch(why)) = survey(before.undo.clone()).undo(&rollback.body, &Site::of(step)).await
        {
            return Err(Refused::Misfit(why));
        }
    }
    let Found { seen, doubt } = findings.take();
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
    let asked_again = match past.ending.is_some() || past.rolling_back.is_some() || past.decided.is_some() {
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
