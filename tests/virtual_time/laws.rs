//! What holds of every run, whatever its runbook and its world: read from the journal, and from what the world itself saw.

use std::collections::BTreeMap;

use runbook::engine::events::event::{Body, Part, State, StepOutcome, Verdict};

use crate::book::{Book, Stmt, Stop};
use crate::fake_world::*;
use crate::polls::Poll;

/// Panics where a law is broken.
#[track_caller]
pub fn hold(ran: &Ran, book: &Book, which: &str, text: &str) {
    let laws = [
        all(ran, &book.polls()),
        what_has_to_end_it_runs(ran, book),
        undone_as_it_says(ran, book, book.roll_back_on_stop),
        stops_trip_as_they_say(ran, book),
    ];
    if let Err(why) = laws.into_iter().collect::<Result<Vec<()>, String>>() {
        panic!("{which}: {why}\n{text}\n{:#?}\n{}", ran.before, ran.told());
    }
}

pub fn all(ran: &Ran, polls: &BTreeMap<String, Poll>) -> Result<(), String> {
    if ran.ended.is_none() {
        return Err("it never ends".to_owned());
    }
    announced_first(ran)?;
    one_at_a_time(ran)?;
    well_nested(ran)?;
    nothing_begins_behind_the_end(ran)?;
    the_verdict_follows(ran)?;
    what_holds_was_seen(ran, polls)?;
    actions_are_told_as_they_were(ran)
}

