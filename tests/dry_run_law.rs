//! The law of dry runs, over every runbook there is: a dry run acts on nothing, and what it says is what `exec` then does in
//! the same world; or it said that it can't tell: unknown, possibly, as of now, assumed, not reached.
//!
//! The world answers every native with values of its declared type, and changes only where an action declares it
//! (`support/typed_world.rs`).

#[path = "support/pages.rs"]
mod pages;
#[path = "support/typed_world.rs"]
mod typed_world;

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook::check::program::{Program, Settings};
use runbook::check::{Input, check};
use runbook::engine::events::event::{Body, Event, Published, State, StepOutcome, Verdict};

use pages::{Written, every_runbook};
use typed_world::{TypedWorld, ahead, run, told};

/// Where something stands in a runbook.
type Line = (Option<String>, Option<u32>);

/// An action that the dry run foresees.
struct Planned<'e> {
    line: Line,
    action: &'e str,
    /// It is carried out, whatever is found.
    certain: bool,
}

fn place(event: &Event) -> Line {
    (event.place.file.clone(), event.place.line)
}

/// Whether the words of something foreseen hold anything that was not known then.
fn has_gaps(words: &str) -> bool {
    words.contains('‹') || words.contains("unknown") || words.contains('…')
}

/// How far a run went as if everything were well: up to its first failure, whatever is done about it.
fn until_it_fails(events: &[Published]) -> &[Published] {
    let fails = |event: &Event| match &event.body {
        Body::ActionEnded { ok, .. } | Body::GroupEnded { ok, .. } | Body::PreflightEnded { ok, .. } => !ok,
        Body::HandlerStarted { .. } | Body::Cancelled { .. } | Body::StopHeld { .. } => true,
        Body::Confirmed(confirmed) => !confirmed.given,
        Body::StepEnded { outcome, .. } => *outcome == StepOutcome::Failed,
        _ => false,
    };
    let end = events.iter().position(|event| fails(event.get())).unwrap_or(events.len());
    &events[..end]
}

fn law(foreseen: &[Published], found: &[Published]) -> Result<[u32; 3], String> {
    let well = until_it_fails(found);
    let failed = well.len() < found.len();
    Ok([actions(foreseen, found, well, failed)?, expects(foreseen, found)?, conditions(foreseen, well)?])
}

/// Each action that is carried out was foreseen, in this order; and of those that were certain none is left out.
fn actions(foreseen: &[Published], found: &[Published], well: &[Published], failed: bool) -> Result<u32, String> {
    let body = |event: &Event| event.place.part.is_none();
    let plan: Vec<Planned<'_>> = foreseen
        .iter()
        .map(Published::get)
        .filter(|event| body(event))
        .filter_map(|event| match &event.body {
            Body::ActionPlanned { action, .. } => {
                let certain = event.place.possible.is_none() && !event.place.not_reached;
                Some(Planned { line: place(event), action, certain })
            }
            _ => None,
        })
        .collect();
    let done = |event: &&Event| body(event) && matches!(event.body, Body::ActionStarted { .. });
    let done: Vec<(&str, Line)> = well
        .iter()
        .map(Published::get)
        .filter(done)
        .filter_map(|event| match &event.body {
            Body::ActionStarted { action, .. } => Some((action.as_str(), place(event))),
            _ => None,
        })
        .collect();
    // How far the plan may have come with those that are done: what is only possible may be left out, and what is done for
    // each of an unknown list is foreseen once.
    let skip = |reached: &mut Vec<bool>| {
        for at in 0..plan.len() {
            reached[at + 1] |= reached[at] && !plan[at].certain;
        }
    };
    let mut reached = vec![false; plan.len() + 1];
    reached[0] = true;
    skip(&mut reached);
    for (action, line) in &done {
        let mut then = vec![false; plan.len() + 1];
        for (at, planned) in plan.iter().enumerate().filter(|(at, _)| reached[*at]) {
            if planned.line == *line && (planned.action == *action || has_gaps(planned.action)) {
                then[at + 1] = true;
                then[at] |= !planned.certain;
            }
        }
        skip(&mut then);
        if !then.contains(&true) {
            let next: Vec<&str> =
                plan.iter().enumerate().filter(|(at, _)| reached[*at]).map(|(_, planned)| planned.action).collect();
            return Err(format!("`{action}` ({:?}) is carried out, and foreseen was one of {next:?}", line.1));
        }
        reached = then;
    }
    if !failed && !reached[plan.len()] {
        return Err("not all that was certain is carried out".to_owned());
    }
    let carried_out = done.len() as u32;
    // Also what a handler does, what cleans up and what undoes was told.
    for event in found.iter().map(Published::get).filter(|event| !body(event)) {
        if !matches!(event.body, Body::ActionStarted { .. }) {
            continue;
        }
        let told = foreseen.iter().map(Published::get).any(|planned| {
            let planned_here = matches!(planned.body, Body::ActionPlanned { .. } | Body::ActionSkipped { .. });
            planned_here && planned.place.part == event.place.part && place(planned) == place(event)
        });
        if !told {
            return Err(format!("{:?} carries out line {:?}, which was not told", event.place.part, event.place.line));
        }
    }
    Ok(carried_out)
}

