//! A row of evidence: an expect, or a field of one, and what it came to.

use crate::engine::events::event::{Body, Event, ExpectResult, Place, State};

use super::label::Label;
use super::standing::Standing;

/// A look at the event that ends it.
#[derive(Clone, Copy)]
pub(in crate::report) struct Row<'e> {
    pub place: &'e Place,
    pub result: &'e ExpectResult,
}

impl<'e> Row<'e> {
    pub fn of(event: &'e Event) -> Option<Self> {
        match &event.body {
            Body::ExpectEnded(result) => Some(Self { place: &event.place, result }),
            _ => None,
        }
    }

    pub fn id(&self) -> &'e str {
        self.place.expect.as_deref().unwrap_or_default()
    }

    pub fn label(&self) -> Label<'e> {
        Label::of(self.place, self.result)
    }

    pub fn standing(&self) -> Standing {
        Standing::of(self.place, self.result)
    }

    /// What is said of it where it does not hold: why it is unknown or undecided, or what else is to be said of what was found.
    pub fn because(&self) -> Option<&'e str> {
        match self.result.state {
            State::Unknown => Some(self.result.reason.as_deref().unwrap_or(&self.result.actual)),
            _ => self.result.reason.as_deref(),
        }
    }

    /// The accepted risk that covers it, where that matters.
    pub fn risk(&self) -> Option<&'e str> {
        self.result.risk.as_deref().filter(|_| self.result.waived)
    }

    /// The author's line, as `file:line`.
    pub fn at(&self) -> String {
        match self.result.via.last() {
            Some(author) => author.clone(),
            None => self.own_place(),
        }
    }

    fn own_place(&self) -> String {
        format!("{}:{}", self.place.file.as_deref().unwrap_or_default(), self.place.line.unwrap_or_default())
    }

    /// The author's file and line.
    pub fn line(&self) -> (&'e str, u32) {
        let author = self.result.via.last().and_then(|via| via.rsplit_once(':'));
        match author.and_then(|(file, line)| Some((file, line.parse().ok()?))) {
            Some(place) => place,
            None => (self.place.file.as_deref().unwrap_or_default(), self.place.line.unwrap_or_default()),
        }
    }

    /// The lines of the checks that it is inside of, from the outermost on; the condition itself stands on the last.
    pub fn inside(&self) -> Vec<String> {
        let Some((_, asked_from)) = self.result.via.split_last() else { return self.result.inside.clone() };
        // In journals of before, the event stands inside, and says from where it was asked.
        asked_from.iter().rev().cloned().chain([self.own_place()]).collect()
    }

    /// The row before it that rests on the same request, unless both are fields of one expect: there that is plain to see.
    pub fn shared(&self) -> Option<&'e str> {
        let shared = self.result.shared.as_deref()?;
        let expect = |id: &'e str| id.rsplit_once('.').map_or(id, |(expect, _)| expect);
        let step = self.place.step.as_deref().unwrap_or_default();
        (expect(shared) != expect(self.id()) || expect(shared) == step).then_some(shared)
    }

    /// In a dry run: what its state rests on, and nobody saw. That it is assumed is said by its standing, where it holds.
    pub fn rests_on(&self) -> Vec<String> {
        let as_of_now = self.result.as_of_now.as_ref().map(|why| format!("as of now; {why}"));
        let assumed = self.result.assumed.as_ref().map(|why| match self.standing() {
            Standing::Assumed => why.clone(),
            _ => format!("assumed; {why}"),
        });
        as_of_now.into_iter().chain(assumed).collect()
    }

    /// "3 times", where it was asked more than once.
    pub fn times(&self) -> Option<String> {
        (self.result.attempts > 1).then(|| format!("{} times", self.result.attempts))
    }
}

/// Whether an expression is nothing but a text: who reads what it comes to needs no telling what it was.
pub(in crate::report) fn is_text(expression: &str) -> bool {
    let expression = expression.trim();
    ["\"\"\"", "\"", "'"].iter().any(|quote| {
        let Some(inner) = expression.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) else {
            return false;
        };
        let mut escaped = false;
        let mut ends = inner.char_indices().filter(|(at, char)| {
            let is_end = !escaped && inner[*at..].starts_with(quote);
            escaped = *char == '\\' && !escaped && *quote != "'";
            is_end
        });
        ends.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn an_expression_that_is_a_text_is_told_from_one_that_holds_texts() {
        for text in ["\"x\"", "\"it is \\\"x\\\"\"", "'a \\'", "\"\"", "\"with #{name}\""] {
            assert!(is_text(text), "{text}");
        }
        for other in ["\"a\" + \"b\"", "x", "\"", "r.text", "'a' == 'b'", "f(\"x\")"] {
            assert!(!is_text(other), "{other}");
        }
    }
}
