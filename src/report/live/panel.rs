//! What goes on right now: the step, the action with its last lines, the expects with how often they were asked.
//!
//! In: events as they come. Out: lines, as of now.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, Event, Seconds, State, expect_of};
use crate::engine::world::Stream;

use super::super::called::keys;
use super::super::safe::safe;
use super::super::times::time;
use super::screen::{Line, Tone};

/// So many of the last lines of a command are in sight.
const TAIL: usize = 5;

/// Of a group that is larger, those that held are only counted.
const MANY: usize = 2000;

/// What turns as long as something goes on.
const TURNS: [&str; 8] = ["⣷", "⣯", "⣟", "⡿", "⢿", "⣻", "⣽", "⣾"];

pub(super) struct Panel {
    began: Instant,
    limit: Option<Seconds>,
    steps: usize,
    done: usize,
    held: u32,
    bad: u32,
    step: Option<(String, String, Instant)>,
    action: Option<(String, Instant, Option<Duration>)>,
    tail: VecDeque<(Stream, String)>,
    /// Of the group that is asked, by id.
    expects: IndexMap<String, Asked>,
    /// How many others of it held.
    gone: usize,
}

struct Asked {
    words: String,
    until: Option<Instant>,
    attempts: u32,
    found: String,
    /// What it came to, and how long that took.
    state: Option<(State, Seconds)>,
}

