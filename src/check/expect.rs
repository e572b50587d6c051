//! Expects: conditions, blocks, checks, their ids and their times.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, Name};
use crate::value::{Type, Value};

use super::absence::Decides;
use super::library;
use super::names::{Callable, Checker, Ctx, Member};
use super::program::{Expect, ExpectKind, Expr, ExprKind, FieldExpect, Otherwise};
use super::stmt::Ids;

impl Checker {
    pub(super) fn expect(&mut self, ctx: &Ctx, expect: &tree::Expect, ids: &mut Ids) -> Option<Expect> {
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
            lasting: expect.lasting,
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
            self.negated_absence(&condition.expr, Decides::Proof);
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
            self.negated_absence(&condition.expr, Decides::Proof);
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
        tree::ExprKind::OrDefault(terms) => subject_path(terms.first()?),
        tree::ExprKind::Range { from, .. } => subject_path(from),
        tree::ExprKind::Not(inner) | tree::ExprKind::Paren(inner) | tree::ExprKind::Negative(inner) => {
            subject_path(inner)
        }
        _ => None,
    }
}
