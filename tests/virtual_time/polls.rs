//! Polling, to the millisecond: what `within`, `for` and `every` come to is worked out by a model of a page, and by what the
//! world saw.

use runbook::engine::events::event::{Body, State};

use crate::fake_world::*;
use crate::rng::{Rng, cases};

/// An expect of a fact of its own.
#[derive(Clone, Debug)]
pub struct Poll {
    pub fact: String,
    pub native: Native,
    pub wants: Seen,
    pub within: Option<Ms>,
    pub hold: Option<Ms>,
    pub every: Option<Ms>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Native {
    File,
    Http,
    Sh,
    Env,
}

impl Poll {
    /// What it asks, as the language writes it.
    pub fn condition(&self) -> String {
        let fact = &self.fact;
        match (self.native, self.wants) {
            (Native::File, Seen::Known(number)) => format!("file(\"{fact}\").text == \"{number}\""),
            (Native::File, _) => format!("file(\"{fact}\") is absent"),
            (Native::Env, Seen::Known(number)) => format!("env(\"{fact}\") == \"{number}\""),
            (Native::Env, _) => format!("env(\"{fact}\") is absent"),
            (Native::Http, Seen::Known(number)) => {
                format!("http.get(\"http://127.0.0.1:9/{fact}\").status == {number}")
            }
            (Native::Http, _) => format!("http.get(\"http://127.0.0.1:9/{fact}\").status == 0"),
            (Native::Sh, Seen::Known(number)) => format!("sh(\"{fact}\").text == \"{number}\""),
            (Native::Sh, _) => format!("sh(\"{fact}\").status == 1"),
        }
    }

    pub fn timing(&self) -> String {
        let one = |word: &str, ms: Option<Ms>| ms.map(|ms| format!(" {word} {ms}ms")).unwrap_or_default();
        format!("{}{}{}", one("for", self.hold), one("within", self.within), one("every", self.every))
    }

    /// What it comes to when this is what is seen.
    pub fn state(&self, seen: Seen) -> State {
        match (self.native, self.wants, seen) {
            (_, _, Seen::Unknown) => State::Unknown,
            (Native::Http, _, Seen::Absent) => State::Unknown,
            (Native::Http, Seen::Absent, Seen::Known(0)) => State::Holds,
            (Native::Sh, Seen::Absent, Seen::Known(_)) => State::Differs,
            (_, wants, seen) if wants == seen => State::Holds,
            _ => State::Differs,
        }
    }

    pub fn generated(rng: &mut Rng, fact: String) -> Self {
        let native = *rng.pick(&[Native::File, Native::Http, Native::Sh, Native::Env]);
        let wants = match native {
            Native::File | Native::Env if rng.chance(25) => Seen::Absent,
            _ => Seen::Known(rng.range(1, 3) as i64),
        };
        let within = rng.chance(80).then(|| *rng.pick(&[1, 20, 450, 500, 501, 1700, 2000, 5000, 30_000, 90_000]));
        let every = rng.chance(60).then(|| *rng.pick(&[1, 10, 70, 300, 500, 999, 4000]));
        let hold = rng.chance(40).then(|| *rng.pick(&[1, 50, 300, 500, 1200, 2500, 10_000]));
        // The checker refuses what can't be met.
        let hold = hold.filter(|hold| within.is_none_or(|within| *hold < within));
        // Of an hour of polls every millisecond nothing is learned.
        let every = every.map(|every: Ms| every.max(within.unwrap_or(0).max(hold.unwrap_or(0)) / 25).max(1));
        // `every` asks for something to ask again for.
        let every =
            every.filter(|every| within.is_some_and(|within| *every <= within) || within.is_none() && hold.is_some());
        Self { fact, native, wants, within, hold, every }
    }
}

/// What an expect comes to, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    pub state: State,
    pub at: Ms,
    pub attempts: u32,
    /// An answer came in the very millisecond of the deadline: either may be heard first.
    pub tie: bool,
}

