//! Statements, expects, steps and definitions, from the tree to the program.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, ItemKind, Name, RunModifierKind, StmtKind};
use crate::value::{Type, Value};

use super::expr::Checked;
use super::library;
use super::names::{Callable, Checker, Ctx, Member, Signature};
use super::program::{
    Arg, Call, Definition, Effect, Expect, ExpectKind, Expr, ExprKind, FieldExpect, For, Global, GlobalKind, Handler,
    If, Link, LinkKind, Member as GroupMember, Otherwise, Run, RunTarget, Step, Stmt, Stop, Var, Wants,
};

/// What a header says.
pub(super) struct Head {
    pub title: Arc<str>,
    pub owner: Option<Arc<str>>,
    pub timeout: Option<std::time::Duration>,
}

/// The ids that were written in a step or definition, and where.
type Ids = HashMap<Arc<str>, Span>;

impl Checker {
    pub fn header(&mut self, header: &tree::Header, span: Span) -> Head {
        let mut head = Head { title: "".into(), owner: None, timeout: None };
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
                ("lock" | "on-stop", _) => {
                    let message = format!("`{}` can't be carried out by this version of runbook", entry.name.text);
                    self.error(
                        Diagnostic::new(Code::NotBuiltYet, entry.name.span, message)
                            .label("refused, rather than read over")
                            .help("nothing is run while it stands here"),
                    );
                }
                (name, _) => {
                    let known = ["language", "owner", "timeout"];
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
    pub fn globals(&mut self) {
        for unit in 0..self.units.len() {
            let items = std::mem::take(&mut self.units[unit].tree.items);
            let ctx = Ctx { unit, ..Ctx::default() };
            for item in &items {
                let (ItemKind::Let(binding) | ItemKind::Secret(binding)) = &item.kind else { continue };
                let secret = matches!(item.kind, ItemKind::Secret(_));
                let checked = self.expr(&ctx, &binding.value);
                let Some(Member::Global(var)) = self.units[unit].members.get(&binding.name.text).cloned() else {
                    continue;
                };
                let kind = if secret {
                    GlobalKind::Secret(self.secret_source(checked))
                } else {
                    let info = self.info(var);
                    info.ty = checked.expr.ty.clone();
                    info.secret = checked.secret;
                    info.bound = true;
                    GlobalKind::Let(checked.expr)
                };
                self.program_globals.push(Global { name: binding.name.text.clone(), var, kind, span: item.span });
            }
            self.units[unit].tree.items = items;
        }
    }

    /// What a secret is read from: a text; or something that has one, less the line break at its end.
    fn secret_source(&mut self, checked: Checked) -> Expr {
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
        if let ExprKind::Call(call) = &mut expr.kind {
            call.wants.narrow(["text".into()]);
        }
        let links = vec![Link { kind: LinkKind::Field("text".into()), span }];
        let text = Expr { kind: ExprKind::Chain { base: Box::new(expr), links }, ty: Type::String, span };
        match self.library.natives.get("without_last_newline") {
            Some(native) => {
                let call =
                    Call { native: native.clone(), args: vec![Some(Arg::Value(text))], wants: Wants::default(), span };
                Expr { kind: ExprKind::Call(call), ty: Type::String, span }
            }
            None => text,
        }
    }

    /// Every check and action of every file.
    pub fn definitions(&mut self) -> (Vec<Definition<GroupMember>>, Vec<Definition<Stmt>>) {
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

    pub fn stops(&mut self, main: usize) -> Vec<Stop> {
        let items = std::mem::take(&mut self.units[main].tree.items);
        let ctx = Ctx { unit: main, ..Ctx::default() };
        let mut stops = Vec::new();
        for item in &items {
            let ItemKind::Stop(stop) = &item.kind else { continue };
            let reason = self.shown_text(&ctx, &stop.reason);
            let when = self.condition(&ctx, &stop.when);
            if !when.probes {
                let message = "this condition can't change while the run goes on";
                let help = "ask something of the world: a probe, such as `http.get(…)` or `file(…)`";
                self.error(Diagnostic::new(Code::WithinWithoutProbe, when.expr.span, message).help(help));
            }
            let hold = stop.hold.as_ref().map(|hold| self.typed(&ctx, hold, &Type::Duration).expr);
            let every = stop.every.as_ref().map(|every| self.typed(&ctx, every, &Type::Duration).expr);
            let since = stop.since.as_ref().and_then(|name| self.step_named(name));
            let except = stop.except.iter().filter_map(|name| self.step_named(name)).collect();
            stops.push(Stop { reason, when: when.expr, hold, every, since, except, span: item.span });
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

    pub fn steps(&mut self, main: usize) -> Vec<Step> {
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

    fn step(&mut self, main: usize, index: usize, step: &tree::Step, span: Span) -> Step {
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
        let mut ids = Ids::new();
        let mut own: Vec<&tree::Stmt> = Vec::new();
        let mut handler: Option<(&tree::Block, Span)> = None;
        let mut finally: Option<(&tree::Block, Span)> = None;
        for stmt in &step.body.stmts {
            let (slot, block, word) = match &stmt.kind {
                StmtKind::OnFailure(block) => (&mut handler, block, "on-failure"),
                StmtKind::Finally(block) => (&mut finally, block, "finally"),
                _ => {
                    if let Some((_, first)) = handler.or(finally) {
                        let message = "`on-failure` and `finally` stand at the end of a step";
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
        Step {
            name: step.name.text.clone(),
            title,
            if_needed: step.if_needed.is_some(),
            idempotent: step.idempotent.is_some(),
            when,
            body,
            on_failure,
            finally,
            span,
        }
    }

    /// Binds a name from here on; in a step's own body, later steps see it, too.
    fn bind(&mut self, ctx: &mut Ctx, name: &Name, var: Var, outermost: bool) {
        if let Some((_, first)) = ctx.locals.iter().find(|(local, _)| *local == name.text) {
            let first = self.vars[first.0 as usize].name.span;
            self.duplicate("binding", &name.text, name.span, first);
        }
        ctx.locals.push((name.text.clone(), var));
        if let (true, Some(step)) = (outermost, ctx.step) {
            self.steps[step].bindings.insert(name.text.clone(), var);
        }
    }

    fn stmts(&mut self, ctx: &mut Ctx, block: &tree::Block, ids: &mut Ids, outermost: bool) -> Vec<Stmt> {
        self.stmt_list(ctx, block.stmts.iter().collect(), ids, outermost)
    }

    fn stmt_list(&mut self, ctx: &mut Ctx, stmts: Vec<&tree::Stmt>, ids: &mut Ids, outermost: bool) -> Vec<Stmt> {
        let mut out: Vec<Stmt> = Vec::new();
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Expect(expect) => {
                    let Some(expect) = self.expect(ctx, expect, ids) else { continue };
                    grouped(&mut out, GroupMember::Expect(Box::new(expect)));
                }
                StmtKind::For(each) if only_expects(&each.body) => {
                    let each = self.for_members(ctx, each, stmt.span, ids);
                    grouped(&mut out, GroupMember::For(each));
                }
                StmtKind::For(each) => {
                    let (vars, over, mut inner) = self.loop_head(ctx, each);
                    let body = self.stmts(&mut inner, &each.body, ids, false);
                    out.push(Stmt::For(For { vars, over, body, span: stmt.span }));
                }
                StmtKind::If(choice) => {
                    let branches = choice
                        .branches
                        .iter()
                        .map(|(condition, body)| {
                            let condition = self.condition(ctx, condition).expr;
                            (condition, self.stmts(&mut ctx.clone(), body, ids, false))
                        })
                        .collect();
                    let otherwise =
                        choice.otherwise.as_ref().map(|body| self.stmts(&mut ctx.clone(), body, ids, false));
                    out.push(Stmt::If(If { branches, otherwise, span: stmt.span }));
                }
                StmtKind::Run { bind, run } => {
                    let Some(mut lowered) = self.run(ctx, run) else { continue };
                    if let Some(name) = bind {
                        let ty = match &lowered.target {
                            RunTarget::Native(call) => call.native.returns.clone(),
                            RunTarget::Defined { .. } => {
                                let message = "an `action` of the language answers nothing that could be bound";
                                self.error(Diagnostic::new(Code::CheckAsValue, name.span, message));
                                Type::Any
                            }
                        };
                        let var = self.var(name, ty, false, Some("binding"));
                        self.info(var).run = Some(lowered.span);
                        self.bind(ctx, name, var, outermost);
                        lowered.bind = Some((name.text.clone(), var));
                    }
                    out.push(Stmt::Run(lowered));
                }
                StmtKind::Let(binding) => {
                    let checked = self.expr(ctx, &binding.value);
                    let var = self.var(&binding.name, checked.expr.ty.clone(), checked.secret, Some("binding"));
                    self.bind(ctx, &binding.name, var, outermost);
                    let name = binding.name.text.clone();
                    out.push(Stmt::Let { name, var, value: checked.expr, span: stmt.span });
                }
                StmtKind::Secret(binding) => {
                    let checked = self.expr(ctx, &binding.value);
                    let captured = self.captured_from(&checked.expr);
                    let value = self.secret_source(checked);
                    self.sensitive.extend(captured);
                    let var = self.var(&binding.name, Type::String, true, Some("secret"));
                    self.bind(ctx, &binding.name, var, outermost);
                    out.push(Stmt::Secret { name: binding.name.text.clone(), var, value, span: stmt.span });
                }
                StmtKind::Show(values) => {
                    let values = values
                        .iter()
                        .map(|value| {
                            let checked = self.expr(ctx, value);
                            if checked.secret {
                                self.secret_shown(value.span);
                            }
                            checked.expr
                        })
                        .collect();
                    out.push(Stmt::Show { values, span: stmt.span });
                }
                StmtKind::Stop(why) => {
                    self.only_in_handler(ctx, stmt.span, "stop");
                    let why = why.as_ref().map(|why| self.shown_text(ctx, why));
                    out.push(Stmt::Stop { why, span: stmt.span });
                }
                StmtKind::Retry { times, after } => {
                    self.only_in_handler(ctx, stmt.span, "retry");
                    let times = self.typed(ctx, times, &Type::Number).expr;
                    if let ExprKind::Literal(Value::Number(number)) = &times.kind
                        && number.as_i64().is_none_or(|times| times < 1)
                    {
                        let message = "a step is retried at least once";
                        self.error(
                            Diagnostic::new(Code::ImpossibleTiming, times.span, message)
                                .label("a whole number from 1 on"),
                        );
                    }
                    let after = after.as_ref().map(|after| self.typed(ctx, after, &Type::Duration).expr);
                    out.push(Stmt::Retry { times, after, span: stmt.span });
                }
                StmtKind::OnFailure(_) | StmtKind::Finally(_) => {
                    let message = "`on-failure` and `finally` belong to a step: they stand at its end";
                    self.error(Diagnostic::new(
                        Code::Misplaced,
                        Span { end: stmt.span.start + 7, ..stmt.span },
                        message,
                    ));
                }
                StmtKind::Bad => {}
            }
        }
        // Whether a secret is captured from a result is only known behind it.
        for stmt in &mut out {
            if let Stmt::Run(run) = stmt {
                run.sensitive |= self.sensitive.contains(&run.span);
            }
        }
        out
    }

    fn only_in_handler(&mut self, ctx: &Ctx, span: Span, word: &str) {
        if !ctx.handler {
            let message = format!("`{word}` says what to do about a failure");
            let help = "it stands in `on-failure { … }`, at the end of a step";
            let span = Span { end: span.start + word.len() as u32, ..span };
            self.error(Diagnostic::new(Code::Misplaced, span, message).label("not in a handler").help(help));
        }
    }

    /// The runs whose results an expression reads.
    fn captured_from(&self, expr: &Expr) -> Vec<Span> {
        match &expr.kind {
            ExprKind::Var(_, var) => self.vars[var.0 as usize].run.into_iter().collect(),
            ExprKind::Chain { base, .. } => self.captured_from(base),
            ExprKind::Call(call) => call
                .args
                .iter()
                .flatten()
                .flat_map(|arg| match arg {
                    Arg::Value(expr) => self.captured_from(expr),
                    Arg::Shell(_) => Vec::new(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    #[allow(clippy::type_complexity)]
    fn loop_head(&mut self, ctx: &Ctx, each: &tree::For) -> (Vec<(Arc<str>, Var)>, Expr, Ctx) {
        let over = self.expr(ctx, &each.over);
        let types = self.loop_types(&over, &each.names);
        let mut inner = ctx.clone();
        let mut vars = Vec::new();
        for (name, ty) in each.names.iter().zip(types) {
            let var = self.var(name, ty, over.secret, Some("name"));
            inner.locals.push((name.text.clone(), var));
            vars.push((name.text.clone(), var));
        }
        (vars, over.expr, inner)
    }

    fn for_members(&mut self, ctx: &Ctx, each: &tree::For, span: Span, ids: &mut Ids) -> For<GroupMember> {
        let (vars, over, inner) = self.loop_head(ctx, each);
        let body = self.members(&inner, &each.body, ids);
        For { vars, over, body, span }
    }

    /// What a check or a loop of expects is made of.
    fn members(&mut self, ctx: &Ctx, block: &tree::Block, ids: &mut Ids) -> Vec<GroupMember> {
        let mut ctx = ctx.clone();
        let mut out = Vec::new();
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Expect(expect) => {
                    out.extend(self.expect(&ctx, expect, ids).map(|expect| GroupMember::Expect(Box::new(expect))))
                }
                StmtKind::For(each) => out.push(GroupMember::For(self.for_members(&ctx, each, stmt.span, ids))),
                StmtKind::If(choice) => {
                    let branches = choice
                        .branches
                        .iter()
                        .map(|(condition, body)| {
                            let condition = self.condition(&ctx, condition).expr;
                            (condition, self.members(&ctx, body, ids))
                        })
                        .collect();
                    let otherwise = choice.otherwise.as_ref().map(|body| self.members(&ctx, body, ids));
                    out.push(GroupMember::If(If { branches, otherwise, span: stmt.span }));
                }
                StmtKind::Let(binding) => {
                    let checked = self.expr(&ctx, &binding.value);
                    if checked.probes {
                        let message =
                            "a `let` in a check is evaluated once, so what it asks would never be asked again";
                        let help = "ask it in the expect itself";
                        self.error(Diagnostic::new(Code::WithinWithoutProbe, checked.expr.span, message).help(help));
                    }
                    let var = self.var(&binding.name, checked.expr.ty.clone(), checked.secret, Some("binding"));
                    self.bind(&mut ctx, &binding.name, var, false);
                    let name = binding.name.text.clone();
                    out.push(GroupMember::Let { name, var, value: checked.expr, span: stmt.span });
                }
                StmtKind::Bad => {}
                _ => {
                    let word = self.sources.text(stmt.span).split_whitespace().next().unwrap_or_default().to_owned();
                    let span = Span { end: stmt.span.start + word.len() as u32, ..stmt.span };
                    let message = format!("`{word}` can't stand in a check, which only looks");
                    let help = "a check holds expects, loops, conditions and bindings; an `action` does things";
                    self.error(Diagnostic::new(Code::Misplaced, span, message).label("not in a check").help(help));
                }
            }
        }
        out
    }

    fn run(&mut self, ctx: &Ctx, run: &tree::Run) -> Option<Run> {
        let (native, args, name_span, mut secret_args) = match &run.target {
            tree::RunTarget::Shell(literal) => {
                let native = self.library.natives.get("shell.run")?.clone();
                let (text, _) = self.shell(ctx, literal);
                let mut args: Vec<Option<Arg>> = native.params.iter().map(|_| None).collect();
                args[0] = Some(Arg::Shell(text));
                (native, args, literal.span, false)
            }
            tree::RunTarget::Program(items, span) => {
                let native = self.library.natives.get("shell.exec")?.clone();
                (native, self.argv(ctx, items, *span), *span, false)
            }
            tree::RunTarget::Call(call) => match self.run_call(ctx, call, run)? {
                Target::Native(call, name, secret) => (call.native.clone(), call.args, name, secret),
                Target::Defined(target) => {
                    if let Some(modifier) = run.modifiers.first() {
                        let message = "an action of the language takes no modifiers";
                        let help = "write them where its commands are";
                        self.error(Diagnostic::new(Code::UnknownArgument, modifier.keyword, message).help(help));
                    }
                    return Some(Run { bind: None, target, changes: None, sensitive: false, span: run.span });
                }
            },
        };
        let mut args = args;
        let mut changes = None;
        for modifier in &run.modifiers {
            let param = match modifier.kind {
                RunModifierKind::In => "dir",
                RunModifierKind::Env => "env",
                RunModifierKind::Stdin => "stdin",
                RunModifierKind::Timeout => "timeout",
                RunModifierKind::Changes => {
                    let keys = match &modifier.value.kind {
                        tree::ExprKind::List(items) => items.iter().filter_map(|item| self.key(ctx, item)).collect(),
                        _ => self.key(ctx, &modifier.value).into_iter().collect(),
                    };
                    changes = Some(keys);
                    continue;
                }
            };
            let Some(place) = native.params.iter().position(|known| &*known.name == param) else {
                let word = self.sources.text(modifier.keyword).to_owned();
                let message = format!("`{}` takes no `{word}`", native.name);
                self.error(
                    Diagnostic::new(Code::UnknownArgument, modifier.keyword, message).label("not for this action"),
                );
                self.expr(ctx, &modifier.value);
                continue;
            };
            let ty = native.params[place].ty.clone();
            let value = self.typed(ctx, &modifier.value, &ty);
            secret_args |= value.secret;
            if args[place].replace(Arg::Value(value.expr)).is_some() {
                let word = self.sources.text(modifier.keyword).to_owned();
                self.error(Diagnostic::new(
                    Code::UnknownArgument,
                    modifier.keyword,
                    format!("`{word}` is given twice"),
                ));
            }
        }
        let _ = (name_span, secret_args);
        let call = Call { native, args, wants: Wants::default(), span: run.span };
        Some(Run { bind: None, target: RunTarget::Native(call), changes, sensitive: false, span: run.span })
    }

    fn argv(&mut self, ctx: &Ctx, items: &[tree::Expr], span: Span) -> Vec<Option<Arg>> {
        let mut argv = Vec::with_capacity(items.len());
        for item in items {
            let value = self.expr(ctx, item);
            if value.secret {
                self.secret_in_command(value.expr.span, "an argument list");
            }
            if matches!(value.expr.ty, Type::List(_) | Type::Map(_) | Type::Record(_)) {
                let message = "an argument is one text";
                let help =
                    "to run several, put lists together: `run \"…\" ` with a bare list, or `[…] + list` bound by `let`";
                self.error(Diagnostic::new(Code::NotText, value.expr.span, message).help(help));
            }
            argv.push(value.expr);
        }
        if argv.is_empty() {
            let message = "an empty list names no program";
            self.error(Diagnostic::new(Code::MissingArgument, span, message).help("the first item is the program"));
        }
        let list = Expr { kind: ExprKind::List(argv), ty: Type::list(Type::String), span };
        let count = self.library.natives.get("shell.exec").map_or(1, |native| native.params.len());
        let mut args: Vec<Option<Arg>> = (0..count).map(|_| None).collect();
        args[0] = Some(Arg::Value(list));
        args
    }

    /// What `run name(…)` means.
    fn run_call(&mut self, ctx: &Ctx, call: &tree::Expr, run: &tree::Run) -> Option<Target> {
        let wrong = |message: String| {
            Diagnostic::new(Code::ProbeAsAction, call.span, message)
                .label("not an action")
                .help("after `run` stands a command in quotes, a list, or the call of an action")
        };
        let tree::ExprKind::Chain { base, links } = &call.kind else {
            if let tree::ExprKind::Name(name) = &call.kind {
                let message = format!("`{}` can't be run", name.text);
                let text = format!("write `run \"{}\"` for a command, `run {}(…)` for an action", name.text, name.text);
                self.error(Diagnostic::new(Code::ShellLiteral, name.span, message).label("a bare name").help(text));
            } else if !matches!(call.kind, tree::ExprKind::Bad) {
                self.error(wrong("this can't be run".to_owned()));
            }
            return None;
        };
        let (name, fields, args) = match (&base.kind, links.as_slice()) {
            (tree::ExprKind::Name(name), [tree::Link { kind: tree::LinkKind::Call(args), .. }]) => (name, None, args),
            (
                tree::ExprKind::Name(name),
                [
                    tree::Link { kind: tree::LinkKind::Field(field), .. },
                    tree::Link { kind: tree::LinkKind::Call(args), .. },
                ],
            ) => (name, Some(field), args),
            _ => {
                // Names in it are checked all the same.
                self.expr(ctx, call);
                self.error(wrong("this can't be run".to_owned()));
                return None;
            }
        };
        let member = match fields {
            None => self.callable(ctx, &name.text),
            Some(field) => {
                let unit = self.module(ctx.unit, &name.text);
                unit.and_then(|unit| self.units[unit].members.get(&field.text).cloned())
            }
        };
        let name_span = fields.map_or(name.span, |field| name.span.to(field.span));
        let words = self.sources.text(name_span).to_owned();
        match member {
            Some(Member::Native(native)) => {
                if native.effect != Effect::Action {
                    let message = format!("`{words}` only looks, so there is nothing to run");
                    self.error(
                        Diagnostic::new(Code::ProbeAsAction, name_span, message).label("not an action").help(format!(
                            "bind what it answers, `let x = {words}(…)`, or ask it: `expect {words}(…)`"
                        )),
                    );
                }
                let (call, secret, _) = self.call(ctx, &native, args, run.span, name_span);
                Some(Target::Native(call, name_span, secret))
            }
            Some(Member::Action(at)) => {
                if let Some(inside) = ctx.inside {
                    self.calls.push((inside, Callable::Action(at), name_span));
                }
                let args = self.defined_args(ctx, Callable::Action(at), args, name_span);
                Some(Target::Defined(RunTarget::Defined { action: at, args, name: words.into() }))
            }
            Some(Member::Check(_)) => {
                let message = format!("the check `{words}` is asked, not run");
                self.error(
                    Diagnostic::new(Code::ProbeAsAction, name_span, message).help(format!("write `expect {words}(…)`")),
                );
                None
            }
            _ => {
                // Says what is unknown.
                self.expr(ctx, call);
                None
            }
        }
    }

    /// The arguments of a check or action, in the order of its parameters.
    fn defined_args(&mut self, ctx: &Ctx, callee: Callable, args: &[tree::Argument], span: Span) -> Vec<Expr> {
        let signature = match callee {
            Callable::Check(at) => self.checks[at].clone(),
            Callable::Action(at) => self.actions[at].clone(),
        };
        let mut placed: Vec<Option<Expr>> = signature.params.iter().map(|_| None).collect();
        for (at, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                Some(named) => signature.params.iter().position(|(param, ..)| param.text == named.text),
                None => (at < signature.params.len()).then_some(at),
            };
            let Some(place) = place else {
                let names: Vec<&str> = signature.params.iter().map(|(name, ..)| &*name.text).collect();
                let (span, what) = match &arg.name {
                    Some(named) => (named.span, format!("`{}` takes no `{}`", signature.name, named.text)),
                    None => (arg.value.span, format!("`{}` takes {} arguments", signature.name, names.len())),
                };
                let help = format!("it takes {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
                self.error(Diagnostic::new(Code::UnknownArgument, span, what).label("unknown").help(help));
                continue;
            };
            let ty = signature.params[place].2.clone();
            let value = self.typed(ctx, &arg.value, &ty);
            if value.secret {
                let var = signature.params[place].1;
                if !self.vars[var.0 as usize].secret {
                    let message = format!("a secret can't be given to `{}`", signature.name);
                    let help = "checks and actions of the language take no secrets; name the `secret` in them, or write it out here";
                    self.error(
                        Diagnostic::new(Code::SecretInText, arg.value.span, message).label("a secret").help(help),
                    );
                }
            }
            placed[place] = Some(value.expr);
        }
        let owner = Ctx { unit: signature.unit, ..Ctx::default() };
        placed
            .into_iter()
            .zip(&signature.params)
            .map(|(arg, (name, _, ty, default))| match (arg, default) {
                (Some(arg), _) => arg,
                (None, Some(default)) => self.typed(&owner, default, ty).expr,
                (None, None) => {
                    let message = format!("`{}` needs `{}`, {}", signature.name, name.text, super::types::a(ty));
                    self.error(Diagnostic::new(Code::MissingArgument, span, message).label("an argument is missing"));
                    Checked::bad(span).expr
                }
            })
            .collect()
    }

    fn expect(&mut self, ctx: &Ctx, expect: &tree::Expect, ids: &mut Ids) -> Option<Expect> {
        let within = expect.within.as_ref().map(|within| self.typed(ctx, within, &Type::Duration).expr);
        let hold = expect.hold.as_ref().map(|hold| self.typed(ctx, hold, &Type::Duration).expr);
        let every = expect.every.as_ref().map(|every| self.typed(ctx, every, &Type::Duration).expr);
        self.timing(within.as_ref(), hold.as_ref(), every.as_ref());
        let otherwise = expect
            .otherwise
            .as_ref()
            .map(|otherwise| Otherwise { warn: otherwise.warn, message: self.shown_text(ctx, &otherwise.message) });
        let text: Arc<str> = self.expect_text(expect).into();
        let (kind, probes) = self.expect_kind(ctx, expect, &text)?;
        let asks_again = expect.within.as_ref().or(expect.hold.as_ref()).or(expect.every.as_ref());
        if let (Some(modifier), false) = (asks_again, probes) {
            let message = "asked again, this would come to the same: nothing in it asks the world";
            let help = "a binding is evaluated once, where it stands: put the probe into the expect itself";
            self.error(
                Diagnostic::new(Code::WithinWithoutProbe, expect.subject.span, message)
                    .label("no probe in here")
                    .also(modifier.span, "asked again")
                    .help(help),
            );
        }
        let id: Arc<str> = match &expect.label {
            Some(label) => {
                if let Some(first) = ids.insert(label.text.clone(), label.span) {
                    let message = format!("a second expect of this step is named `{}`", label.text);
                    self.error(
                        Diagnostic::new(Code::DoubledId, label.span, message)
                            .label("again here")
                            .also(first, "first here")
                            .help("an expect's name is its id in reports and waivers: give it another"),
                    );
                }
                label.text.clone()
            }
            None => library::hex(&Sha256::digest(text.as_bytes()))[..6].into(),
        };
        Some(Expect {
            id,
            named: expect.label.is_some(),
            text,
            kind,
            within,
            hold,
            every,
            otherwise,
            span: expect.span,
        })
    }

    fn expect_text(&self, expect: &tree::Expect) -> String {
        self.sources.text(expect.subject.span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn expect_kind(&mut self, ctx: &Ctx, expect: &tree::Expect, text: &Arc<str>) -> Option<(ExpectKind, bool)> {
        if let Some((callee, args, span)) = self.check_call(ctx, &expect.subject) {
            if expect.fields.is_some() {
                let message = "a check has no fields to ask for";
                self.error(
                    Diagnostic::new(Code::CheckAsValue, span, message).help("write its expects in the check itself"),
                );
            }
            if let Some(inside) = ctx.inside {
                self.calls.push((inside, Callable::Check(callee), span));
            }
            let args = self.defined_args(ctx, Callable::Check(callee), &args, span);
            let name: Arc<str> = self.sources.text(span).into();
            return Some((ExpectKind::Check { check: callee, args, name }, true));
        }
        let Some(fields) = &expect.fields else {
            if matches!(expect.subject.kind, tree::ExprKind::Bad) {
                return None;
            }
            let condition = self.condition(ctx, &expect.subject);
            return Some((ExpectKind::Condition(condition.expr), condition.probes));
        };
        let mut subject = self.expr(ctx, &expect.subject);
        if !matches!(expect.subject.kind, tree::ExprKind::Chain { .. } | tree::ExprKind::Name(_) | tree::ExprKind::Bad)
        {
            let message = "the subject of a block is a name or a call with its fields";
            let help = "a comparison needs no block; bind what is computed with `let`";
            self.error(Diagnostic::new(Code::Misplaced, expect.subject.span, message).help(help));
        }
        let name = Name { text: "".into(), span: expect.subject.span };
        let var = self.var(&name, subject.expr.ty.clone(), subject.secret, None);
        let mut inner = ctx.clone();
        inner.subject = Some((var, subject.expr.ty.clone()));
        let mut wanted: Vec<Arc<str>> = Vec::new();
        let mut lowered = Vec::new();
        for field in fields {
            let condition = self.condition(&inner, field);
            match subject_path(field) {
                Some((id, first)) => {
                    if !wanted.contains(&first) {
                        wanted.push(first);
                    }
                    // Told with what it is about: `.status == 200` alone says little.
                    let line = self.sources.text(field.span).split_whitespace().collect::<Vec<_>>().join(" ");
                    let text = if line.starts_with('.') { format!("{text}{line}").into() } else { line.into() };
                    lowered.push(FieldExpect { id, text, condition: condition.expr, span: field.span });
                }
                None if matches!(field.kind, tree::ExprKind::Bad) => {}
                None => {
                    let message = "a line of an expect's block starts with `.field`";
                    let help = "what is not about the subject stands in an expect of its own";
                    self.error(
                        Diagnostic::new(Code::Misplaced, field.span, message).label("not about the subject").help(help),
                    );
                }
            }
        }
        if fields.is_empty() {
            let message = "this block asks nothing";
            let help = "name what is expected: `.status == 200`; or that it is there: `expect … is present`";
            self.error(Diagnostic::new(Code::Misplaced, expect.subject.span, message).help(help));
        }
        if let ExprKind::Call(call) = &mut subject.expr.kind
            && matches!(call.native.returns, Type::Record(_))
        {
            call.wants.narrow(wanted);
        }
        Some((ExpectKind::Block { subject: subject.expr, var, fields: lowered }, subject.probes))
    }

    /// The check that an expect asks, with its arguments and the place of its name.
    fn check_call(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Option<(usize, Vec<tree::Argument>, Span)> {
        let tree::ExprKind::Chain { base, links } = &expr.kind else { return None };
        let tree::ExprKind::Name(name) = &base.kind else { return None };
        let (member, args, span) = match links.as_slice() {
            [tree::Link { kind: tree::LinkKind::Call(args), .. }] => (self.callable(ctx, &name.text), args, name.span),
            [
                tree::Link { kind: tree::LinkKind::Field(field), .. },
                tree::Link { kind: tree::LinkKind::Call(args), .. },
            ] => {
                if self.binding(ctx, &name.text).is_some() {
                    return None;
                }
                let unit = self.module(ctx.unit, &name.text)?;
                (self.units[unit].members.get(&field.text).cloned(), args, name.span.to(field.span))
            }
            _ => return None,
        };
        match member {
            Some(Member::Check(at)) => Some((at, args.clone(), span)),
            _ => None,
        }
    }

    fn timing(&mut self, within: Option<&Expr>, hold: Option<&Expr>, every: Option<&Expr>) {
        let known = |expr: Option<&Expr>| match expr.map(|expr| (&expr.kind, expr.span)) {
            Some((ExprKind::Literal(Value::Duration(duration)), span)) => Some((*duration, span)),
            _ => None,
        };
        if let (Some((within, at)), Some((hold, span))) = (known(within), known(hold))
            && hold >= within
        {
            let message = "this can never be met: it has to hold for as long as there is time, or longer";
            let help = "`within` is the whole time; give it more than `for`";
            self.error(
                Diagnostic::new(Code::ImpossibleTiming, span, message)
                    .label("for so long")
                    .also(at, "within this time")
                    .help(help),
            );
        }
        for (duration, span) in [known(within), known(every)].into_iter().flatten() {
            if duration.is_zero() {
                let message = "no time at all is no time to ask in";
                self.error(Diagnostic::new(Code::ImpossibleTiming, span, message).label("more than 0 is needed"));
            }
        }
    }
}

enum Target {
    Native(Call, Span, bool),
    Defined(RunTarget),
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

/// Adds to the group at the end, or begins one.
fn grouped(out: &mut Vec<Stmt>, member: GroupMember) {
    match out.last_mut() {
        Some(Stmt::Group(members)) => members.push(member),
        _ => out.push(Stmt::Group(vec![member])),
    }
}

/// A loop of nothing but expects is part of a group.
fn only_expects(block: &tree::Block) -> bool {
    !block.stmts.is_empty()
        && block.stmts.iter().all(|stmt| match &stmt.kind {
            StmtKind::Expect(_) | StmtKind::Bad => true,
            StmtKind::For(each) => only_expects(&each.body),
            _ => false,
        })
}

/// What a line of a block asks of the subject: its id, `json.status`, and the first field.
fn subject_path(expr: &tree::Expr) -> Option<(Arc<str>, Arc<str>)> {
    match &expr.kind {
        tree::ExprKind::Chain { base, links } if matches!(base.kind, tree::ExprKind::Subject) => {
            let mut id = Vec::new();
            for link in links {
                match &link.kind {
                    tree::LinkKind::Field(name) => id.push(name.text.to_string()),
                    tree::LinkKind::Index(tree::Expr { kind: tree::ExprKind::String(text), .. }) => {
                        id.push(text.plain()?.to_string());
                    }
                    tree::LinkKind::Index(tree::Expr { kind: tree::ExprKind::Number(number), .. }) => {
                        id.push(number.to_string());
                    }
                    _ => {}
                }
            }
            let first = id.first()?.as_str().into();
            Some((id.join(".").into(), first))
        }
        tree::ExprKind::Compare { left, .. } => subject_path(left),
        tree::ExprKind::Test { subject, .. } => subject_path(subject),
        tree::ExprKind::Logic { terms, .. } => subject_path(terms.first()?),
        tree::ExprKind::Arithmetic { first, .. } => subject_path(first),
        tree::ExprKind::Not(inner) | tree::ExprKind::Paren(inner) | tree::ExprKind::Negative(inner) => {
            subject_path(inner)
        }
        _ => None,
    }
}
