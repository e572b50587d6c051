//! Statements and blocks.

use pest::iterators::Pair;

use crate::diagnostic::Span;
use crate::syntax::grammar::Rule;
use crate::syntax::tree::{
    Binding, Block, Confirm, Expect, Expr, ExprKind, For, If, Name, Otherwise, Run, RunModifier, RunModifierKind,
    RunTarget, Stmt, StmtKind,
};

use super::Lowering;

impl Lowering<'_> {
    pub(super) fn block(&mut self, pair: Pair<'_, Rule>) -> Block {
        let span = self.span(&pair);
        let mut stmts = Vec::new();
        for pair in pair.into_inner() {
            match pair.as_rule() {
                Rule::open_brace | Rule::close_brace => {}
                Rule::bad_line => {
                    let span = self.span(&pair);
                    self.bad(&pair, Rule::one_stmt);
                    stmts.push(Stmt { kind: StmtKind::Bad, span });
                }
                _ => stmts.push(self.stmt(pair)),
            }
        }
        Block { stmts, span }
    }

    fn stmt(&mut self, pair: Pair<'_, Rule>) -> Stmt {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::run => StmtKind::Run { bind: None, run: self.run(pair) },
            Rule::ensure => StmtKind::Ensure(self.run(pair)),
            Rule::let_stmt => self.let_stmt(pair, span),
            Rule::secret_stmt => StmtKind::Secret(self.binding(pair)),
            Rule::show => {
                let exprs: Vec<_> = pair.into_inner().filter(|pair| pair.as_rule() == Rule::expr).collect();
                StmtKind::Show(exprs.into_iter().map(|pair| self.expr(pair)).collect())
            }
            Rule::expect => StmtKind::Expect(Box::new(self.expect(pair))),
            Rule::for_stmt => StmtKind::For(Box::new(self.for_stmt(pair, span))),
            Rule::if_stmt => self.if_stmt(pair),
            Rule::on_failure => StmtKind::OnFailure(self.only_block(pair)),
            Rule::finally => StmtKind::Finally(self.only_block(pair)),
            Rule::rollback => {
                let within = pair.clone().into_inner().find(|part| part.as_rule() == Rule::within);
                let within = within.map(|within| {
                    let at = self.span(&within);
                    self.modifier(within, at)
                });
                StmtKind::Rollback { within, body: self.only_block(pair) }
            }
            Rule::rollback_stmt => StmtKind::RollBack,
            Rule::confirm => StmtKind::Confirm(Box::new(self.confirm(pair, span))),
            Rule::checklist => {
                let mut title = Self::no_string(span);
                let mut body = Block::default();
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::block => body = self.block(part),
                        _ => title = self.string(part),
                    }
                }
                StmtKind::Checklist { title, body }
            }
            Rule::stop_stmt => {
                let why = pair.into_inner().next();
                StmtKind::Stop(why.map(|pair| self.string(pair)))
            }
            Rule::retry => {
                let mut exprs = pair.into_inner().filter(|pair| pair.as_rule() == Rule::amount);
                let times = exprs.next();
                let after = exprs.next();
                StmtKind::Retry { times: self.expr_or_bad(times, span), after: after.map(|pair| self.expr(pair)) }
            }
            Rule::unbuilt_stmt => {
                if let Some(word) = pair.into_inner().next() {
                    let span = self.span(&word);
                    self.unbuilt(span, word.as_str());
                }
                StmtKind::Bad
            }
            _ => StmtKind::Bad,
        };
        Stmt { kind, span }
    }

    fn confirm(&mut self, pair: Pair<'_, Rule>, span: Span) -> Confirm {
        let none = || Self::no_string(span);
        let mut confirm = Confirm { text: none(), answer: None, matching: None, role: none() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::by => {
                    if let Some(role) = part.into_inner().next() {
                        confirm.role = self.string(role);
                    }
                }
                Rule::answer => {
                    let mut name = None;
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::name => name = Some(self.name(&part)),
                            Rule::type_expr => {
                                let ty = self.type_expr(part);
                                confirm.answer = name.take().map(|name| (name, ty));
                            }
                            Rule::matching => {
                                confirm.matching = part.into_inner().next().map(|pattern| self.string(pattern));
                            }
                            _ => {}
                        }
                    }
                }
                _ => confirm.text = self.string(part),
            }
        }
        confirm
    }

    fn only_block(&mut self, pair: Pair<'_, Rule>) -> Block {
        let block = pair.into_inner().find(|pair| pair.as_rule() == Rule::block);
        block.map(|pair| self.block(pair)).unwrap_or_default()
    }

    /// `name = value` behind a keyword.
    pub(super) fn binding(&mut self, pair: Pair<'_, Rule>) -> Binding {
        let span = self.span(&pair);
        let mut name = Name { text: "".into(), span };
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name | Rule::entry_name => name = self.name(&part),
                Rule::expr => value = Some(self.expr(part)),
                _ => {}
            }
        }
        Binding { name, value: value.unwrap_or(Expr { kind: ExprKind::Bad, span }), span }
    }

    fn let_stmt(&mut self, pair: Pair<'_, Rule>, span: Span) -> StmtKind {
        let mut name = None;
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::run => return StmtKind::Run { bind: name, run: self.run(part) },
                _ => {}
            }
        }
        let _ = span;
        StmtKind::Let(self.binding(pair))
    }

    fn run(&mut self, pair: Pair<'_, Rule>) -> Run {
        let span = self.span(&pair);
        let mut target = RunTarget::Call(Expr { kind: ExprKind::Bad, span });
        let mut modifiers = Vec::new();
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::run_modifier => modifiers.extend(self.run_modifier(part)),
                Rule::list => target = RunTarget::Program(self.wides(part), at),
                Rule::chain => {
                    let call = self.chain(part);
                    target = match call.kind {
                        // A chain that is a string alone is a command, however the grammar came to it.
                        ExprKind::String(text) => RunTarget::Shell(text),
                        ExprKind::List(items) => RunTarget::Program(items, at),
                        kind => RunTarget::Call(Expr { kind, span: call.span }),
                    };
                }
                _ => target = RunTarget::Shell(self.string(part)),
            }
        }
        Run { target, modifiers, span }
    }

    fn run_modifier(&mut self, pair: Pair<'_, Rule>) -> Option<RunModifier> {
        let mut parts = pair.into_inner();
        let word = parts.next()?;
        let kind = match word.as_str() {
            "in" => RunModifierKind::In,
            "env" => RunModifierKind::Env,
            "stdin" => RunModifierKind::Stdin,
            "timeout" => RunModifierKind::Timeout,
            "accept" => RunModifierKind::Accept,
            "shell" => RunModifierKind::Shell,
            "accept-pipe-failures" => {
                let keyword = self.span(&word);
                let value = Expr { kind: ExprKind::Bool(true), span: keyword };
                return Some(RunModifier { kind: RunModifierKind::AcceptPipeFailures, keyword, value });
            }
            _ => RunModifierKind::Changes,
        };
        let keyword = self.span(&word);
        let value = parts.next();
        Some(RunModifier { kind, keyword, value: self.expr_or_bad(value, keyword) })
    }

    fn expect(&mut self, pair: Pair<'_, Rule>) -> Expect {
        let span = self.span(&pair);
        let mut expect = Expect {
            label: None,
            subject: Expr { kind: ExprKind::Bad, span },
            within: None,
            hold: None,
            every: None,
            lasting: false,
            otherwise: None,
            fields: None,
            span,
        };
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::label => expect.label = part.into_inner().next().map(|name| self.name(&name)),
                Rule::expr => expect.subject = self.expr(part),
                Rule::within => expect.within = Some(self.modifier(part, at)),
                Rule::hold => expect.hold = Some(self.modifier(part, at)),
                Rule::every => expect.every = Some(self.modifier(part, at)),
                Rule::lasting => expect.lasting = true,
                Rule::otherwise => {
                    let mut otherwise = Otherwise { warn: false, message: Self::no_string(at), span: at };
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::warn => otherwise.warn = true,
                            _ => otherwise.message = self.string(part),
                        }
                    }
                    expect.otherwise = Some(otherwise);
                }
                Rule::fields => {
                    let mut fields = Vec::new();
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::expr => fields.push(self.expr(part)),
                            Rule::bad_line => self.bad(&part, Rule::one_field),
                            _ => {}
                        }
                    }
                    expect.fields = Some(fields);
                }
                _ => {}
            }
        }
        expect
    }

    pub(super) fn modifier(&mut self, pair: Pair<'_, Rule>, span: Span) -> Expr {
        let inner = pair.into_inner().next();
        self.expr_or_bad(inner, span)
    }

    fn for_stmt(&mut self, pair: Pair<'_, Rule>, span: Span) -> For {
        let mut each =
            For { names: Vec::new(), over: Expr { kind: ExprKind::Bad, span }, or_none: None, body: Block::default() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => each.names.push(self.name(&part)),
                Rule::expr => each.over = self.expr(part),
                Rule::or_none => each.or_none = Some(self.span(&part)),
                Rule::block => each.body = self.block(part),
                _ => {}
            }
        }
        each
    }

    fn if_stmt(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let mut branches = Vec::new();
        let mut otherwise = None;
        let mut condition = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => condition = Some(self.expr(part)),
                _ => {
                    let block = self.block(part);
                    match condition.take() {
                        Some(condition) => branches.push((condition, block)),
                        None => otherwise = Some(block),
                    }
                }
            }
        }
        StmtKind::If(If { branches, otherwise })
    }
}
