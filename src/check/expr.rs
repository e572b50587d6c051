//! Expressions: names, types, effects and secrecy, from the tree to the program.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::literal;
use crate::syntax::tree::{self, Argument, CompareOp, LinkKind, Name, Quantifier, StringPart};
use crate::value::{Type, Value};

use super::names::{Checker, Ctx, Member};
use super::program::{
    Arg, Call, Effect, Expr, ExprKind, Key, Link, LinkKind as ProgramLink, Native, ShellPart, ShellText, Text,
    TextPart, Wants,
};
use super::shell_text::{self, PlacedPart};
use super::types;

/// A checked expression, with what its place must know of it.
#[derive(Clone)]
pub(super) struct Checked {
    pub expr: Expr,
    /// It is, or holds, a secret.
    pub secret: bool,
    /// Asking it again may give another answer.
    pub probes: bool,
}

impl Checked {
    fn new(kind: ExprKind, ty: Type, span: Span) -> Self {
        Self { expr: Expr { kind, ty, span }, secret: false, probes: false }
    }

    /// Stands for what could not be read, and silences all that follows from it.
    pub fn bad(span: Span) -> Self {
        Self::new(ExprKind::Literal(Value::Null), Type::Any, span)
    }

    fn of(mut self, parts: &[&Checked]) -> Self {
        self.secret |= parts.iter().any(|part| part.secret);
        self.probes |= parts.iter().any(|part| part.probes);
        self
    }
}

impl Checker {
    pub fn expr(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
        let span = expr.span;
        let literal = |value: Value, ty: Type| Checked::new(ExprKind::Literal(value), ty, span);
        match &expr.kind {
            tree::ExprKind::Null => literal(Value::Null, Type::Json),
            tree::ExprKind::Bool(value) => literal(Value::Bool(*value), Type::Bool),
            tree::ExprKind::Number(value) => literal(Value::Number(*value), Type::Number),
            tree::ExprKind::Duration(value) => literal(Value::Duration(*value), Type::Duration),
            tree::ExprKind::Size(value) => literal(Value::Size(*value), Type::Size),
            tree::ExprKind::Percent(value) => literal(Value::Percent(*value), Type::Percent),
            tree::ExprKind::Time(value) => literal(Value::Time(*value), Type::Time),
            tree::ExprKind::String(text) => self.string(ctx, text),
            tree::ExprKind::List(items) => {
                let items: Vec<Checked> = items.iter().map(|item| self.expr(ctx, item)).collect();
                let of = common(items.iter().map(|item| &item.expr.ty));
                let parts: Vec<&Checked> = items.iter().collect();
                let secret = Checked::bad(span).of(&parts);
                let kind = ExprKind::List(items.iter().map(|item| item.expr.clone()).collect());
                Checked { expr: Expr { kind, ty: Type::list(of), span }, ..secret }
            }
            tree::ExprKind::Map(entries) => {
                let mut lowered = Vec::new();
                let mut values = Vec::new();
                for (key, value) in entries {
                    let key = self.text(ctx, key);
                    let value = self.expr(ctx, value);
                    lowered.push((key.0, value.expr.clone()));
                    values.push(value);
                }
                let of = common(values.iter().map(|value| &value.expr.ty));
                let parts: Vec<&Checked> = values.iter().collect();
                Checked::new(ExprKind::Map(lowered), Type::map(of), span).of(&parts)
            }
            tree::ExprKind::Name(name) => self.chain(ctx, expr, &[], span, name),
            tree::ExprKind::Subject => self.subject(ctx, span),
            tree::ExprKind::Chain { base, links } => match &base.kind {
                tree::ExprKind::Name(name) => self.chain(ctx, base, links, span, name),
                tree::ExprKind::Subject => {
                    let base = self.subject(ctx, base.span);
                    self.links(ctx, base, links, span)
                }
                _ => {
                    let base = self.expr(ctx, base);
                    self.links(ctx, base, links, span)
                }
            },
            tree::ExprKind::Paren(inner) => self.expr(ctx, inner),
            tree::ExprKind::Not(inner) => {
                let inner = self.condition(ctx, inner);
                let parts = inner.clone();
                let checked = Checked::new(ExprKind::Not(Box::new(inner.expr)), Type::Bool, span).of(&[&parts]);
                Checked { secret: false, ..checked }
            }
            tree::ExprKind::Negative(inner) => {
                let inner = self.expr(ctx, inner);
                let ty = inner.expr.ty.clone();
                if !matches!(ty, Type::Any | Type::Json | Type::Number | Type::Duration | Type::Size | Type::Percent) {
                    let message = format!("{} has no negative", types::a(&ty));
                    self.error(Diagnostic::new(Code::BadOperand, inner.expr.span, message).label("can't be negated"));
                }
                let parts = inner.clone();
                Checked::new(ExprKind::Negative(Box::new(inner.expr)), ty, span).of(&[&parts])
            }
            tree::ExprKind::Logic { op, terms } => {
                let terms: Vec<Checked> = terms.iter().map(|term| self.condition(ctx, term)).collect();
                let probes = terms.iter().any(|term| term.probes);
                let terms = terms.into_iter().map(|term| term.expr).collect();
                Checked { probes, ..Checked::new(ExprKind::Logic { op: *op, terms }, Type::Bool, span) }
            }
            tree::ExprKind::Compare { op, op_span, left, right } => self.compare(ctx, *op, *op_span, left, right, span),
            tree::ExprKind::Test { subject, test, negated, test_span } => {
                let subject = self.expr(ctx, subject);
                let ty = &subject.expr.ty;
                if *test == tree::Test::Empty
                    && !(ty.is_textual() || matches!(ty, Type::Any | Type::Json | Type::List(_) | Type::Map(_)))
                {
                    let message = format!("{} can't be empty", types::a(ty));
                    let help = "texts, lists and maps can be empty; other things are present or absent";
                    self.error(Diagnostic::new(Code::BadOperand, *test_span, message).help(help));
                }
                let probes = subject.probes;
                let kind = ExprKind::Test { subject: Box::new(subject.expr), test: *test, negated: *negated };
                Checked { probes, ..Checked::new(kind, Type::Bool, span) }
            }
            tree::ExprKind::Arithmetic { first, rest } => self.arithmetic(ctx, first, rest, span),
            tree::ExprKind::Quantifier { kind, names, over, body, .. } => {
                self.quantifier(ctx, *kind, names, over, body, span)
            }
            tree::ExprKind::Bad => Checked::bad(span),
        }
    }

