//! The checked program: what the engine runs. Every name is resolved, every type and effect is right.
//!
//! Out of `check`; into `engine`. Spans are kept, for events and messages.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;
use jiff::SignedDuration;

use crate::diagnostic::{Sources, Span};
pub use crate::syntax::tree::{ArithmeticOp, CompareOp, LogicOp, Quantifier, Test};
pub use crate::syntax::tree::{FieldKind, Role};
use crate::value::{Type, Value};

/// A runbook that may be run.
#[derive(Clone, Debug)]
pub struct Program {
    pub sources: Arc<Sources>,
    pub library: Arc<Library>,
    pub title: Arc<str>,
    pub owner: Option<Arc<str>>,
    /// How long a run may take.
    pub timeout: Option<std::time::Duration>,
    /// No two runs with this name at once, on one host.
    pub lock: Option<Arc<str>>,
    /// The shell of the commands in the runbook's own file.
    pub shell: Shell,
    pub on_stop: OnStop,
    /// Whether GO needs an expect that was decided true.
    pub proof: Proof,
    pub span: Span,
    /// The `param`s of the runbook itself, with the values they have in this run.
    pub params: Vec<ParamValue>,
    /// Top-level bindings of all files, in an order in which each only uses earlier ones.
    pub globals: Vec<Global>,
    /// Where in [`Program::globals`] each stands, once it was asked for.
    pub(super) by_var: OnceLock<HashMap<Var, usize>>,
    pub stops: Vec<Stop>,
    /// What decides, after the last step.
    pub verdict: Option<Decision>,
    pub risks: Vec<Risk>,
    pub steps: Vec<Step>,
    pub checks: Vec<Definition<Member>>,
    pub actions: Vec<Definition<Stmt>>,
    /// How many [`Var`]s there are.
    pub vars: u32,
    /// The folder that relative paths and commands start from.
    pub root: Arc<std::path::Path>,
    /// SHA-256 of the runbook's text and of every module it uses, in order of use; hexadecimal.
    pub hash: Arc<str>,
}

impl Program {
    /// A top-level binding.
    pub fn global(&self, var: Var) -> Option<&Global> {
        let read = || self.globals.iter().enumerate().map(|(at, global)| (global.var, at)).collect();
        self.globals.get(*self.by_var.get_or_init(read).get(&var)?)
    }
}

/// Something bound: a param, a `let`, a loop's name. Unique in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

#[derive(Clone, Debug)]
pub struct ParamValue {
    pub name: Arc<str>,
    pub ty: Type,
    pub value: Value,
    /// Who set it: `default`, `--set`, `--params FILE`, `profile NAME`.
    pub origin: Arc<str>,
}