/// The rules, once more: asked at once, then on the grid of `every` from the beginning, a whole period or more later, until it
/// holds. What has to hold for longer is asked for the last time when that time is over (on full 10 ms, if the deadline leaves
/// room for that): it counts from the first answer to the last question. Nothing is asked at its deadline or behind it.
pub fn decide(poll: &Poll, fact: &Fact, began: Ms) -> Decided {
    let every = poll.every.unwrap_or(500).max(10);
    let within = poll.within.unwrap_or(Ms::MAX);
    // Times count from the beginning. `due`: where on the grid the question stands.
    let (mut due, mut asked, mut attempts, mut since, mut last, mut tie) = (0, 0, 0, None, None, false);
    loop {
        let answered = asked + fact.takes;
        tie |= answered == within;
        let decided = |state, at, attempts| Decided { state, at: began + at, attempts, tie };
        let at_deadline = |last: Option<State>, attempts: u32| match last {
            // It did not hold for long enough.
            Some(State::Holds) => decided(State::Differs, within, attempts),
            Some(state) => decided(state, within, attempts),
            None => decided(State::Unknown, within, 1),
        };
        if answered > within {
            return at_deadline(last, attempts);
        }
        attempts += 1;
        let state = poll.state(fact.at(began + asked));
        let mut next = (due + every).div_ceil(every) * every;
        if next <= answered {
            next = (answered / every + 1) * every;
        }
        if state == State::Holds {
            let since = *since.get_or_insert(answered);
            let hold = poll.hold.unwrap_or(0);
            if asked.saturating_sub(since) >= hold {
                return decided(state, answered, attempts);
            }
            let over = since + hold;
            let rounded = over.div_ceil(10) * 10;
            next = next.min(if rounded < within { rounded } else { over }).max(answered);
        } else {
            since = None;
            if poll.within.is_none() || answered >= within {
                return decided(state, answered, attempts);
            }
        }
        last = Some(state);
        if next >= within {
            return at_deadline(last, attempts);
        }
        (due, asked) = (next, next);
    }
}

/// A fact that changes a few times within the time of a poll.
fn fact(rng: &mut Rng, poll: &Poll) -> Fact {
    let value = |rng: &mut Rng| match rng.range(0, 10) {
        0..=3 => poll.wants,
        4 => Seen::Absent,
        5 | 6 => Seen::Unknown,
        _ => Seen::Known(rng.range(1, 3) as i64),
    };
    let span = poll.within.unwrap_or(3000) + 100;
    let mut later: Vec<(Ms, Seen)> = (0..rng.range(0, 5)).map(|_| (rng.range(0, span), value(rng))).collect();
    later.sort_by_key(|(at, _)| *at);
    later.dedup_by_key(|(at, _)| *at);
    let takes = if rng.chance(40) { *rng.pick(&[1, 7, 90, 333, 1100]) } else { 0 };
    Fact { now: value(rng), later, takes, ..Fact::default() }
}

#[test]
fn within_for_and_every_to_the_millisecond() {
    let mut decided_by_model = 0;
    for case in cases(260) {
        let mut rng = Rng::of(1, case);
        let count = rng.range(1, 5);
        let polls: Vec<Poll> = (0..count).map(|at| Poll::generated(&mut rng, format!("f{at}"))).collect();
        let expects: String = polls
            .iter()
            .map(|poll| format!("  expect {}: {}{}\n", poll.fact, poll.condition(), poll.timing()))
            .collect();
        let text = format!("runbook \"Polls\" {{ }}\nstep s {{\n{expects}}}\n");
        let program = program(&text);
        for _ in 0..8 {
            let spec = polls.iter().fold(Spec::default(), |spec, poll| {
                let fact = fact(&mut rng, poll);
                spec.fact(&poll.fact, fact)
            });
            let ran = run(&program, &spec, &Driven::default());
            let trouble = |what: &str| -> ! { panic!("case {case}: {what}\n{text}{:#?}\n{}", spec.facts, ran.told()) };
            for poll in &polls {
                let fact = &spec.facts[&poll.fact];
                let wanted = decide(poll, fact, 0);
                let id = format!("s.{}", poll.fact);
                let found = ran.events().find_map(|(_, event)| match &event.body {
                    Body::ExpectEnded(result) if event.place.expect.as_deref() == Some(&id) => Some(Decided {
                        state: result.state,
                        at: u64::try_from(result.elapsed.duration().as_millis()).unwrap_or(u64::MAX),
                        attempts: result.attempts,
                        tie: wanted.tie,
                    }),
                    _ => None,
                });
                let Some(found) = found else { trouble(&format!("{id} has no end")) };
                if found != wanted && !(wanted.tie && found.at == wanted.at) {
                    trouble(&format!("{id} is {found:?}, where the rules say {wanted:?}"));
                }
                decided_by_model += 1;
            }
        }
    }
    assert!(decided_by_model > 0);
}
