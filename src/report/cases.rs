//! A run as test cases: one for each row of each expect, as it was told last; and for what failed without one.
//!
//! In: events. Out: [`Cases`], which the forms for CI systems (`junit`, `tap`) write down. They tell the same counts as the
//! verdict does.

use std::io::Write;

use indexmap::IndexMap;

use crate::check::program::VERDICT;
use crate::engine::events::event::{
    Body, Event, ExpectResult, Place, Published, Sink, State, StepOutcome, Verdict, expect_of,
};

use super::called::Called;

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Held,
    Differed,
    Unknown,
    /// An accepted risk covers it: the title.
    Waived(String),
    /// `else warn`: the words.
    Warned(String),
    /// An action that failed, or a step for another reason.
    Failed,
    Skipped(String),
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub step: String,
    pub name: String,
    pub outcome: Outcome,
    /// What is to be said of it, line by line: expected, found, where.
    pub details: Vec<(&'static str, String)>,
    pub seconds: f64,
}

/// Gathers the cases of a run, and writes them at its end in one of the forms.
pub struct Tests<W> {
    out: W,
    cases: Cases,
    form: fn(&Cases) -> String,
}

impl<W: Write + Send> Tests<W> {
    pub(super) fn new(out: W, form: fn(&Cases) -> String) -> Self {
        Self { out, cases: Cases::default(), form }
    }

    fn write(&mut self) {
        let text = (self.form)(&self.cases);
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Sink for Tests<W> {
    fn take(&mut self, event: &Published) {
        if self.cases.take(event.get()) {
            self.write();
        }
    }

    fn unfinished(&mut self, why: &str) {
        if let Some((step, action)) = self.cases.acting.take() {
            self.cases.failed(&step, &format!("run {action}: its end was not seen"));
        }
        self.cases.failed(VERDICT, why);
        self.write();
    }
}

/// Gathers the cases of a run.
#[derive(Default)]
pub(super) struct Cases {
    pub title: String,
    /// By step, in the order in which they were come to.
    steps: IndexMap<String, StepCases>,
    titles: IndexMap<String, String>,
    /// The action whose end was not seen so far, and its step.
    acting: Option<(String, String)>,
    pub verdict: Option<Verdict>,
    pub reasons: Vec<String>,
    pub seconds: f64,
}

/// By what makes a case: an expect's id, with its rows; an action's place.
type StepCases = IndexMap<String, Vec<Case>>;

impl Cases {
    /// Takes an event; whether that was the last.
    pub fn take(&mut self, event: &Event) -> bool {
        let place = &event.place;
        let step = place.step.clone().unwrap_or_default();
        match &event.body {
            Body::RunStarted { runbook, steps, .. } => {
                self.title.clone_from(runbook);
                self.titles = steps.iter().map(|step| (step.name.clone(), step.title.clone())).collect();
            }
            // Asked once more, an expect is what it comes to then.
            Body::ExpectStarted { .. } => {
                self.steps.entry(step).or_default().insert(place.expect.clone().unwrap_or_default(), Vec::new());
            }
            Body::ExpectEnded(result) => {
                let case = expect(place, result);
                rows(self.steps.entry(step).or_default(), place.expect.as_deref().unwrap_or_default()).push(case);
            }
            Body::ActionStarted { action, .. } => self.acting = Some((step, action.clone())),
            Body::Resumed(_) => self.acting = None,
            Body::ActionEnded { action, error, elapsed, .. } => {
                self.acting = None;
                let cases = self.steps.entry(step.clone()).or_default();
                let key = format!("run {}", at(place));
                match error {
                    Some(error) => {
                        let details = vec![("found", error.clone()), ("at", at(place))];
                        let name = format!("run {action}");
                        cases.insert(
                            key,
                            vec![Case { step, name, outcome: Outcome::Failed, details, seconds: elapsed.0 }],
                        );
                    }
                    // It was done in the end.
                    None => drop(cases.shift_remove(&key)),
                }
            }
            Body::Confirmed(confirmed) => {
                let outcome = if confirmed.given { Outcome::Held } else { Outcome::Failed };
                let reason = confirmed.reason.clone().map(|reason| ("found", reason));
                let details = reason.into_iter().chain((!confirmed.given).then(|| ("at", at(place)))).collect();
                let name = format!("confirm {} by {}", confirmed.text, confirmed.role);
                let key = format!("confirm {}", confirmed.text);
                let case = Case { step: step.clone(), name, outcome, details, seconds: 0.0 };
                self.steps.entry(step).or_default().insert(key, vec![case]);
            }
            Body::StepEnded { outcome, reason, elapsed, .. } => {
                self.step(step, *outcome, reason.as_deref(), elapsed.0);
            }
            Body::Verdict { verdict, reasons, elapsed, .. } => {
                self.verdict = Some(*verdict);
                self.reasons.clone_from(reasons);
                self.seconds = elapsed.0;
                self.remaining();
                return true;
            }
            Body::Summary { elapsed, .. } => {
                self.seconds = elapsed.0;
                return true;
            }
            _ => {}
        }
        false
    }

    /// A step that has no case of its own has one for itself.
    fn step(&mut self, step: String, outcome: StepOutcome, reason: Option<&str>, seconds: f64) {
        let cases = self.steps.entry(step.clone()).or_default();
        let reason = reason.unwrap_or_default().to_owned();
        let outcome = match outcome {
            StepOutcome::Skipped => Outcome::Skipped(reason.clone()),
            StepOutcome::Failed if cases.values().flatten().any(|case| blocks(&case.outcome)) => return,
            StepOutcome::Failed => Outcome::Failed,
            _ if cases.values().flatten().next().is_some() => return,
            _ => Outcome::Held,
        };
        let details = if outcome == Outcome::Failed { vec![("found", reason)] } else { Vec::new() };
        let name = self.titles.get(&step).cloned().unwrap_or_else(|| step.clone());
        cases.insert(String::new(), vec![Case { step, name, outcome, details, seconds }]);
    }

    /// A NO-GO that no case shows has one: a stop condition, an interrupt.
    fn remaining(&mut self) {
        if self.verdict == Some(Verdict::NoGo) && self.count(blocks) == 0 {
            for reason in std::mem::take(&mut self.reasons) {
                self.failed(VERDICT, &reason);
            }
        }
    }

    /// A case of its own, for what no other shows.
    fn failed(&mut self, step: &str, why: &str) {
        let details = vec![("found", why.to_owned())];
        let case =
            Case { step: step.to_owned(), name: why.to_owned(), outcome: Outcome::Failed, details, seconds: 0.0 };
        self.steps.entry(step.to_owned()).or_default().insert(why.to_owned(), vec![case]);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.steps.values().flat_map(IndexMap::values).flatten()
    }

    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.iter().filter(|case| is(&case.outcome)).count()
    }

    /// By step, in their order, with their titles.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &str, Vec<&Case>)> {
        self.steps.iter().filter_map(|(step, cases)| {
            let title = self.titles.get(step).map_or(step.as_str(), String::as_str);
            let cases: Vec<&Case> = cases.values().flatten().collect();
            (!cases.is_empty()).then_some((step.as_str(), title, cases))
        })
    }
}

