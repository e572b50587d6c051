//! A run on a terminal: what goes on is drawn at the bottom; what stays is short. A step that passed is a line; of one that did
//! not go smoothly it is told what did not, and what was done. All of it is in the record.
//!
//! In: events, and time. Out: lines that stay, as [`Text`] tells them, and a panel below them.

mod panel;
mod screen;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, Event, Published, Sink, State, StepOutcome};
use crate::engine::world::Stream;
use crate::terminal::{self, Drawn};

use super::safe::safe;
use super::style::Paint;
use super::text::{Settings, Text};
use super::times::time;
use panel::Panel;
use screen::Screen;
pub use screen::Size;

/// How often it is drawn. What is over sooner is never drawn.
const EVERY: Duration = Duration::from_millis(100);

/// So many of the last lines of a command that failed stay.
const FAILED: usize = 20;

/// So many of one that did not, in a step that did not go smoothly.
const DONE: usize = 5;

pub struct Live<P: Write + Send + 'static, R> {
    shared: Arc<Mutex<Shared<P>>>,
    ticker: Option<JoinHandle<()>>,
    text: Text<Above<P>, R>,
    /// The run's name in the record.
    run: Option<String>,
    settings: Settings,
    paint: Paint,
    step: Option<Step>,
    last: Printed,
}

/// What stands above: whether a blank line belongs between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Printed {
    Line,
    Block,
}

/// The step that goes on.
struct Step {
    started: Published,
    began: Instant,
    /// Its heading stays already.
    told: bool,
    held: u32,
    /// The last action, and what it printed last: told if it turns out to matter.
    action: Option<Published>,
    output: VecDeque<(Stream, String)>,
    left_out: u64,
}

struct Shared<P> {
    screen: Screen<P>,
    panel: Panel,
    drawn_at: Instant,
    /// Somebody is asked on the terminal: how many.
    aside: usize,
    ended: bool,
}

impl<P: Write + Send> Shared<P> {
    /// Nothing is drawn any more.
    fn end(&mut self) {
        self.ended = true;
        self.screen.clear(b"");
    }

    fn draw(&mut self, stays: &[u8]) {
        let lines = self.panel.lines(self.screen.room());
        self.screen.show(stays, &lines);
        self.drawn_at = Instant::now();
    }

    /// Writes what stays.
    fn above(&mut self, bytes: &[u8]) {
        if self.screen.is_drawn() && self.aside == 0 && !self.ended && self.drawn_at.elapsed() >= EVERY / 2 {
            self.draw(bytes);
        } else {
            self.screen.clear(bytes);
        }
    }
}

impl<P: Write + Send> Drawn for Shared<P> {
    fn aside(&mut self) {
        self.aside += 1;
        self.screen.clear(b"");
    }

    fn back(&mut self) {
        self.aside = self.aside.saturating_sub(1);
    }
}

/// Where lines that stay are written.
struct Above<P>(Arc<Mutex<Shared<P>>>);

