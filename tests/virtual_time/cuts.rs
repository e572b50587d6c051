//! Runs that are cut off between any two things that happen, and gone on with or undone in the world as it was left.

use runbook::engine::Past;
use runbook::engine::events::event::Body;
use runbook::engine::interpreter::resume::{Decisions, Refused};

use crate::book::{Book, Size};
use crate::fake_world::*;
use crate::laws;
use crate::rng::{Rng, cases};

const SIZE: Size = Size { steps: 3, facts: 3, handlers: 40 };

/// A world that changes by what is done in it alone, and at one moment of each command.
fn still(mut world: Spec) -> Spec {
    for fact in world.facts.values_mut() {
        fact.later.clear();
    }
    for command in world.commands.values_mut() {
        command.manners.truncate(1);
        for manner in &mut command.manners {
            let after = manner.effects.iter().map(|effect| effect.after).max().unwrap_or_default().min(manner.takes);
            manner.effects.iter_mut().for_each(|effect| effect.after = after);
        }
    }
    world
}

/// The command that is at work where a log is cut; whether what it changes is changed, all of it or a part.
#[derive(Clone, Debug, PartialEq)]
struct InFlight {
    command: String,
    changed: usize,
    of: usize,
    /// It came to its end, which was not recorded.
    over: bool,
}

/// What was announced and has no end on record.
fn in_flight(world: &Spec, log: &[(Ms, Entry)]) -> Option<InFlight> {
    let mut open: Option<InFlight> = None;
    for (_, entry) in log {
        match entry {
            Entry::Event(event) => match &event.get().body {
                Body::ActionStarted { action, .. } => {
                    let of = world.commands[action].next().effects.len();
                    open = Some(InFlight { command: action.clone(), changed: 0, of, over: false });
                }
                Body::ActionEnded { .. } => open = None,
                _ => {}
            },
            Entry::Changed { .. } => {
                if let Some(open) = &mut open {
                    open.changed += 1;
                }
            }
            Entry::ActEnded { .. } => {
                if let Some(open) = &mut open {
                    open.over = true;
                }
            }
            _ => {}
        }
    }
    open
}

fn whole(before: &Spec, cut: &[(Ms, Entry)], ran: &Ran) -> Ran {
    let mut log = cut.to_vec();
    log.push((log.last().map_or(0, |(at, _)| *at), Entry::Killed));
    log.extend(ran.log.iter().cloned());
    Ran { ended: ran.ended.clone(), log, before: before.clone(), world: ran.world.clone() }
}

#[test]
fn resumed_from_every_cut_it_comes_to_the_same() {
    let (mut settled_by_another, mut resumed, mut doubts, mut same) = (0, 0, 0, 0);
    for case in cases(60) {
        let mut rng = Rng::of(7, case);
        let book = Book::generated(&mut rng, SIZE);
        let text = book.text();
        let program = program(&text);
        let world = still(book.world(&mut rng, SIZE, 97));
        let uncut = run(&program, &world, &Driven::default());
        let mut cuts: Vec<usize> = (1..uncut.log.len()).collect();
        while cuts.len() > 16 {
            cuts.remove(usize::try_from(rng.range(0, cuts.len() as u64)).expect("small"));
        }
        for cut in cuts {
            let log = &uncut.log[..cut];
            let past = Past::of(published(log));
            if past.verdict.is_some() || past.events.is_empty() {
                continue;
            }
            let left = world.after(log);
            let open = in_flight(&world, log);
            let trouble = |why: &str, ran: Option<&Ran>| -> ! {
                let behind = ran.map(Ran::told).unwrap_or_default();
                panic!("case {case}, cut {cut}: {why}\n{text}\n{world:#?}\n{}-- cut --\n{behind}", told(log));
            };
            let mut decisions = Decisions::default();
            let mut by_person = None;
            let ran = loop {
                match resume(&program, &left, &past, &decisions, &Driven::default()) {
                    Ok(ran) => break ran,
                    Err(Refused::InDoubt { step, action, .. }) if by_person.is_none() => {
                        let Some(open) = &open else { trouble("nothing is in doubt", None) };
                        if *open.command != *action {
                            trouble(&format!("in doubt is `{}`, not `{action}`", open.command), None);
                        }
                        let done = open.over || open.of > 0 && open.changed == open.of;
                        by_person = Some(done);
                        match done {
                            true => decisions.assume_done.push(step),
                            false => decisions.redo.push(step),
                        }
                    }
                    Err(refused) => trouble(&format!("it is refused: {refused:?}"), None),
                }
            };
            resumed += 1;
            doubts += u32::from(open.is_some());
            let all = whole(&world, log, &ran);
            laws::hold(&all, &book, &format!("case {case}, cut {cut}"), &text);
            // What a command came to that nobody saw may be another in the end; so it is with one that does its work by halves.
            let fine = open.as_ref().is_none_or(|open| {
                let manner = world.commands[&open.command].next();
                let well = manner.status == 0 && !manner.hangs && manner.deaf == 0;
                // Its time limit ends it, or its end says that it failed.
                let told_well = uncut.events().all(|(_, event)| {
                    !matches!(&event.body, Body::ActionEnded { action, ok: false, .. } if *action == open.command)
                });
                well && told_well && (open.changed == 0 || open.changed == open.of)
            });
            // What could not be undone is undone once more.
            let tried = past.steps.values().any(|step| step.undone.as_ref().is_some_and(|undone| !undone.ok));
            if !fine || tried {
                continue;
            }
            // A gap that is known: the baseline is taken before the first action of a part, so that an action before the one in
            // doubt may have made its proof hold. The expects behind it still decide the run.
            let assumed_by_proof = by_person.is_none()
                && ran.events().any(|(_, event)| matches!(event.body, Body::ActionEnded { assumed: Some(_), .. }));
            if assumed_by_proof && open.as_ref().is_some_and(|open| open.changed == 0 && open.of > 0) {
                settled_by_another += 1;
                continue;
            }
            same += 1;
            if ran.world.state() != uncut.world.state() {
                trouble(
                    &format!("it comes to {:?}, and uncut to {:?}", ran.world.state(), uncut.world.state()),
                    Some(&ran),
                );
            }
            let verdict = |ran: &Ran| ran.ended.as_ref().map(|ended| ended.verdict);
            if verdict(&ran) != verdict(&uncut) {
                trouble(&format!("{:?}, and uncut {:?}", verdict(&ran), verdict(&uncut)), Some(&ran));
            }
            // What is known to be done is not done again, and nothing is left out.
            let begun: Vec<&str> = log
                .iter()
                .filter_map(|(_, entry)| match entry {
                    Entry::ActBegan { command, .. } => Some(command.as_str()),
                    _ => None,
                })
                .collect();
            let assumed =
                ran.events().any(|(_, event)| matches!(event.body, Body::ActionEnded { assumed: Some(_), .. }));
            let mut done = begun.clone();
            if open.is_some() && !assumed && begun.len() > ends(log) {
                done.pop();
            }
            done.extend(ran.commands());
            // What was announced and never begun, and counts as done since its proof holds, is left out.
            let mut wanted = uncut.commands();
            if let Some(open) = open.as_ref().filter(|_| assumed && begun.len() == ends(log))
                && let Some(at) = wanted.iter().skip(begun.len()).position(|command| *command == open.command)
            {
                wanted.remove(begun.len() + at);
            }
            if done != wanted {
                trouble(&format!("done is {done:?}, and uncut {wanted:?}"), Some(&ran));
            }
        }
    }
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(settled_by_another <= 5, "{settled_by_another} were settled by what another action had done");
        assert!(resumed > 400 && doubts > 100 && same > 300, "{resumed} resumed, {doubts} in doubt, {same} the same");
    }
}