#[derive(Clone, Debug)]
pub struct Global {
    pub name: Arc<str>,
    pub var: Var,
    pub kind: GlobalKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum GlobalKind {
    /// Its value is settled before the run.
    Param(Value),
    /// Evaluated once, where the run starts.
    Let(Expr),
    /// Evaluated before the first step where that has no side effect, else when it is first used; and sealed. Its type is string; a record `file` or `shell.result` has become its text.
    Secret(Expr),
}

/// The step that expects of the `verdict` block belong to, in their ids.
pub const VERDICT: &str = "verdict";

/// What people are told that it is.
pub const VERDICT_TITLE: &str = "What decides";

/// The `verdict` block.
#[derive(Clone, Debug)]
pub struct Decision {
    pub members: Vec<Member>,
    pub span: Span,
}

/// An accepted risk: expects that may fail without being in the way, until a day.
#[derive(Clone, Debug)]
pub struct Risk {
    pub title: Arc<str>,
    /// Ids of expects; with `*`, patterns.
    pub covers: Vec<Arc<str>>,
    /// It covers what is unknown, too, not only what is known to be false.
    pub covers_unknown: bool,
    pub until: jiff::Timestamp,
    pub approver: Arc<str>,
    pub reason: Arc<str>,
    pub span: Span,
}

/// A standing condition that ends the run.
#[derive(Clone, Debug)]
pub struct Stop {
    pub reason: Text,
    pub condition: Expr,
    /// What the condition itself asks about, so that its absence decides.
    pub asked: Arc<AskedAbsence>,
    pub kind: StopKind,
    pub every: Option<Expr>,
    /// The step from whose start on it is asked.
    pub since: Option<usize>,
    pub except: Vec<usize>,
    pub span: Span,
}

/// In a condition, by the place of an operand: what stands in it of which the same condition asks whether it is absent.
#[derive(Debug, Default)]
pub struct AskedAbsence(pub HashMap<Span, Vec<Expr>>);

/// When a stop block trips.
#[derive(Clone, Debug)]
pub enum StopKind {
    /// `when C for D`: once `C` has been true for `D` (at once without one), or unknown for 30 s.
    When { hold: Option<Expr> },
    /// `unless C for D`: once `C` has not been true (false, absent or unknown) for `D`.
    Unless { hold: Expr },
}

#[derive(Clone, Debug)]
pub struct Step {
    pub name: Arc<str>,
    pub title: Arc<str>,
    pub if_needed: bool,
    pub idempotent: bool,
    pub when: Option<Expr>,
    pub body: Vec<Stmt>,
    pub on_failure: Option<Handler>,
    pub finally: Option<Vec<Stmt>>,
    pub rollback: Option<Rollback>,
    /// Once its first action has started, there is no way back: rollback stops here.
    pub no_return: bool,
    pub span: Span,
}

/// What is done about a run that ends before its last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStop {
    /// Nothing, unless a handler says `rollback`.
    #[default]
    Leave,
    /// The steps that have begun are undone, newest first.
    Rollback,
}

/// What a GO rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// At least one blocking expect that was decided true and not waived: without one, nothing was proven.
    #[default]
    Required,
    /// `proof = none` in the header: the run only does things.
    None,
}

/// The program that reads the text of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shell {
    /// `/bin/sh -eu`. What stands there may not know pipefail (dash before 0.5.13 does not).
    #[default]
    Sh,
    /// `bash -euo pipefail`.
    Bash,
    /// `bash -eu`: of a pipeline, only the last command counts, as its author says.
    BashWithoutPipefail,
}

impl Shell {
    /// As it is written: `shell = "bash"`.
    pub fn named(name: &str) -> Option<Shell> {
        match name {
            "sh" => Some(Shell::Sh),
            "bash" => Some(Shell::Bash),
            _ => None,
        }
    }

    /// The program and its options; the text of the command is the next argument.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Shell::Sh => &["/bin/sh", "-eu", "-c"],
            Shell::Bash => &["bash", "-euo", "pipefail", "-c"],
            Shell::BashWithoutPipefail => &["bash", "-eu", "-c"],
        }
    }

    /// The same, where a command may fail in a pipeline.
    pub fn accepting_pipe_failures(self) -> Shell {
        match self {
            Shell::Sh => Shell::Sh,
            Shell::Bash | Shell::BashWithoutPipefail => Shell::BashWithoutPipefail,
        }
    }

    /// A pipeline fails if any command in it does.
    pub fn sees_pipe_failures(self) -> bool {
        self == Shell::Bash
    }
}

/// How a step is undone.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// How long that may take: watched and told, not cut short.
    pub within: Option<Expr>,
    pub body: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Handler {
    /// `failures`: a list of records `failure`.
    pub failures: Var,
    pub body: Vec<Stmt>,
    pub span: Span,
}

/// A `check` or `action`.
#[derive(Clone, Debug)]
pub struct Definition<T> {
    /// With its module: `http.ok`.
    pub name: Arc<str>,
    pub params: Vec<(Arc<str>, Var, Type)>,
    pub body: Vec<T>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Run(Run),
    Let {
        name: Arc<str>,
        var: Var,
        value: Expr,
        span: Span,
    },
    /// A captured secret; `of` are the bindings whose results are then not recorded in full.
    Secret {
        name: Arc<str>,
        var: Var,
        value: Expr,
        span: Span,
    },
    Show {
        values: Vec<Expr>,
        span: Span,
    },
    /// Consecutive expects and loops of nothing but expects: asked concurrently.
    Group(Vec<Member>),
    For(For<Stmt>),
    If(If<Stmt>),
    Stop {
        why: Option<Text>,
        span: Span,
    },
    Retry {
        times: Expr,
        after: Option<Expr>,
        span: Span,
    },
    Confirm(Confirm),
    Checklist(Checklist),
    /// In a handler: the run ends, and is undone.
    RollBack {
        span: Span,
    },
}

