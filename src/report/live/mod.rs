//! A run on a terminal: what goes on is drawn at the bottom; what stays is short. A step that passed is a line; of one that did
//! not go smoothly it is shown what did not, and what was done. All of it is in the record.
//!
//! In: events, and time. Out: lines that stay, as [`Writer`] shows them, and a panel below them.

mod panel;
mod screen;
mod short;

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::engine::events::event::{Body, Published, Sink};
use crate::terminal::{self, Drawn};

use super::run_model::{Entry, RunModel, UnderWay};
use super::style::Paint;
use super::text::{Settings, Writer};
use screen::Screen;
pub use screen::Size;
use short::Short;

/// How often it is drawn. What is over sooner is never drawn.
const EVERY: Duration = Duration::from_millis(100);

pub struct Live<P: Write + Send + 'static, R: Write + Send> {
    shared: Arc<Mutex<Shared<P>>>,
    ticker: Option<JoinHandle<()>>,
    model: RunModel,
    short: Short<Above<P>, R>,
    /// The run's name in the record.
    run: Option<String>,
    settings: Settings,
}

struct Shared<P> {
    screen: Screen<P>,
    under_way: UnderWay,
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
        let lines = panel::lines(&self.under_way, self.screen.room());
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
            under_way: UnderWay::default(),
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
                if shared.aside == 0 && shared.under_way.has_begun() {
                    shared.draw(b"");
                }
            }
        };
        // Without a thread of its own, it is not drawn; all that stays is told.
        let ticker = std::thread::Builder::new().name("live view".to_owned()).spawn(tick).ok();
        let above = Above(shared.clone());
        Self {
            model: settings.model(),
            short: Short::new(Above(shared.clone()), Writer::new(above, result, settings), paint),
            shared,
            ticker,
            run: None,
            settings,
        }
    }

    fn end(&mut self) {
        lock(&self.shared).end();
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }

    fn show(&mut self, entry: Entry) {
        match self.settings.verbose {
            true => self.short.writer.show(&entry),
            false => self.short.show(entry),
        }
    }
}

impl<P: Write + Send + 'static, R: Write + Send> Sink for Live<P, R> {
    fn take(&mut self, event: &Published) {
        if let Body::RunStarted { run, .. } = &event.get().body {
            self.run.clone_from(run);
        }
        let decides = matches!(event.get().body, Body::Verdict { .. });
        lock(&self.shared).under_way.take(event.get());
        if decides {
            // What is printed beside it is not drawn over.
            lock(&self.shared).screen.clear(b"");
        }
        for entry in self.model.take(event) {
            self.show(entry);
        }
    }

    /// The step that the run was in goes on.
    fn recall(&mut self, event: &Published) {
        lock(&self.shared).under_way.take(event.get());
        if let Body::RunStarted { run, .. } = &event.get().body {
            self.run.clone_from(run);
        }
        for entry in self.model.take(event) {
            self.short.recall(entry);
        }
    }
}

impl<P: Write + Send + 'static, R: Write + Send> Drop for Live<P, R> {
    fn drop(&mut self) {
        self.end();
        if let (Some(run), true, false) = (&self.run, self.model.is_decided(), self.settings.verbose) {
            self.short.all_of_it(run);
        }
    }
}
