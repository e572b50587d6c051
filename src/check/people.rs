//! What people are asked for: `confirm` and `checklist`, from the tree to the program.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, StmtKind};
use crate::value::Type;

use super::names::{Checker, Ctx};
use super::program::{Checklist, Confirm, Member, Stmt, TypedAnswer};
use super::stmt::{Ids, only_expects};

impl Checker {
    pub(super) fn confirm(
        &mut self,
        ctx: &mut Ctx,
        confirm: &tree::Confirm,
        span: Span,
        outermost: bool,
    ) -> Option<Confirm> {
        self.in_a_step(ctx, span, "confirm")?;
        let text = self.written(&confirm.text, "what is to be confirmed")?;
        let role = self.written(&confirm.role, "who may confirm it")?;
        let step = ctx.step.unwrap_or_default();
        if !self.confirms.insert((step, text.clone())) {
            let message = "this is to be confirmed a second time in this step";
            let help = "answers name what they confirm: say what is different about it";
            self.error(Diagnostic::new(Code::DoubledId, confirm.text.span, message).help(help));
        }
        let mut answer = None;
        if let Some((name, ty)) = &confirm.answer {
            let unit = ctx.unit;
            let ty = self.ty(ty, unit);
            if !(ty.is_textual()
                || matches!(ty, Type::Number | Type::Bool | Type::Duration | Type::Size | Type::Percent | Type::Time))
            {
                let message = format!("a person can't type {}", super::types::a(&ty));
                self.error(
                    Diagnostic::new(Code::TypeMismatch, name.span, message).help("ask for a string or a number"),
                );
            }
            let matching = confirm.matching.as_ref().and_then(|pattern| {
                let text = pattern.plain().unwrap_or_default();
                match regex::Regex::new(&format!("^(?:{text})$")) {
                    Ok(regex) => Some(regex),
                    Err(_) => {
                        let message = "the regular expression can't be read";
                        self.error(Diagnostic::new(Code::BadRegex, pattern.span, message));
                        None
                    }
                }
            });
            let var = self.var(name, ty.clone(), false, Some("binding"));
            self.bind(ctx, name, var, outermost);
            answer = Some(TypedAnswer { name: name.text.clone(), var, ty, matching });
        }
        Some(Confirm { text, role, answer, span })
    }

    pub(super) fn checklist(
        &mut self,
        ctx: &mut Ctx,
        title: &tree::StringLit,
        body: &tree::Block,
        span: Span,
        ids: &mut Ids,
        outermost: bool,
    ) -> Option<Checklist> {
        self.in_a_step(ctx, span, "checklist")?;
        let written = self.written(title, "what a checklist is for")?;
        if body.stmts.is_empty() {
            let help = "it holds what is to be seen (`expect`) and what only people know (`confirm`)";
            self.error(Diagnostic::new(Code::Misplaced, title.span, "nothing is on this checklist").help(help));
        }
        let (mut seen, mut confirmed) = (Vec::new(), Vec::new());
        // What the program sees comes first: what is typed into a confirm is not known to it yet.
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Expect(expect) => {
                    seen.extend(self.expect(ctx, expect, ids).map(|expect| Member::Expect(Box::new(expect))));
                }
                StmtKind::For(each) if only_expects(&each.body) => {
                    seen.push(Member::For(self.for_members(ctx, each, stmt.span, ids)));
                }
                StmtKind::Confirm(_) | StmtKind::Bad => {}
                _ => {
                    let word = self.sources.text(stmt.span).split_whitespace().next().unwrap_or_default().to_owned();
                    let span = Span { end: stmt.span.start + word.len() as u32, ..stmt.span };
                    let message =
                        format!("`{word}` can't stand on a checklist, which is only looked at and answered for");
                    let help = "it holds expects, loops of expects, and confirms; what is done stands before it";
                    self.error(Diagnostic::new(Code::Misplaced, span, message).label("not on a checklist").help(help));
                }
            }
        }
        for stmt in &body.stmts {
            if let StmtKind::Confirm(confirm) = &stmt.kind {
                confirmed.extend(self.confirm(ctx, confirm, stmt.span, outermost));
            }
        }
        Some(Checklist { title: written, seen, confirmed, span })
    }

    /// What stands in a loop would be asked again and again in the same words, and one answer would do for all.
    pub(super) fn asks_once(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Confirm(confirm) => self.asked_again(confirm),
                Stmt::Checklist(list) => list.confirmed.iter().for_each(|confirm| self.asked_again(confirm)),
                Stmt::If(choice) => {
                    let bodies = choice.branches.iter().map(|(_, body)| body).chain(&choice.otherwise);
                    bodies.for_each(|body| self.asks_once(body));
                }
                // What stands in a loop in it was told there.
                _ => {}
            }
        }
    }

    fn asked_again(&mut self, confirm: &Confirm) {
        let span = Span { end: confirm.span.start + 7, ..confirm.span };
        let message = "a `confirm` in a loop asks the same thing again and again";
        let help = "who answers has to know what for: write each out, or ask once behind the loop";
        self.error(Diagnostic::new(Code::Misplaced, span, message).label("in a loop").help(help));
    }

    fn in_a_step(&mut self, ctx: &Ctx, span: Span, word: &str) -> Option<()> {
        if ctx.step.is_none() {
            let span = Span { end: span.start + word.len() as u32, ..span };
            let message = format!("a `{word}` belongs to a step: who answers is told what for");
            self.error(Diagnostic::new(Code::Misplaced, span, message));
            return None;
        }
        Some(())
    }

    /// A text that nothing is put into: answers and reports name things by it.
    fn written(&mut self, literal: &tree::StringLit, what: &str) -> Option<Arc<str>> {
        match literal.plain() {
            Some(text) if !text.trim().is_empty() => Some(text),
            _ => {
                let message = format!("{what} is written out");
                self.error(Diagnostic::new(Code::BadParam, literal.span, message));
                None
            }
        }
    }
}
