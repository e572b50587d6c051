//! An expect in its place: what is polled, reported, and put into words.

use std::sync::Arc;

use crate::check::program::{Expect, Expr, Otherwise};
use crate::diagnostic::Span;
use crate::value::Unknown;

use super::poll::Limits;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::events::event::Place;

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
    pub risk: Option<Arc<str>>,
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
    /// Where its events belong. `row`: what follows its id.
    pub fn place(&self, core: &Core, row: &str) -> Place {
        let mut place = core.place(&self.site, self.expect.span);
        place.expect = Some(format!("{}{row}", self.id));
        place
    }

    /// It does not keep the step from passing: `else warn`.
    pub fn warns(&self) -> bool {
        self.timing.otherwise.as_ref().is_some_and(|(otherwise, _)| otherwise.warn)
    }
}
