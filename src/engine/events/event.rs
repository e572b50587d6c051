//! What happens in a run: the one home of everything that is shown, reported and recorded.
//!
//! The engine emits these and prints nothing. What a resumed run has to know again stands in their `data`, as
//! `value::recorded` writes it. They are a contract (`docs/interface.md`): `--format json` prints each as
//! a line. Texts in them are as they were found, secrets taken out; whoever shows them makes control characters harmless.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::confinement::Confinement;
use crate::engine::stream::Stream;
use crate::value::UnknownCause;

/// The version of the events' format; the first event of a run carries it.
pub const FORMAT: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts from 1 within the run.
    pub seq: u64,
    pub time: Timestamp,
    #[serde(flatten)]
    pub place: Place,
    #[serde(flatten)]
    pub body: Body,
}

/// Where it belongs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The id of the expect: `deploy.config`, `health.up["api"].status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What part of a step it happens in, where that is not its body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The title of the checklist that it stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checklist: Option<String>,
    /// In a dry run: it may happen or not, and what that hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possible: Option<String>,
    /// In a dry run: behind the place where, as things stand, the run would end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_reached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    OnFailure,
    Finally,
    Rollback,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
// A run has one beginning, and thousands of the others are made one after another, not kept.
#[allow(clippy::large_enum_variant)]
pub enum Body {
    RunStarted {
        format: u32,
        mode: Mode,
        /// The run's name in the state folder, where it is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        /// Who runs it, and where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The version of the program.
        program: String,
        /// SHA-256 of the stdlib.
        stdlib: String,
        /// The runbook's title.
        runbook: String,
        /// SHA-256 of the runbook and its modules.
        hash: String,
        /// The files that it was read from: the runbook first, then its modules.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources: Vec<SourceFile>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// How long the run may take: the header's `timeout`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Seconds>,
        root: String,
        params: Vec<Param>,
        steps: Vec<StepTitle>,
        /// Only chosen steps: what chose them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<String>,
        /// The steps that `--only` and `--from` chose.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A run that was cut off is gone on with.
    Resumed(Box<Resumed>),
    StepStarted {
        title: String,
        /// Counts from 1.
        attempt: u32,
    },
    StepEnded {
        outcome: StepOutcome,
        /// Why it failed or was left out; how it was recovered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        attempts: u32,
        elapsed: Seconds,
    },
    /// A value was bound: `let`, a captured secret (by its name only), a param.
    Bound {
        name: String,
        value: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
    },
    /// Evidence: `show`.
    Shown {
        text: String,
        value: String,
    },
    /// What decides what is done: `if`, `when`, `if needed`, the list of a `for`.
    Condition {
        text: String,
        value: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
    },
    /// What a step proves, as it was before its first action: what tells later whether an action that was cut off was done.
    Baseline {
        expects: Vec<Before>,
    },
    /// A probe was made.
    Probed {
        call: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confinement: Option<Confinement>,
        elapsed: Seconds,
        /// Why it could not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unknown: Option<String>,
    },
    ActionStarted {
        /// As it is run.
        action: String,
        changes: Changes,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Seconds>,
    },
    /// Lines that an action printed, without the last one's end; a line that is too long comes in pieces.
    Output {
        stream: Stream,
        text: String,
    },
    /// The middle of what an action printed, of which only the beginning and the end are recorded.
    OutputLeftOut {
        stream: Stream,
        bytes: u64,
        /// How many of these ended a line.
        lines: u64,
    },
    ActionEnded {
        action: String,
        ok: bool,
        /// "ended with status 3"
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        elapsed: Seconds,
        /// What it answered, where that is bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
        /// The run was cut off before its end was seen: why it counts as done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assumed: Option<String>,
    },
    /// In a dry run: an action that `exec` would carry out here.
    ActionPlanned {
        action: String,
        changes: Changes,
    },
    /// An action of a step marked *if needed*, left out since the step's expects hold already.
    ActionSkipped {
        action: String,
        reason: String,
    },
    ExpectStarted {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Seconds>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<Seconds>,
    },
    /// It was asked and does not hold (or does not hold long enough) yet; it is asked again.
    ExpectAsked {
        attempt: u32,
        state: State,
        expected: String,
        actual: String,
        remaining: Seconds,
    },
    /// It is decided, and told when those written before it are.
    ExpectDecided {
        state: State,
        attempts: u32,
        elapsed: Seconds,
    },
    ExpectEnded(Box<ExpectResult>),
    /// All expects of a group are decided.
    GroupEnded {
        ok: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The step failed and has a handler, which starts.
    HandlerStarted {
        failures: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
    },
    Retrying {
        attempt: u32,
        of: u32,
        after: Seconds,
    },
    /// The handler has ended without a `retry` or `stop`: the failed group is asked once more.
    AskingAgain,
    /// A stop condition held, or could not be told for too long.
    StopHeld {
        reason: String,
        text: String,
        state: State,
        actual: String,
    },
    /// In a dry run: whether a stop condition is quiet now.
    StopPredicted {
        /// The title of the stop block.
        reason: String,
        /// The condition, as it was written.
        text: String,
        state: StopState,
        /// What was found.
        actual: String,
    },
    /// Before the first action: everything that can be known ahead is checked.
    PreflightStarted,
    /// One thing that was checked.
    PreflightChecked(Box<Check>),
    /// All of it is checked. Not `ok`: the run does not start.
    PreflightEnded {
        ok: bool,
        checked: u32,
        /// How many of these refuse the run.
        refused: u32,
    },
    /// In a dry run: as things stand, the run would end here; or, not `certain`, it may.
    RunEndsHere {
        certain: bool,
        /// "deploy.up: expected 200, found 503"
        reason: String,
        /// What would then still be run: `on-failure`, `finally`, `rollback`, by step.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        then: Vec<String>,
    },
    /// In a dry run: what a person would be asked.
    ConfirmPlanned {
        text: String,
        role: String,
        /// What is asked for beside a yes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
    },
    /// A person is asked.
    ConfirmAsked {
        text: String,
        role: String,
    },
    /// A person answered, or nobody did.
    Confirmed(Box<Confirmed>),
    /// Behind the last step: what decides is asked.
    VerdictStarted,
    /// The run is undone: these steps, in this order.
    RollbackStarted {
        reason: String,
        steps: Vec<String>,
        /// Steps that have begun, and say nothing of how they are undone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stays: Vec<String>,
        /// The point of no return that it stops at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stops_at: Option<String>,
    },
    /// A step is undone.
    UndoStarted {
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Seconds>,
    },
    UndoEnded(Undone),
    /// An interrupt, a signal, the run's time limit, a terminal or record that is gone.
    Cancelled {
        reason: String,
    },
    Verdict {
        verdict: Verdict,
        /// Empty for GO.
        reasons: Vec<String>,
        steps: StepCounts,
        expects: ExpectCounts,
        /// Steps that were mended, `step: how`.
        recovered: Vec<String>,
        /// What does not block: `else warn`.
        warnings: Vec<String>,
        /// Accepted risks without which it would be NO-GO.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<Accepted>,
        /// Steps that were undone, newest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        undone: Vec<Undone>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<String>,
        elapsed: Seconds,
        /// The rollback follows, with a verdict of its own: only that one ends the run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rolls_back: bool,
        /// Of a rollback: the verdict of the run itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_verdict: Option<Verdict>,
    },
    Summary {
        actions: u32,
        expects: StateCounts,
        /// How many of the expects are judged as of now, though an earlier action may change what they ask.
        as_of_now: u32,
        /// How many of the actions hang on something unknown.
        possibly: u32,
        probes: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<String>,
        elapsed: Seconds,
        /// How many of the actions lie behind the place where the run would end.
        #[serde(default, skip_serializing_if = "is_zero")]
        actions_not_reached: u32,
        /// Where the run would end, as things stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<String>,
    },
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The expect that a row belongs to: its id goes on where the expect's own ends. `known`: the ids of expects.
pub fn expect_of(row: &str, known: impl Fn(&str) -> bool) -> &str {
    let mut expect = row;
    while !known(expect) {
        match expect.rfind(['.', '[']) {
            Some(end) => expect = &expect[..end],
            None => return row,
        }
    }
    expect
}

/// The JSON Schema of what `--format json` prints and `--report x.json` holds: an event, or a list of them.
pub fn schema() -> serde_json::Value {
    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[allow(dead_code)]
    #[schemars(title = "The events of a run of runbook")]
    /// A line of `--format json`, or the whole of a `.json` report. Fields may be added; what stands here stays.
    enum Recorded {
        /// A line.
        Line(Box<Event>),
        /// A report.
        Report(Vec<Event>),
    }
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Recorded>()
        .into()
}

fn weight_of(json: &serde_json::Value) -> usize {
    use serde_json::Value as Json;
    let inner = match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(weight_of).sum(),
        Json::Object(entries) => entries.iter().map(|(key, value)| key.len() + 32 + weight_of(value)).sum(),
        _ => 0,
    };
    inner + size_of::<Json>()
}

/// Seconds, as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl From<std::time::Duration> for Seconds {
    fn from(duration: std::time::Duration) -> Self {
        Seconds((duration.as_secs_f64() * 1e6).round() / 1e6)
    }
}

impl Seconds {
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::try_from_secs_f64(self.0).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Exec,
    DryRun,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Param {
    pub name: String,
    #[serde(rename = "of")]
    pub ty: String,
    pub value: String,
    pub origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// A file that a runbook was read from, as it is kept beside the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// As messages name it.
    pub name: String,
    /// Where it lay; none for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SHA-256 of its text, hexadecimal: its name beside the journal.
    pub hash: String,
}

/// How a run that was cut off is gone on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resumed {
    pub by: String,
    pub host: String,
    /// When the last was heard of it.
    pub cut_off: Timestamp,
    /// The step that it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
    /// The action that had started, whose end was not seen, and what was decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// How many expects of what was done were asked again; they hold.
    pub asked_again: u32,
    /// Steps that are done again from their top, since a person said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redo: Vec<String>,
    /// Bytes of a last line that was torn, which were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<u64>,
    /// The hash of the runbook, where it was changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

/// An action that had started when its run was cut off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Doubt {
    pub action: String,
    pub since: Timestamp,
    pub done: bool,
    /// What tells so.
    pub because: String,
}

/// What a proof was before the first action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Its id.
    pub expect: String,
    pub state: State,
}

