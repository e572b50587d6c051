//! Expressions: names, types, effects and secrecy, from the tree to the program.

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::literal;
use crate::syntax::tree::{self, CompareOp, LinkKind, Name, Quantifier, StringPart};
use crate::value::{Type, Value, range};

use super::names::{Checker, Ctx};
use super::program::{Expr, ExprKind, Key, Text, TextPart};
use super::types;

/// A checked expression, with what its place must know of it.
#[derive(Clone)]
pub(super) struct Checked {
    pub expr: Expr,
    /// It is, or holds, a secret.
    pub secret: bool,
    /// Asking it again may give another answer.
    pub probes: bool,
    /// It may be absent.
    pub optional: bool,
}

impl Checked {
    pub(super) fn new(kind: ExprKind, ty: Type, span: Span) -> Self {
        Self { expr: Expr { kind, ty, span }, secret: false, probes: false, optional: false }
    }

    /// A text that is written where a URL is wanted is put together as one.
    pub(super) fn is_wanted_as(&mut self, wanted: &Type) {
        if let (Type::Url, ExprKind::Text(text)) = (wanted, &mut self.expr.kind) {
            text.url = true;
        }
    }

    /// Stands for what could not be read, and silences all that follows from it.
    pub(super) fn bad(span: Span) -> Self {
        Self::new(ExprKind::Literal(Value::Null), Type::Any, span)
    }

    pub(super) fn of(mut self, parts: &[&Checked]) -> Self {
        self.secret |= parts.iter().any(|part| part.secret);
        self.probes |= parts.iter().any(|part| part.probes);
        self.optional |= parts.iter().any(|part| part.optional);
        self
    }
}

impl Checker {
    pub(super) fn expr(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
        let checked = self.expr_of(ctx, expr);
        if checked.optional {
            self.optional.insert(checked.expr.span);
        }
        checked
    }

