//! Draws what goes on right now: the step, the action with its last lines, the expects with how often they were asked.
//!
//! In: [`UnderWay`], and time. Out: lines.

use std::time::Duration;

use jiff::Timestamp;

use crate::engine::events::event::State;
use crate::engine::world::Stream;

use super::super::run_model::{Asked, UnderWay};
use super::super::times::time;
use super::screen::{Line, Tone};

/// What turns as long as something goes on.
const TURNS: [&str; 8] = ["⣷", "⣯", "⣟", "⡿", "⢿", "⣻", "⣽", "⣾"];

/// As many lines as there is room for.
pub(super) fn lines(now_on: &UnderWay, room: usize) -> Vec<Line> {
    let now = Timestamp::now();
    let began = now_on.began.unwrap_or(now);
    let mut lines = Vec::new();
    let turn = TURNS[(since(began, now).as_millis() / 100) as usize % TURNS.len()];
    if let Some(step) = &now_on.step {
        let head = Line::default().with(Tone::Action, format!("{turn} ")).with(Tone::Bold, step.name.as_str());
        lines.push(head.with(Tone::Plain, format!("  {}", step.title)).right(rough(since(step.began, now))));
    }
    if let Some(action) = &now_on.action {
        let limit = action.limit.map(|limit| format!(" of {}", time(limit))).unwrap_or_default();
        let line = Line::default().with(Tone::Action, "  $ ").with(Tone::Plain, action.first_line.as_str());
        lines.push(line.right(format!("{}{limit}", rough(since(action.began, now)))));
        for (stream, text) in &now_on.tail {
            let tone = if *stream == Stream::Stderr { Tone::Doubtful } else { Tone::Dim };
            lines.push(Line::default().with(tone, "    │ ").with(Tone::Dim, text.as_str()));
        }
    }
    // The line at the end needs one, too.
    expects(now_on, &mut lines, room.saturating_sub(2), now);
    lines.push(sum(now_on, since(began, now)));
    // Of a terminal with hardly any rows, the beginning and the sum.
    let over = lines.len().saturating_sub(room);
    lines.drain(lines.len() - 1 - over..lines.len() - 1);
    lines
}

/// Each expect of the group, or as many as there is room for: those that wait come first.
fn expects(now_on: &UnderWay, lines: &mut Vec<Line>, room: usize, now: Timestamp) {
    let room = room.saturating_sub(lines.len()).max(2);
    let waiting = now_on.expects.values().filter(|asked| asked.state.is_none()).count();
    // What is asked once and is answered at once is not worth a look.
    if waiting == 0 {
        return;
    }
    let lost = now_on.expects.len().saturating_sub(room);
    let held = now_on.expects.len() - waiting;
    let held_hidden = lost.min(held);
    let waiting_hidden = lost - held_hidden;
    if held_hidden + now_on.gone > 0 {
        let more = format!("{} more", held_hidden + now_on.gone);
        lines.push(Line::default().with(Tone::Good, "  ✓ ").with(Tone::Dim, more));
    }
    let (mut skip, mut shown) = (held_hidden, 0);
    for asked in now_on.expects.values() {
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
        lines.push(line(asked, now));
    }
    if waiting_hidden > 0 {
        lines.push(Line::default().with(Tone::Dim, format!("  ◌ {waiting_hidden} more are asked")));
    }
}

fn sum(now_on: &UnderWay, taken: Duration) -> Line {
    let mut words = vec![format!("{} of {} steps", now_on.done.min(now_on.steps), now_on.steps)];
    words.push(format!("{} held", now_on.held));
    if now_on.bad > 0 {
        words.push(format!("{} did not", now_on.bad));
    }
    let limit = now_on.limit.map(|limit| format!(" of {}", time(limit))).unwrap_or_default();
    words.push(format!("{}{limit}", rough(taken)));
    Line::default().with(Tone::Dim, format!("  {}", words.join(" · ")))
}

fn line(asked: &Asked, now: Timestamp) -> Line {
    let (tone, mark) = match asked.state {
        None => (Tone::Dim, "◌"),
        Some((State::Holds, _)) => (Tone::Good, "✓"),
        Some((State::Differs, _)) => (Tone::Bad, "✗"),
        Some((State::Unknown, _)) => (Tone::Doubtful, "?"),
        Some((State::Undecided, _)) => (Tone::Doubtful, "◌"),
    };
    let line = Line::default().with(tone, format!("  {mark} ")).with(Tone::Plain, asked.words.as_str());
    let times = match asked.attempts {
        0 => String::new(),
        1 => "asked once · ".to_owned(),
        many => format!("asked {many} times · "),
    };
    if let Some((_, took)) = asked.state {
        return line.right(format!("{times}{}", time(took)));
    }
    let found = if asked.found.is_empty() { String::new() } else { format!("  found {}", asked.found) };
    let left = asked.until.map(|until| format!("{} left", rough(since(now, until))));
    line.with(Tone::Dim, found).right(left.map(|left| format!("{times}{left}")).unwrap_or_default())
}

/// How long it is from one to the other; nothing where that is the other way round.
fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Whole seconds: nothing flickers that nobody can read.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => time(Duration::from_secs(seconds).into()),
    }
}
