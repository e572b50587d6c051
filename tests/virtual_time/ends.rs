//! Runs that are ended early, at every moment: by signals, by their time limit, by stop conditions, by a full disk.

use std::collections::BTreeSet;

use runbook::engine::cancel::Signal;
use runbook::engine::events::event::{Body, Part, Verdict};

use crate::book::{Book, Size};
use crate::fake_world::*;
use crate::laws;
use crate::rng::{Rng, cases};

const SIZE: Size = Size { steps: 3, facts: 3, handlers: 35 };

/// The moments of a run at which something happens, and some between.
fn moments(rng: &mut Rng, ran: &Ran, most: usize) -> Vec<Ms> {
    let all: BTreeSet<Ms> = ran.log.iter().map(|(at, _)| *at).collect();
    let mut all: Vec<Ms> = all.into_iter().flat_map(|at| [at, at + 1]).collect();
    all.push(rng.range(0, ran.took() + 2));
    while all.len() > most {
        all.remove(usize::try_from(rng.range(0, all.len() as u64)).expect("small"));
    }
    all
}

/// What is in flight when the run is told to end is told so at that very moment, but for what ends the run.
fn ends_what_is_in_flight(ran: &Ran, which: &str, text: &str) {
    let mut part = None;
    let mut at_work: Option<(usize, Option<Part>)> = None;
    let mut told = None;
    let trouble = |why: String| -> ! { panic!("{which}: {why}\n{text}\n{:#?}\n{}", ran.before, ran.told()) };
    for (at, entry) in &ran.log {
        match entry {
            Entry::Event(event) => match &event.get().body {
                Body::ActionStarted { .. } => part = event.get().place.part,
                Body::Cancelled { .. } | Body::StopHeld { .. } => {
                    if let Some((id, None)) = at_work {
                        told.get_or_insert((id, *at));
                    }
                }
                _ => {}
            },
            Entry::ActBegan { id, .. } => at_work = Some((*id, part)),
            Entry::ToldToEnd { id } => {
                if let Some((_, when)) = told.take_if(|(waits, _)| waits == id)
                    && when != *at
                {
                    trouble(format!("action {id} was to be told to end at {when}, and was at {at}"));
                }
            }
            Entry::ActEnded { id, .. } => {
                if let Some((_, when)) = told.take_if(|(waits, _)| waits == id)
                    && when != *at
                {
                    trouble(format!("action {id} was to be told to end at {when}, and was not"));
                }
                at_work = None;
            }
            _ => {}
        }
    }
}

#[test]
fn signals_at_every_moment() {
    let mut ended = 0;
    for case in cases(60) {
        let mut rng = Rng::of(3, case);
        let book = Book::generated(&mut rng, SIZE);
        let text = book.text();
        let program = program(&text);
        let world = book.world(&mut rng, SIZE, 95);
        let whole = run(&program, &world, &Driven::default());
        for first in moments(&mut rng, &whole, 14) {
            let mut signals = vec![(first, *rng.pick(&[Signal::Interrupt, Signal::Terminate, Signal::HangUp]))];
            // A while later someone insists.
            if rng.chance(40) {
                let then = first + *rng.pick(&[10, 60, 1999, 2000, 3000, 20_000]);
                signals.push((then, *rng.pick(&[Signal::Interrupt, Signal::Terminate, Signal::HangUp])));
            }
            let ran = run(&program, &world, &Driven { signals: signals.clone(), ..Driven::default() });
            let which = format!("case {case}, {signals:?}");
            laws::hold(&ran, &book, &which, &text);
            ends_what_is_in_flight(&ran, &which, &text);
            let heard = ran.events().filter(|(_, event)| matches!(event.body, Body::Cancelled { .. })).count();
            let verdict = ran.ended.as_ref().map(|ended| ended.verdict);
            if heard > 0 && verdict == Some(Verdict::Go) {
                panic!("{which}: GO, and it was told to end\n{text}\n{}", ran.told());
            }
            if first < whole.took() && heard == 0 {
                panic!("{which}: the signal was not heard\n{text}\n{}", ran.told());
            }
            // Told so again, it is over as soon as what is in flight can be.
            let again = ran.events().filter(|(_, event)| matches!(event.body, Body::Cancelled { .. })).nth(1);
            if let Some((at, _)) = again
                && ran.before.at + ran.took() > at + 15_000
            {
                panic!("{which}: insisted on at {at}, and over after {}\n{text}\n{}", ran.took(), ran.told());
            }
            ended += u32::from(heard > 0);
        }
    }
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(ended > 300, "{ended}");
    }
}

