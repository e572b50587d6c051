//! How an expect is told where it stands in a loop or a check: as it was written, with what the loop and the check bind
//! in place. `docker.container("#{prefix}#{name}").health` says less than `docker.container("api-gateway").health`.

use crate::check::program::{Arg, Effect, ExpectKind, Expr, ExprKind, FieldExpect, LinkKind, Text, TextPart, Var};
use crate::diagnostic::Span;
use crate::value::{Answer, Value};

use super::describe::brief_value;
use crate::engine::evaluation::eval::Eval;
use crate::engine::expects::leaf::{Called, Leaf};

/// The longest words of an expect, in characters. Those of a check that are longer are told as the check itself.
const LONGEST: usize = 120;

/// The call of a check, with what is bound around it in place.
async fn call(eval: &Eval<'_>, called: &Called<'_>) -> String {
    let caller = Eval::new(eval.core, &called.site, &eval.round);
    // A default was written elsewhere, and says nothing here.
    let written = called.args.iter().filter(|arg| within(arg.span, called.span));
    let args = futures_util::future::join_all(written.map(|arg| argument(&caller, arg))).await;
    format!("{}({})", called.name, args.join(", "))
}

/// The check that the runbook itself asks, of which a leaf is a part.
pub async fn whole(eval: &Eval<'_>, leaf: &Leaf<'_>) -> Option<String> {
    let called = leaf.checks.first()?;
    let words = call(eval, called).await;
    Some(match called.label {
        Some(label) => format!("{label}: {words}"),
        None => words,
    })
}

/// What an expect was in this place; nothing where that is just what was written.
pub async fn asked(eval: &Eval<'_>, leaf: &Leaf<'_>, field: Option<&FieldExpect>) -> Option<String> {
    let written = field.map_or(&*leaf.expect.text, |field| &*field.text);
    let own = match (&leaf.expect.kind, field) {
        (ExpectKind::Condition(condition), _) => words(eval, condition).await,
        (ExpectKind::Block { subject, .. }, Some(field)) => {
            let line = words(eval, &field.condition).await;
            if line.starts_with('.') { format!("{}{line}", words(eval, subject).await) } else { line }
        }
        (ExpectKind::Block { subject, .. }, None) => words(eval, subject).await,
        (ExpectKind::Check { .. }, _) => return None,
    };
    let long = own.char_indices().nth(LONGEST).map(|(at, _)| at);
    if let (Some(_), Some(called)) = (long, leaf.checks.last())
        // In a loop of the check's own its call would not say which.
        && leaf.id.get(called.depth..).is_some_and(|own| !own.contains('['))
    {
        let call = call(eval, called).await;
        return Some(match field {
            Some(field) => format!("{call}: {}", words(eval, &field.condition).await),
            None => call,
        });
    }
    match long {
        Some(at) if !leaf.checks.is_empty() => Some(format!("{}…", own[..at].trim_end())),
        _ => (own != written).then_some(own),
    }
}

/// The words of an expression on one line, with what is bound around it in place.
async fn words(eval: &Eval<'_>, expr: &Expr) -> String {
    let mut places = Vec::new();
    bound(expr, &mut places);
    put(eval, expr, places).await
}

/// The words of what a call is given.
async fn argument(eval: &Eval<'_>, expr: &Expr) -> String {
    let mut places = Vec::new();
    given(expr, &mut places);
    put(eval, expr, places).await
}