    /// What has to be true or false.
    pub fn condition(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
        let checked = self.expr(ctx, expr);
        if !matches!(checked.expr.ty, Type::Bool | Type::Json | Type::Any) {
            let message = format!("a condition is true or false, and this is {}", types::a(&checked.expr.ty));
            let help = "compare it: `… == value`, or ask `… is present`, `… is not empty`";
            self.error(
                Diagnostic::new(Code::TypeMismatch, checked.expr.span, message).label("not a condition").help(help),
            );
        }
        checked
    }

    /// What has to be of a type.
    pub fn typed(&mut self, ctx: &Ctx, expr: &tree::Expr, wanted: &Type) -> Checked {
        let checked = self.expr(ctx, expr);
        self.fits(&checked, wanted, None);
        checked
    }

    fn fits(&mut self, checked: &Checked, wanted: &Type, of: Option<&str>) {
        let found = &checked.expr.ty;
        if found.fits(wanted) {
            if let (Type::Url, ExprKind::Literal(Value::Text(text))) = (wanted, &checked.expr.kind)
                && !literal::is_url(text)
            {
                let message = format!("`{text}` is no URL: it has to start with http:// or https://");
                let help = format!("such as \"http://{}\"", text.trim_start_matches('/'));
                self.error(Diagnostic::new(Code::BadLiteral, checked.expr.span, message).label("not a URL").help(help));
            }
            return;
        }
        let of = of.map(|of| format!("`{of}` takes ")).unwrap_or_default();
        let message = match of.as_str() {
            "" => format!("{} is expected, and this is {}", types::a(wanted), types::a(found)),
            of => format!("{of}{}, and this is {}", types::a(wanted), types::a(found)),
        };
        let mut help = types::advice(CompareOp::Equal, wanted, found);
        if matches!(found, Type::Record(_)) && wanted.is_textual() {
            help = Some("name one of its fields: `….text`".to_owned());
        }
        self.error(
            Diagnostic::new(Code::TypeMismatch, checked.expr.span, message)
                .label(format!("this is {}", types::a(found)))
                .help_if(help),
        );
    }

    fn subject(&mut self, ctx: &Ctx, span: Span) -> Checked {
        match &ctx.subject {
            Some((var, ty)) => {
                let var = *var;
                let ty = ty.clone();
                let info = self.info(var);
                info.used = true;
                let secret = info.secret;
                // It is asked anew in each round.
                Checked { secret, probes: true, ..Checked::new(ExprKind::Var("".into(), var), ty, span) }
            }
            None => {
                let help = "`.field` stands in the block of an expect: `expect subject { .field == value }`";
                let span = Span { end: span.end.max(span.start + 1), ..span };
                self.error(
                    Diagnostic::new(Code::Misplaced, span, "there is nothing here that this is a field of").help(help),
                );
                Checked::bad(span)
            }
        }
    }

