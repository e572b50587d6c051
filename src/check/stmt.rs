//! Statements and groups of expects, from the tree to the program.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, Name, StmtKind};
use crate::value::{Type, Value};

use super::absence::Decides;
use super::names::{Checker, Ctx};
use super::program::{Arg, Expr, ExprKind, For, If, Member as GroupMember, RunTarget, Stmt, Var};

/// The ids that were written in a step or definition, and where.
pub(super) type Ids = HashMap<Arc<str>, Span>;

impl Checker {
    /// Binds a name from here on; in a step's own body, later steps see it, too.
    pub(super) fn bind(&mut self, ctx: &mut Ctx, name: &Name, var: Var, outermost: bool) {
        if let Some((_, first)) = ctx.locals.iter().find(|(local, _)| *local == name.text) {
            let first = self.vars[first.0 as usize].name.span;
            self.duplicate("binding", &name.text, name.span, first);
        }
        ctx.locals.push((name.text.clone(), var));
        if let (true, Some(step)) = (outermost, ctx.step) {
            self.steps[step].bindings.insert(name.text.clone(), var);
        }
    }

    pub(super) fn stmts(&mut self, ctx: &mut Ctx, block: &tree::Block, ids: &mut Ids, outermost: bool) -> Vec<Stmt> {
        self.stmt_list(ctx, block.stmts.iter().collect(), ids, outermost)
    }

    pub(super) fn stmt_list(
        &mut self,
        ctx: &mut Ctx,
        stmts: Vec<&tree::Stmt>,
        ids: &mut Ids,
        outermost: bool,
    ) -> Vec<Stmt> {
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
                    self.asks_once(&body);
                    if let Some(span) = each.or_none {
                        let message = "a loop that does something may go over nothing, so this says nothing";
                        let help = "`or none` belongs to a loop of nothing but expects, and to `all(…)`";
                        self.error(Diagnostic::new(Code::Misplaced, span, message).label("take it out").help(help));
                    }
                    out.push(Stmt::For(For { vars, over, or_none: true, body, span: stmt.span }));
                }
                StmtKind::If(choice) => {
                    let branches = choice
                        .branches
                        .iter()
                        .map(|(condition, body)| {
                            let condition = self.condition(ctx, condition).expr;
                            self.negated_absence(&condition, Decides::Choice);
                            (condition, self.stmts(&mut ctx.clone(), body, ids, false))
                        })
                        .collect::<Vec<_>>();
                    let otherwise =
                        choice.otherwise.as_ref().map(|body| self.stmts(&mut ctx.clone(), body, ids, false));
                    self.covers_all(&branches, otherwise.is_some(), stmt.span);
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
                StmtKind::Ensure(run) => out.extend(self.ensure(ctx, run).map(Stmt::Run)),
                StmtKind::Let(binding) => {
                    let checked = self.expr(ctx, &binding.value);
                    let var = self.var(&binding.name, checked.expr.ty.clone(), checked.secret, Some("binding"));
                    self.info(var).optional = checked.optional;
                    self.bind(ctx, &binding.name, var, outermost);
                    let name = binding.name.text.clone();
                    out.push(Stmt::Let { name, var, value: checked.expr, span: stmt.span });
                }
                StmtKind::Secret(binding) => {
                    self.reads_secret = true;
                    let checked = self.expr(ctx, &binding.value);
                    self.reads_secret = false;
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
                StmtKind::Confirm(confirm) => {
                    if let Some(confirm) = self.confirm(ctx, confirm, stmt.span, outermost) {
                        out.push(Stmt::Confirm(confirm));
                    }
                }
                StmtKind::Checklist { title, body } => {
                    let list = self.checklist(ctx, title, body, stmt.span, ids, outermost);
                    out.extend(list.map(Stmt::Checklist));
                }
                StmtKind::RollBack => {
                    self.only_in_handler(ctx, stmt.span, "rollback");
                    out.push(Stmt::RollBack { span: stmt.span });
                }
                StmtKind::OnFailure(_) | StmtKind::Finally(_) | StmtKind::Rollback { .. } => {
                    let message =
                        "`on-failure`, `finally` and `rollback` blocks belong to a step: they stand at its end";
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
        if over.secret && matches!(over.expr.ty, Type::List(_) | Type::Any | Type::Json) {
            let message = "each item would be a part of an id, and a secret is shown nowhere";
            let help =
                "loop over names, and look the secret up: `for name, key in { first: key1, second: key2 } { … }`";
            self.error(Diagnostic::new(Code::SecretInId, over.expr.span, message).label("holds a secret").help(help));
        }
        let types = self.loop_types(&over, &each.names);
        let mut inner = ctx.clone();
        let mut vars = Vec::new();
        for (at, (name, ty)) in each.names.iter().zip(types).enumerate() {
            // A key that nobody reads still names the item in the ids of expects.
            let key = at == 0 && each.names.len() > 1;
            let var = self.var(name, ty, over.secret, (!key).then_some("name"));
            inner.locals.push((name.text.clone(), var));
            vars.push((name.text.clone(), var));
        }
        (vars, over.expr, inner)
    }

    pub(super) fn for_members(&mut self, ctx: &Ctx, each: &tree::For, span: Span, ids: &mut Ids) -> For<GroupMember> {
        let (vars, over, inner) = self.loop_head(ctx, each);
        let body = self.members(&inner, &each.body, ids);
        self.same_question(&vars, &body, &each.names);
        For { vars, over, or_none: each.or_none.is_some(), body, span }
    }

    /// What a check or a loop of expects is made of.
    pub(super) fn members(&mut self, ctx: &Ctx, block: &tree::Block, ids: &mut Ids) -> Vec<GroupMember> {
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
                            self.negated_absence(&condition, Decides::Choice);
                            (condition, self.members(&ctx, body, ids))
                        })
                        .collect::<Vec<_>>();
                    let otherwise = choice.otherwise.as_ref().map(|body| self.members(&ctx, body, ids));
                    self.covers_all(&branches, otherwise.is_some(), stmt.span);
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
                    self.info(var).optional = checked.optional;
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
}

/// Adds to the group at the end, or begins one.
fn grouped(out: &mut Vec<Stmt>, member: GroupMember) {
    match out.last_mut() {
        Some(Stmt::Group(members)) => members.push(member),
        _ => out.push(Stmt::Group(vec![member])),
    }
}

/// A loop of nothing but expects is part of a group.
pub(super) fn only_expects(block: &tree::Block) -> bool {
    !block.stmts.is_empty()
        && block.stmts.iter().all(|stmt| match &stmt.kind {
            StmtKind::Expect(_) | StmtKind::Bad => true,
            StmtKind::For(each) => only_expects(&each.body),
            _ => false,
        })
}