async fn put(eval: &Eval<'_>, expr: &Expr, places: Vec<Place<'_>>) -> String {
    let sources = &eval.core.program.sources;
    let mut out = String::new();
    let mut from = expr.span.start;
    for place in places {
        let replaced = match place {
            Place::Text(expr, text) if depends(eval, expr) => match eval.text(text).await {
                Answer::Known(value) => Some((expr.span, brief_value(eval.core.redactor(), &value))),
                _ => None,
            },
            Place::Name(expr) if depends(eval, expr) => match eval.eval(expr).await {
                Answer::Known(value) if plain(&value) => Some((expr.span, brief_value(eval.core.redactor(), &value))),
                _ => None,
            },
            _ => None,
        };
        if let Some((span, text)) = replaced {
            out.push_str(sources.text(Span { start: from, end: span.start, ..expr.span }));
            out.push_str(&text);
            from = span.end;
        }
    }
    out.push_str(sources.text(Span { start: from, ..expr.span }));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a value may stand in place of what was written.
enum Place<'e> {
    Text(&'e Expr, &'e Text),
    Name(&'e Expr),
}

/// Where an expect was asked from: each check that it belongs to, from the innermost on, as `file:line`.
pub fn via(eval: &Eval<'_>, leaf: &Leaf<'_>) -> Vec<String> {
    let sources = &eval.core.program.sources;
    let place = |called: &Called<'_>| format!("{}:{}", sources.name(called.span), sources.line(called.span));
    leaf.checks.iter().rev().map(place).collect()
}

/// A list, a map, a record are told by their name.
fn plain(value: &Value) -> bool {
    !matches!(value.unsealed(), Value::List(_) | Value::Map(_) | Value::Record(_))
}

/// Whether a loop or a check around binds something in it, and nothing has to be asked to tell it.
fn depends(eval: &Eval<'_>, expr: &Expr) -> bool {
    names(expr).is_some_and(|names| names.iter().any(|var| eval.site.scope.get(*var).is_some()))
}

/// What is read by name in an expression; `None` if something has to be asked.
fn names(expr: &Expr) -> Option<Vec<Var>> {
    let all = |exprs: &mut dyn Iterator<Item = &Expr>| -> Option<Vec<Var>> {
        exprs.map(names).collect::<Option<Vec<_>>>().map(|names| names.concat())
    };
    match &expr.kind {
        ExprKind::Literal(_) => Some(Vec::new()),
        ExprKind::Var(_, var) => Some(vec![*var]),
        ExprKind::Chain { base, links } => {
            let indexes = links.iter().filter_map(|link| match &link.kind {
                LinkKind::Field(_) => None,
                LinkKind::Index(at) => Some(at),
            });
            all(&mut std::iter::once(&**base).chain(indexes))
        }
        ExprKind::Text(text) => all(&mut text.parts.iter().filter_map(|part| match part {
            TextPart::Text(_) => None,
            TextPart::Hole(hole) => Some(hole),
        })),
        ExprKind::Call(call) if call.native.effect == Effect::Function => {
            let shell = call.args.iter().flatten().any(|arg| matches!(arg, Arg::Shell(_)));
            if shell { None } else { all(&mut call.args.iter().flatten().filter_map(value)) }
        }
        _ => None,
    }
}

/// The places of an expression in their order: what a call or an index is given, and texts. What is compared keeps its
/// name, since its value is told as expected or found; so does what a quantifier binds, which is many.
fn bound<'e>(expr: &'e Expr, places: &mut Vec<Place<'e>>) {
    match &expr.kind {
        ExprKind::Literal(_) => {}
        ExprKind::Text(text) => places.push(Place::Text(expr, text)),
        ExprKind::Var(..) => {}
        ExprKind::List(items) => items.iter().for_each(|item| bound(item, places)),
        ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| bound(value, places)),
        ExprKind::Chain { base, links } => {
            if !matches!(base.kind, ExprKind::Var(..)) {
                bound(base, places);
            }
            for link in links {
                if let LinkKind::Index(at) = &link.kind {
                    given(at, places);
                }
            }
        }
        ExprKind::Call(call) => {
            // Words for a shell are told as they were written.
            let mut args: Vec<&Expr> = call.args.iter().flatten().filter_map(value).collect();
            // Written in another order than declared, where they were named; a default was written elsewhere.
            args.retain(|arg| within(arg.span, expr.span));
            args.sort_by_key(|arg| arg.span.start);
            args.into_iter().for_each(|arg| given(arg, places));
        }
        ExprKind::Not(inner) | ExprKind::Negative(inner) => bound(inner, places),
        ExprKind::Logic { terms, .. } => terms.iter().for_each(|term| bound(term, places)),
        ExprKind::Compare { left, right, .. } => {
            bound(left, places);
            bound(right, places);
        }
        ExprKind::Matches { subject, .. } | ExprKind::Test { subject, .. } => bound(subject, places),
        ExprKind::Arithmetic { first, rest } => {
            bound(first, places);
            rest.iter().for_each(|(_, term)| bound(term, places));
        }
        ExprKind::OrDefault(terms) => terms.iter().for_each(|term| bound(term, places)),
        ExprKind::Range { from, to } => {
            bound(from, places);
            bound(to, places);
        }
        ExprKind::Quantifier { over, body, .. } => {
            bound(over, places);
            bound(body, places);
        }
    }
}

fn given<'e>(expr: &'e Expr, places: &mut Vec<Place<'e>>) {
    match expr.kind {
        ExprKind::Var(..) => places.push(Place::Name(expr)),
        _ => bound(expr, places),
    }
}

fn value(arg: &Arg) -> Option<&Expr> {
    match arg {
        Arg::Value(expr) => Some(expr),
        Arg::Shell(_) => None,
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && inner.start >= outer.start && inner.end <= outer.end
}
