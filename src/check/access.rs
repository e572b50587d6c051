//! Names, members of modules and steps, fields and indices.

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::tree::{self, LinkKind, Name};
use crate::value::Type;

use super::expr::Checked;
use super::names::{Checker, Ctx, Member};
use super::program::{Expr, ExprKind, Link, LinkKind as ProgramLink};
use super::types;

impl Checker {
    /// A name with what follows it: a binding, a step's binding, a member of a module, a call.
    pub(super) fn chain(
        &mut self,
        ctx: &Ctx,
        base: &tree::Expr,
        links: &[tree::Link],
        span: Span,
        name: &Name,
    ) -> Checked {
        if let Some(var) = self.binding(ctx, &name.text)
            && !matches!(links.first().map(|link| &link.kind), Some(LinkKind::Call(_)))
            && !self.calls_a_member(ctx, name, links)
        {
            let base = self.read(name, var, base.span);
            return self.links(ctx, base, links, span);
        }
        match links.split_first() {
            Some((tree::Link { kind: LinkKind::Call(args), span: call }, rest)) => {
                let Some(member) = self.callable(ctx, &name.text) else {
                    if self.binding(ctx, &name.text).is_some() {
                        return self.not_called(name, "is a value, and takes no arguments", "write it without `( )`");
                    }
                    return self.unknown(ctx, name, "there is nothing called");
                };
                let base = self.called(ctx, member, args, name.span.to(*call), name.span, rest.first());
                self.links(ctx, base, rest, span)
            }
            Some((tree::Link { kind: LinkKind::Field(field), .. }, rest)) => self.member(ctx, name, field, rest, span),
            _ if self.callable(ctx, &name.text).is_some() => {
                let help = format!("call it: `{}(…)`", name.text);
                self.not_called(name, "is called with arguments, and stands here without", &help)
            }
            _ => self.unknown(ctx, name, "there is no binding"),
        }
    }

    /// `compose.drift(…)`, also where something is bound to `compose`: no value has anything to call.
    fn calls_a_member(&mut self, ctx: &Ctx, name: &Name, links: &[tree::Link]) -> bool {
        let [tree::Link { kind: LinkKind::Field(field), .. }, tree::Link { kind: LinkKind::Call(_), .. }, ..] = links
        else {
            return false;
        };
        let unit = self.module(ctx.unit, &name.text);
        unit.is_some_and(|unit| self.units[unit].members.contains_key(&field.text))
    }

    fn not_called(&mut self, name: &Name, what: &str, help: &str) -> Checked {
        let message = format!("`{}` {what}", name.text);
        self.error(Diagnostic::new(Code::NotCallable, name.span, message).label("not like this").help(help));
        Checked::bad(name.span)
    }

    pub(super) fn read(&mut self, name: &Name, var: super::program::Var, span: Span) -> Checked {
        let info = self.info(var);
        info.used = true;
        let (ty, secret, bound, optional) = (info.ty.clone(), info.secret, info.bound, info.optional);
        if !bound {
            let diagnostic =
                Diagnostic::new(Code::NotYetBound, span, format!("`{}` is read before it is bound", name.text))
                    .label("not bound yet")
                    .help("move its `let` above this line");
            self.error(diagnostic);
        }
        Checked { secret, optional, ..Checked::new(ExprKind::Var(name.text.clone(), var), ty, span) }
    }

    fn unknown(&mut self, ctx: &Ctx, name: &Name, what: &str) -> Checked {
        let text = &name.text;
        let help = self.suggestion(ctx, text);
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
            let mut base = self.read(field, var, at);
            base.optional |= self.steps[step].conditional;
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

    /// What follows a value.
    pub(super) fn links(&mut self, ctx: &Ctx, base: Checked, links: &[tree::Link], span: Span) -> Checked {
        if links.is_empty() {
            return base;
        }
        let mut ty = base.expr.ty.clone();
        let mut out = Checked::bad(span).of(&[&base]);
        let mut lowered = Vec::with_capacity(links.len());
        for link in links {
            let (kind, next) = match &link.kind {
                LinkKind::Field(field) => {
                    out.optional |= self.may_be_absent(&ty, &field.text);
                    (ProgramLink::Field(field.text.clone()), self.field(&ty, field))
                }
                LinkKind::Index(at) => {
                    let at = self.expr(ctx, at);
                    out.probes |= at.probes;
                    out.optional = true;
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

    /// Whether a field may be absent by itself: a key of a map or of JSON, and what a record declares so.
    fn may_be_absent(&self, ty: &Type, field: &str) -> bool {
        match ty {
            Type::Record(record) => self
                .library
                .records
                .get(record)
                .and_then(|declared| declared.fields.get(field))
                .is_some_and(|declared| declared.optional),
            Type::Map(_) | Type::Json => true,
            _ => false,
        }
    }

    pub(super) fn field(&mut self, ty: &Type, field: &Name) -> Type {
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
}
