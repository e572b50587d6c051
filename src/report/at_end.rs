//! A form that is written when the run is over: as one text, once.
//!
//! In: events. Out: what its [`Page`] makes of their entries, when there are no more: behind a verdict, a rollback may come with
//! a verdict of its own.

use std::io::Write;

use crate::engine::events::event::{Published, Sink};

use super::run_model::{Entry, RunModel};

/// Why a run has no verdict.
pub(super) struct Unfinished<'r> {
    pub why: &'r str,
    /// The step and the action whose end was not seen.
    pub unseen: Option<(&'r str, &'r str)>,
}

/// What is gathered of a run, and what is written of it.
pub(super) trait Page: Send {
    fn take(&mut self, entry: Entry);

    fn write(&mut self, unfinished: Option<Unfinished<'_>>) -> String;
}

pub struct AtEnd<W: Write> {
    out: W,
    model: RunModel,
    page: Box<dyn Page>,
    begun: bool,
    written: bool,
}

impl<W: Write> AtEnd<W> {
    pub(super) fn new(out: W, model: RunModel, page: impl Page + 'static) -> Self {
        Self { out, model, page: Box::new(page), begun: false, written: false }
    }

    fn write(&mut self, unfinished: Option<&str>) {
        if !self.begun || std::mem::replace(&mut self.written, true) {
            return;
        }
        for entry in self.model.finish() {
            self.page.take(entry);
        }
        let unfinished = unfinished.map(|why| Unfinished { why, unseen: self.model.unseen() });
        let text = self.page.write(unfinished);
        // Whoever reads may have gone: that is noted where it is written to.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Sink for AtEnd<W> {
    fn take(&mut self, event: &Published) {
        self.begun = true;
        for entry in self.model.take(event) {
            self.page.take(entry);
        }
    }

    fn unfinished(&mut self, why: &str) {
        self.write(Some(why));
    }
}

impl<W: Write> Drop for AtEnd<W> {
    fn drop(&mut self) {
        let undecided = (!self.model.is_decided()).then_some("the run ended without one");
        self.write(undecided);
    }
}
