//! A run as test cases: one for each row of each expect, as it stood last; and for what failed without one.
//!
//! In: entries. Out: [`Cases`], which the forms for CI systems (`junit`, `tap`) write down. They show the same counts as the
//! verdict does.

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::check::program::VERDICT;
use crate::engine::events::event::{Body, CheckState, Event, Place, Published, State, StepOutcome, Verdict, expect_of};

use super::at_end::{Page, Unfinished};
use super::run_model::{Closed, Decision, Entry, Opened, Preflight, Row, Standing, finding, subject, undone_words};

/// Of what was checked before the first action.
const PREFLIGHT: &str = "preflight";

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Held,
    /// It holds on what an action declares it sets: which.
    Assumed(String),
    Differed,
    Unknown,
    /// It was cut short.
    Undecided,
    /// An accepted risk covers it: the title.
    Waived(String),
    /// `else warn`: the words.
    Warned(String),
    /// An action that failed, or a step for another reason.
    Failed,
    Skipped(String),
}

impl Outcome {
    fn of(row: Row<'_>) -> Self {
        let result = row.result;
        match row.standing() {
            Standing::Held => Self::Held,
            Standing::Assumed => Self::Assumed(result.assumed.clone().unwrap_or_default()),
            Standing::Differed => Self::Differed,
            Standing::Unknown => Self::Unknown,
            Standing::Undecided => Self::Undecided,
            Standing::Accepted(_) => Self::Waived(result.risk.clone().unwrap_or_default()),
            Standing::Warned(_) => Self::Warned(result.message.clone().unwrap_or_default()),
            Standing::NotReached => Self::Skipped("not reached".to_owned()),
        }
    }

    /// It keeps the run from being a GO.
    pub fn blocks(&self) -> bool {
        matches!(self, Self::Differed | Self::Unknown | Self::Undecided | Self::Failed)
    }
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

/// The cases of a step.
#[derive(Default)]
pub(super) struct Suite {
    pub title: Option<String>,
    pub began: Option<Timestamp>,
    /// From its beginning to its end.
    pub seconds: f64,
    /// By what makes a case: an expect's id, with its rows; an action's place.
    cases: IndexMap<String, Vec<Case>>,
}

impl Suite {
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().flatten()
    }
}

/// The cases of a run.
pub(super) struct Cases {
    pub title: String,
    pub host: Option<String>,
    pub began: Option<Timestamp>,
    /// By step, in the order in which they were come to.
    suites: IndexMap<String, Suite>,
    titles: IndexMap<String, String>,
    pub verdicts: Vec<Verdict>,
    pub seconds: f64,
    form: fn(&Cases) -> String,
}

impl Cases {
    pub fn new(form: fn(&Cases) -> String) -> Self {
        Self {
            title: String::new(),
            host: None,
            began: None,
            suites: IndexMap::new(),
            titles: IndexMap::new(),
            verdicts: Vec::new(),
            seconds: 0.0,
            form,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.suites.values().flat_map(Suite::cases)
    }

    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.iter().filter(|case| is(&case.outcome)).count()
    }

    /// By step, in their order.
    pub fn suites(&self) -> impl Iterator<Item = (&str, &Suite)> {
        let suites = self.suites.iter().filter(|(_, suite)| suite.cases().next().is_some());
        suites.map(|(step, suite)| (step.as_str(), suite))
    }

    fn suite(&mut self, step: &str) -> &mut Suite {
        let title = self.titles.get(step);
        let new = || Suite { title: title.filter(|title| *title != step).cloned(), ..Suite::default() };
        self.suites.entry(step.to_owned()).or_insert_with(new)
    }

    /// A case that stands for all of what made it.
    fn put(&mut self, key: String, case: Case) {
        let step = case.step.clone();
        self.suite(&step).cases.insert(key, vec![case]);
    }

    /// A case of its own, for what no other shows.
    fn failed(&mut self, step: &str, why: &str) {
        let details = vec![("found", why.to_owned())];
        let (step, name) = (step.to_owned(), why.to_owned());
        self.put(why.to_owned(), Case { step, name, outcome: Outcome::Failed, details, seconds: 0.0 });
    }

    fn opened(&mut self, opened: &Opened) {
        let suite = self.suite(&opened.name);
        suite.began.get_or_insert(opened.event.get().time);
    }

    fn closed(&mut self, closed: &Closed) {
        let name = &closed.name;
        let suite = self.suite(name);
        suite.seconds += closed.ended - closed.began;
        let Some((outcome, reason, elapsed)) = closed.step() else { return };
        suite.seconds = elapsed.0;
        let has_cases = suite.cases().next().is_some();
        let blocked = suite.cases().any(|case| case.outcome.blocks());
        let reason = reason.unwrap_or_default().to_owned();
        // A step that has no case of its own has one for itself.
        let (outcome, details) = match outcome {
            StepOutcome::Skipped => (Outcome::Skipped(reason), Vec::new()),
            StepOutcome::Failed if blocked => return,
            StepOutcome::Failed => (Outcome::Failed, vec![("found", reason)]),
            _ if has_cases => return,
            _ => (Outcome::Held, Vec::new()),
        };
        let title = self.titles.get(name).unwrap_or(name).clone();
        self.put(String::new(), Case { step: name.clone(), name: title, outcome, details, seconds: elapsed.0 });
    }

    /// A row stands with the other rows of its expect.
    fn row(&mut self, row: Row<'_>) {
        let step = row.place.step.clone().unwrap_or_default();
        let cases = &mut self.suite(&step).cases;
        let expect = expect_of(row.id(), |known| cases.contains_key(known)).to_owned();
        cases.entry(expect).or_default().push(case(row));
    }

