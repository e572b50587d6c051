//! What the interpreter asks for at each statement, and what answers it.
//!
//! The interpreter ([`super::task`]) decides in which order statements follow each other and what a failure leads to; it does
//! nothing itself. For every operation that has an effect or is journaled it calls a [`Driver`]: [`super::live`] does it,
//! [`super::replay`] takes its outcome from the journal, [`super::predict`] says what it would come to, [`super::lookahead`]
//! only looks for what is proven.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::check::program::{Call, Confirm, Expr, Member, Run, Step, Stmt, Text, Var};
use crate::diagnostic::Span;
use crate::engine::evaluation::core::Site;
use crate::engine::evaluation::eval::Items;
use crate::engine::evaluation::scope::Bound;
use crate::value::{Answer, Truth, Value};

/// Where in a task an operation stands.
pub(super) struct At<'a, 'c> {
    pub position: &'a mut Position<'c>,
    pub site: &'a Site,
    pub section: Section,
}

impl<'c> At<'_, 'c> {
    /// The same, for a moment.
    pub fn again(&mut self) -> At<'_, 'c> {
        At { position: self.position, site: self.site, section: self.section }
    }
}

/// How far a task has come.
pub(super) struct Position<'c> {
    pub step: &'c Step,
    pub part: CurrentPart<'c>,
    /// The lists of statements that it is in, innermost last.
    pub frames: Vec<Frame<'c>>,
    /// How often each `retry` was used, by file and line.
    pub retries: HashMap<(String, u32), u32>,
}

/// The part of a step that is being run.
#[derive(Clone, Default)]
pub(super) struct CurrentPart<'c> {
    pub stmts: &'c [Stmt],
    pub site: Site,
    /// Its proofs were evaluated before its first action.
    pub baseline: bool,
}

/// A list of statements that is being run, and how far.
pub(super) struct Frame<'c> {
    pub kind: FrameKind,
    pub stmts: &'c [Stmt],
    pub at: usize,
    pub site: Site,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// All of a part of a step.
    Part,
    /// A loop at one of its items.
    Loop,
    /// A branch, or an `action` of the language.
    Inner,
}

/// Which part of a step statements belong to: it decides whether a failure is handled and what cancels them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    Body,
    Handler,
    Finally,
    Rollback,
}

/// Why a task's statements did not go on.
#[derive(Debug)]
pub(super) enum Halt {
    Failed(String),
    /// A handler's `retry`: from the top, after this long.
    Retry {
        after: Duration,
        of: u32,
        attempt: u32,
    },
    /// The history has ended, and nothing is done behind its end.
    HistoryEnds,
    /// The journal and the runbook do not fit together.
    Mismatch(String),
}

impl Halt {
    /// As the reason of a step that ended in the middle.
    pub fn reason(self) -> String {
        match self {
            Halt::Mismatch(why) | Halt::Failed(why) => why,
            Halt::Retry { .. } | Halt::HistoryEnds => "its journal ends in the middle".to_owned(),
        }
    }

    /// What its handler came to, and then what failed first.
    pub fn because(self, reason: &str) -> Halt {
        match self {
            Halt::Failed(more) => Halt::Failed(format!("{more}: {reason}")),
            other => other,
        }
    }
}

/// What failed: why, and what its handler sees as `failures`.
pub(super) struct Failure {
    pub reason: String,
    pub failures: Vec<Value>,
}

/// What a condition came to.
pub(super) enum Decision {
    Take,
    Leave,
    /// It is unknown: why.
    Unknown(String),
    /// It is unknown, and none of the branches is looked at.
    Neither,
}

/// A `let`, or an argument that asks the world.
#[derive(Clone, Copy)]
pub(super) struct Binding<'c> {
    pub name: &'c Arc<str>,
    pub var: Var,
    pub value: &'c Expr,
    pub span: Span,
}

