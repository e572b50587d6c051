use proptest::prelude::*;

use super::*;

impl Findings for bool {
    fn hold(&self) -> bool {
        *self
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limits(within: impl Into<Option<u64>>, hold: impl Into<Option<u64>>, every: impl Into<Option<u64>>) -> Limits {
    Limits { within: within.into().map(ms), hold: hold.into().map(ms), every: every.into().map(ms) }
}

/// What a world in virtual time answers to the polls, in their order; the last stays.
#[derive(Clone, Debug)]
struct World {
    answers: Vec<Answer>,
    /// When the run is cut short.
    cut: Option<Duration>,
    /// By how much each timer is late.
    late: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    holds: bool,
    takes: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Poll {
    asked: Duration,
    answered: Duration,
    holds: bool,
}

#[derive(Debug)]
struct Run {
    polls: Vec<Poll>,
    /// When each poll was asked, also those that got no answer in time.
    asked: Vec<Duration>,
    ended: Duration,
    outcome: Outcome<bool>,
    answers: u32,
}

/// Carries the state machine through virtual time, as `group` does through real time.
fn run(limits: Limits, once: bool, world: &World) -> Run {
    let mut state = PollState::new(limits, once);
    let (mut now, mut polls, mut asked) = (Duration::ZERO, Vec::new(), Vec::new());
    let mut decision = Decision::Wait(Duration::ZERO);
    for _ in 0..100_000 {
        let cut_by = |time: Duration| world.cut.filter(|cut| *cut <= time);
        let event = match decision {
            Decision::Done(outcome) => return Run { polls, asked, ended: now, outcome, answers: state.answers() },
            Decision::Wait(until) => {
                let until = if until > now { until + world.late } else { now };
                match cut_by(until) {
                    Some(cut) => {
                        now = now.max(cut);
                        Event::Cut
                    }
                    None => {
                        now = until;
                        Event::Due
                    }
                }
            }
            Decision::Ask => {
                let answer = world.answers[asked.len().min(world.answers.len() - 1)];
                let (at, comes) = (now, now + answer.takes);
                asked.push(at);
                let late = state.deadline().filter(|deadline| *deadline < comes);
                match (cut_by(late.unwrap_or(comes)), late) {
                    (Some(cut), _) => {
                        now = now.max(cut);
                        Event::Cut
                    }
                    (None, Some(deadline)) => {
                        now = deadline + world.late;
                        Event::DeadlinePassed
                    }
                    (None, None) => {
                        now = comes;
                        polls.push(Poll { asked: at, answered: comes, holds: answer.holds });
                        Event::Answered { asked: at, findings: answer.holds }
                    }
                }
            }
        };
        decision = state.next(now, event);
    }
    panic!("it is never decided: {limits:?}, {world:?}");
}

/// A world whose answers come at once: `1` holds.
fn at_once(answers: &str) -> World {
    let answers = answers.chars().map(|char| Answer { holds: char == '1', takes: Duration::ZERO }).collect();
    World { answers, cut: None, late: Duration::ZERO }
}

fn slow(answers: &str, takes: u64) -> World {
    let mut world = at_once(answers);
    world.answers.iter_mut().for_each(|answer| answer.takes = ms(takes));
    world
}

fn cut_at(world: World, cut: u64) -> World {
    World { cut: Some(ms(cut)), ..world }
}

#[track_caller]
fn check(limits: Limits, world: &World, asked: &[u64], outcome: Outcome<bool>, ended: u64) {
    let run = run(limits, false, world);
    assert_eq!(run.asked, asked.iter().copied().map(ms).collect::<Vec<_>>(), "asked at");
    assert_eq!(run.outcome, outcome);
    assert_eq!(run.ended, ms(ended), "ended at");
}

fn failed(held: Option<u64>) -> Outcome<bool> {
    Outcome::Failed { findings: false, held: held.map(ms) }
}

fn too_short(held: u64) -> Outcome<bool> {
    Outcome::TooShort { findings: true, held: ms(held) }
}

fn undecided(last: Option<bool>, held: Option<u64>) -> Outcome<bool> {
    Outcome::Undecided { last, held: held.map(ms) }
}

#[test]
fn without_times_one_poll_decides() {
    check(limits(None, None, None), &at_once("1"), &[0], Outcome::Held(true), 0);
    check(limits(None, None, None), &at_once("0"), &[0], failed(None), 0);
    check(limits(None, None, None), &slow("1", 9000), &[0], Outcome::Held(true), 9000);
}

#[test]
fn within_polls_on_the_grid_until_it_holds() {
    check(limits(2000, None, None), &at_once("0001"), &[0, 500, 1000, 1500], Outcome::Held(true), 1500);
    check(limits(2000, None, 300), &at_once("001"), &[0, 300, 600], Outcome::Held(true), 600);
    // An answer that takes long does not move the grid.
    check(limits(2000, None, 300), &slow("001", 350), &[0, 600, 1200], Outcome::Held(true), 1550);
}

#[test]
fn at_the_deadline_the_last_answer_decides() {
    // At 1000 an answer would come too late.
    check(limits(1000, None, 500), &at_once("0"), &[0, 500], failed(None), 1000);
    check(limits(1100, None, 500), &slow("0", 200), &[0, 500, 1000], failed(None), 1100);
    check(limits(1000, None, 500), &slow("1", 1001), &[0], Outcome::NoAnswer, 1000);
    check(limits(1000, None, 500), &slow("1", 1000), &[0], Outcome::Held(true), 1000);
}

#[test]
fn a_late_answer_does_not_count() {
    let mut world = slow("01", 100);
    world.answers[1].takes = ms(600);
    check(limits(1000, None, 500), &world, &[0, 500], failed(None), 1000);
    // Nor does one that comes while nobody looked at the clock.
    let mut state = PollState::new(limits(1000, None, 500), false);
    assert_eq!(state.next(ms(0), Event::Due), Decision::Ask);
    let late = Event::Answered { asked: ms(0), findings: true };
    assert_eq!(state.next(ms(1001), late), Decision::Done(Outcome::NoAnswer));
}

#[test]
fn a_poll_that_is_due_behind_the_deadline_is_not_made() {
    let mut state = PollState::<bool>::new(limits(1000, None, 500), false);
    assert_eq!(state.next(ms(1000), Event::Due), Decision::Done(Outcome::NoAnswer));
    let mut state = PollState::new(limits(1000, None, 500), false);
    assert_eq!(state.next(ms(0), Event::Due), Decision::Ask);
    assert_eq!(state.next(ms(1), Event::Answered { asked: ms(0), findings: false }), Decision::Wait(ms(500)));
    // The host slept.
    assert_eq!(state.next(ms(7000), Event::Due), Decision::Done(failed(None)));
}

#[test]
fn for_polls_until_it_has_held_for_long_enough() {
    check(limits(None, 1200, 500), &at_once("1"), &[0, 500, 1000, 1200], Outcome::Held(true), 1200);
    check(limits(5000, 700, 500), &at_once("01"), &[0, 500, 1000, 1200], Outcome::Held(true), 1200);
    // It is broken, and begins anew; the next poll is a whole period later.
    check(limits(5000, 700, 500), &at_once("1101"), &[0, 500, 700, 1500, 2000, 2200], Outcome::Held(true), 2200);
    check(limits(None, 700, 500), &at_once("110"), &[0, 500, 700], failed(Some(500)), 700);
}

#[test]
fn a_slow_answer_proves_no_more_than_what_lies_between_an_answer_and_a_question() {
    // One answer that took 3 s has not seen it hold for 2 s.
    check(limits(None, 2000, 500), &slow("1", 3000), &[0, 3500, 6500], Outcome::Held(true), 9500);
}

#[test]
fn at_the_deadline_what_did_not_hold_for_long_enough_fails() {
    check(limits(1000, 800, 500), &at_once("01"), &[0, 500], too_short(0), 1000);
    check(limits(2000, 1400, 500), &at_once("001"), &[0, 500, 1000, 1500], too_short(500), 2000);
    check(limits(2000, 900, 500), &at_once("0110"), &[0, 500, 1000, 1400], failed(Some(500)), 2000);
}

#[test]
fn what_is_cut_short_is_undecided() {
    check(limits(5000, None, 500), &cut_at(at_once("0"), 700), &[0, 500], undecided(Some(false), None), 700);
    check(limits(5000, 2000, 500), &cut_at(at_once("1"), 700), &[0, 500], undecided(Some(true), Some(500)), 700);
    check(limits(5000, 2000, 500), &cut_at(at_once("10"), 700), &[0, 500], undecided(Some(false), None), 700);
    // Before the first answer.
    check(limits(5000, None, 500), &cut_at(slow("1", 100), 50), &[0], undecided(None, None), 50);
    check(limits(5000, None, 500), &cut_at(at_once("1"), 0), &[], undecided(None, None), 0);
    check(limits(None, None, None), &cut_at(slow("1", 100), 50), &[0], undecided(None, None), 50);
}

#[test]
fn what_has_failed_for_good_is_not_undecided() {
    // No other poll would come before the deadline.
    check(limits(1000, None, 500), &cut_at(at_once("0"), 700), &[0, 500], failed(None), 700);
    // It can't hold for 800 ms any more.
    check(limits(1000, 800, 100), &cut_at(at_once("0"), 150), &[0, 100], failed(None), 150);
    check(limits(2000, 1500, 500), &cut_at(at_once("01"), 900), &[0, 500], too_short(0), 900);
    // It still can.
    check(limits(1000, 800, 100), &cut_at(at_once("0"), 50), &[0], undecided(Some(false), None), 50);
}

#[test]
fn what_can_not_change_is_asked_once() {
    let run = run(limits(5000, 1000, 100), true, &at_once("0"));
    assert_eq!((run.asked.len(), run.outcome), (1, failed(None)));
}

#[test]
fn an_answer_that_did_not_come_is_not_counted() {
    assert_eq!(run(limits(1000, None, 500), false, &slow("0", 400)).answers, 2);
    assert_eq!(run(limits(800, None, 500), false, &slow("0", 400)).answers, 1);
}

#[test]
fn no_time_overflows() {
    let huge = Limits { within: Some(Duration::MAX), hold: Some(Duration::MAX), every: Some(Duration::MAX) };
    let mut state = PollState::new(huge, false);
    assert_eq!(state.next(ms(0), Event::Due), Decision::Ask);
    let answered = Event::Answered { asked: ms(0), findings: true };
    assert!(matches!(state.next(ms(5), answered), Decision::Wait(_)));
    assert_eq!(whole(Duration::from_secs(1 << 40), ms(10)), Duration::from_secs(1 << 40));
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let time = |longest: u64| proptest::option::of((1..longest).prop_map(ms));
    (time(5_000), time(3_000), time(900)).prop_map(|(within, hold, every)| Limits { within, hold, every })
}

fn any_world() -> impl Strategy<Value = World> {
    let takes = prop_oneof![4 => Just(0), 4 => 0..60_u64, 1 => 0..3_000_u64];
    let answer = (any::<bool>(), takes).prop_map(|(holds, takes)| Answer { holds, takes: ms(takes) });
    let cut = prop_oneof![2 => Just(None), 1 => (0..6_000_u64).prop_map(|cut| Some(ms(cut)))];
    (proptest::collection::vec(answer, 1..24), cut, 0..30_u64).prop_map(|(answers, cut, late)| World {
        answers,
        cut,
        late: ms(late),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_was_seen(limits in any_limits(), world in any_world()) {
        let run = run(limits, false, &world);
        let hold = limits.hold.unwrap_or_default();
        let seen = run.polls.last().map(|poll| poll.holds);
        match &run.outcome {
            Outcome::Held(findings) => {
                prop_assert!(*findings);
                let last = run.polls.last().expect("an answer");
                let held: Vec<_> = run.polls.iter().rev().take_while(|poll| poll.holds).collect();
                let first = held.last().expect("an answer that holds");
                prop_assert!(last.holds && last.asked.saturating_sub(first.answered) >= hold, "held since {first:?}: {run:?}");
            }
            Outcome::Failed { findings, .. } => {
                prop_assert!(!findings && seen == Some(false), "{run:?}");
            }
            Outcome::TooShort { findings, held } => {
                prop_assert!(*findings && seen == Some(true) && *held < hold, "{run:?}");
            }
            Outcome::NoAnswer => prop_assert!(run.polls.is_empty() && limits.within.is_some(), "{run:?}"),
            Outcome::Undecided { last, .. } => {
                prop_assert_eq!(*last, seen);
                let cut = world.cut.expect("only what is cut short is undecided");
                prop_assert!(limits.within.is_none_or(|within| cut <= within + world.late), "{run:?}");
            }
        }
    }

    #[test]
    fn it_never_polls_after_the_deadline_and_is_decided_by_then(limits in any_limits(), world in any_world()) {
        let run = run(limits, false, &world);
        if let Some(within) = limits.within {
            prop_assert!(run.asked.iter().all(|asked| *asked < within), "{run:?}");
            prop_assert!(run.polls.iter().all(|poll| poll.answered <= within), "{run:?}");
            prop_assert!(run.ended <= within + world.late, "{run:?}");
        }
        prop_assert_eq!(run.answers as usize, run.polls.len());
    }

    #[test]
    fn it_does_not_poll_more_often_than_it_was_told(limits in any_limits(), world in any_world()) {
        let run = run(limits, false, &world);
        let every = limits.every.unwrap_or(DEFAULT_EVERY).max(SHORTEST_EVERY);
        if let Some(within) = limits.within {
            let most = within.as_nanos() / every.as_nanos() + 2;
            prop_assert!(run.asked.len() as u128 <= most, "{} polls: {run:?}", run.asked.len());
        }
        // Without `for`, each lies on the grid, as far as timers are in time.
        if limits.hold.is_none() {
            for asked in &run.asked {
                let behind = asked.as_nanos() % every.as_nanos();
                prop_assert!(behind <= world.late.as_nanos(), "{asked:?} is off the grid: {run:?}");
            }
        }
    }

    #[test]
    fn a_cut_changes_nothing_of_what_was_decided_before_it(limits in any_limits(), world in any_world()) {
        let whole = run(limits, false, &World { cut: None, ..world.clone() });
        if let Some(cut) = world.cut {
            let cut_short = run(limits, false, &world);
            if cut > whole.ended {
                prop_assert_eq!(&cut_short.outcome, &whole.outcome);
            }
            // What has failed for good when it is cut short would have failed without the cut, too.
            if matches!(cut_short.outcome, Outcome::Failed { .. } | Outcome::TooShort { .. }) {
                prop_assert!(!matches!(whole.outcome, Outcome::Held(_)), "{cut_short:?} against {whole:?}");
            }
        }
    }
}