impl Stmt {
    /// The names that it binds in its step.
    pub fn binds(&self) -> Vec<Var> {
        let typed = |confirm: &Confirm| confirm.answer.as_ref().map(|answer| answer.var);
        match self {
            Stmt::Let { var, .. } | Stmt::Secret { var, .. } | Stmt::Run(Run { bind: Some((_, var)), .. }) => {
                vec![*var]
            }
            Stmt::Confirm(confirm) => typed(confirm).into_iter().collect(),
            Stmt::Checklist(list) => list.confirmed.iter().filter_map(typed).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a group is made of; the body of a check, too.
#[derive(Clone, Debug)]
pub enum Member {
    Expect(Box<Expect>),
    For(For<Member>),
    If(If<Member>),
    /// Only of what no probe is asked for; in checks.
    Let {
        name: Arc<str>,
        var: Var,
        value: Expr,
        span: Span,
    },
}

/// What only a person knows.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// What is to be confirmed; written out, since answers name it.
    pub text: Arc<str>,
    /// Who may.
    pub role: Arc<str>,
    /// What is asked for beside a yes.
    pub answer: Option<TypedAnswer>,
    pub span: Span,
}

/// What is to be seen and to be confirmed before it goes on. The program ticks first what it can see itself: nobody is asked
/// to answer for a list on which something does not hold.
#[derive(Clone, Debug)]
pub struct Checklist {
    pub title: Arc<str>,
    /// Expects and loops of expects, asked concurrently.
    pub seen: Vec<Member>,
    pub confirmed: Vec<Confirm>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct TypedAnswer {
    pub name: Arc<str>,
    pub var: Var,
    pub ty: Type,
    /// Of the whole answer.
    pub matching: Option<regex::Regex>,
}

#[derive(Clone, Debug)]
pub struct For<T> {
    /// The item; or the key and the value of a map, or the index and the item of a list.
    pub vars: Vec<(Arc<str>, Var)>,
    pub over: Expr,
    /// A loop of expects over an empty list is fine; else it is unknown, since there was nothing to check.
    pub or_none: bool,
    pub body: Vec<T>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct If<T> {
    pub branches: Vec<(Expr, Vec<T>)>,
    pub otherwise: Option<Vec<T>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Run {
    pub bind: Option<(Arc<str>, Var)>,
    pub target: RunTarget,
    /// `None`: what the native declares. `Some`: what the author says instead.
    pub changes: Option<Vec<Key>>,
    /// Captured secrets are taken out of its result: it is not recorded in full.
    pub sensitive: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum RunTarget {
    /// An action of the stdlib; `run "…"` is `shell.run`, `run […]` is `shell.exec`, with the modifiers as arguments.
    Native(Call),
    /// An `action` definition, by its place in [`Program::actions`].
    Defined {
        action: usize,
        args: Vec<Expr>,
        name: Arc<str>,
        /// `ensure`: its actions are left out while all that it proves holds already.
        if_needed: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Expect {
    /// What stands after `step.` in its id, without the keys of loops: its label, or a hash of its text.
    pub id: Arc<str>,
    /// The id was written by the author.
    pub named: bool,
    /// As it was written, on one line, without `expect` and modifiers.
    pub text: Arc<str>,
    pub kind: ExpectKind,
    pub within: Option<Expr>,
    pub hold: Option<Expr>,
    pub every: Option<Expr>,
    /// A resumed run asks it again, whatever was done since.
    pub lasting: bool,
    pub otherwise: Option<Otherwise>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExpectKind {
    /// Of type bool.
    Condition(Expr),
    /// `expect subject { .a == 1 … }`: the subject is asked once a round, and bound to `var` for the fields.
    Block { subject: Expr, var: Var, fields: Vec<FieldExpect> },
    /// A check, by its place in [`Program::checks`].
    Check { check: usize, args: Vec<Expr>, name: Arc<str> },
}

#[derive(Clone, Debug)]
pub struct FieldExpect {
    /// The last part of the id: `status`, `json.status`.
    pub id: Arc<str>,
    pub text: Arc<str>,
    pub condition: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Otherwise {
    pub warn: bool,
    pub message: Text,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Type,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Literal(Value),
    Text(Text),
    List(Vec<Expr>),
    Map(Vec<(Text, Expr)>),
    Var(Arc<str>, Var),
    /// Fields and indexes, from the left.
    Chain {
        base: Box<Expr>,
        links: Vec<Link>,
    },
    /// A function, probe or vouched probe of the stdlib. (An action can't stand here.)
    Call(Call),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Logic {
        op: LogicOp,
        terms: Vec<Expr>,
    },
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `matches` with a literal: compiled by the checker. With anything else it is an [`ExprKind::Compare`].
    Matches {
        subject: Box<Expr>,
        regex: regex::Regex,
        negated: bool,
    },
    Test {
        subject: Box<Expr>,
        test: Test,
        negated: bool,
    },
    Arithmetic {
        first: Box<Expr>,
        rest: Vec<(ArithmeticOp, Expr)>,
    },
    /// The first that is not absent.
    OrDefault(Vec<Expr>),
    /// Whole numbers from one to the other, both included.
    Range {
        from: Box<Expr>,
        to: Box<Expr>,
    },
    Quantifier {
        kind: Quantifier,
        vars: Vec<(Arc<str>, Var)>,
        over: Box<Expr>,
        body: Box<Expr>,
        /// An `all` over an empty list is true; else it is unknown, since there was nothing to check.
        or_none: bool,
    },
}

impl Expr {
    /// The expressions that it is made of, one level down, in the order in which they are written.
    pub fn parts(&self) -> Vec<&Expr> {
        fn holes(text: &Text) -> impl Iterator<Item = &Expr> {
            text.parts.iter().filter_map(|part| match part {
                TextPart::Text(_) => None,
                TextPart::Hole(hole) => Some(hole),
            })
        }
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Var(..) => Vec::new(),
            ExprKind::Text(text) => holes(text).collect(),
            ExprKind::List(items) | ExprKind::OrDefault(items) => items.iter().collect(),
            ExprKind::Map(entries) => entries.iter().flat_map(|(key, value)| holes(key).chain([value])).collect(),
            ExprKind::Chain { base, links } => {
                let indexes = links.iter().filter_map(|link| match &link.kind {
                    LinkKind::Field(_) => None,
                    LinkKind::Index(at) => Some(at),
                });
                std::iter::once(&**base).chain(indexes).collect()
            }
            ExprKind::Call(call) => call
                .args
                .iter()
                .flatten()
                .flat_map(|arg| match arg {
                    Arg::Value(value) => vec![value],
                    Arg::Shell(text) => text
                        .parts
                        .iter()
                        .filter_map(|part| match part {
                            ShellPart::Source(_) => None,
                            ShellPart::Hole { value, .. } => Some(value),
                        })
                        .collect(),
                })
                .collect(),
            ExprKind::Not(inner) | ExprKind::Negative(inner) => vec![inner],
            ExprKind::Logic { terms, .. } => terms.iter().collect(),
            ExprKind::Compare { left, right, .. } => vec![left, right],
            ExprKind::Matches { subject, .. } | ExprKind::Test { subject, .. } => vec![subject],
            ExprKind::Arithmetic { first, rest } => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, term)| term)).collect()
            }
            ExprKind::Range { from, to } => vec![from, to],
            ExprKind::Quantifier { over, body, .. } => vec![over, body],
        }
    }
}

#[derive(Clone, Debug)]
pub struct Link {
    pub kind: LinkKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum LinkKind {
    Field(Arc<str>),
    Index(Expr),
}

/// Text and interpolations in turn.
#[derive(Clone, Debug)]
pub struct Text {
    pub parts: Vec<TextPart>,
    /// It is written where a URL is wanted: its values must not change each other's place in it.
    pub url: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TextPart {
    Text(Arc<str>),
    Hole(Expr),
}

/// Which fields of a probe's result are looked at. Calls that are written alike share it, so that what several expects
/// want to know at one moment stays one request.
#[derive(Clone, Debug, Default)]
pub struct Wants(Arc<Mutex<Wanted>>);

#[derive(Debug, Default)]
struct Wanted {
    calls: u32,
    /// Of how many of the calls it is known which fields are looked at.
    narrowed: u32,
    fields: BTreeSet<Arc<str>>,
}

impl Wants {
    /// One more call that is written like this.
    pub(super) fn call(&self) {
        self.inner().calls += 1;
    }

    /// One of the calls is asked for no other fields than these.
    pub(super) fn narrow(&self, fields: impl IntoIterator<Item = Arc<str>>) {
        let mut wanted = self.inner();
        wanted.narrowed += 1;
        wanted.fields.extend(fields);
    }

    /// `None`: all may be.
    pub fn fields(&self) -> Option<Arc<[Arc<str>]>> {
        let wanted = self.inner();
        (wanted.calls > 0 && wanted.calls == wanted.narrowed).then(|| wanted.fields.iter().cloned().collect())
    }

    fn inner(&self) -> MutexGuard<'_, Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a native, with its arguments in the order of its declaration; `None` where the default holds.
#[derive(Clone, Debug)]
pub struct Call {
    pub native: Arc<Native>,
    pub args: Vec<Option<Arg>>,
    pub wants: Wants,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Arg {
    Value(Expr),
    /// For a parameter of type `shell`.
    Shell(ShellText),
}

/// A shell command whose interpolated values can never become source: each reaches the shell as an environment
/// variable to which the text refers.
#[derive(Clone, Debug)]
pub struct ShellText {
    pub parts: Vec<ShellPart>,
    /// What reads it.
    pub shell: Shell,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ShellPart {
    Source(Arc<str>),
    Hole { value: Expr, place: ShellPlace, takes: ShellTakes },
}

/// How the shell reads the place where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellPlace {
    Bare,
    DoubleQuoted,
    SingleQuoted,
}

/// What may stand at a position of a shell command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellTakes {
    /// Any one text.
    Word,
    /// A list, too, as several words.
    Words,
    /// A number: some shells compute what stands here.
    Number,
}

/// The key of a fact, as a probe reads and an action changes it: `file("secrets/*")`.
#[derive(Clone, Debug)]
pub struct Key {
    pub kind: Arc<str>,
    /// Each a string; may hold `*` where it stands for many.
    pub args: Vec<Expr>,
    pub span: Span,
}

/// What the stdlib declares.
#[derive(Debug, Default)]
pub struct Library {
    /// By full name: `http.get`, `file`, `number`.
    pub natives: IndexMap<Arc<str>, Arc<Native>>,
    /// What a native that looks means after `run`, where it is declared as an action, too: `docker.exec`.
    pub acting: IndexMap<Arc<str>, Arc<Native>>,
    /// By full name: `http.response`.
    pub records: IndexMap<Arc<str>, Arc<RecordType>>,
    pub keys: IndexMap<Arc<str>, Arc<KeyKind>>,
    pub modules: IndexMap<Arc<str>, Arc<Module>>,
    /// SHA-256 of all its texts, hexadecimal.
    pub hash: Arc<str>,
}

impl Library {
    /// The natives by which the language means this.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Arc<Native>> {
        self.natives.values().filter(move |native| native.role == Some(role))
    }
}

/// A module of the stdlib, for `runbook doc`.
#[derive(Debug)]
pub struct Module {
    pub name: Arc<str>,
    pub doc: Option<Arc<str>>,
    /// Full names, in the order of the file.
    pub members: Vec<Arc<str>>,
}

#[derive(Debug)]
pub struct Native {
    /// Full: `http.get`.
    pub name: Arc<str>,
    pub effect: Effect,
    pub params: Vec<NativeParam>,
    pub returns: Type,
    /// The result as a whole may be absent.
    pub returns_optional: bool,
    pub reads: Vec<KeyPattern>,
    pub changes: NativeChanges,
    /// What the language itself means by it.
    pub role: Option<Role>,
    pub doc: Option<Arc<str>>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Function,
    Probe,
    Vouched,
    Action,
}

#[derive(Debug)]
pub struct NativeParam {
    pub name: Arc<str>,
    pub ty: Type,
    /// `?`: may be left out, and is then absent.
    pub optional: bool,
    pub role: Option<ParamRole>,
    pub default: Option<Value>,
    pub doc: Option<Arc<str>>,
}

/// What the language itself gives to a native, or asks of it: in each of them the parameter of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamRole {
    /// `dir`: what `in` says.
    Directory,
    /// `env`
    Environment,
    /// `stdin`
    Input,
    /// `timeout`: how long it may take.
    Limit,
    /// `regex`: a regular expression; checked where it is written out.
    Regex,
    /// `accept`: what of it is no failure.
    Accept,
    /// `shell`: what reads a command. Known when it is checked.
    Shell,
    /// `accept_pipe_failures`: a command may fail in a pipeline, but for the last. Known when it is checked.
    AcceptPipeFailures,
}

impl ParamRole {
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "dir" => Some(Self::Directory),
            "env" => Some(Self::Environment),
            "stdin" => Some(Self::Input),
            "timeout" => Some(Self::Limit),
            "regex" => Some(Self::Regex),
            "accept" => Some(Self::Accept),
            "shell" => Some(Self::Shell),
            "accept_pipe_failures" => Some(Self::AcceptPipeFailures),
            _ => None,
        }
    }
}

/// A key in terms of a native's parameters: `file(path)`.
#[derive(Debug)]
pub struct KeyPattern {
    pub kind: Arc<str>,
    pub args: Vec<KeyArg>,
}

#[derive(Debug)]
pub enum KeyArg {
    /// By its place among the native's parameters.
    Param(usize),
    /// Written out: `container("*")`.
    Text(Arc<str>),
}

#[derive(Debug)]
pub enum NativeChanges {
    Nothing,
    Everything,
    Keys(Vec<KeyPattern>),
}

#[derive(Debug)]
pub struct RecordType {
    pub name: Arc<str>,
    pub fields: IndexMap<Arc<str>, FieldType>,
    pub doc: Option<Arc<str>>,
}

#[derive(Debug)]
pub struct FieldType {
    pub ty: Type,
    pub optional: bool,
    pub kind: Option<FieldKind>,
    pub doc: Option<Arc<str>>,
}

#[derive(Debug)]
pub struct KeyKind {
    pub name: Arc<str>,
    pub params: Vec<(Arc<str>, Type)>,
    pub doc: Option<Arc<str>>,
}

/// What the command line says of a runbook's params.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--set k=v`, in order; the folder that relative paths in them start from is where it was typed.
    pub set: Vec<(String, String)>,
    /// `--params FILE.toml`, read.
    pub params: Option<(String, toml::Table)>,
    pub profile: Option<String>,
    /// The values that params had in the run that is gone on with: they win over all that is set.
    pub recorded: Vec<(String, Value, String)>,
    /// A param without a value is an error: the runbook is to be run, not just checked.
    pub values_required: bool,
    pub typed_in: std::path::PathBuf,
}

impl Native {
    /// The parameter that the language itself gives or reads.
    pub fn param(&self, role: ParamRole) -> Option<&NativeParam> {
        self.params.iter().find(|param| param.role == Some(role))
    }

    /// How long it may take when nothing else is said: the default of its parameter `timeout`.
    pub fn default_timeout(&self) -> Option<SignedDuration> {
        self.params.iter().find(|param| &*param.name == "timeout").and_then(|param| match param.default {
            Some(Value::Duration(duration)) => Some(duration),
            _ => None,
        })
    }
}