    fn action_ended(&mut self, event: &Event) {
        let Body::ActionEnded { action, error, elapsed, .. } = &event.body else { return };
        let step = event.place.step.clone().unwrap_or_default();
        let key = format!("run {}", at(&event.place));
        match error {
            Some(error) => {
                let details = vec![("found", error.clone()), ("at", at(&event.place))];
                let (name, seconds) = (format!("run {action}"), elapsed.0);
                self.put(key, Case { step, name, outcome: Outcome::Failed, details, seconds });
            }
            // It was done in the end.
            None => drop(self.suite(&step).cases.shift_remove(&key)),
        }
    }

    fn told(&mut self, event: &Event) {
        let Body::Confirmed(confirmed) = &event.body else { return };
        let outcome = if confirmed.given { Outcome::Held } else { Outcome::Failed };
        let reason = confirmed.reason.clone().map(|reason| ("found", reason));
        let details = reason.into_iter().chain((!confirmed.given).then(|| ("at", at(&event.place)))).collect();
        let name = format!("confirm {} by {}", confirmed.text, confirmed.role);
        let step = event.place.step.clone().unwrap_or_default();
        self.put(format!("confirm {}", confirmed.text), Case { step, name, outcome, details, seconds: 0.0 });
    }

    /// What was refused before the first action.
    fn preflight(&mut self, preflight: &Preflight) {
        for check in preflight.checks.iter().filter(|check| check.state == CheckState::Refused) {
            let details = vec![("found", finding(check))];
            let (step, name) = (PREFLIGHT.to_owned(), subject(check));
            self.put(name.clone(), Case { step, name, outcome: Outcome::Failed, details, seconds: 0.0 });
        }
    }

    fn decided(&mut self, event: &Event) {
        let Some(decision) = Decision::of(event) else { return };
        self.verdicts.push(decision.verdict);
        match decision.verdict {
            Verdict::Go | Verdict::RolledBack => {}
            // A NO-GO that no case shows has one: a stop condition, an interrupt.
            Verdict::NoGo if self.count(Outcome::blocks) > 0 => {}
            Verdict::NoGo => decision.reasons.iter().for_each(|reason| self.failed(VERDICT, reason)),
            Verdict::RollbackFailed => {
                let undone: Vec<String> =
                    decision.undone.iter().filter(|undone| !undone.ok).map(undone_words).collect();
                let why = if undone.is_empty() { decision.reasons } else { &undone };
                why.iter().for_each(|why| self.failed("rollback", why));
            }
        }
        if !decision.is_of_rollback() {
            self.seconds = decision.elapsed.0;
        }
    }
}

impl Page for Cases {
    fn take(&mut self, entry: Entry) {
        match &entry {
            Entry::Run(event) => {
                if let Body::RunStarted { runbook, steps, host, .. } = &event.get().body {
                    self.title.clone_from(runbook);
                    self.host.clone_from(host);
                    self.began = Some(event.get().time);
                    self.titles = steps.iter().map(|step| (step.name.clone(), step.title.clone())).collect();
                }
            }
            Entry::Opened(opened) => self.opened(opened),
            Entry::Closed(closed) => self.closed(closed),
            // Asked once more, an expect is what it comes to then.
            Entry::Asked(event) => {
                let Place { step, expect, .. } = &event.get().place;
                let expect = expect.clone().unwrap_or_default();
                self.suite(step.as_deref().unwrap_or_default()).cases.insert(expect, Vec::new());
            }
            Entry::Row(event, _) => Row::of(event.get()).into_iter().for_each(|row| self.row(row)),
            Entry::Collapsed(collapsed) => {
                collapsed.rows.iter().map(Published::get).filter_map(Row::of).for_each(|row| self.row(row));
            }
            Entry::ActionEnded { event, .. } => self.action_ended(event.get()),
            Entry::Preflight(preflight) => self.preflight(preflight),
            Entry::Told(event) => self.told(event.get()),
            Entry::Decided(event) => self.decided(event.get()),
            Entry::Summed(event) => {
                if let Body::Summary { elapsed, .. } = &event.get().body {
                    self.seconds = elapsed.0;
                }
            }
        }
    }

    fn write(&mut self, unfinished: Option<Unfinished<'_>>) -> String {
        if let Some(Unfinished { why, unseen }) = unfinished {
            if let Some((step, action)) = unseen {
                self.failed(step, &format!("run {action}: its end was not seen"));
            }
            self.failed(VERDICT, why);
        }
        (self.form)(self)
    }
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.file.as_deref().unwrap_or_default(), place.line.unwrap_or_default())
}

fn case(row: Row<'_>) -> Case {
    let (result, label) = (row.result, row.label());
    let keys = label.keys.map(|keys| format!(" {keys}")).unwrap_or_default();
    let name = format!("{}{}{keys}", label.prefix(), label.words);
    let outcome = Outcome::of(row);
    let mut details = Vec::new();
    if !matches!(outcome, Outcome::Held | Outcome::Assumed(_) | Outcome::Skipped(_)) {
        let found = if result.state == State::Undecided { "last seen" } else { "found" };
        details.push(("expected", result.expected.clone()));
        details.push((found, result.actual.clone()));
        details.extend(result.reason.clone().map(|reason| ("because", reason)));
        details.extend(result.message.clone().map(|message| ("means", message)));
        details.extend(row.times().map(|times| ("asked", times)));
        details.push(("at", row.at()));
        let inside = row.inside();
        if !inside.is_empty() {
            details.push(("inside", inside.join(", ")));
        }
    }
    let step = row.place.step.clone().unwrap_or_default();
    Case { step, name, outcome, details, seconds: result.elapsed.0 }
}