/// How many actions have an end on record.
fn ends(log: &[(Ms, Entry)]) -> usize {
    let ended = log.iter().filter(|(_, entry)| match entry {
        Entry::Event(event) => matches!(event.get().body, Body::ActionEnded { .. }),
        _ => false,
    });
    ended.count()
}

#[test]
fn undone_from_every_cut_it_is_undone_as_it_says() {
    let mut undone = 0;
    for case in cases(40) {
        let mut rng = Rng::of(8, case);
        let mut book = Book::generated(&mut rng, SIZE);
        let text = book.text();
        let program = program(&text);
        let world = still(book.world(&mut rng, SIZE, 97));
        let uncut = run(&program, &world, &Driven::default());
        let mut cuts: Vec<usize> = (1..=uncut.log.len()).collect();
        while cuts.len() > 10 {
            cuts.remove(usize::try_from(rng.range(0, cuts.len() as u64)).expect("small"));
        }
        // That it is undone is asked for, whatever its header says.
        book.roll_back_on_stop = true;
        for cut in cuts {
            let log = &uncut.log[..cut];
            let past = Past::of(published(log));
            // One that was undone already has nothing more to undo.
            if past.events.is_empty() || past.rolling_back.is_some() {
                continue;
            }
            let left = world.after(log);
            let ran = take_back(&program, &left, &past, &Driven::default());
            let mut all = whole(&world, log, &ran);
            // The verdict of the run itself stands before the one of its way back.
            if past.verdict.is_some() {
                let before = log.iter().position(|(_, entry)| match entry {
                    Entry::Event(event) => matches!(event.get().body, Body::Verdict { .. }),
                    _ => false,
                });
                let entry = before.map(|at| all.log.remove(at));
                assert!(entry.is_some());
            }
            let trouble = |why: &str| -> ! {
                panic!("case {case}, cut {cut}: {why}\n{text}\n{world:#?}\n{}", all.told());
            };
            if ran.ended.is_none() {
                trouble("it never ends");
            }
            if let Err(why) = laws::undone_as_it_says(&all, &book, true) {
                trouble(&why);
            }
            // Nothing is done but what undoes.
            let parts = ran.events().filter(|(_, event)| matches!(event.body, Body::ActionStarted { .. }));
            for (_, event) in parts {
                if event.place.part != Some(runbook::engine::events::event::Part::Rollback) {
                    trouble("something is done that undoes nothing");
                }
            }
            undone += u32::from(!ran.commands().is_empty());
        }
    }
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(undone > 60, "{undone}");
    }
}
