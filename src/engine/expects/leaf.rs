//! An expect in its place: what is polled, reported, and put into words.

use crate::check::program::{Expect, Expr, Otherwise};
use crate::diagnostic::Span;
use crate::value::Unknown;

use super::poll::Limits;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::events::event::Place;
use crate::engine::risk::Cover;

/// An expect in its place: with its loops' names bound, and its times worked out.
pub struct Leaf<'p> {
    pub expect: &'p Expect,
    pub site: Site,
    /// Whole: `deploy.up["api"]`.
    pub id: String,
    pub timing: Timing<'p>,
    /// The checks that it belongs to, innermost last.
    pub checks: Vec<Called<'p>>,
    /// It can't be asked: what it hangs on is unknown.
    pub blocked: Option<Unknown>,
    /// The accepted risk that covers it.
    pub risk: Option<Cover>,
}

/// `within`, `for`, `every` and `else`: of the expect itself, or of the check that it belongs to.
#[derive(Clone, Default)]
pub struct Timing<'p> {
    pub limits: Limits,
    /// With the site that its words are read at.
    pub otherwise: Option<(&'p Otherwise, Site)>,
}

/// A check that is asked.
#[derive(Clone)]
pub struct Called<'p> {
    pub name: &'p str,
    /// The expect's own name, where it has one.
    pub label: Option<&'p str>,
    pub args: &'p [Expr],
    /// Where it is asked.
    pub site: Site,
    /// The expect that asks it.
    pub span: Span,
    /// How much of its leaves' ids is its own id.
    pub depth: usize,
}

impl Leaf<'_> {
    /// Where its events belong: a row of a check belongs to the line on which the author asks that check. `row`: what follows
    /// its id.
    pub fn place(&self, core: &Core, row: &str) -> Place {
        let mut place = core.place(&self.site, self.authors_line(self.expect.span));
        place.expect = Some(format!("{}{row}", self.id));
        place
    }

    /// Where the author wrote what stands at `own`.
    pub fn authors_line(&self, own: Span) -> Span {
        self.checks.first().map_or(own, |called| called.span)
    }

    /// The id of the expect that the author wrote: in a check, of the one that asks it.
    pub fn authors_id(&self) -> &str {
        self.checks.first().and_then(|called| self.id.get(..called.depth)).unwrap_or(&self.id)
    }

    /// In a check: the lines inside of it that lead to `own`, from the outermost on.
    pub fn inside(&self, core: &Core, own: Span) -> Vec<String> {
        if self.checks.is_empty() {
            return Vec::new();
        }
        let spans = self.checks.iter().skip(1).map(|called| called.span).chain([own]);
        spans.map(|span| format!("{}:{}", core.program.sources.name(span), core.line(span))).collect()
    }

    /// It does not keep the step from passing: `else warn`.
    pub fn warns(&self) -> bool {
        self.timing.otherwise.as_ref().is_some_and(|(otherwise, _)| otherwise.warn)
    }
}
