//! What stands at the top level: the header, bindings, definitions, stop blocks, steps; from the tree to the program.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, ItemKind, Name, StmtKind};
use crate::value::Type;

use super::absence::Decides;
use super::expr::Checked;
use super::names::{Callable, Checker, Ctx, Member, Signature};
use super::program::{
    Arg, Call, Definition, Expr, ExprKind, Global, GlobalKind, Handler, Link, LinkKind, Member as GroupMember, OnStop,
    Proof, Role, Rollback, RunTarget, Shell, Step, Stmt, Stop, StopKind, Wants,
};
use super::stmt::Ids;

/// How far off the end of an accepted risk may be, unless the header allows more.
const LONGEST_RISK: jiff::SignedDuration = jiff::SignedDuration::from_hours(180 * 24);

/// What a header says.
pub(super) struct Head {
    pub title: Arc<str>,
    pub owner: Option<Arc<str>>,
    pub timeout: Option<std::time::Duration>,
    pub lock: Option<Arc<str>>,
    pub shell: Shell,
    pub on_stop: OnStop,
    pub proof: Proof,
    /// How far off the end of an accepted risk may be.
    pub longest_risk: jiff::SignedDuration,
}

/// The shell that a header names.
pub(super) fn shell(header: &tree::Header) -> Option<Shell> {
    let entry = header.entries.iter().find(|entry| &*entry.name.text == "shell")?;
    match &entry.value.kind {
        tree::ExprKind::String(text) => Shell::named(&text.plain()?),
        _ => None,
    }
}