/// The rows of the expect that a row belongs to.
fn rows<'c>(cases: &'c mut StepCases, id: &str) -> &'c mut Vec<Case> {
    let expect = expect_of(id, |known| cases.contains_key(known)).to_owned();
    cases.entry(expect).or_default()
}

/// It keeps the run from being a GO.
pub(super) fn blocks(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Differed | Outcome::Unknown | Outcome::Failed)
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.file.as_deref().unwrap_or_default(), place.line.unwrap_or_default())
}

fn expect(place: &Place, result: &ExpectResult) -> Case {
    let step = place.step.clone().unwrap_or_default();
    let called = Called::of(place, result);
    let name = match (called.name, called.keys) {
        (Some(name), _) => format!("{name}: {}", called.words),
        (None, Some(keys)) => format!("{} {keys}", called.words),
        (None, None) => called.words.to_owned(),
    };
    let outcome = match result.state {
        State::Holds => Outcome::Held,
        _ if result.waived => Outcome::Waived(result.risk.clone().unwrap_or_default()),
        _ if result.warn => Outcome::Warned(result.message.clone().unwrap_or_default()),
        State::Differs => Outcome::Differed,
        State::Unknown | State::Undecided => Outcome::Unknown,
    };
    let mut details = Vec::new();
    if outcome != Outcome::Held {
        details.push(("expected", result.expected.clone()));
        details.push(("found", result.actual.clone()));
        details.extend(result.reason.clone().map(|reason| ("because", reason)));
        details.extend(result.message.clone().map(|message| ("means", message)));
        if result.attempts > 1 {
            details.push(("asked", format!("{} times", result.attempts)));
        }
        details.push(("at", at(place)));
    }
    Case { step, name, outcome, details, seconds: result.elapsed.0 }
}
