//! How an expect is told where it stands: as it was written, with the values of its names in place. Which address was asked is
//! what a reader wants to know: `docker.container("#{prefix}#{name}").health` says less than
//! `docker.container("api-gateway").health`.
//!
//! In: an expect in its place, and what is bound there. Out: words. Nothing is asked for them.

use crate::check::program::{Arg, ExpectKind, Expr, ExprKind, FieldExpect, LinkKind, TextPart};
use crate::diagnostic::Span;
use crate::value::Value;

use super::brief::brief_value;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::settled::Settled;
use crate::engine::expects::leaf::{Called, Leaf};

/// The longest words of an expect, in characters. Those of a check that are longer are told as the check itself.
const LONGEST: usize = 120;

/// The check that the runbook itself asks, of which a leaf is a part.
pub fn whole(core: &Core, leaf: &Leaf<'_>) -> Option<String> {
    let called = leaf.checks.first()?;
    let words = call(core, called);
    Some(match called.label {
        Some(label) => format!("{label}: {words}"),
        None => words,
    })
}

/// The call of a check, with what is bound around it in place.
fn call(core: &Core, called: &Called<'_>) -> String {
    let names = Settled { core, site: &called.site };
    // A default was written elsewhere, and says nothing here.
    let written = called.args.iter().filter(|arg| within(arg.span, called.span));
    let args: Vec<String> = written.map(|arg| argument(names, arg)).collect();
    format!("{}({})", called.name, args.join(", "))
}

/// What an expect was in this place; nothing where that is just what was written.
pub fn asked(core: &Core, leaf: &Leaf<'_>, field: Option<&FieldExpect>) -> Option<String> {
    let names = Settled { core, site: &leaf.site };
    let written = field.map_or(&*leaf.expect.text, |field| &*field.text);
    let own = match (&leaf.expect.kind, field) {
        (ExpectKind::Condition(condition), _) => words(names, condition),
        (ExpectKind::Block { subject, .. }, Some(field)) => {
            let line = words(names, &field.condition);
            if line.starts_with('.') { format!("{}{line}", words(names, subject)) } else { line }
        }
        (ExpectKind::Block { subject, .. }, None) => words(names, subject),
        (ExpectKind::Check { .. }, _) => return None,
    };
    let long = own.char_indices().nth(LONGEST).map(|(at, _)| at);
    if let (Some(_), Some(called)) = (long, leaf.checks.last())
        // In a loop of the check's own its call would not say which.
        && leaf.id.get(called.depth..).is_some_and(|own| !own.contains('['))
    {
        let call = call(core, called);
        return Some(match field {
            Some(field) => format!("{call}: {}", words(names, &field.condition)),
            None => call,
        });
    }
    match long {
        Some(at) if !leaf.checks.is_empty() => Some(format!("{}…", own[..at].trim_end())),
        _ => (own != written).then_some(own),
    }
}

/// The words of an expression on one line, with the values of its names in place.
fn words(names: Settled<'_>, expr: &Expr) -> String {
    let mut places = Vec::new();
    bound(expr, &mut places);
    put(names, expr, places)
}

/// The words of what a call is given.
fn argument(names: Settled<'_>, expr: &Expr) -> String {
    let mut places = Vec::new();
    given(expr, &mut places);
    put(names, expr, places)
}

fn put(names: Settled<'_>, expr: &Expr, places: Vec<Place<'_>>) -> String {
    let sources = &names.core.program.sources;
    let mut out = String::new();
    let mut from = expr.span.start;
    for Place(place) in places {
        let Some(value) = names.value(place).filter(plain) else { continue };
        // A secret that everything here can name is told by that name.
        if value.is_secret() && !is_local(names, place) {
            continue;
        }
        out.push_str(sources.text(Span { start: from, end: place.span.start, ..expr.span }));
        out.push_str(&brief_value(names.core.redactor(), &value));
        from = place.span.end;
    }
    out.push_str(sources.text(Span { start: from, ..expr.span }));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An expression in whose place its value may stand.
struct Place<'e>(&'e Expr);

/// A list, a map, a record are told by their name.
fn plain(value: &Value) -> bool {
    !matches!(value.unsealed(), Value::List(_) | Value::Map(_) | Value::Record(_))
}

/// Whether a loop or a check around binds something in it.
fn is_local(names: Settled<'_>, expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Var(_, var) => names.site.scope.get(*var).is_some(),
        _ => expr.parts().into_iter().any(|part| is_local(names, part)),
    }
}

/// The places of an expression in their order: what a call or an index is given, what is compared with, and texts. What is
/// found keeps its name, since its value is told beside it; so does what a quantifier binds, which is many.
fn bound<'e>(expr: &'e Expr, places: &mut Vec<Place<'e>>) {
    match &expr.kind {
        ExprKind::Literal(_) => {}
        ExprKind::Text(text) if text.parts.iter().all(|part| matches!(part, TextPart::Text(_))) => {}
        ExprKind::Text(_) => places.push(Place(expr)),
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
            compared(right, places);
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

/// What something is compared with.
fn compared<'e>(expr: &'e Expr, places: &mut Vec<Place<'e>>) {
    match &expr.kind {
        ExprKind::Chain { base, .. } if matches!(base.kind, ExprKind::Var(..)) => places.push(Place(expr)),
        _ => given(expr, places),
    }
}

fn given<'e>(expr: &'e Expr, places: &mut Vec<Place<'e>>) {
    match expr.kind {
        ExprKind::Var(..) => places.push(Place(expr)),
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