impl Checker {
    pub(super) fn header(&mut self, header: &tree::Header, span: Span) -> Head {
        let mut head = Head {
            title: "".into(),
            owner: None,
            timeout: None,
            lock: None,
            shell: Shell::default(),
            on_stop: OnStop::default(),
            proof: Proof::default(),
            longest_risk: LONGEST_RISK,
        };
        match header.title.plain() {
            Some(title) if !title.trim().is_empty() => head.title = title,
            _ => self.error(
                Diagnostic::new(Code::BadParam, header.title.span, "a runbook's title is written out")
                    .help("say in a few words what it does"),
            ),
        }
        let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
        for entry in &header.entries {
            if let Some(first) = seen.insert(entry.name.text.clone(), entry.name.span) {
                self.duplicate("entry", &entry.name.text, entry.name.span, first);
            }
            let wrong = |what: &str| {
                Diagnostic::new(Code::TypeMismatch, entry.value.span, format!("`{}` is {what}", entry.name.text))
            };
            match (&*entry.name.text, &entry.value.kind) {
                ("language", tree::ExprKind::Number(number)) if number.as_i64() == Some(1) => {}
                ("language", _) => self.error(
                    Diagnostic::new(
                        Code::LanguageVersion,
                        entry.value.span,
                        "this program knows version 1 of the language",
                    )
                    .label("another version")
                    .help("use a newer runbook, or write `language = 1`"),
                ),
                ("owner", tree::ExprKind::String(text)) => head.owner = text.plain(),
                ("owner", _) => self.error(wrong("a text: who answers for this runbook")),
                ("timeout", tree::ExprKind::Duration(duration)) => {
                    head.timeout = std::time::Duration::try_from(*duration).ok();
                }
                ("timeout", _) => self.error(wrong("a duration, such as `30m`")),
                ("lock", tree::ExprKind::String(text)) => match text.plain() {
                    Some(name) if !name.trim().is_empty() => head.lock = Some(name),
                    _ => self.error(wrong("the name of a lock, written out")),
                },
                ("lock", _) => self.error(wrong("a text: the name that no two runs have at once")),
                ("longest-risk", tree::ExprKind::Duration(duration)) => head.longest_risk = *duration,
                ("longest-risk", _) => self.error(wrong("a duration, such as `365d`")),
                ("on-stop", tree::ExprKind::Name(word)) if &*word.text == "rollback" => {
                    head.on_stop = OnStop::Rollback;
                }
                ("on-stop", tree::ExprKind::Name(word)) if &*word.text == "leave" => head.on_stop = OnStop::Leave,
                ("on-stop", _) => self.error(wrong("`rollback` or `leave`")),
                ("proof", tree::ExprKind::Name(word)) if &*word.text == "none" => head.proof = Proof::None,
                ("proof", _) => {
                    let help = "without the entry a GO needs an expect that was decided true";
                    self.error(wrong("`none`, or left out").help(help));
                }
                ("shell", _) if shell(header).is_some() => head.shell = shell(header).unwrap_or_default(),
                ("shell", _) => self.error(wrong("`\"sh\"` (`/bin/sh -eu`) or `\"bash\"` (`bash -euo pipefail`)")),
                (name, _) => {
                    let known = ["language", "owner", "timeout", "lock", "on-stop", "longest-risk", "proof", "shell"];
                    let help = match crate::diagnostic::did_you_mean(name, known) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("a header has {}", known.join(", ")),
                    };
                    let message = format!("a header has no entry `{name}`");
                    self.error(
                        Diagnostic::new(Code::UnknownName, entry.name.span, message).label("unknown").help(help),
                    );
                }
            }
        }
        let _ = span;
        head
    }

    /// The top level's `let`s and `secret`s, of all files, each in its order.
    pub(super) fn globals(&mut self) {
        for unit in 0..self.units.len() {
            let items = std::mem::take(&mut self.units[unit].tree.items);
            let ctx = Ctx { unit, ..Ctx::default() };
            for item in &items {
                let (ItemKind::Let(binding) | ItemKind::Secret(binding)) = &item.kind else { continue };
                let secret = matches!(item.kind, ItemKind::Secret(_));
                self.reads_secret = secret;
                let checked = self.expr(&ctx, &binding.value);
                self.reads_secret = false;
                let Some(Member::Global(var)) = self.units[unit].members.get(&binding.name.text).cloned() else {
                    continue;
                };
                if secret && !checked.probes && !matches!(binding.value.kind, tree::ExprKind::Bad) {
                    let message = "a secret that stands in the file is none";
                    let help = "read it from where it is kept: `env(\"NAME\")`, `file(\"path\")` or `sh(\"command\")`";
                    self.error(
                        Diagnostic::new(Code::Misplaced, binding.value.span, message)
                            .label("nothing is read here")
                            .help(help),
                    );
                }
                let kind = if secret {
                    GlobalKind::Secret(self.secret_source(checked))
                } else {
                    let info = self.info(var);
                    info.ty = checked.expr.ty.clone();
                    info.secret = checked.secret;
                    info.optional = checked.optional;
                    info.bound = true;
                    GlobalKind::Let(checked.expr)
                };
                self.program_globals.push(Global { name: binding.name.text.clone(), var, kind, span: item.span });
            }
            self.units[unit].tree.items = items;
        }
    }

    /// What a secret is read from: a text; or something that has one, less the line break at its end.
    pub(super) fn secret_source(&mut self, checked: Checked) -> Expr {
        let span = checked.expr.span;
        let has_text = match &checked.expr.ty {
            Type::Record(record) => {
                self.library.records.get(record).is_some_and(|record| record.fields.contains_key("text"))
            }
            ty => {
                if !(ty.is_textual() || matches!(ty, Type::Json | Type::Any | Type::Number)) {
                    let message = format!("a secret is a text, and this is {}", super::types::a(ty));
                    self.error(Diagnostic::new(Code::TypeMismatch, span, message));
                }
                return checked.expr;
            }
        };
        if !has_text {
            let message = "a secret is a text, and this record has none";
            self.error(Diagnostic::new(Code::TypeMismatch, span, message).help("name one of its fields"));
            return checked.expr;
        }
        let mut expr = checked.expr;
        let takes = |ty: &Type| {
            let mut natives = self.library.of_role(Role::SecretText);
            natives.find(|native| native.params.first().is_some_and(|param| param.ty == *ty)).cloned()
        };
        // What a command that failed has printed is no secret, but why it failed.
        if let Some(native) = takes(&expr.ty) {
            let call = Call { native, args: vec![Some(Arg::Value(expr))], wants: Wants::default(), span };
            return Expr { kind: ExprKind::Call(call), ty: Type::String, span };
        }
        if let ExprKind::Call(call) = &mut expr.kind {
            call.wants.narrow(["text".into()]);
        }
        let links = vec![Link { kind: LinkKind::Field("text".into()), span }];
        let text = Expr { kind: ExprKind::Chain { base: Box::new(expr), links }, ty: Type::String, span };
        match takes(&Type::String) {
            Some(native) => {
                let call = Call { native, args: vec![Some(Arg::Value(text))], wants: Wants::default(), span };
                Expr { kind: ExprKind::Call(call), ty: Type::String, span }
            }
            None => text,
        }
    }

    /// Every check and action of every file.
    pub(super) fn definitions(&mut self) -> (Vec<Definition<GroupMember>>, Vec<Definition<Stmt>>) {
        let checks = (0..self.checks.len())
            .map(|at| {
                let signature = self.checks[at].clone();
                let ctx = definition_ctx(&signature, Callable::Check(at));
                let mut ids = Ids::new();
                let body = self.members(&ctx, &signature.definition.body, &mut ids);
                if body.is_empty() && signature.definition.body.stmts.is_empty() {
                    let message = format!("the check `{}` asks nothing", signature.name);
                    self.error(
                        Diagnostic::new(Code::Misplaced, signature.definition.name.span, message)
                            .help("a check holds expects"),
                    );
                }
                definition(&signature, body)
            })
            .collect();
        let actions = (0..self.actions.len())
            .map(|at| {
                let signature = self.actions[at].clone();
                let mut ctx = definition_ctx(&signature, Callable::Action(at));
                let mut ids = Ids::new();
                let body = self.stmts(&mut ctx, &signature.definition.body, &mut ids, false);
                definition(&signature, body)
            })
            .collect();
        self.circles();
        (checks, actions)
    }

    /// A definition that comes back to itself would never end.
    fn circles(&mut self) {
        let calls = std::mem::take(&mut self.calls);
        for (caller, callee, span) in &calls {
            let mut open = vec![*callee];
            let mut seen = std::collections::HashSet::new();
            while let Some(here) = open.pop() {
                if here == *caller {
                    let message = format!("`{}` comes back to itself here", self.sources.text(*span));
                    self.error(
                        Diagnostic::new(Code::RecursiveDefinition, *span, message)
                            .label("this closes the circle")
                            .help("checks and actions end; use `within` to ask again, `for` to repeat"),
                    );
                    break;
                }
                if seen.insert(here) {
                    open.extend(calls.iter().filter(|(from, _, _)| *from == here).map(|(_, to, _)| *to));
                }
            }
        }
        self.calls = calls;
    }

    pub(super) fn stops(&mut self, main: usize) -> Vec<Stop> {
        let items = std::mem::take(&mut self.units[main].tree.items);
        let ctx = Ctx { unit: main, ..Ctx::default() };
        let mut stops = Vec::new();
        for item in &items {
            let ItemKind::Stop(stop) = &item.kind else { continue };
            let reason = self.shown_text(&ctx, &stop.reason);
            let condition = self.condition(&ctx, &stop.condition);
            if !condition.probes {
                let message = "this condition can't change while the run goes on";
                let help = "ask something of the world: a probe, such as `http.get(…)` or `file(…)`";
                self.error(Diagnostic::new(Code::WithinWithoutProbe, condition.expr.span, message).help(help));
            }
            let hold = stop.hold.as_ref().map(|hold| self.typed(&ctx, hold, &Type::Duration).expr);
            let every = stop.every.as_ref().map(|every| self.typed(&ctx, every, &Type::Duration).expr);
            let kind = match (stop.unless, hold) {
                (None, hold) => StopKind::When { hold },
                (Some(_), Some(hold)) => StopKind::Unless { hold },
                (Some(word), None) => {
                    let message = "`unless` needs a time: for how long the condition may be not true";
                    let help =
                        "write `unless … for 30s`: false, absent and unknown count alike; `for 0s` trips at once";
                    self.error(
                        Diagnostic::new(Code::UnlessWithoutTime, word, message).label("no `for` behind it").help(help),
                    );
                    continue;
                }
            };
            let since = stop.since.as_ref().and_then(|name| self.step_named(name));
            let except = stop.except.iter().filter_map(|name| self.step_named(name)).collect();
            let asked = Arc::new(self.asked_absence(&condition.expr));
            stops.push(Stop { reason, condition: condition.expr, asked, kind, every, since, except, span: item.span });
        }
        self.units[main].tree.items = items;
        stops
    }

    fn step_named(&mut self, name: &Name) -> Option<usize> {
        let found = self.step_index.get(&name.text).copied();
        if found.is_none() {
            let names: Vec<String> = self.steps.iter().map(|step| step.name.text.to_string()).collect();
            let help = match crate::diagnostic::did_you_mean(&name.text, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("steps are {}", names.join(", ")),
            };
            let message = format!("there is no step `{}`", name.text);
            self.error(Diagnostic::new(Code::UnknownStep, name.span, message).label("unknown").help(help));
        }
        found
    }

    pub(super) fn steps(&mut self, main: usize) -> Vec<Step> {
        let items = std::mem::take(&mut self.units[main].tree.items);
        let mut steps = Vec::new();
        for item in &items {
            let ItemKind::Step(step) = &item.kind else { continue };
            let index = steps.len();
            steps.push(self.step(main, index, step, item.span));
        }
        self.units[main].tree.items = items;
        steps
    }

    pub(super) fn step(&mut self, main: usize, index: usize, step: &tree::Step, span: Span) -> Step {
        let mut ctx = Ctx { unit: main, step: Some(index), ..Ctx::default() };
        let title = match &step.title {
            Some(title) => match title.plain() {
                Some(title) => title,
                None => {
                    let message = "a step's title is written out";
                    self.error(
                        Diagnostic::new(Code::BadParam, title.span, message).help("nothing is interpolated in titles"),
                    );
                    "".into()
                }
            },
            None => step.name.text.clone(),
        };
        let when = step.when.as_ref().map(|when| self.condition(&ctx, when).expr);
        if let Some(when) = &when {
            self.negated_absence(when, Decides::Choice);
        }
        let mut ids = Ids::new();
        let mut own: Vec<&tree::Stmt> = Vec::new();
        let mut handler: Option<(&tree::Block, Span)> = None;
        let mut finally: Option<(&tree::Block, Span)> = None;
        let mut rollback: Option<(&tree::Block, Span)> = None;
        let mut budget: Option<&tree::Expr> = None;
        for stmt in &step.body.stmts {
            let (slot, block, word) = match &stmt.kind {
                StmtKind::OnFailure(block) => (&mut handler, block, "on-failure"),
                StmtKind::Finally(block) => (&mut finally, block, "finally"),
                StmtKind::Rollback { within, body } => {
                    budget = within.as_ref();
                    (&mut rollback, body, "rollback")
                }
                _ => {
                    if let Some((_, first)) = handler.or(finally).or(rollback) {
                        let message = "`on-failure`, `finally` and `rollback` stand at the end of a step";
                        self.error(
                            Diagnostic::new(Code::Misplaced, stmt.span, message)
                                .label("this comes after it")
                                .also(Span { end: first.start + 7, ..first }, "here"),
                        );
                    }
                    own.push(stmt);
                    continue;
                }
            };
            if let Some((_, first)) = slot.replace((block, stmt.span)) {
                self.duplicate("block", word, stmt.span, first);
            }
        }
        let body = self.stmt_list(&mut ctx, own, &mut ids, true);
        let on_failure = handler.map(|(block, span)| {
            let mut inner = ctx.clone();
            inner.handler = true;
            let name = Name { text: "failures".into(), span };
            let failures = self.var(&name, Type::list(Type::Record("failure".into())), false, None);
            inner.locals.push((name.text, failures));
            let body = self.stmts(&mut inner, block, &mut ids, false);
            Handler { failures, body, span }
        });
        let finally = finally.map(|(block, _)| {
            let mut inner = ctx.clone();
            self.stmts(&mut inner, block, &mut ids, false)
        });
        let rollback = rollback.map(|(block, span)| {
            let mut inner = ctx.clone();
            if let Some(no_return) = step.no_return {
                let message = "there is no way back from this step, so its `rollback` would never run";
                let span = Span { end: span.start + 8, ..span };
                self.error(
                    Diagnostic::new(Code::Misplaced, span, message)
                        .also(no_return, "rollback stops here")
                        .help("take one of the two out"),
                );
            }
            let within = budget.map(|within| self.typed(&inner, within, &Type::Duration).expr);
            Rollback { within, body: self.stmts(&mut inner, block, &mut ids, false), span }
        });
        if let Some(span) = step.if_needed
            && !block_proves(&step.body)
        {
            let message = "`if needed` stands at a step without an expect";
            let help = "what the step proves shows whether it is needed: put an `expect` behind its actions";
            self.error(
                Diagnostic::new(Code::Misplaced, span, message)
                    .label("nothing would show that it is needed")
                    .help(help),
            );
        }
        self.written.insert(step.name.text.clone(), ids.into_keys().collect());
        Step {
            name: step.name.text.clone(),
            title,
            if_needed: step.if_needed.is_some(),
            idempotent: step.idempotent.is_some(),
            when,
            body,
            on_failure,
            finally,
            rollback,
            no_return: step.no_return.is_some(),
            span,
        }
    }

    /// Where a run that is to be undone can't be.
    pub(super) fn ways_back(&mut self, steps: &[Step], on_stop: OnStop, header: Span) {
        if on_stop == OnStop::Rollback && steps.iter().all(|step| step.rollback.is_none()) {
            let title = Span { end: header.start + 7, ..header };
            let message = "`on-stop = rollback`, and no step says how it is undone";
            self.error(
                Diagnostic::new(Code::NoWayBack, title, message)
                    .help("give the steps that change something a `rollback { … }` block"),
            );
        }
        let Some(at) = steps.iter().position(|step| step.no_return) else { return };
        let stuck: Vec<&str> = steps[at + 1..]
            .iter()
            .filter(|step| step.on_failure.is_none() && step.rollback.is_none() && acts(&step.body))
            .map(|step| &*step.name)
            .collect();
        if !stuck.is_empty() {
            let span = Span { end: steps[at].span.start + 4, ..steps[at].span };
            let message =
                format!("behind this point of no return, nothing says what to do if {} fails", stuck.join(" or "));
            self.error(
                Diagnostic::new(Code::NoWayBack, span, message)
                    .label("rollback stops here")
                    .help("give it an `on-failure` or a `rollback` block, or move it before this step"),
            );
        }
    }
}