    fn expr_of(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
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
                    let span = key.span;
                    let key = self.text(ctx, key);
                    if key.1 {
                        let message = "a key is shown, and a secret is not";
                        let help = "name it in other words; the secret may be the value";
                        self.error(Diagnostic::new(Code::SecretInId, span, message).label("a secret").help(help));
                    }
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
                Checked { secret: false, optional: false, ..checked }
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
                // Whether there is one hangs on none of its fields: what is in a file is not even read.
                if let (ExprKind::Call(call), Type::Record(_)) = (&subject.expr.kind, ty) {
                    call.wants.narrow([]);
                }
                let probes = subject.probes;
                let kind = ExprKind::Test { subject: Box::new(subject.expr), test: *test, negated: *negated };
                Checked { probes, ..Checked::new(kind, Type::Bool, span) }
            }
            tree::ExprKind::Arithmetic { first, rest } => self.arithmetic(ctx, first, rest, span),
            tree::ExprKind::OrDefault(terms) => self.or_default(ctx, terms, span),
            tree::ExprKind::Range { from, to } => self.range(ctx, from, to, span),
            tree::ExprKind::Quantifier { .. } => self.quantifier(ctx, expr),
            tree::ExprKind::Bad => Checked::bad(span),
        }
    }

    /// What has to be true or false.
    pub(super) fn condition(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
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
    pub(super) fn typed(&mut self, ctx: &Ctx, expr: &tree::Expr, wanted: &Type) -> Checked {
        let mut checked = self.expr(ctx, expr);
        self.fits(&checked, wanted, None);
        checked.is_wanted_as(wanted);
        checked
    }

    pub(super) fn fits(&mut self, checked: &Checked, wanted: &Type, of: Option<&str>) {
        let found = &checked.expr.ty;
        // What a list holds is looked at one by one: a mixed one has no type of its own.
        if let (Type::List(item), ExprKind::List(items)) = (wanted, &checked.expr.kind) {
            for expr in items {
                self.fits(&Checked { expr: expr.clone(), ..checked.clone() }, item, None);
            }
            return;
        }
        if found.fits(wanted) {
            if let (Type::Path, ExprKind::Literal(Value::Text(text))) = (wanted, &checked.expr.kind)
                && text.is_empty()
            {
                let message = "an empty path names nothing, and would mean another place than was meant";
                let help = "name a file or folder; the project's folder itself is \".\"";
                self.error(Diagnostic::new(Code::BadLiteral, checked.expr.span, message).label("empty").help(help));
            }
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

    pub(super) fn subject(&mut self, ctx: &Ctx, span: Span) -> Checked {
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
        let optional = text.parts.iter().any(|part| match part {
            TextPart::Text(_) => false,
            TextPart::Hole(hole) => self.optional.contains(&hole.span),
        });
        Checked { secret, probes, optional, ..Checked::new(ExprKind::Text(text), Type::String, literal.span) }
    }

    /// A text with its interpolations; whether it holds a secret, whether it asks anything.
    pub(super) fn text(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> (Text, bool, bool) {
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
        (Text { parts, url: false, span: literal.span }, secret, probes)
    }

    /// A text that people will read: a secret in it is an error.
    pub(super) fn shown_text(&mut self, ctx: &Ctx, literal: &tree::StringLit) -> Text {
        let (text, secret, _) = self.text(ctx, literal);
        if secret {
            self.secret_shown(literal.span);
        }
        text
    }

    pub(super) fn secret_shown(&mut self, span: Span) {
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
        let literal_null = |side: &tree::Expr| matches!(side.kind, tree::ExprKind::Null);
        if matches!(op, CompareOp::Equal | CompareOp::NotEqual) && (literal_null(left) != literal_null(right)) {
            self.compared_with_null(op, if literal_null(left) { &r } else { &l }, span);
        }
        if matches!(op, CompareOp::Equal | CompareOp::NotEqual | CompareOp::In | CompareOp::NotIn) {
            self.never_chosen(&l.expr, &r.expr);
        }
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
            && let Some(regex) = self.regex(pattern, r.expr.span)
        {
            let negated = op == CompareOp::NotMatches;
            let kind = ExprKind::Matches { subject: Box::new(l.expr), regex, negated };
            return Checked { probes, ..Checked::new(kind, Type::Bool, span) };
        }
        let kind = ExprKind::Compare { op, left: Box::new(l.expr), right: Box::new(r.expr) };
        Checked { probes, ..Checked::new(kind, Type::Bool, span) }
    }

    /// A regular expression that is written out.
    pub(super) fn regex(&mut self, pattern: &str, span: Span) -> Option<regex::Regex> {
        match regex::RegexBuilder::new(pattern).size_limit(1 << 20).build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.error(
                    Diagnostic::new(Code::BadRegex, span, "this regular expression can't be read")
                        .label(why)
                        .help("in `\"…\"` a backslash is written twice; a raw string '…' takes it as it is"),
                );
                None
            }
        }
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

    /// `a ?? b`: of the type that both have.
    fn or_default(&mut self, ctx: &Ctx, terms: &[tree::Expr], span: Span) -> Checked {
        let terms: Vec<Checked> = terms.iter().map(|term| self.expr(ctx, term)).collect();
        let mut ty: Option<Type> = None;
        for term in &terms {
            let found = &term.expr.ty;
            ty = Some(match ty {
                None => found.clone(),
                Some(before) => match types::either(&before, found) {
                    Some(both) => both,
                    None => {
                        let message = format!("{} can't stand in for {}", types::a(found), types::a(&before));
                        let help = "what is given for something absent is of the same type";
                        self.error(
                            Diagnostic::new(Code::TypeMismatch, term.expr.span, message)
                                .label(format!("this is {}", types::a(found)))
                                .help(help),
                        );
                        before
                    }
                },
            });
        }
        let parts: Vec<&Checked> = terms.iter().collect();
        let mut all = Checked::bad(span).of(&parts);
        all.optional = terms.last().is_some_and(|last| last.optional);
        let kind = ExprKind::OrDefault(terms.iter().map(|term| term.expr.clone()).collect());
        Checked { expr: Expr { kind, ty: ty.unwrap_or(Type::Any), span }, ..all }
    }

    /// `1..5`
    fn range(&mut self, ctx: &Ctx, from: &tree::Expr, to: &tree::Expr, span: Span) -> Checked {
        let (from, to) = (self.typed(ctx, from, &Type::Number), self.typed(ctx, to, &Type::Number));
        if let (ExprKind::Literal(Value::Number(a)), ExprKind::Literal(Value::Number(b))) =
            (&from.expr.kind, &to.expr.kind)
            && let Err(why) = range::bounds(*a, *b)
        {
            let help = "a range counts up, in whole numbers: `1..5` is [1, 2, 3, 4, 5]";
            self.error(Diagnostic::new(Code::BadOperand, span, why).label("this range").help(help));
        }
        let all = Checked::bad(span).of(&[&from, &to]);
        let kind = ExprKind::Range { from: Box::new(from.expr), to: Box::new(to.expr) };
        Checked { expr: Expr { kind, ty: Type::list(Type::Number), span }, ..all }
    }

    /// The types of a loop's names.
    pub(super) fn loop_types(&mut self, over: &Checked, names: &[Name]) -> Vec<Type> {
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

    fn quantifier(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Checked {
        let span = expr.span;
        let tree::ExprKind::Quantifier { kind, names, over, body, or_none, .. } = &expr.kind else {
            return Checked::bad(span);
        };
        let (kind, or_none) = (*kind, *or_none);
        let over = self.expr(ctx, over);
        let types = self.loop_types(&over, names);
        let mut inner = ctx.clone();
        let mut vars = Vec::new();
        for (at, (name, ty)) in names.iter().zip(types).enumerate() {
            // Of two names the first may stand there for the sake of the second.
            let key = at == 0 && names.len() > 1;
            let var = self.var(name, ty, over.secret, (!key).then_some("name"));
            inner.locals.push((name.text.clone(), var));
            vars.push((name.text.clone(), var));
        }
        let body = match kind {
            Quantifier::Map => self.expr(&inner, body),
            _ => self.condition(&inner, body),
        };
        let probes = over.probes || body.probes;
        let ty = match kind {
            Quantifier::Count => Type::Number,
            Quantifier::Where => over.expr.ty.clone(),
            Quantifier::Map => Type::list(body.expr.ty.clone()),
            Quantifier::All | Quantifier::Any | Quantifier::None => Type::Bool,
        };
        let secret = match kind {
            Quantifier::Where => over.secret,
            Quantifier::Map => body.secret,
            _ => false,
        };
        let optional = ty != Type::Bool && over.optional;
        let kind = ExprKind::Quantifier { kind, vars, over: Box::new(over.expr), body: Box::new(body.expr), or_none };
        Checked { probes, secret, optional, ..Checked::new(kind, ty, span) }
    }

    /// `file("secrets/*")` after `changes`.
    pub(super) fn key(&mut self, ctx: &Ctx, expr: &tree::Expr) -> Option<Key> {
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