/// What came of a `confirm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    pub text: String,
    pub role: String,
    pub given: bool,
    /// Who answered, when, and where the answer is from; nobody, if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The host on which it was asked.
    pub host: String,
    /// What was typed beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// Why it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An accepted risk that stood in the way of a NO-GO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub risk: String,
    /// The expects that do not hold, by their ids.
    pub expects: Vec<String>,
    pub until: Timestamp,
    pub approver: String,
    pub reason: String,
}

/// What undoing a step came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// The step; in an event of its own it is the event's.
    #[serde(default, rename = "of", skip_serializing_if = "String::is_empty")]
    pub step: String,
    pub ok: bool,
    /// Why it was not, or not in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub elapsed: Seconds,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepTitle {
    pub name: String,
    pub title: String,
}

/// What an action changes, as far as it is declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Changes {
    /// Nothing is declared: it may change anything.
    Everything,
    /// Keys of facts: `file("secrets/*")`. Empty: nothing.
    Keys(Vec<String>),
}

impl Changes {
    /// Whether it is declared that nothing changes.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Changes::Keys(keys) if keys.is_empty())
    }
}

/// What an expect came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectResult {
    pub state: State,
    /// As it was written.
    pub text: String,
    /// With the values of its names in place; left out where it is just what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The check that the runbook asks, of which this is a part: `containers: shop.runs("eu")`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// In journals of before: in a check, from where that was asked, as `file:line`, and from where that in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    pub expected: String,
    pub actual: String,
    /// Why it can't be told, or the words of its `else`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<UnknownCause>,
    /// What differs, line by line, where expected and actual are more than a word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<DiffLine>,
    /// The words of its `else` or `else warn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// It does not block.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warn: bool,
    /// The accepted risk that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// It does not hold, and is covered: it does not block.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
    /// Its id was written by the author.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
    pub attempts: u32,
    pub elapsed: Seconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Seconds>,
    /// In a dry run: as of now, and what may change it before this is asked: "line 31 changes it".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_now: Option<String>,
    /// In a dry run: judged on a value that an action declares it sets: "line 31 sets it".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
    /// The row before it that rests on the same observation: `deploy.up.status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
    /// In a check: the lines inside of it, from the outermost on, as `file:line`. The event's own place is the author's line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<String>,
    /// The value that was expected, and the one that was found, where the condition compares two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_value: Option<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiffLine {
    pub sign: DiffSign,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiffSign {
    Expected,
    Actual,
    Both,
    /// Lines left out between.
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Holds,
    Differs,
    Unknown,
    /// It was cut short before its deadline: a stop, a time limit, a signal.
    Undecided,
}