/// Whether statements do something, so that they can leave something half done.
fn acts(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match stmt {
        Stmt::Run(run) => matches!(run.target, RunTarget::Native(_) | RunTarget::Defined { .. }),
        Stmt::For(each) => acts(&each.body),
        Stmt::If(choice) => {
            choice.branches.iter().map(|(_, body)| body).chain(&choice.otherwise).any(|body| acts(body))
        }
        _ => false,
    })
}

fn definition_ctx(signature: &Signature, inside: Callable) -> Ctx {
    Ctx {
        unit: signature.unit,
        locals: signature.params.iter().map(|(name, var, ..)| (name.text.clone(), *var)).collect(),
        inside: Some(inside),
        ..Ctx::default()
    }
}

fn definition<T>(signature: &Signature, body: Vec<T>) -> Definition<T> {
    let params = signature.params.iter().map(|(name, var, ty, _)| (name.text.clone(), *var, ty.clone())).collect();
    Definition { name: signature.name.clone(), params, body, span: signature.span }
}

/// Whether an expect stands in a step's own statements, wherever.
pub(super) fn block_proves(block: &tree::Block) -> bool {
    block.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Expect(_) | StmtKind::Ensure(_) | StmtKind::Bad => true,
        StmtKind::For(each) => block_proves(&each.body),
        StmtKind::Checklist { body, .. } => block_proves(body),
        StmtKind::If(choice) => choice.branches.iter().map(|(_, body)| body).chain(&choice.otherwise).any(block_proves),
        _ => false,
    })
}