impl<P: Write + Send> Write for Above<P> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).above(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lock<P>(shared: &Mutex<Shared<P>>) -> MutexGuard<'_, Shared<P>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Write + Send + 'static, R: Write + Send> Live<P, R> {
    /// `progress` is the terminal; the result is written to `result`.
    pub fn new(progress: P, result: R, settings: Settings, size: Size) -> Self {
        let paint = Paint { on: settings.colour };
        let shared = Arc::new(Mutex::new(Shared {
            screen: Screen::new(progress, size, paint),
            panel: Panel::new(),
            drawn_at: Instant::now(),
            aside: 0,
            ended: false,
        }));
        let weak = Arc::downgrade(&shared);
        terminal::draws(weak.clone());
        let tick = move || {
            loop {
                std::thread::park_timeout(EVERY);
                let Some(shared) = weak.upgrade() else { return };
                let mut shared = lock(&shared);
                if shared.ended {
                    return;
                }
                if shared.aside == 0 && shared.panel.has_begun() {
                    shared.draw(b"");
                }
            }
        };
        // Without a thread of its own, it is not drawn; all that stays is told.
        let ticker = std::thread::Builder::new().name("live view".to_owned()).spawn(tick).ok();
        Self {
            text: Text::new(Above(shared.clone()), result, settings),
            shared,
            ticker,
            run: None,
            settings,
            paint,
            step: None,
            last: Printed::Block,
        }
    }

    fn stays(&mut self, line: &str) {
        lock(&self.shared).above(format!("{line}\n").as_bytes());
    }

    /// Something that has to be told happened: the step's heading stays, and the action that it happened behind.
    fn tell(&mut self, lines: usize) {
        let Some(step) = &mut self.step else { return };
        if !step.told {
            step.told = true;
            self.text.take(&step.started);
            self.last = Printed::Block;
        }
        self.tell_action(lines);
    }

    /// The last action, and the last lines that it printed.
    fn tell_action(&mut self, lines: usize) {
        let Some(step) = &mut self.step else { return };
        if let Some(action) = step.action.take() {
            self.text.take(&action);
        }
        let more = step.output.len().saturating_sub(lines);
        step.output.drain(..more);
        step.left_out += more as u64;
        if step.left_out > 0 {
            let line = self.paint.dim(&format!("    │ … {} lines before these", step.left_out));
            step.left_out = 0;
            lock(&self.shared).above(format!("{line}\n").as_bytes());
        }
        for (stream, line) in std::mem::take(&mut step.output) {
            self.text.printed(stream, &line);
        }
    }

    /// A step that ended without anything to tell is a line.
    fn passed(&mut self, step: &Step, event: &Event, elapsed: Duration) {
        let name = event.place.step.as_deref().unwrap_or(VERDICT);
        let mut facts = Vec::new();
        if step.held > 0 {
            facts.push(format!("{} held", step.held));
        }
        facts.push(time(elapsed.into()));
        let title = match &step.started.get().body {
            Body::StepStarted { title, .. } if title != name && !step.told => format!("  {}", safe(title)),
            Body::VerdictStarted if !step.told => format!("  {VERDICT_TITLE}"),
            _ => String::new(),
        };
        if self.last == Printed::Block && !step.told {
            self.stays("");
        }
        let (mark, facts) = (self.paint.good("✓"), self.paint.dim(&format!("  {}", facts.join(" · "))));
        let name = self.paint.bold(name);
        self.stays(&format!("{mark} {name}{title}{facts}"));
        self.last = if step.told { Printed::Block } else { Printed::Line };
    }

    fn begin(&mut self, event: &Published) {
        self.step = Some(Step {
            started: event.clone(),
            began: Instant::now(),
            told: false,
            held: 0,
            action: None,
            output: VecDeque::new(),
            left_out: 0,
        });
    }

    fn end(&mut self) {
        lock(&self.shared).end();
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }

    fn take_short(&mut self, event: &Published) {
        match &event.get().body {
            Body::RunStarted { run, .. } => {
                self.run.clone_from(run);
                self.text.take(event);
            }
            Body::StepStarted { attempt: 1, .. } | Body::VerdictStarted => self.begin(event),
            Body::StepEnded { outcome: StepOutcome::Passed, reason: None, elapsed, .. } => {
                if let Some(step) = self.step.take() {
                    self.passed(&step, event.get(), elapsed.duration());
                }
            }
            Body::StepEnded { outcome, .. } => {
                if *outcome == StepOutcome::Passed {
                    self.tell(DONE);
                }
                self.step = None;
                self.text.take(event);
                self.last = Printed::Block;
            }
            Body::ActionStarted { .. } => {
                let Some(step) = &mut self.step else { return self.text.take(event) };
                step.action = Some(event.clone());
                step.output.clear();
                step.left_out = 0;
                if step.told {
                    self.tell_action(0);
                }
            }
            Body::Output { stream, text } => {
                let Some(step) = &mut self.step else { return self.text.take(event) };
                step.output.extend(text.split('\n').map(|line| (*stream, line.to_owned())));
                let over = step.output.len().saturating_sub(FAILED);
                step.output.drain(..over);
                step.left_out += over as u64;
            }
            Body::OutputLeftOut { lines, .. } => match &mut self.step {
                Some(step) => step.left_out += lines,
                None => self.text.take(event),
            },
            Body::ActionEnded { error: None, .. } => match &self.step {
                Some(step) if !step.told => {}
                _ => {
                    self.tell_action(DONE);
                    self.text.take(event);
                }
            },
            Body::ExpectEnded(result) if result.state == State::Holds => {
                if let Some(step) = &mut self.step {
                    step.held += 1;
                }
                // Who is asked next sees what is ticked.
                if event.get().place.checklist.is_some() {
                    self.tell(DONE);
                    self.text.take(event);
                }
            }
            // These tell nothing that stays.
            Body::ExpectStarted { .. }
            | Body::ExpectAsked { .. }
            | Body::ExpectDecided { .. }
            | Body::GroupEnded { .. }
            | Body::Baseline { .. }
            | Body::Probed { .. }
            | Body::Bound { .. }
            | Body::ActionSkipped { .. } => {}
            Body::Condition { value, .. } if !value.starts_with("unknown") => {}
            Body::Verdict { .. } => {
                if let Some(step) = self.step.take().filter(|step| !step.told) {
                    self.passed(&step, event.get(), step.began.elapsed());
                }
                self.end();
                self.text.take(event);
                if let Some(run) = &self.run {
                    let told = self.paint.dim(&format!("  all of it: runbook report {run}"));
                    self.stays(&told);
                }
            }
            body => {
                self.tell(if matches!(body, Body::ActionEnded { .. }) { FAILED } else { DONE });
                self.text.take(event);
                self.last = Printed::Block;
            }
        }
    }
}

impl<P: Write + Send + 'static, R: Write + Send> Sink for Live<P, R> {
    fn take(&mut self, event: &Published) {
        lock(&self.shared).panel.take(event.get());
        if self.settings.verbose {
            if matches!(event.get().body, Body::Verdict { .. }) {
                self.end();
            }
            return self.text.take(event);
        }
        self.take_short(event);
    }

    /// The step that the run was in goes on.
    fn recall(&mut self, event: &Published) {
        lock(&self.shared).panel.take(event.get());
        match &event.get().body {
            Body::RunStarted { run, .. } => self.run.clone_from(run),
            Body::StepStarted { .. } => self.begin(event),
            Body::StepEnded { .. } => self.step = None,
            _ => {}
        }
    }
}

impl<P: Write + Send + 'static, R> Drop for Live<P, R> {
    fn drop(&mut self) {
        lock(&self.shared).end();
    }
}
