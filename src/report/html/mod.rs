//! A run or a dry run as one HTML file: nothing is loaded from outside, it is read without JavaScript, light and dark, on paper
//! and on a phone.
//!
//! The decision first; then each step with its rows, of which each opens to expected, found, where and how often. What a
//! server or a command put into it is text, never markup: maud escapes it, since it is text by its type.

mod decision;
mod page;
mod row;
mod section;
mod visible;

use std::io::Write;

use maud::html as markup;

use crate::engine::events::event::{Body, Mode, Published};

use super::at_end::{AtEnd, Page, Unfinished};
use super::run_model::{Collapsing, Entry, Preflight, RunModel, Section, Sections};
use super::texts::{Lines, Texts};
use page::{Course, Stage, Whole, anchor, facts};

/// Writes it to `out` when the run is over. `texts`: those of which lines are shown, if the run was read from them.
pub fn html<W: Write + Send>(out: W, texts: Texts) -> AtEnd<W> {
    let html = Html {
        facts: Vec::new(),
        title: String::new(),
        mode: Mode::Exec,
        body: String::new(),
        sections: Sections::default(),
        rows: String::new(),
        stages: Vec::new(),
        texts,
        lines: Lines::default(),
        preflight: None,
        decisions: Vec::new(),
        sum: None,
    };
    AtEnd::new(out, RunModel::new(Collapsing::Never).over_time(), html)
}

struct Html {
    facts: Vec<(&'static str, String)>,
    title: String,
    mode: Mode,
    /// The sections that are whole, as markup: their rows are not kept.
    body: String,
    sections: Sections,
    /// What is in the section that goes on, as far as it was handed on.
    rows: String,
    stages: Vec<Stage>,
    texts: Texts,
    lines: Lines,
    preflight: Option<Preflight>,
    decisions: Vec<Published>,
    sum: Option<Published>,
}

impl Html {
    fn section(&mut self, section: &Section) {
        let (counts, anchor) = (section.counts(), anchor(section.name().unwrap_or_default(), self.stages.len()));
        let class = section::class(section, &counts, self.mode);
        self.rows.push_str(&section::rows(&section.items, &self.lines).into_string());
        let rows = std::mem::take(&mut self.rows);
        self.body.push_str(&section::section(section, class, &anchor, &rows).into_string());
        let Some(name) = section.name() else { return };
        let what = match (&section.closed, self.mode) {
            (Some(closed), Mode::Exec) => Course::Took(closed.began, closed.ended),
            _ => Course::Would(section.planned(), counts),
        };
        self.stages.push(Stage { anchor, class, name: name.to_owned(), what });
    }
}

impl Page for Html {
    fn take(&mut self, entry: Entry) {
        match &entry {
            Entry::Run(event) => {
                if let Body::RunStarted { mode, runbook, sources, stdlib, .. } = &event.get().body {
                    self.mode = *mode;
                    self.title.clone_from(runbook);
                    self.facts = facts(event.get());
                    self.lines = Lines::of(&self.texts, sources, stdlib);
                }
                return;
            }
            Entry::Preflight(preflight) => return self.preflight = Some((**preflight).clone()),
            Entry::Decided(event) => return self.decisions.push(event.clone()),
            Entry::Summed(event) => return self.sum = Some(event.clone()),
            _ => {}
        }
        // Which line says what is known by the text that was read first.
        let changed = matches!(&entry, Entry::Told(event)
            if matches!(&event.get().body, Body::Resumed(resumed) if resumed.changed.is_some()));
        for section in self.sections.take(entry) {
            self.section(&section);
        }
        if let Some((_, items)) = self.sections.overflow() {
            self.rows.push_str(&section::rows(&items, &self.lines).into_string());
        }
        if changed {
            self.lines = Lines::default();
        }
    }

    fn write(&mut self, unfinished: Option<Unfinished<'_>>) -> String {
        for section in self.sections.finish() {
            self.section(&section);
        }
        let preflight = self.preflight.as_ref();
        let head = markup! {
            @for event in &self.decisions { (decision::verdict(event.get())) }
            @match (&self.sum, unfinished) {
                (Some(sum), _) => (decision::summary(sum.get())),
                (None, Some(unfinished)) => (decision::unfinished(unfinished.why, preflight)),
                (None, None) => {},
            }
            @if let Some(preflight) = preflight { (decision::preflight(preflight)) }
        };
        let (facts, stages, body) = (&self.facts, &self.stages, &self.body);
        Whole { title: &self.title, head, facts, stages, body }.page().into_string()
    }
}