    fn string(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> Checked {
        if let Some(text) = literal.plain() {
            return Checked::new(ExprKind::Literal(Value::Text(text)), Type::String, literal.span);
        }
        let (text, secret, probes) = self.text(ctx, literal);
        Checked { secret, probes, ..Checked::new(ExprKind::Text(text), Type::String, literal.span) }
    }

    /// A text with its interpolations; whether it holds a secret, whether it asks anything.
    pub fn text(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> (Text, bool, bool) {
        let mut secret = false;
        let mut probes = false;
        let mut parts = Vec::with_capacity(literal.parts.len());
        for part in &literal.parts {
            parts.push(match part {
                StringPart::Text(text, _) => TextPart::Text(text.clone()),
                StringPart::Hole(hole) => {
                    let hole = self.expr(ctx, hole);
                    if matches!(hole.expr.ty, Type::List(_) | Type::Map(_) | Type::Record(_)) {
                        let message = format!("{} can't be put into a text", types::a(&hole.expr.ty));
                        let help = match hole.expr.ty {
                            Type::List(_) => "join its items: `#{join(list, \", \")}`",
                            _ => "name one of its fields or entries",
                        };
                        self.error(Diagnostic::new(Code::NotText, hole.expr.span, message).help(help));
                    }
                    secret |= hole.secret;
                    probes |= hole.probes;
                    TextPart::Hole(hole.expr)
                }
            });
        }
        (Text { parts, span: literal.span }, secret, probes)
    }

    /// A text that people will read: a secret in it is an error.
    pub fn shown_text(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> Text {
        let (text, secret, _) = self.text(ctx, literal);
        if secret {
            self.secret_shown(literal.span);
        }
        text
    }

    pub fn secret_shown(&mut self, span: Span) {
        let help = "secrets are never shown; ask about it instead: `expect token is present`";
        self.error(
            Diagnostic::new(Code::SecretInText, span, "a secret would be shown here")
                .label("holds a secret")
                .help(help),
        );
    }

    fn compare(
        &mut self,
        ctx: &Ctx,
        op: CompareOp,
        op_span: Span,
        left: &tree::Expr,
        right: &tree::Expr,
        span: Span,
    ) -> Checked {
        let (l, r) = (self.expr(ctx, left), self.expr(ctx, right));
        let (a, b) = (&l.expr.ty, &r.expr.ty);
        let probes = l.probes || r.probes;
        let fine = match op {
            CompareOp::Equal | CompareOp::NotEqual => types::comparable(a, b),
            CompareOp::Less | CompareOp::LessOrEqual | CompareOp::Greater | CompareOp::GreaterOrEqual => {
                types::orderable(a, b)
            }
            CompareOp::In | CompareOp::NotIn => types::holds(b, a),
            CompareOp::Contains | CompareOp::NotContains => types::holds(a, b),
            CompareOp::Matches | CompareOp::NotMatches => {
                !matches!(a, Type::List(_) | Type::Map(_) | Type::Record(_))
                    && (b.is_textual() || matches!(b, Type::Any | Type::Json))
            }
        };
        if !fine {
            let (a, b) = (a.clone(), b.clone());
            let (code, message) = match op {
                CompareOp::Equal | CompareOp::NotEqual => {
                    (Code::Incomparable, format!("{} and {} are never equal", types::a(&a), types::a(&b)))
                }
                CompareOp::Less | CompareOp::LessOrEqual | CompareOp::Greater | CompareOp::GreaterOrEqual => {
                    (Code::Incomparable, format!("{} can't be measured against {}", types::a(&a), types::a(&b)))
                }
                CompareOp::In | CompareOp::NotIn => {
                    (Code::BadOperand, format!("{} is never in {}", types::a(&a), types::a(&b)))
                }
                CompareOp::Contains | CompareOp::NotContains => {
                    (Code::BadOperand, format!("{} never contains {}", types::a(&a), types::a(&b)))
                }
                _ => (Code::BadOperand, format!("{} can't be searched with a pattern", types::a(&a))),
            };
            self.error(
                Diagnostic::new(code, r.expr.span, message)
                    .label(format!("this is {}", types::a(&b)))
                    .also(l.expr.span, format!("this is {}", types::a(&a)))
                    .help_if(types::advice(op, &a, &b)),
            );
        }
        let _ = op_span;
        if let (CompareOp::Matches | CompareOp::NotMatches, ExprKind::Literal(Value::Text(pattern))) =
            (op, &r.expr.kind)
        {
            match regex::RegexBuilder::new(pattern).size_limit(1 << 20).build() {
                Ok(regex) => {
                    let negated = op == CompareOp::NotMatches;
                    let kind = ExprKind::Matches { subject: Box::new(l.expr), regex, negated };
                    return Checked { probes, ..Checked::new(kind, Type::Bool, span) };
                }
                Err(error) => {
                    let text = error.to_string();
                    let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    self.error(
                        Diagnostic::new(Code::BadRegex, r.expr.span, "this regular expression can't be read")
                            .label(why)
                            .help("in `\"…\"` a backslash is written twice; a raw string '…' takes it as it is"),
                    );
                }
            }
        }
        let kind = ExprKind::Compare { op, left: Box::new(l.expr), right: Box::new(r.expr) };
        Checked { probes, ..Checked::new(kind, Type::Bool, span) }
    }

    fn arithmetic(
        &mut self,
        ctx: &Ctx,
        first: &tree::Expr,
        rest: &[(tree::ArithmeticOp, Span, tree::Expr)],
        span: Span,
    ) -> Checked {
        let first = self.expr(ctx, first);
        let mut sum = Checked::bad(span).of(&[&first]);
        let mut ty = first.expr.ty.clone();
        let mut terms = Vec::with_capacity(rest.len());
        for (op, op_span, term) in rest {
            let term = self.expr(ctx, term);
            sum = sum.of(&[&term]);
            ty = match types::arithmetic(*op, &ty, &term.expr.ty) {
                Some(ty) => ty,
                None => {
                    let message =
                        format!("{} and {} can't be computed like this", types::a(&ty), types::a(&term.expr.ty));
                    let textual = ty.is_textual() || term.expr.ty.is_textual();
                    let help = textual.then(|| "texts are put together by interpolation: `\"#{a}#{b}\"`".to_owned());
                    let help = help.or_else(|| types::advice(CompareOp::Less, &ty, &term.expr.ty));
                    self.error(Diagnostic::new(Code::BadOperand, *op_span, message).help_if(help));
                    Type::Any
                }
            };
            terms.push((*op, term.expr));
        }
        let kind = ExprKind::Arithmetic { first: Box::new(first.expr), rest: terms };
        Checked { expr: Expr { kind, ty, span }, ..sum }
    }

    /// The types of a loop's names.
    pub fn loop_types(&mut self, over: &Checked, names: &[Name]) -> Vec<Type> {
        let (key, item) = match &over.expr.ty {
            Type::List(of) => (Type::Number, (**of).clone()),
            Type::Map(of) => (Type::String, (**of).clone()),
            Type::Json => (Type::Any, Type::Json),
            Type::Any => (Type::Any, Type::Any),
            other => {
                let message = format!("{} can't be looped over", types::a(other));
                let help = "lists and maps can; a text by its lines: `lines(text)`";
                self.error(
                    Diagnostic::new(Code::NotALoop, over.expr.span, message).label("not a list or map").help(help),
                );
                (Type::Any, Type::Any)
            }
        };
        if names.len() > 1 { vec![key, item] } else { vec![item] }
    }

    fn quantifier(
        &mut self,
        ctx: &Ctx,
        kind: Quantifier,
        names: &[Name],
        over: &tree::Expr,
        body: &tree::Expr,
        span: Span,
    ) -> Checked {
        let over = self.expr(ctx, over);
        let types = self.loop_types(&over, names);
        let mut inner = ctx.clone();
        let mut vars = Vec::new();
        for (name, ty) in names.iter().zip(types) {
            let var = self.var(name, ty, over.secret, Some("name"));
            inner.locals.push((name.text.clone(), var));
            vars.push((name.text.clone(), var));
        }
        let body = self.condition(&inner, body);
        let probes = over.probes || body.probes;
        let ty = if kind == Quantifier::Count { Type::Number } else { Type::Bool };
        let kind = ExprKind::Quantifier { kind, vars, over: Box::new(over.expr), body: Box::new(body.expr) };
        Checked { probes, ..Checked::new(kind, ty, span) }
    }

    /// A name with what follows it: a binding, a step's binding, a member of a module, a call.
    fn chain(&mut self, ctx: &Ctx, base: &tree::Expr, links: &[tree::Link], span: Span, name: &Name) -> Checked {
        if let Some(var) = self.binding(ctx, &name.text)
            && !matches!(links.first().map(|link| &link.kind), Some(LinkKind::Call(_)))
        {
            let base = self.read(name, var, base.span);
            return self.links(ctx, base, links, span);
        }
        match links.split_first() {
            Some((tree::Link { kind: LinkKind::Call(args), span: call }, rest)) => {
                let Some(member) = self.callable(ctx, &name.text) else {
                    return self.unknown(ctx, name, "there is nothing called");
                };
                let base = self.called(ctx, member, args, name.span.to(*call), name.span, rest.first());
                self.links(ctx, base, rest, span)
            }
            Some((tree::Link { kind: LinkKind::Field(field), .. }, rest)) => self.member(ctx, name, field, rest, span),
            _ => self.unknown(ctx, name, "there is no binding"),
        }
    }

    fn read(&mut self, name: &Name, var: super::program::Var, span: Span) -> Checked {
        let info = self.info(var);
        info.used = true;
        let (ty, secret, bound) = (info.ty.clone(), info.secret, info.bound);
        if !bound {
            let diagnostic =
                Diagnostic::new(Code::NotYetBound, span, format!("`{}` is read before it is bound", name.text))
                    .label("not bound yet")
                    .help("move its `let` above this line");
            self.error(diagnostic);
        }
        Checked { secret, ..Checked::new(ExprKind::Var(name.text.clone(), var), ty, span) }
    }

    fn unknown(&mut self, ctx: &Ctx, name: &Name, what: &str) -> Checked {
        let text = &name.text;
        let help = match &**text {
            "docker" | "compose" => {
                let message = format!("the module `{text}` is not part of this version of runbook");
                let diagnostic =
                    Diagnostic::new(Code::NotBuiltYet, name.span, message).label("refused, rather than guessed");
                self.error(diagnostic.help("nothing is run while it stands here"));
                return Checked::bad(name.span);
            }
            _ => self.suggestion(ctx, text),
        };
        self.error(
            Diagnostic::new(Code::UnknownName, name.span, format!("{what} `{text}`")).label("unknown").help_if(help),
        );
        Checked::bad(name.span)
    }

    /// `name.field…`, where `name` is no binding.
    fn member(&mut self, ctx: &Ctx, name: &Name, field: &Name, rest: &[tree::Link], span: Span) -> Checked {
        let at = name.span.to(field.span);
        let step = self.step_index.get(&name.text).copied();
        if let Some(step) = step
            && let Some(var) = self.steps[step].bindings.get(&field.text).copied()
        {
            if ctx.step == Some(step) {
                let diagnostic =
                    Diagnostic::new(Code::UnknownName, at, "a step reads its own bindings by their bare names")
                        .help(format!("write `{}`", field.text));
                self.error(diagnostic);
            }
            let base = self.read(field, var, at);
            return self.links(ctx, base, rest, span);
        }
        let Some(unit) = self.module(ctx.unit, &name.text) else {
            if step.is_some() {
                return self.no_binding(step, name, field, at, ctx);
            }
            return self.unknown(ctx, name, "there is no binding, step or module");
        };
        let own = self.units[unit].stdlib.is_none();
        match self.units[unit].members.get(&field.text).cloned() {
            Some(Member::Global(var)) if own => {
                let base = self.read(field, var, at);
                self.links(ctx, base, rest, span)
            }
            Some(member @ (Member::Native(_) | Member::Check(_) | Member::Action(_))) => match rest.split_first() {
                Some((tree::Link { kind: LinkKind::Call(args), span: call }, rest)) => {
                    let base = self.called(ctx, member, args, name.span.to(*call), at, rest.first());
                    self.links(ctx, base, rest, span)
                }
                _ => {
                    let message = format!("`{}.{}` is called with its arguments", name.text, field.text);
                    let help = format!("write `{}.{}(…)`", name.text, field.text);
                    self.error(Diagnostic::new(Code::NotCallable, at, message).label("not called").help(help));
                    Checked::bad(at)
                }
            },
            _ if step.is_some() => self.no_binding(step, name, field, at, ctx),
            _ => {
                let members: Vec<String> = self.units[unit].members.keys().map(|name| name.to_string()).collect();
                let meant = did_you_mean(&field.text, members.iter().map(String::as_str));
                let help = match meant {
                    Some(meant) => format!("did you mean `{}.{meant}`?", name.text),
                    None => format!("`{}` has {}", name.text, members.join(", ")),
                };
                let message = format!("the module `{}` has no `{}`", name.text, field.text);
                self.error(Diagnostic::new(Code::UnknownModule, field.span, message).label("unknown").help(help));
                Checked::bad(at)
            }
        }
    }

    fn no_binding(&mut self, step: Option<usize>, name: &Name, field: &Name, at: Span, ctx: &Ctx) -> Checked {
        let later = step.zip(ctx.step).is_some_and(|(step, here)| step > here);
        let bindings: Vec<String> = step
            .map(|step| self.steps[step].bindings.keys().map(|name| name.to_string()).collect())
            .unwrap_or_default();
        let (code, message, help) = if later {
            let help = format!("move step `{}` above this one", name.text);
            (Code::NotYetBound, format!("step `{}` comes later than this", name.text), Some(help))
        } else {
            let meant = did_you_mean(&field.text, bindings.iter().map(String::as_str));
            let help = meant.map(|meant| format!("did you mean `{}.{meant}`?", name.text)).or_else(|| {
                Some("a step's bindings are those of its `let`s, outside of loops and conditions".to_owned())
            });
            (Code::UnknownName, format!("step `{}` binds no `{}`", name.text, field.text), help)
        };
        self.error(Diagnostic::new(code, field.span, message).label("not bound").help_if(help));
        Checked::bad(at)
    }

    /// A call in an expression: only what looks may stand there.
    fn called(
        &mut self,
        ctx: &Ctx,
        member: Member,
        args: &[Argument],
        span: Span,
        name: Span,
        next: Option<&tree::Link>,
    ) -> Checked {
        let words = self.sources.text(name).to_owned();
        match member {
            Member::Native(native) => {
                if native.effect == Effect::Action {
                    let help = match &*native.name {
                        "http.post" => "do it as a statement: `run http.post(…)`, or `let r = run http.post(…)`; a POST that only queries is `http.post_query(…)`".to_owned(),
                        name => format!("do it as a statement: `run {name}(…)`, or `let r = run {name}(…)`"),
                    };
                    let message = format!("`{words}` changes something, and here things are only looked at");
                    self.error(Diagnostic::new(Code::ActionInExpression, name, message).label("an action").help(help));
                }
                let (call, secret, probes) = self.call(ctx, &native, args, span, name);
                call.wants.call();
                if let Some(LinkKind::Field(field)) = next.map(|link| &link.kind)
                    && matches!(native.returns, Type::Record(_))
                {
                    call.wants.narrow([field.text.clone()]);
                }
                let function = native.effect == Effect::Function;
                let ty = native.returns.clone();
                let kind = ExprKind::Call(call);
                Checked { secret: secret && function, probes: probes || !function, ..Checked::new(kind, ty, span) }
            }
            Member::Check(_) => {
                let message = format!("the check `{words}` is no value");
                let help = format!("ask it: `expect {words}(…)`");
                self.error(Diagnostic::new(Code::CheckAsValue, name, message).label("a check").help(help));
                Checked::bad(span)
            }
            Member::Action(_) => {
                let message = format!("the action `{words}` changes something, and here things are only looked at");
                let help = format!("do it as a statement: `run {words}(…)`");
                self.error(Diagnostic::new(Code::ActionInExpression, name, message).label("an action").help(help));
                Checked::bad(span)
            }
            Member::Global(_) => Checked::bad(span),
        }
    }

    /// The arguments of a native in the order of its declaration.
    pub fn call(
        &mut self,
        ctx: &Ctx,
        native: &Arc<Native>,
        args: &[Argument],
        span: Span,
        name: Span,
    ) -> (Call, bool, bool) {
        let mut placed: Vec<Option<(Arg, Span)>> = native.params.iter().map(|_| None).collect();
        let (mut secret, mut probes) = (false, false);
        for (at, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                Some(named) => native.params.iter().position(|param| param.name == named.text),
                None => (at < native.params.len()).then_some(at),
            };
            let Some(place) = place else {
                self.no_argument(native, arg);
                self.expr(ctx, &arg.value);
                continue;
            };
            let param = &native.params[place];
            let at = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
            if let Some((_, first)) = &placed[place] {
                let first = *first;
                let diagnostic = Diagnostic::new(Code::UnknownArgument, at, format!("`{}` is given twice", param.name))
                    .label("again here")
                    .also(first, "first here");
                self.error(diagnostic);
                continue;
            }
            if param.ty == Type::Shell {
                let text = match &arg.value.kind {
                    tree::ExprKind::String(literal) => self.shell(ctx, literal).0,
                    tree::ExprKind::Bad => ShellText { parts: Vec::new(), span: arg.value.span },
                    _ => {
                        let message = "a shell command is written out, never computed";
                        let help = "write it as a string, with values as `#{value}`; they never become source";
                        self.error(
                            Diagnostic::new(Code::ShellLiteral, arg.value.span, message)
                                .label("not a string literal")
                                .help(help),
                        );
                        ShellText { parts: Vec::new(), span: arg.value.span }
                    }
                };
                placed[place] = Some((Arg::Shell(text), at));
                continue;
            }
            let value = self.expr(ctx, &arg.value);
            let named = param.name.to_string();
            self.fits(&value, &param.ty.clone(), Some(&named));
            secret |= value.secret;
            probes |= value.probes;
            placed[place] = Some((Arg::Value(value.expr), at));
        }
        for (param, arg) in native.params.iter().zip(&placed) {
            if arg.is_none() && param.default.is_none() && !param.optional {
                let message = format!("`{}` needs `{}`, {}", native.name, param.name, types::a(&param.ty));
                let help =
                    format!("`runbook doc {}` shows what it takes", native.name.split('.').next().unwrap_or_default());
                self.error(
                    Diagnostic::new(Code::MissingArgument, name, message).label("an argument is missing").help(help),
                );
            }
        }
        let args = placed.into_iter().map(|arg| arg.map(|(arg, _)| arg)).collect();
        let wants = match native.effect {
            Effect::Probe | Effect::Vouched => {
                let written: String = self.sources.text(span).split_whitespace().collect();
                self.wants.entry(written).or_default().clone()
            }
            Effect::Function | Effect::Action => Wants::default(),
        };
        (Call { native: native.clone(), args, wants, span }, secret, probes)
    }

    fn no_argument(&mut self, native: &Native, arg: &Argument) {
        let names: Vec<&str> = native.params.iter().map(|param| &*param.name).collect();
        let diagnostic = match &arg.name {
            Some(named) => {
                let help = match did_you_mean(&named.text, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it takes {}", names.join(", ")),
                };
                let message = format!("`{}` takes no `{}`", native.name, named.text);
                Diagnostic::new(Code::UnknownArgument, named.span, message).label("unknown").help(help)
            }
            None => {
                let count = names.len();
                let message = format!("`{}` takes {count} argument{}", native.name, if count == 1 { "" } else { "s" });
                Diagnostic::new(Code::UnknownArgument, arg.value.span, message).label("one too many")
            }
        };
        self.error(diagnostic);
    }

    /// A shell command; whether a secret stands in it.
    pub fn shell(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> (ShellText, bool) {
        let parts = match shell_text::analyse(literal) {
            Ok(parts) => parts,
            Err(diagnostic) => {
                self.error(diagnostic);
                // What is interpolated is checked all the same.
                for part in &literal.parts {
                    if let StringPart::Hole(hole) = part {
                        self.expr(ctx, hole);
                    }
                }
                return (ShellText { parts: Vec::new(), span: literal.span }, false);
            }
        };
        let mut lowered = Vec::with_capacity(parts.len());
        for part in parts {
            lowered.push(match part {
                PlacedPart::Source(text) => ShellPart::Source(text),
                PlacedPart::Hole { value, place } => {
                    let value = self.expr(ctx, value);
                    self.word(&value, place == super::program::ShellPlace::Bare);
                    if value.secret {
                        self.secret_in_command(value.expr.span, "a shell command");
                    }
                    ShellPart::Hole { value: value.expr, place }
                }
            });
        }
        (ShellText { parts: lowered, span: literal.span }, false)
    }

    /// A value that becomes a word of a command, or several.
    fn word(&mut self, value: &Checked, bare: bool) {
        let refused = match &value.expr.ty {
            Type::List(_) if bare => return,
            Type::List(_) => "a list becomes several words, so it can't stand in quotes",
            Type::Map(_) | Type::Record(_) => "this has no text of its own",
            _ => return,
        };
        let help = "name one of its parts, or let a list stand outside of quotes";
        self.error(Diagnostic::new(Code::NotText, value.expr.span, refused).label(types::a(&value.expr.ty)).help(help));
    }

    pub fn secret_in_command(&mut self, span: Span, what: &str) {
        let message = format!("a secret in {what} can be read by every user of this host");
        let diagnostic = Diagnostic::new(Code::SecretInCommand, span, message)
            .label("a secret")
            .help("pass it by the environment, `run \"… \\\"$TOKEN\\\"\" env { TOKEN: token }`, or by `stdin token`");
        self.error(diagnostic);
    }

    /// What follows a value.
    fn links(&mut self, ctx: &Ctx, base: Checked, links: &[tree::Link], span: Span) -> Checked {
        if links.is_empty() {
            return base;
        }
        let mut ty = base.expr.ty.clone();
        let mut out = Checked::bad(span).of(&[&base]);
        let mut lowered = Vec::with_capacity(links.len());
        for link in links {
            let (kind, next) = match &link.kind {
                LinkKind::Field(field) => (ProgramLink::Field(field.text.clone()), self.field(&ty, field)),
                LinkKind::Index(at) => {
                    let at = self.expr(ctx, at);
                    out.probes |= at.probes;
                    let next = self.index(&ty, &at, link.span);
                    (ProgramLink::Index(at.expr), next)
                }
                LinkKind::Call(_) => {
                    let message = format!("{} can't be called", types::a(&ty));
                    let help = "only what a module declares is called: `http.get(…)`, `trim(…)`";
                    self.error(Diagnostic::new(Code::NotCallable, link.span, message).label("not callable").help(help));
                    return Checked::bad(span);
                }
            };
            lowered.push(Link { kind, span: link.span });
            ty = next;
        }
        let kind = ExprKind::Chain { base: Box::new(base.expr), links: lowered };
        Checked { expr: Expr { kind, ty, span }, ..out }
    }

    fn field(&mut self, ty: &Type, field: &Name) -> Type {
        let name = &field.text;
        let (message, help) = match ty {
            Type::Any => return Type::Any,
            Type::Json => return Type::Json,
            Type::Map(of) => return (**of).clone(),
            Type::Record(record) => {
                let Some(declared) = self.library.records.get(record) else { return Type::Any };
                if let Some(field) = declared.fields.get(name) {
                    return field.ty.clone();
                }
                let fields: Vec<&str> = declared.fields.keys().map(|field| &**field).collect();
                let help = match did_you_mean(name, fields.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it has {}", fields.join(", ")),
                };
                (format!("`{record}` has no field `{name}`"), help)
            }
            other => (format!("{} has no fields", types::a(other)), "records, maps and JSON values have".to_owned()),
        };
        self.error(Diagnostic::new(Code::UnknownField, field.span, message).label("unknown").help(help));
        Type::Any
    }

    fn index(&mut self, ty: &Type, at: &Checked, span: Span) -> Type {
        let by = &at.expr.ty;
        let text = by.is_textual() || matches!(by, Type::Any | Type::Json);
        let number = matches!(by, Type::Number | Type::Any | Type::Json);
        let (found, wanted) = match ty {
            Type::Any => return Type::Any,
            Type::Json if text || number => return Type::Json,
            Type::Json => (Type::Json, "a key or a number"),
            Type::Map(of) if text => return (**of).clone(),
            Type::Map(_) => (ty.clone(), "a key in quotes"),
            Type::List(of) if number => return (**of).clone(),
            Type::List(_) => (ty.clone(), "a number"),
            other => {
                let message = format!("{} has no entries", types::a(other));
                let help = "a field of a record is named with a dot: `.field`";
                self.error(Diagnostic::new(Code::BadOperand, span, message).help(help));
                return Type::Any;
            }
        };
        let message = format!("{} is indexed with {wanted}, and this is {}", types::a(&found), types::a(by));
        self.error(Diagnostic::new(Code::TypeMismatch, at.expr.span, message));
        Type::Any
    }

    /// `file("secrets/*")` after `changes`.
    pub fn key(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Option<Key> {
        let library = self.library.clone();
        if let tree::ExprKind::Chain { base, links } = &expr.kind
            && let (tree::ExprKind::Name(kind), [tree::Link { kind: LinkKind::Call(args), .. }]) =
                (&base.kind, links.as_slice())
        {
            let Some(declared) = library.keys.get(&kind.text) else {
                let kinds: Vec<&str> = library.keys.keys().map(|name| &**name).collect();
                let help = match did_you_mean(&kind.text, kinds.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are {}", kinds.join(", ")),
                };
                let message = format!("there is no kind of fact `{}`", kind.text);
                self.error(Diagnostic::new(Code::UnknownKey, kind.span, message).label("unknown").help(help));
                return None;
            };
            if args.len() != declared.params.len() {
                let names: Vec<&str> = declared.params.iter().map(|(name, _)| &**name).collect();
                let message = format!("`{}` takes {}", kind.text, names.join(", "));
                self.error(Diagnostic::new(Code::MissingArgument, expr.span, message));
            }
            let args = args
                .iter()
                .zip(&declared.params)
                .map(|(arg, (_, ty))| {
                    let value = self.typed(ctx, &arg.value, ty);
                    value.expr
                })
                .collect();
            return Some(Key { kind: kind.text.clone(), args, span: expr.span });
        }
        let help = "name what is changed: `changes [file(\"path/*\"), url(\"http://…\")]`; `changes []` is nothing";
        self.error(
            Diagnostic::new(Code::UnknownKey, expr.span, "a key of facts is expected here")
                .label("not a key")
                .help(help),
        );
        None
    }
}

/// The type that all have, or `any`.
fn common<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    let Some(first) = types.next() else { return Type::Any };
    types.fold(first.clone(), |common, ty| {
        if &common == ty {
            common
        } else if ty.fits(&Type::Json) && common.fits(&Type::Json) {
            Type::Json
        } else {
            Type::Any
        }
    })
}