impl Panel {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            limit: None,
            steps: 0,
            done: 0,
            held: 0,
            bad: 0,
            step: None,
            action: None,
            tail: VecDeque::new(),
            expects: IndexMap::new(),
            gone: 0,
        }
    }

    pub fn take(&mut self, event: &Event) {
        let now = Instant::now();
        let id = event.place.expect.as_deref().unwrap_or_default();
        match &event.body {
            Body::RunStarted { steps, limit, .. } => {
                self.steps = steps.len();
                self.limit = *limit;
            }
            Body::StepStarted { title, .. } => {
                let name = event.place.step.clone().unwrap_or_default();
                let title = if *title == name { String::new() } else { safe(title) };
                self.step = Some((name, title, now));
                self.expects.clear();
            }
            Body::VerdictStarted => self.step = Some((VERDICT.to_owned(), VERDICT_TITLE.to_owned(), now)),
            Body::StepEnded { .. } => {
                self.done += 1;
                self.step = None;
                self.expects.clear();
            }
            Body::ActionStarted { action, limit, .. } => {
                let first = safe(action.lines().next().unwrap_or_default());
                self.action = Some((first, now, limit.map(|limit| limit.duration())));
                self.tail.clear();
                self.expects.clear();
            }
            Body::Output { stream, text } => {
                let lines: Vec<&str> = text.rsplit('\n').take(TAIL).collect();
                self.tail.extend(lines.iter().rev().map(|line| (*stream, safe(line))));
                self.tail.drain(..self.tail.len().saturating_sub(TAIL));
            }
            Body::ActionEnded { .. } => {
                self.action = None;
                self.tail.clear();
            }
            Body::ExpectStarted { text, within, .. } => {
                let until = within.map(|within| now + within.duration());
                let keys = keys(id).map(|keys| format!(" {}", safe(keys))).unwrap_or_default();
                let words = format!("{}{keys}", safe(text));
                let asked = Asked { words, until, attempts: 0, found: String::new(), state: None };
                self.expects.insert(id.to_owned(), asked);
            }
            Body::ExpectAsked { attempt, actual, remaining, .. } => {
                if let Some(asked) = self.asked(id) {
                    asked.attempts = *attempt;
                    asked.found = safe(actual);
                    asked.until = Some(now + remaining.duration());
                }
            }
            Body::ExpectDecided { state, attempts, elapsed } => {
                if let Some(asked) = self.asked(id) {
                    asked.attempts = *attempts;
                    asked.state = Some((*state, *elapsed));
                }
            }
            Body::ExpectEnded(result) => {
                match result.state {
                    State::Holds => self.held += 1,
                    _ => self.bad += 1,
                }
                // Of very many that held, it is enough to know how many.
                if result.state == State::Holds && self.expects.len() > MANY && self.expects.swap_remove(id).is_some() {
                    self.gone += 1;
                    return;
                }
                if let Some(asked) = self.asked(id) {
                    asked.attempts = result.attempts;
                    // One of its rows that does not hold tells for all.
                    if asked.state.is_none_or(|(state, _)| state == State::Holds) {
                        asked.state = Some((result.state, result.elapsed));
                    }
                }
            }
            Body::GroupEnded { .. } => {
                self.expects.clear();
                self.gone = 0;
            }
            // What was under way when the run was cut off is so no longer.
            Body::Resumed(_) => {
                self.action = None;
                self.tail.clear();
                self.expects.clear();
            }
            _ => {}
        }
    }

    fn asked(&mut self, row: &str) -> Option<&mut Asked> {
        let id = expect_of(row, |known| self.expects.contains_key(known)).to_owned();
        self.expects.get_mut(&id)
    }

    /// Something goes on that could be drawn.
    pub fn has_begun(&self) -> bool {
        self.steps > 0
    }

    pub fn lines(&self, room: usize) -> Vec<Line> {
        let now = Instant::now();
        let mut lines = Vec::new();
        let turn = TURNS[(now.duration_since(self.began).as_millis() / 100) as usize % TURNS.len()];
        if let Some((name, title, began)) = &self.step {
            let head = Line::default().with(Tone::Action, format!("{turn} ")).with(Tone::Bold, name.as_str());
            lines.push(head.with(Tone::Plain, format!("  {title}")).right(since(*began, now)));
        }
        if let Some((action, began, limit)) = &self.action {
            let limit = limit.map(|limit| format!(" of {}", time(limit.into()))).unwrap_or_default();
            let line = Line::default().with(Tone::Action, "  $ ").with(Tone::Plain, action.as_str());
            lines.push(line.right(format!("{}{limit}", since(*began, now))));
            for (stream, text) in &self.tail {
                let tone = if *stream == Stream::Stderr { Tone::Doubtful } else { Tone::Dim };
                lines.push(Line::default().with(tone, "    │ ").with(Tone::Dim, text.as_str()));
            }
        }
        // The line at the end needs one, too.
        self.expects(&mut lines, room.saturating_sub(2), now);
        lines.push(self.sum(now));
        // Of a terminal with hardly any rows, the beginning and the sum.
        let over = lines.len().saturating_sub(room);
        lines.drain(lines.len() - 1 - over..lines.len() - 1);
        lines
    }

    /// Each expect of the group, or as many as there is room for: those that wait come first.
    fn expects(&self, lines: &mut Vec<Line>, room: usize, now: Instant) {
        let room = room.saturating_sub(lines.len()).max(2);
        let waiting = self.expects.values().filter(|asked| asked.state.is_none()).count();
        // What is asked once and is answered at once is not worth a look.
        if waiting == 0 {
            return;
        }
        let lost = self.expects.len().saturating_sub(room);
        let held = self.expects.len() - waiting;
        let held_hidden = lost.min(held);
        let waiting_hidden = lost - held_hidden;
        if held_hidden + self.gone > 0 {
            let more = format!("{} more", held_hidden + self.gone);
            lines.push(Line::default().with(Tone::Good, "  ✓ ").with(Tone::Dim, more));
        }
        let (mut skip, mut shown) = (held_hidden, 0);
        for asked in self.expects.values() {
            if asked.state.is_some() && skip > 0 {
                skip -= 1;
                continue;
            }
            if asked.state.is_none() {
                shown += 1;
                if shown > waiting - waiting_hidden {
                    continue;
                }
            }
            lines.push(asked.line(now));
        }
        if waiting_hidden > 0 {
            lines.push(Line::default().with(Tone::Dim, format!("  ◌ {waiting_hidden} more are asked")));
        }
    }

    fn sum(&self, now: Instant) -> Line {
        let mut words = vec![format!("{} of {} steps", self.done.min(self.steps), self.steps)];
        words.push(format!("{} held", self.held));
        if self.bad > 0 {
            words.push(format!("{} did not", self.bad));
        }
        let limit = self.limit.map(|limit| format!(" of {}", time(limit))).unwrap_or_default();
        words.push(format!("{}{limit}", since(self.began, now)));
        Line::default().with(Tone::Dim, format!("  {}", words.join(" · ")))
    }
}

impl Asked {
    fn line(&self, now: Instant) -> Line {
        let (tone, mark) = match self.state {
            None => (Tone::Dim, "◌"),
            Some((State::Holds, _)) => (Tone::Good, "✓"),
            Some((State::Differs, _)) => (Tone::Bad, "✗"),
            Some((State::Unknown | State::Undecided, _)) => (Tone::Doubtful, "?"),
        };
        let line = Line::default().with(tone, format!("  {mark} ")).with(Tone::Plain, self.words.as_str());
        let times = match self.attempts {
            0 => String::new(),
            1 => "asked once · ".to_owned(),
            many => format!("asked {many} times · "),
        };
        if let Some((_, took)) = self.state {
            return line.right(format!("{times}{}", time(took)));
        }
        let found = if self.found.is_empty() { String::new() } else { format!("  found {}", self.found) };
        let left = self.until.map(|until| format!("{} left", rough(until.saturating_duration_since(now))));
        line.with(Tone::Dim, found).right(left.map(|left| format!("{times}{left}")).unwrap_or_default())
    }
}

fn since(began: Instant, now: Instant) -> String {
    rough(now.saturating_duration_since(began))
}

/// Whole seconds: nothing flickers that nobody can read.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => time(Duration::from_secs(seconds).into()),
    }
}
