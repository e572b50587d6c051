//! The tree: what was written, with its spans and comments, before anything is known of its meaning.
//!
//! Names are unresolved and types unchecked. No type of the parser library occurs here. Chains, sums and lists of
//! conditions are flat, so that a long one is not a deep one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{FileId, Span};
use crate::value::Number;

/// One file: a runbook if it has a header, a module if not.
#[derive(Clone, Debug)]
pub struct File {
    pub id: FileId,
    pub items: Vec<Item>,
    /// Every comment, in order; those that start with `##` and stand before something document it.
    pub comments: Vec<Comment>,
}

#[derive(Clone, Debug)]
pub struct Comment {
    pub span: Span,
    /// Starts with `##`.
    pub doc: bool,
}

/// A word that names something, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: Arc<str>,
    pub span: Span,
}

/// Something at the top level.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: ItemKind,
    /// From its first word to its last.
    pub span: Span,
    /// The `##` lines right above it, without the marks, joined by line breaks.
    pub doc: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub enum ItemKind {
    Header(Header),
    Use(Use),
    Param(Param),
    Secret(Binding),
    Let(Binding),
    Profile(Profile),
    Step(Step),
    Stop(StopBlock),
    /// What decides, after the last step.
    Verdict(Block),
    AcceptRisk(AcceptRisk),
    Check(Definition),
    Action(Definition),
    Native(Native),
    Record(RecordDecl),
    Key(KeyDecl),
    /// A text that could not be read; the parser has said why.
    Bad,
}

/// `runbook "title" { language = 1 … }`
#[derive(Clone, Debug)]
pub struct Header {
    pub title: StringLit,
    pub entries: Vec<Binding>,
}

/// `use "./lib/common.runbook" as common`
#[derive(Clone, Debug)]
pub struct Use {
    pub path: StringLit,
    pub name: Name,
}

/// `param base: url = "http://localhost"`, `param target: "compose" | "kubernetes"`
#[derive(Clone, Debug)]
pub struct Param {
    pub name: Name,
    pub ty: TypeExpr,
    /// The texts that it takes; none where it takes any value of its type.
    pub choices: Vec<StringLit>,
    pub default: Option<Expr>,
}

/// `name = value`: of a `let`, a `secret`, a header entry, a profile's line.
#[derive(Clone, Debug)]
pub struct Binding {
    pub name: Name,
    pub value: Expr,
    pub span: Span,
}

/// `profile production { base = "https://…" }`
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: Name,
    pub settings: Vec<Binding>,
}

/// `step deploy "Title" idempotent when cond { … }`
#[derive(Clone, Debug)]
pub struct Step {
    pub name: Name,
    pub title: Option<StringLit>,
    /// `if needed`: its actions are left out while all its expects hold already.
    pub if_needed: Option<Span>,
    pub idempotent: Option<Span>,
    /// `point-of-no-return`: rollback stops here.
    pub no_return: Option<Span>,
    pub when: Option<Expr>,
    pub body: Block,
}

/// `accept-risk "title" { covers = […] … }`
#[derive(Clone, Debug)]
pub struct AcceptRisk {
    pub title: StringLit,
    pub entries: Vec<Binding>,
}

/// `stop "why" { when … for 10s every 5s; since deploy; except during degraded }`, or `unless … for 5s`
#[derive(Clone, Debug)]
pub struct StopBlock {
    pub reason: StringLit,
    pub condition: Expr,
    /// `unless`: it trips when the condition has not been true.
    pub unless: Option<Span>,
    pub hold: Option<Expr>,
    pub every: Option<Expr>,
    pub since: Option<Name>,
    /// `except during a, b`
    pub except: Vec<Name>,
}

/// `check healthy(name: string) { … }`, `action reset(name: string) { … }`
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: Name,
    pub params: Vec<ParamDecl>,
    pub body: Block,
}

/// `name: type = default` of a definition or native.
#[derive(Clone, Debug)]
pub struct ParamDecl {
    pub name: Name,
    pub ty: TypeExpr,
    pub default: Option<Expr>,
    pub doc: Option<Arc<str>>,
}

/// `string`, `list(string)`, `http.response`, and `string?` for what may be left out or be absent.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// One name, or a module's and its record's.
    pub path: Vec<Name>,
    pub of: Option<Box<TypeExpr>>,
    pub optional: bool,
    pub span: Span,
}