/// The question whether something has to be done at all: `if needed`, `ensure`.
pub(super) struct Need<'a, 'c> {
    pub text: String,
    pub span: Span,
    pub body: &'c [Stmt],
    /// Where the body stands: an action's parameters are bound in it.
    pub site: &'a Site,
}

/// Why an action is left out.
#[derive(Clone, Copy)]
pub(super) enum Unneeded {
    /// All that its step proves holds already.
    Step,
    /// What it ensures holds already.
    Ensured,
}

/// A handler's `retry`.
#[derive(Clone, Copy)]
pub(super) struct Retry<'c> {
    pub times: &'c Expr,
    pub after: Option<&'c Expr>,
    pub span: Span,
}

/// What ends a part on purpose.
#[derive(Clone, Copy)]
pub(super) enum Leave<'c> {
    Stop { why: Option<&'c Text>, span: Span },
    RollBack { span: Span },
}

/// What an operation came to; or why the task does not go on.
type Done<T> = Result<T, Halt>;

/// Does what statements say, or what stands for it.
#[async_trait]
pub(super) trait Driver<'c>: Send {
    /// It walks all that may happen: both branches of what is unknown, the handler, the rollback.
    const FORESEES: bool = false;

    /// What it binds is known to the statements behind it alone: it looks ahead of a run, which binds for itself.
    const LOOKS_AHEAD: bool = false;

    /// Before a statement: whether the task goes on.
    async fn before(&mut self, at: At<'_, 'c>) -> Done<()>;

    /// An attempt of the step begins.
    async fn attempt(&mut self, at: At<'_, 'c>, attempt: u32) -> Done<()>;

    /// The wait before the next attempt.
    async fn pause(&mut self, after: Duration) -> Done<()>;

    async fn bind(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Done<Bound>;

    async fn secret(&mut self, at: At<'_, 'c>, binding: Binding<'c>) -> Done<Bound>;

    async fn decide(&mut self, at: At<'_, 'c>, condition: &'c Expr) -> Done<Decision>;

    async fn needed(&mut self, at: At<'_, 'c>, need: Need<'_, 'c>) -> Done<Truth>;

    async fn items(&mut self, at: At<'_, 'c>, over: &'c Expr) -> Done<Result<Items, Answer>>;

    async fn act(&mut self, at: At<'_, 'c>, run: &'c Run, call: &'c Call) -> Done<Result<(), Failure>>;

    /// An action is left out, since what it is for holds already.
    async fn leave_out(&mut self, at: At<'_, 'c>, run: &'c Run, why: Unneeded) -> Done<()>;

    async fn expect(&mut self, at: At<'_, 'c>, members: &'c [Member]) -> Done<Result<(), Failure>>;

    /// The handler has ended: what failed is polled again.
    async fn expect_again(&mut self, at: At<'_, 'c>) -> Done<()>;

    /// Whether the step's handler begins, now that something failed.
    fn handles(&mut self) -> Done<bool>;

    /// The step's handler begins: what it sees as `failures`.
    async fn handler(&mut self, at: At<'_, 'c>, failures: Vec<Value>) -> Done<Answer>;

    /// Why it was not confirmed, if it was not.
    async fn confirm(&mut self, at: At<'_, 'c>, confirm: &'c Confirm) -> Done<Option<String>>;

    async fn show(&mut self, at: At<'_, 'c>, values: &'c [Expr], span: Span) -> Done<()>;

    /// Begins the step again, as often as it says: then it is an error.
    async fn retry(&mut self, at: At<'_, 'c>, retry: Retry<'c>) -> Done<()>;

    /// Ends the part.
    async fn leave(&mut self, at: At<'_, 'c>, leave: Leave<'c>) -> Done<()>;

    /// One of several branches begins, of which it is not known which one will be run.
    fn fork(&mut self) {}

    /// The next of these begins, from where the first one did.
    fn other_branch(&mut self) {}

    /// The last of these has ended.
    fn join(&mut self) {}
}