/// What an expect is now, and is not said to be outdated, is what is found when it is asked.
fn expects(foreseen: &[Published], found: &[Published]) -> Result<u32, String> {
    let mut known: BTreeMap<(&str, u32), State> = BTreeMap::new();
    let mut rows: BTreeMap<&str, u32> = BTreeMap::new();
    for event in foreseen.iter().map(Published::get) {
        let Body::ExpectEnded(result) = &event.body else { continue };
        let id = event.place.expect.as_deref().unwrap_or_default();
        let nth = rows.entry(id).or_default();
        let certain = event.place.possible.is_none()
            && !event.place.not_reached
            && result.as_of_now.is_none()
            && result.assumed.is_none()
            && result.state != State::Unknown;
        // Ids that are there twice can't be told apart.
        match certain && *nth == 0 {
            true => drop(known.insert((id, 0), result.state)),
            false => drop(known.remove(&(id, 0))),
        }
        *nth += 1;
    }
    let mut compared = 0;
    let well = until_it_fails(found).len();
    for (at, event) in found.iter().map(Published::get).enumerate() {
        // The rows of the group that fails stand before its end; behind it handlers may have changed things.
        if at > well {
            break;
        }
        let Body::ExpectEnded(result) = &event.body else { continue };
        let id = event.place.expect.as_deref().unwrap_or_default();
        let Some(foreseen) = known.remove(&(id, 0)) else { continue };
        if result.state == State::Undecided {
            continue;
        }
        if result.state != foreseen {
            return Err(format!("`{id}` was foreseen as {foreseen:?}, and is {:?}", result.state));
        }
        compared += 1;
    }
    Ok(compared)
}

/// What decides the way is what it was said to be.
fn conditions(foreseen: &[Published], well: &[Published]) -> Result<u32, String> {
    let gather = |events: &[Published]| {
        let mut all: BTreeMap<(Line, String), Vec<(String, bool)>> = BTreeMap::new();
        for event in events.iter().map(Published::get) {
            let Body::Condition { text, value, .. } = &event.body else { continue };
            let certain = event.place.possible.is_none() && !event.place.not_reached;
            all.entry((place(event), text.clone())).or_default().push((value.clone(), certain));
        }
        all
    };
    let (foreseen, found) = (gather(foreseen), gather(well));
    let mut compared = 0;
    for (key, values) in &foreseen {
        let Some(now) = found.get(key).filter(|now| now.len() == values.len()) else { continue };
        for ((was, certain), (is, _)) in values.iter().zip(now) {
            if *certain && !was.starts_with("unknown") && was != is {
                return Err(format!("`{}` was {was}, and is {is}", key.1));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

/// The program of a text, if it is one.
fn program(written: &Written) -> Option<Arc<Program>> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in &written.beside {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let path = folder.path().join("example.runbook");
    std::fs::write(&path, &written.text).expect("written");
    let input =
        Input { name: written.place.clone(), path: Some(path), bytes: written.text.clone().into_bytes(), kept: None };
    let settings = Settings { values_required: true, ..Settings::default() };
    check(input, &settings).program.map(Arc::new)
}

#[test]
fn what_a_dry_run_foresees_is_what_is_done() {
    let only = std::env::var("RUNBOOK_CASE").ok();
    let (mut programs, mut went, mut compared) = (0, 0, [0; 3]);
    let mut broken = Vec::new();
    for written in every_runbook() {
        if only.as_ref().is_some_and(|only| *only != written.place) {
            continue;
        }
        let Some(program) = program(&written) else { continue };
        programs += 1;
        for (seed, luck) in [(1, 100), (2, 97), (3, 90), (4, 60)] {
            let before = TypedWorld::new(seed, luck, &written.text, &program.root);
            let foreseen = ahead(&program, &before);
            assert_eq!((before.acts(), before.asked_people()), (0, 0), "{}: a dry run acted", written.place);
            let world = TypedWorld::new(seed, luck, &written.text, &program.root);
            let (ended, found) = run(&program, &world);
            went += u32::from(ended.verdict == Verdict::Go);
            match law(&foreseen, &found) {
                Ok(counts) => counts.iter().zip(&mut compared).for_each(|(count, sum)| *sum += count),
                Err(why) => broken.push(format!(
                    "{}, seed {seed}: {why}\n{}\n-- dry run\n{}-- exec\n{}",
                    written.place,
                    written.text,
                    told(&foreseen),
                    told(&found)
                )),
            }
        }
    }
    let first: String = broken.iter().take(2).map(String::as_str).collect();
    assert!(broken.is_empty(), "{} of {programs} × 4 runs break the law:\n{first}", broken.len());
    if only.is_none() {
        let [actions, expects, conditions] = compared;
        assert!(
            programs > 150 && went > 50 && actions > 300 && expects > 300 && conditions > 20,
            "{programs} runbooks, {went} GO; compared: {actions} actions, {expects} expects, {conditions} conditions"
        );
    }
}
