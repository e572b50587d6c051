//! Made-up runbooks in made-up worlds: each command at its moment, each expect, each step and the verdict are what the model
//! says.

use runbook::engine::events::event::{Body, Verdict};

use crate::book::{Book, Size};
use crate::fake_world::*;
use crate::laws;
use crate::model::{Course, course};
use crate::rng::{Rng, cases};

/// What a run came to, as its events tell it, and its world.
pub fn found(ran: &Ran) -> Course {
    let mut found = Course::default();
    let mut started: Option<(Ms, String)> = None;
    for (at, entry) in &ran.log {
        match entry {
            Entry::ActBegan { command, .. } => started = Some((*at, command.clone())),
            Entry::Event(event) => match &event.get().body {
                Body::ActionEnded { ok, .. } => {
                    if let Some((at, command)) = started.take() {
                        found.acts.push((at, command, *ok));
                    }
                }
                Body::ExpectEnded(result) => {
                    let id = event.get().place.expect.clone().unwrap_or_default();
                    found.rows.push((id, result.state));
                }
                Body::StepEnded { outcome, .. } => {
                    found.steps.push((event.get().place.step.clone().unwrap_or_default(), *outcome));
                }
                Body::UndoEnded(undone) => {
                    found.undone.push((event.get().place.step.clone().unwrap_or_default(), undone.ok));
                }
                Body::Verdict { verdict, .. } if !matches!(verdict, Verdict::RolledBack | Verdict::RollbackFailed) => {
                    found.go = *verdict == Verdict::Go;
                }
                _ => {}
            },
            _ => {}
        }
    }
    found.took = ran.took();
    found
}

#[test]
fn what_a_run_comes_to_is_what_the_rules_say() {
    let (mut went, mut recovered, mut undone) = (0, 0, 0);
    for case in cases(250) {
        let mut rng = Rng::of(2, case);
        let size = Size { steps: 1 + case % 4, facts: 4, handlers: 45 };
        let book = Book::generated(&mut rng, size);
        let text = book.text();
        let program = program(&text);
        for luck in [60, 85, 92, 96, 100, 100] {
            let world = book.world(&mut rng, size, luck);
            let mut wanted = course(&book, &world);
            let ran = run(&program, &world, &Driven::default());
            let mut found = found(&ran);
            laws::hold(&ran, &book, &format!("case {case}"), &text);
            // Whether a run that proves nothing is a GO is another question.
            if !wanted.proven {
                wanted.go = found.go;
            }
            (found.proven, found.took) = (wanted.proven, found.took.max(wanted.took));
            if found != wanted {
                panic!(
                    "case {case}: found {found:#?}\nwhere the rules say {wanted:#?}\n{text}\n{world:#?}\n{}",
                    ran.told()
                );
            }
            went += u32::from(found.go);
            recovered += u32::from(
                ran.events().any(|(_, event)| matches!(event.body, Body::Retrying { .. } | Body::AskingAgain)),
            );
            undone += u32::from(!found.undone.is_empty());
        }
    }
    // The suite sees something of everything.
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(went > 100 && recovered > 100 && undone > 50, "{went} GO, {recovered} recovered, {undone} undone");
    }
}
