//! A run as a report, a dry run as a comment on a pull request: the decision first, then each step. Written when it is over.
//!
//! Of a run each step is a table: what was done and asked, expected, found, and the time it took. A dry run is a list.

mod evidence;
mod inline;
mod overview;
mod plan;
mod table;

use std::io::Write;

use crate::engine::events::event::{Body, Confirmed, Event, Mode, Published};

use super::at_end::{AtEnd, Page, Unfinished};
use super::run_model::{Collapsing, Entry, Preflight, RunModel, Section, Sections};
use inline::{code, escaped};
use overview::Overview;
use plan::Plan;
use table::Tables;

/// Writes it to `out` when the run is over.
pub fn markdown<W: Write + Send>(out: W) -> AtEnd<W> {
    AtEnd::new(out, RunModel::new(Collapsing::Kept), Markdown::default())
}

#[derive(Default)]
struct Markdown {
    title: String,
    mode: Option<Mode>,
    sections: Sections,
    /// The steps of a run, and of a dry run.
    tables: Tables,
    plan: Plan,
    overview: Overview,
    preflight: Option<Preflight>,
    decisions: Vec<Published>,
    sum: Option<Published>,
    /// Who answered for what, a row each.
    signed: String,
    /// The facts of the run, a line each.
    facts: String,
}

impl Markdown {
    fn section(&mut self, section: &Section) {
        self.overview.add(section);
        match self.mode {
            Some(Mode::DryRun) => self.plan.section(section),
            _ => self.tables.section(section),
        }
    }

    fn started(&mut self, event: &Event) {
        let Body::RunStarted { runbook, mode, run, by, host, program, hash, owner, params, .. } = &event.body else {
            return;
        };
        self.title.clone_from(runbook);
        self.mode = Some(*mode);
        if *mode == Mode::DryRun {
            return;
        }
        let who = by.as_ref().zip(host.as_ref()).map(|(by, host)| format!("{by} on {host}"));
        for (what, fact) in [
            ("runbook", Some(event.place.file.clone().unwrap_or_default())),
            ("sha256", Some(hash.clone())),
            ("run", run.clone()),
            ("began", Some(event.time.to_string())),
            ("by", who),
            ("owner", owner.clone()),
            ("with", Some(format!("runbook {program}"))),
        ] {
            self.facts.extend(fact.map(|fact| format!("- {what}: {}\n", code(&fact))));
        }
        for param in params {
            let fact = format!("{} = {}", param.name, param.value);
            self.facts.push_str(&format!("- param {} ({})\n", code(&fact), escaped(&param.origin)));
        }
    }
}

impl Page for Markdown {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Run(event) => self.started(event.get()),
            Entry::Preflight(preflight) => self.preflight = Some(*preflight),
            Entry::Decided(event) => self.decisions.push(event),
            Entry::Summed(event) => self.sum = Some(event),
            entry => {
                if let Entry::Told(event) = &entry
                    && let Body::Confirmed(confirmed) = &event.get().body
                {
                    self.signed.push_str(&signature(confirmed));
                }
                for section in self.sections.take(entry) {
                    self.section(&section);
                }
                match (self.sections.overflow(), self.mode) {
                    (Some((section, items)), Some(Mode::DryRun)) => self.plan.more(section, &items),
                    (Some((section, items)), _) => self.tables.more(section, &items),
                    (None, _) => {}
                }
            }
        }
    }

    fn write(&mut self, unfinished: Option<Unfinished<'_>>) -> String {
        for section in self.sections.finish() {
            self.section(&section);
        }
        if let Some((_, action)) = unfinished.as_ref().and_then(|unfinished| unfinished.unseen) {
            self.tables.unseen(action);
        }
        let mut head = String::new();
        let decisions: Vec<_> = self.decisions.iter().map(Published::get).collect();
        match (&self.sum, unfinished) {
            (Some(sum), _) => head.push_str(&self.overview.sum(sum.get(), self.preflight.as_ref())),
            (None, Some(unfinished)) => {
                head.push_str(&self.overview.unfinished(unfinished.why, self.preflight.as_ref(), &decisions));
            }
            (None, None) => head.push_str(&self.overview.verdicts(&decisions, self.preflight.as_ref())),
        }
        let mut foot = String::new();
        if !self.signed.is_empty() {
            let head = "| what | as | by | when | answer |\n| --- | --- | --- | --- | --- |\n";
            foot.push_str(&format!("\n### Sign-offs\n\n{head}{}", self.signed));
        }
        if !self.facts.is_empty() {
            foot.push_str(&format!("\n### The run\n\n{}", self.facts));
        }
        let steps = if self.mode == Some(Mode::DryRun) { self.plan.text() } else { self.tables.text() };
        format!("## {}\n\n{head}{steps}{foot}", escaped(&self.title))
    }
}

/// Who answered for what: a row.
fn signature(confirmed: &Confirmed) -> String {
    let by = confirmed.by.as_deref().map(escaped).unwrap_or_default();
    let row = format!(
        "| {} | {} | {} | {} | {} |",
        escaped(&confirmed.text),
        escaped(&confirmed.role),
        if confirmed.given { by.as_str() } else { "❌ not given" },
        confirmed.at.map(|at| escaped(&at.to_string())).unwrap_or_default(),
        confirmed.value.as_deref().map(escaped).unwrap_or_default()
    );
    row.replace('\n', " ") + "\n"
}