/// Nothing is done that does not stand in the journal, on disk, before it begins.
fn announced_first(ran: &Ran) -> Result<(), String> {
    let (mut announced, mut synced) = (None, false);
    for (at, entry) in &ran.log {
        match entry {
            Entry::Event(event) => {
                if let Body::ActionStarted { action, .. } = &event.get().body {
                    (announced, synced) = (Some(action.clone()), false);
                }
            }
            Entry::Synced => synced = true,
            Entry::ActBegan { command, .. } => {
                let known = announced.take().as_deref() == Some(command);
                if !known || !synced {
                    return Err(format!("at {at} `{command}` begins, and was not announced (on disk: {synced})"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn one_at_a_time(ran: &Ran) -> Result<(), String> {
    let mut at_work: Option<&str> = None;
    for (at, entry) in &ran.log {
        match entry {
            Entry::ActBegan { command, .. } => {
                if let Some(other) = at_work.replace(command) {
                    return Err(format!("at {at} `{command}` begins, and `{other}` is at work"));
                }
            }
            Entry::ActEnded { .. } | Entry::Killed => at_work = None,
            _ => {}
        }
    }
    match at_work {
        Some(command) => Err(format!("`{command}` outlives the run")),
        None => Ok(()),
    }
}

/// What has begun ends, in its own place, and numbers and times go up.
fn well_nested(ran: &Ran) -> Result<(), String> {
    let (mut seq, mut last) = (0, None);
    let (mut step, mut action, mut undo, mut confirm): (Option<String>, Option<String>, Option<String>, bool) =
        (None, None, None, false);
    let mut open: Vec<String> = Vec::new();
    let (mut verdicts, mut killed) = (0, false);
    for (at, entry) in &ran.log {
        let event = match entry {
            Entry::Event(event) => event.get(),
            // What was open is begun again, or is left as it is where the run is undone.
            Entry::Killed => {
                (action, confirm, killed) = (None, false, true);
                open.clear();
                continue;
            }
            _ => continue,
        };
        let here = format!("#{} at {at}", event.seq);
        if seq != 0 && event.seq != seq + 1 {
            return Err(format!("{here} comes behind #{seq}"));
        }
        seq = event.seq;
        if last.replace(event.time).is_some_and(|last| last > event.time) {
            return Err(format!("{here} goes back in time"));
        }
        let name = event.place.step.clone();
        match &event.body {
            Body::StepStarted { attempt, .. } => {
                if *attempt == 1 && step.is_some() || *attempt > 1 && step != name {
                    return Err(format!("{here} begins a step within {step:?}"));
                }
                step = name;
            }
            Body::StepEnded { attempts, .. } => {
                if *attempts > 0 && step != name || action.is_some() || !open.is_empty() || confirm {
                    return Err(format!("{here} ends a step while {step:?}, {action:?}, {open:?} are open"));
                }
                step = None;
            }
            Body::ActionStarted { action: begun, .. } => {
                if let Some(other) = action.replace(begun.clone()) {
                    return Err(format!("{here} starts an action within `{other}`"));
                }
            }
            Body::Output { .. } | Body::OutputLeftOut { .. } if action.is_none() => {
                return Err(format!("{here} is printed by no action"));
            }
            Body::ActionEnded { action: ended, ok, assumed, .. } => match action.take() {
                Some(begun) if begun == *ended => {}
                None if !ok || assumed.is_some() => {}
                other => return Err(format!("{here} ends `{ended}` where `{other:?}` is at work")),
            },
            Body::ExpectStarted { .. } => open.push(event.place.expect.clone().unwrap_or_default()),
            Body::ExpectEnded(_) => {
                let id = event.place.expect.clone().unwrap_or_default();
                if !open.contains(&id) {
                    return Err(format!("{here} ends `{id}`, which is not asked"));
                }
            }
            Body::GroupEnded { .. } => {
                let told = |id: &String| {
                    ran.events().any(|(_, other)| {
                        other.seq < event.seq
                            && other.place.expect.as_ref() == Some(id)
                            && matches!(other.body, Body::ExpectEnded(_))
                    })
                };
                if let Some(untold) = open.iter().find(|id| !killed && !told(id)) {
                    return Err(format!("{here} ends a group, and `{untold}` came to nothing"));
                }
                open.clear();
            }
            Body::RollbackStarted { .. } if killed => step = None,
            Body::ConfirmAsked { .. } => confirm = true,
            Body::Confirmed(_) => confirm = false,
            Body::UndoStarted { .. } => undo = name,
            Body::UndoEnded(_) => {
                let begun = undo.take();
                if begun != name {
                    return Err(format!("{here} ends an undoing that did not begin"));
                }
            }
            Body::Verdict { verdict, .. } => {
                verdicts += u32::from(matches!(verdict, Verdict::Go | Verdict::NoGo));
                if step.is_some() || action.is_some() || undo.is_some() {
                    return Err(format!("{here} is a verdict while something is open"));
                }
            }
            _ => {}
        }
    }
    if verdicts != 1 {
        return Err(format!("there are {verdicts} verdicts"));
    }
    Ok(())
}

/// Once it is told to end, nothing begins but what ends it; told so again, nothing at all.
fn nothing_begins_behind_the_end(ran: &Ran) -> Result<(), String> {
    let (mut told, mut part) = (0, None);
    for (at, entry) in &ran.log {
        match entry {
            Entry::Event(event) => {
                let event = event.get();
                let here = format!("#{} at {at}", event.seq);
                match &event.body {
                    Body::Cancelled { .. } => told += 1,
                    Body::StopHeld { .. } => told = told.max(1),
                    Body::StepStarted { .. } | Body::HandlerStarted { .. } | Body::Retrying { .. } if told > 0 => {
                        return Err(format!("{here} begins, and the run was told to end: {:?}", event.body));
                    }
                    Body::ActionStarted { .. } | Body::ExpectStarted { .. } | Body::ConfirmAsked { .. } => {
                        part = event.place.part;
                        if told > 1 && matches!(event.body, Body::ActionStarted { .. }) || told > 0 && part.is_none() {
                            return Err(format!("{here} begins, and the run was told to end: {:?}", event.body));
                        }
                    }
                    _ => {}
                }
            }
            Entry::ActBegan { command, .. } => {
                let allowed = matches!(part, Some(Part::Finally | Part::Rollback | Part::OnFailure));
                if told > 1 || told > 0 && !allowed {
                    return Err(format!("at {at} `{command}` begins, and the run was told to end"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// GO, if and only if each step went well, nothing ended the run, and all that blocks held when it was asked last.
fn the_verdict_follows(ran: &Ran) -> Result<(), String> {
    let mut rows: BTreeMap<String, (Option<String>, bool)> = BTreeMap::new();
    let (mut ended, mut failed, mut verdict, mut proven) = (false, false, None, false);
    for (_, event) in ran.events() {
        match &event.body {
            Body::Cancelled { .. } | Body::StopHeld { .. } | Body::RollbackStarted { .. } => ended = true,
            Body::PreflightEnded { ok: false, .. } => ended = true,
            Body::StepStarted { .. } => rows.retain(|_, (step, _)| *step != event.place.step),
            Body::StepEnded { outcome, .. } => failed |= *outcome == StepOutcome::Failed,
            Body::ExpectEnded(result) if !result.warn && !result.waived => {
                let id = event.place.expect.clone().unwrap_or_default();
                proven |= result.state == State::Holds;
                rows.insert(id, (event.place.step.clone(), result.state == State::Holds));
            }
            Body::Verdict { verdict: decided @ (Verdict::Go | Verdict::NoGo), reasons, .. } => {
                if reasons.is_empty() != (*decided == Verdict::Go) {
                    return Err(format!("{decided:?} for the reasons {reasons:?}"));
                }
                verdict = Some(*decided);
            }
            _ => {}
        }
    }
    let all_hold = rows.values().all(|(_, holds)| *holds);
    let well = !ended && !failed && all_hold;
    match verdict {
        Some(Verdict::Go) if !well => {
            Err(format!("GO, though ended: {ended}, failed: {failed}, all hold: {all_hold} {rows:?}"))
        }
        Some(Verdict::NoGo) if well && proven => Err("NO-GO, and nothing is wrong".to_owned()),
        _ if ran.ended.as_ref().map(|ended| ended.verdict) != verdict => Err("another verdict than is told".to_owned()),
        _ => Ok(()),
    }
}

/// Where a row holds, the world was seen so: for the whole of its `for`, without a break; and nothing is asked behind a deadline.
fn what_holds_was_seen(ran: &Ran, polls: &BTreeMap<String, Poll>) -> Result<(), String> {
    let name_of =
        |id: &str| id.split('.').nth(1).and_then(|name| name.split('[').next()).unwrap_or_default().to_owned();
    let mut asked_at: BTreeMap<usize, Ms> = BTreeMap::new();
    // Each answer: of what, asked when, answered when, and what.
    let mut answers: Vec<(&str, Ms, Ms, Seen)> = Vec::new();
    let mut started: BTreeMap<String, (Ms, Ms, Option<Ms>)> = BTreeMap::new();
    for (at, entry) in &ran.log {
        match entry {
            Entry::Asked { id, .. } => drop(asked_at.insert(*id, *at)),
            Entry::Answered { id, fact, seen } => answers.push((fact, asked_at[id], *at, *seen)),
            Entry::Event(event) => {
                let event = event.get();
                let id = event.place.expect.clone().unwrap_or_default();
                let ms = |seconds: runbook::engine::events::event::Seconds| seconds.duration().as_millis() as Ms;
                match &event.body {
                    Body::ExpectStarted { within, hold, .. } => {
                        started.insert(id, (*at, hold.map(ms).unwrap_or_default(), within.map(ms)));
                    }
                    Body::ExpectEnded(result) => {
                        let Some(poll) = polls.get(&name_of(&id)) else { continue };
                        let Some((began, hold, within)) = started.get(&id).copied() else { continue };
                        let deadline = within.map(|within| began + within);
                        if deadline.is_some_and(|deadline| *at > deadline.max(began)) && result.state == State::Holds {
                            let decided = began + ms(result.elapsed);
                            if deadline.is_some_and(|deadline| decided > deadline) {
                                return Err(format!("`{id}` holds at {decided}, behind its deadline"));
                            }
                        }
                        if result.state != State::Holds {
                            continue;
                        }
                        let decided = began + ms(result.elapsed);
                        let own = answers
                            .iter()
                            .filter(|(fact, asked, answered, _)| {
                                *fact == poll.fact && *asked >= began && *answered <= decided
                            })
                            .collect::<Vec<_>>();
                        let run: Vec<_> =
                            own.iter().rev().take_while(|(.., seen)| poll.state(*seen) == State::Holds).collect();
                        let Some((_, first, _, _)) = run.last() else {
                            return Err(format!("`{id}` holds at {decided}, and the world said no such thing"));
                        };
                        if decided - first < hold {
                            return Err(format!("`{id}` holds, and was seen so for {} of {hold} ms", decided - first));
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// An action is told as done only if it ended by itself, well, and in its time; what was told to end is waited for.
fn actions_are_told_as_they_were(ran: &Ran) -> Result<(), String> {
    let (mut limit, mut began, mut told, mut left) = (None, None, None, None);
    for (at, entry) in &ran.log {
        match entry {
            Entry::ActBegan { .. } => (began, told, left) = (Some(*at), None, None),
            Entry::ToldToEnd { .. } => told = Some(*at),
            Entry::Killed => began = None,
            Entry::ActEnded { left: how, command, .. } => {
                left = Some(*how);
                if let (Some(began), Some(limit)) = (began, limit)
                    && told.is_none()
                    && at - began > limit
                {
                    return Err(format!("`{command}` was left at work for {} ms, of {limit} that it may", at - began));
                }
                if let Some(told) = told.filter(|told| at - told > 15_000) {
                    return Err(format!("`{command}` was told to end at {told}, and waited for until {at}"));
                }
            }
            Entry::Event(event) => match &event.get().body {
                Body::ActionStarted { limit: may, .. } => {
                    (limit, began) = (may.map(|may| may.duration().as_millis() as Ms), None);
                }
                Body::ActionEnded { ok, action, assumed, elapsed, .. } => {
                    let Some(began) = began.take() else {
                        match *ok && assumed.is_none() {
                            true => return Err(format!("`{action}` is told as done, and never began")),
                            false => continue,
                        }
                    };
                    let well = left == Some(Left::Status(0)) && told.is_none();
                    if *ok != well {
                        return Err(format!("`{action}` is told as {ok}, and came to {left:?}, told to end: {told:?}"));
                    }
                    if elapsed.duration().as_millis() as Ms != at - began {
                        return Err(format!(
                            "`{action}` took {} ms, and is told to have taken {elapsed:?}",
                            at - began
                        ));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}

/// Whether the run was told to end, and was told so again.
fn told_again(ran: &Ran) -> bool {
    ran.events().filter(|(_, event)| matches!(event.body, Body::Cancelled { .. })).count() > 1
        || ran.events().any(|(_, event)| matches!(event.body, Body::StopHeld { .. }))
            && ran.events().any(|(_, event)| matches!(event.body, Body::Cancelled { .. }))
}

/// `finally` runs on every way out of a step that began, and once each time.
fn what_has_to_end_it_runs(ran: &Ran, book: &Book) -> Result<(), String> {
    if told_again(ran) {
        return Ok(());
    }
    for step in &book.steps {
        let Some(Stmt::Run { command, .. }) = step.finally.as_ref().and_then(|finally| finally.first()) else {
            continue;
        };
        // Of which it is unknown whether it is wanted, nothing begins.
        if step.when.is_some() {
            continue;
        }
        let own = |event: &runbook::engine::events::event::Event| event.place.step.as_ref() == Some(&step.name);
        let attempts = ran.events().filter(|(_, event)| own(event) && matches!(event.body, Body::StepStarted { .. }));
        let attempts = attempts.count();
        let cleaned = ran.events().filter(|(_, event)| {
            let cleans = event.place.part == Some(Part::Finally);
            cleans && matches!(&event.body, Body::ActionEnded { action, .. } if action == command)
        });
        let cleaned = cleaned.count();
        if attempts != cleaned {
            return Err(format!("step `{}` was begun {attempts} times, and its `finally` {cleaned} times", step.name));
        }
    }
    Ok(())
}

/// What has begun is undone, newest first and no further than to a point of no return, where that is wanted.
pub fn undone_as_it_says(ran: &Ran, book: &Book, on_stop: bool) -> Result<(), String> {
    let acted = |name: &str| {
        ran.events().any(|(_, event)| {
            event.place.step.as_deref() == Some(name)
                && event.place.part != Some(Part::Rollback)
                && matches!(event.body, Body::ActionStarted { .. })
        })
    };
    let begun = book.steps.iter().rev().filter(|step| acted(&step.name));
    let wanted: Vec<&str> = begun
        .take_while(|step| !step.no_return)
        .filter(|step| step.rollback.is_some())
        .map(|step| step.name.as_str())
        .collect();
    let mut undone: Vec<&str> = ran
        .events()
        .filter(|(_, event)| matches!(event.body, Body::UndoStarted { .. }))
        .filter_map(|(_, event)| event.place.step.as_deref())
        .collect();
    // One that was cut off at its very beginning begins once more.
    undone.dedup();
    let said = ran.events().find_map(|(_, event)| match &event.body {
        Body::RollbackStarted { steps, .. } => Some(steps.clone()),
        _ => None,
    });
    match said {
        Some(steps) if steps != wanted || undone != wanted => {
            Err(format!("undone is {undone:?}, it says {steps:?}, and what has begun is {wanted:?}"))
        }
        None if !undone.is_empty() => Err(format!("{undone:?} is undone, and nothing says so")),
        None if on_stop && !wanted.is_empty() => {
            let ended = ran.events().any(|(_, event)| match &event.body {
                Body::Cancelled { .. } | Body::StopHeld { .. } => true,
                Body::StepEnded { outcome, .. } => *outcome == StepOutcome::Failed,
                _ => false,
            });
            match ended {
                true => Err(format!("{wanted:?} is not undone")),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// How long a condition may be unknown.
const UNKNOWN_FOR: Ms = 30_000;

/// A stop block trips only on what was seen for as long as it says, and does when that was there to be seen.
fn stops_trip_as_they_say(ran: &Ran, book: &Book) -> Result<(), String> {
    for (nth, stop) in book.stops.iter().enumerate() {
        let answers = answers(ran, &stop.poll.fact);
        let tripped = ran.log.iter().enumerate().find_map(|(place, (at, entry))| match entry {
            Entry::Event(event) => match &event.get().body {
                Body::StopHeld { reason, state, .. } if *reason == format!("stop {nth}") => Some((place, *at, *state)),
                _ => None,
            },
            _ => None,
        });
        if let Some((place, at, state)) = tripped {
            let (wanted, hold) = match state {
                State::Unknown => (State::Unknown, UNKNOWN_FOR),
                _ => (State::Holds, stop.poll.hold.unwrap_or_default()),
            };
            let run: Vec<_> = answers
                .iter()
                .rev()
                .filter(|(_, answered, _)| *answered <= at)
                .take_while(|(.., seen)| stop.poll.state(*seen) == wanted)
                .collect();
            // At the very end what is unknown is told at once.
            let over = !ran.log[place..].iter().any(|(_, entry)| match entry {
                Entry::Event(event) => matches!(event.get().body, Body::StepEnded { attempts: 1.., .. }),
                _ => false,
            });
            let needed = if over && state == State::Unknown { 0 } else { hold };
            match run.last() {
                Some((asked, ..)) if at.saturating_sub(*asked) >= needed => {}
                other => return Err(format!("`stop {nth}` trips at {at}, and was last seen so since {other:?}")),
            }
            if let Some(step) = step_at(ran, place).filter(|step| stop.except.contains(step)) {
                return Err(format!("`stop {nth}` trips during `{step}`, which it excepts"));
            }
        }
        missed(ran, nth, stop)?;
    }
    Ok(())
}

/// Each answer to the question for a fact: asked when, answered when, and what.
fn answers(ran: &Ran, wanted: &str) -> Vec<(Ms, Ms, Seen)> {
    let mut asked_at: BTreeMap<usize, Ms> = BTreeMap::new();
    let mut answers = Vec::new();
    for (at, entry) in &ran.log {
        match entry {
            Entry::Asked { id, .. } => drop(asked_at.insert(*id, *at)),
            Entry::Answered { id, fact, seen } if fact == wanted => answers.push((asked_at[id], *at, *seen)),
            _ => {}
        }
    }
    answers
}

/// The step that is at work where an entry of the log stands.
fn step_at(ran: &Ran, place: usize) -> Option<String> {
    let mut step = None;
    for (_, entry) in &ran.log[..place] {
        if let Entry::Event(event) = entry {
            match &event.get().body {
                Body::StepStarted { .. } => step = event.get().place.step.clone(),
                Body::StepEnded { .. } => step = None,
                _ => {}
            }
        }
    }
    step
}

/// Whether the world was so for long enough, in one piece, while the run went on and it applied, and it did not trip.
fn missed(ran: &Ran, nth: usize, stop: &Stop) -> Result<(), String> {
    let ends = |body: &Body| {
        matches!(
            body,
            Body::Cancelled { .. } | Body::StopHeld { .. } | Body::RollbackStarted { .. } | Body::Verdict { .. }
        ) || matches!(body, Body::StepEnded { outcome: StepOutcome::Failed, .. })
    };
    let Some(end) = ran.events().find(|(_, event)| ends(&event.body)).map(|(at, _)| at) else { return Ok(()) };
    let mut applies_from = None;
    // When it applies: from when until when.
    let mut spans: Vec<(Ms, Ms)> = Vec::new();
    let mut begun = stop.since.is_none();
    for (at, event) in ran.events().take_while(|(at, _)| *at <= end) {
        let excepted = match &event.body {
            Body::RunStarted { .. } => false,
            Body::StepStarted { .. } => {
                begun |= stop.since == event.place.step;
                event.place.step.as_ref().is_some_and(|step| stop.except.contains(step))
            }
            Body::StepEnded { .. } => false,
            _ => continue,
        };
        match (excepted || !begun, applies_from) {
            (false, None) => applies_from = Some(at),
            (true, Some(from)) => {
                spans.push((from, at));
                applies_from = None;
            }
            _ => {}
        }
    }
    spans.extend(applies_from.map(|from| (from, end)));
    let fact = &ran.before.facts[&stop.poll.fact];
    let every = stop.poll.every.unwrap_or(5000).max(10);
    let needed = stop.poll.hold.unwrap_or_default() + 3 * every + 4 * fact.takes + 10;
    let mut pieces: Vec<(Ms, Seen)> = vec![(0, fact.now)];
    pieces.extend(fact.later.iter().copied());
    for (from, until) in spans {
        for (at, (begins, seen)) in pieces.iter().enumerate() {
            let ceases = pieces.get(at + 1).map_or(Ms::MAX, |(next, _)| *next);
            let (first, last) = (from.max(*begins), until.min(ceases));
            if stop.poll.state(*seen) == State::Holds && last > first && last - first > needed {
                return Err(format!("`stop {nth}` was there to be seen from {first} to {last}, and did not trip"));
            }
        }
    }
    Ok(())
}