/// `native probe get(url: url) -> response reads [url(url)]`; only in the stdlib.
#[derive(Clone, Debug)]
pub struct Native {
    pub effect: EffectWord,
    pub name: Name,
    pub params: Vec<ParamDecl>,
    pub returns: Option<TypeExpr>,
    /// The keys of the facts that it reads.
    pub reads: Vec<Expr>,
    pub changes: Option<Changes>,
    /// `as shell-command`
    pub role: Option<Role>,
}

/// What the language itself means by a native. So nothing depends on what a native is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `run "…"`: its first parameter is the command.
    ShellCommand,
    /// `run […]`: its first parameter is the program with its arguments.
    Program,
    /// A person types the answer. It stands only where a secret is read.
    Typed,
    /// Its first parameter names a variable of the environment. Where a secret is read from one, commands don't inherit it.
    Variable,
    /// What lies on this host: secrets are read from it before the run begins.
    Local,
    /// What of a result, or of a text, is meant where a secret is read from it.
    SecretText,
}

impl Role {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "shell-command" => Self::ShellCommand,
            "program" => Self::Program,
            "typed" => Self::Typed,
            "variable" => Self::Variable,
            "local" => Self::Local,
            "secret-text" => Self::SecretText,
            _ => return None,
        })
    }
}

/// What a `native` does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectWord {
    /// Computes from its arguments alone.
    Function,
    Probe,
    Vouched,
    Action,
}

/// What an action changes.
#[derive(Clone, Debug)]
pub enum Changes {
    Everything(Span),
    Keys(Vec<Expr>, Span),
}

/// `record response { … }`; only in the stdlib.
#[derive(Clone, Debug)]
pub struct RecordDecl {
    pub name: Name,
    pub fields: Vec<RecordField>,
}

#[derive(Clone, Debug)]
pub struct RecordField {
    pub name: Name,
    pub ty: TypeExpr,
    pub kind: Option<FieldKind>,
    pub doc: Option<Arc<str>>,
}

/// What kind of thing a field of a record holds, where that matters to how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Foreign text of any length, which says nothing of what the record is: shown only where it is asked for by name.
    Content,
    /// Nothing that a secret could be part of: shown also where a secret is captured from the record.
    Open,
}

/// `key file(path: path)`: a kind of fact that probes read and actions change; only in the stdlib.
#[derive(Clone, Debug)]
pub struct KeyDecl {
    pub name: Name,
    pub params: Vec<ParamDecl>,
}

/// Statements between braces.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    /// With its braces.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `run …`, or `let r = run …`.
    Run {
        bind: Option<Name>,
        run: Run,
    },
    Let(Binding),
    Secret(Binding),
    /// `show a, b`: evidence for the report.
    Show(Vec<Expr>),
    Expect(Box<Expect>),
    For(Box<For>),
    If(If),
    /// `ensure name(…)`: an action that proves something, done where that does not hold already.
    Ensure(Run),
    /// `stop "why"`, in a handler.
    Stop(Option<StringLit>),
    /// `retry 3 after 5s`, in a handler.
    Retry {
        times: Expr,
        after: Option<Expr>,
    },
    /// `confirm "text" by "role"`: what only a person knows.
    Confirm(Box<Confirm>),
    /// `checklist "title" { … }`: expects and confirms side by side.
    Checklist {
        title: StringLit,
        body: Block,
    },
    /// `rollback`, in a handler: the run is undone.
    RollBack,
    OnFailure(Block),
    Finally(Block),
    /// `rollback within 5m { … }`: how a step is undone, and how long that may take.
    Rollback {
        within: Option<Expr>,
        body: Block,
    },
    /// A text that could not be read; the parser has said why.
    Bad,
}

/// `confirm "Change ticket" as ticket: string matching "CHG-[0-9]+" by "operations"`
#[derive(Clone, Debug)]
pub struct Confirm {
    pub text: StringLit,
    pub answer: Option<(Name, TypeExpr)>,
    pub matching: Option<StringLit>,
    pub role: StringLit,
}

/// What follows `run`, and its modifiers.
#[derive(Clone, Debug)]
pub struct Run {
    pub target: RunTarget,
    pub modifiers: Vec<RunModifier>,
    /// From `run` to the last word.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum RunTarget {
    /// `run "…"`: a shell command.
    Shell(StringLit),
    /// `run ["program", "argument"]`: no shell.
    Program(Vec<Expr>, Span),
    /// `run module.action(…)`: an [`ExprKind::Chain`] that ends in a call.
    Call(Expr),
}