#[test]
fn the_time_limit_of_a_run() {
    let mut ended = 0;
    for case in cases(60) {
        let mut rng = Rng::of(4, case);
        let mut book = Book::generated(&mut rng, SIZE);
        let limit = *rng.pick(&[1, 250, 700, 1900, 4001, 12_345, 60_000]);
        book.timeout = Some(limit);
        let text = book.text();
        let program = program(&text);
        for _ in 0..8 {
            let world = book.world(&mut rng, SIZE, 96);
            let ran = run(&program, &world, &Driven::default());
            let which = format!("case {case}");
            laws::hold(&ran, &book, &which, &text);
            ends_what_is_in_flight(&ran, &which, &text);
            let passed = ran.events().find(|(_, event)| matches!(event.body, Body::Cancelled { .. })).map(|(at, _)| at);
            match passed {
                Some(at) if at != limit => panic!("{which}: ended at {at}, not {limit}\n{text}\n{}", ran.told()),
                // The way back and what cleans up may take longer: the limit has no hand in those that had begun.
                None if ran.decided_at() > limit => panic!("{which}: never ended, {limit}\n{text}\n{}", ran.told()),
                _ => {}
            }
            ended += u32::from(passed.is_some());
        }
    }
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(ended > 50, "{ended}");
    }
}

#[test]
fn stop_conditions() {
    let (mut tripped, mut went) = (0, 0);
    for case in cases(90) {
        let mut rng = Rng::of(5, case);
        let book = Book::generated(&mut rng, SIZE).with_stops(&mut rng);
        let text = book.text();
        let program = program(&text);
        for _ in 0..8 {
            let world = book.world_with_stops(&mut rng, SIZE, 96);
            let ran = run(&program, &world, &Driven::default());
            let which = format!("case {case}");
            laws::hold(&ran, &book, &which, &text);
            ends_what_is_in_flight(&ran, &which, &text);
            let held = ran.events().any(|(_, event)| matches!(event.body, Body::StopHeld { .. }));
            tripped += u32::from(held);
            went += u32::from(ran.ended.is_some_and(|ended| ended.verdict == Verdict::Go));
        }
    }
    if std::env::var_os("RUNBOOK_CASE").is_none() {
        assert!(tripped > 100 && went > 50, "{tripped} tripped, {went} GO");
    }
}

#[test]
fn a_disk_that_is_full_from_any_event_on() {
    for case in cases(40) {
        let mut rng = Rng::of(6, case);
        let book = Book::generated(&mut rng, SIZE);
        let text = book.text();
        let program = program(&text);
        let world = book.world(&mut rng, SIZE, 97);
        let whole = run(&program, &world, &Driven::default());
        let events = whole.events().count() as u64;
        for _ in 0..8 {
            let full = rng.range(1, events + 1);
            let ran = run_on_full_disk(&program, &world, &Driven::default(), full);
            let trouble = |why: &str| -> ! { panic!("case {case}, full from #{full}: {why}\n{text}\n{}", ran.told()) };
            let Some(ended) = &ran.ended else { trouble("it never ends") };
            if ended.verdict == Verdict::Go && ended.cause.is_none() {
                trouble("GO, and not all of it could be recorded");
            }
            // What is not on disk does not begin.
            let announced = ran.events().filter(|(_, event)| matches!(event.body, Body::ActionStarted { .. })).count();
            if ran.commands().len() > announced {
                trouble("something was done that is not recorded");
            }
        }
    }
}