/// Whether a stop condition would end the run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopState {
    Quiet,
    WouldStop,
    Unknown,
}

/// Something that a preflight checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub kind: CheckKind,
    /// What it is: the program, the secret, the title of the confirmation or of the stop block.
    pub what: String,
    pub state: CheckState,
    /// What was found; why it refuses; what brings it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    Lock,
    Journal,
    Stop,
    Confirm,
    Secret,
    Program,
    Backend,
    Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    Ready,
    /// It is not there, and an earlier step declares that it brings it.
    Expected,
    /// It is not sure that it is needed: what it found is only told.
    IfReached,
    NotChecked,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    Passed,
    Recovered,
    Failed,
    Skipped,
    /// In a dry run.
    Planned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    #[serde(rename = "GO")]
    Go,
    #[serde(rename = "NO-GO")]
    NoGo,
    /// Behind the run's own verdict: all that was begun was undone.
    #[serde(rename = "ROLLED BACK")]
    RolledBack,
    #[serde(rename = "ROLLBACK FAILED")]
    RollbackFailed,
}

impl Verdict {
    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Go => "GO",
            Verdict::NoGo => "NO-GO",
            Verdict::RolledBack => "ROLLED BACK",
            Verdict::RollbackFailed => "ROLLBACK FAILED",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepCounts {
    pub passed: u32,
    pub recovered: u32,
    pub failed: u32,
    pub skipped: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectCounts {
    pub held: u32,
    pub differed: u32,
    pub unknown: u32,
    pub waived: u32,
    #[serde(default)]
    pub undecided: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateCounts {
    pub holds: u32,
    pub differs: u32,
    pub unknown: u32,
    /// Judged on what an action declares it sets.
    #[serde(default)]
    pub assumed: u32,
    /// They differ, and an accepted risk covers them.
    #[serde(default)]
    pub accepted: u32,
    /// Behind the place where the run would end.
    #[serde(default)]
    pub not_reached: u32,
}

/// Why events could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{}", crate::value::display::io_words(.0))]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Keeps the events of a run, before anyone is shown them.
pub trait Ledger: Send {
    /// Writes an event down behind those before it. What could not be written is tried again with the next.
    fn append(&mut self, event: &Published) -> Result<(), LedgerError>;

    /// When it returns, all that was written down would outlive a loss of power.
    fn commit(&mut self) -> Result<(), LedgerError>;

    /// It keeps events in memory: writing takes no time, and needs no thread that a held clock would not wait for.
    fn in_memory(&self) -> bool {
        false
    }
}

/// Takes the events of a run, as they happen. Only the redactor makes [`Published`] events, so nothing that a sink
/// shows or keeps can hold a secret.
pub trait Sink: Send {
    fn take(&mut self, event: &Published);

    /// What happened before a run was gone on with, for one that shows what goes on now.
    fn recall(&mut self, _event: &Published) {}

    /// Resolves when all that was taken so far is shown, for one that shows it on a thread of its own.
    fn shown(&mut self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// There is no more, and there was no verdict: the run goes on elsewhere, or was cut off.
    fn unfinished(&mut self, _why: &str) {}
}

/// An event out of which every known secret has been taken. Clones are the same event.
#[derive(Clone, Debug, PartialEq)]
pub struct Published(Arc<Event>);

impl Published {
    /// For `engine::redact` alone, and for tests of the report forms.
    pub(in crate::engine) fn new(event: Event) -> Self {
        Self(Arc::new(event))
    }

    /// An event read back from what was published before.
    pub fn read(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line).map(|event| Self(Arc::new(event)))
    }

    /// How much memory it takes, about: what waits for someone is measured by this.
    pub fn weight(&self) -> usize {
        let data = match &self.0.body {
            Body::Output { text, .. } => text.len(),
            Body::Shown { value, .. } => value.len(),
            Body::Bound { data: Some(data), .. }
            | Body::Condition { data: Some(data), .. }
            | Body::ActionEnded { data: Some(data), .. }
            | Body::HandlerStarted { data: Some(data), .. } => weight_of(data),
            Body::ExpectEnded(result) => {
                let texts = [&result.text, &result.expected, &result.actual];
                texts.iter().map(|text| text.len()).sum::<usize>()
                    + result.diff.iter().map(|line| line.text.len() + 32).sum::<usize>()
            }
            _ => 0,
        };
        data + size_of::<Event>() + 256
    }

    pub fn get(&self) -> &Event {
        &self.0
    }
}