#[derive(Clone, Debug)]
pub struct RunModifier {
    pub kind: RunModifierKind,
    pub keyword: Span,
    pub value: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunModifierKind {
    In,
    Env,
    Stdin,
    Timeout,
    /// The exit codes that are no failure.
    Accept,
    /// What reads the command.
    Shell,
    /// A flag: a command may fail in a pipeline, but for the last.
    AcceptPipeFailures,
    /// Its value is a list of keys.
    Changes,
}

/// `expect [name:] subject [within …] [for …] [every …] [else …] [{ .field … }]`
#[derive(Clone, Debug)]
pub struct Expect {
    pub label: Option<Name>,
    pub subject: Expr,
    pub within: Option<Expr>,
    pub hold: Option<Expr>,
    pub every: Option<Expr>,
    /// A resumed run asks it again, whatever was done since.
    pub lasting: bool,
    pub otherwise: Option<Otherwise>,
    /// The lines of the block form; each holds an [`ExprKind::Subject`] at its start.
    pub fields: Option<Vec<Expr>>,
    /// From `expect` to the last word or brace.
    pub span: Span,
}

/// `else "message"`, or `else warn "message"`, which does not block.
#[derive(Clone, Debug)]
pub struct Otherwise {
    pub warn: bool,
    pub message: StringLit,
    pub span: Span,
}

/// `for name in list { … }`, `for key, value in map { … }`
#[derive(Clone, Debug)]
pub struct For {
    pub names: Vec<Name>,
    pub over: Expr,
    /// `or none`: a list that is empty is fine.
    pub or_none: Option<Span>,
    pub body: Block,
}

#[derive(Clone, Debug)]
pub struct If {
    /// `if` and each `else if`.
    pub branches: Vec<(Expr, Block)>,
    pub otherwise: Option<Block>,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Null,
    Bool(bool),
    Number(Number),
    Duration(SignedDuration),
    Size(i64),
    Percent(f64),
    Time(Timestamp),
    String(StringLit),
    List(Vec<Expr>),
    Map(Vec<(StringLit, Expr)>),
    Name(Name),
    /// What the block form of an expect is about: the nothing before `.field`.
    Subject,
    /// A base with its `.field`s, `[index]`es and `(calls)`.
    Chain {
        base: Box<Expr>,
        links: Vec<Link>,
    },
    Paren(Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    /// `a and b and c`; never mixed.
    Logic {
        op: LogicOp,
        terms: Vec<Expr>,
    },
    /// `a == b`; comparisons are not chained.
    Compare {
        op: CompareOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `a is not empty`
    Test {
        subject: Box<Expr>,
        test: Test,
        negated: bool,
        test_span: Span,
    },
    /// `a + b - c`, `a * b / c`: from the left, operators of one rank.
    Arithmetic {
        first: Box<Expr>,
        rest: Vec<(ArithmeticOp, Span, Expr)>,
    },
    /// `a ?? b ?? c`: the first that is not absent.
    OrDefault(Vec<Expr>),
    /// `1..5`: whole numbers, both ends included.
    Range {
        from: Box<Expr>,
        to: Box<Expr>,
    },
    /// `all(c in xs, c.state == "running")`, `any(k, v in map, …)`
    Quantifier {
        kind: Quantifier,
        kind_span: Span,
        names: Vec<Name>,
        over: Box<Expr>,
        body: Box<Expr>,
        /// `or none`: an empty list is fine.
        or_none: bool,
    },
    /// A text that could not be read; the parser has said why.
    Bad,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub kind: LinkKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum LinkKind {
    Field(Name),
    Index(Expr),
    Call(Vec<Argument>),
}

/// `value` or `name: value`
#[derive(Clone, Debug)]
pub struct Argument {
    pub name: Option<Name>,
    pub value: Expr,
}

/// A string as it was written: text and interpolations in turn.
#[derive(Clone, Debug)]
pub struct StringLit {
    pub parts: Vec<StringPart>,
    /// With its quotes.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StringPart {
    /// Text after its escapes are read, and where it stands in the source.
    Text(Arc<str>, Span),
    /// `#{…}`
    Hole(Expr),
}

impl StringLit {
    /// Its text, if nothing is interpolated.
    pub fn plain(&self) -> Option<Arc<str>> {
        match self.parts.as_slice() {
            [] => Some("".into()),
            [StringPart::Text(text, _)] => Some(text.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicOp {
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Contains,
    NotContains,
    Matches,
    NotMatches,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Absent,
    Present,
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    All,
    Any,
    None,
    Count,
    /// Those items that meet the condition.
    Where,
    /// What is made of each item.
    Map,
}
