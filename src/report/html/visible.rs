//! What the page is made of: text that can't be markup, marks, facts.

use maud::{Escaper, Markup, PreEscaped, Render, html};

use super::super::safe::safe;

/// Text from wherever: it is escaped by its type, and what could mislead a reader is made visible.
pub(super) struct Visible<T>(pub T);

impl<T: AsRef<str>> Render for Visible<T> {
    fn render_to(&self, buffer: &mut String) {
        use std::fmt::Write as _;

        // What XML has no characters for.
        let text = safe(self.0.as_ref()).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        // Writing to a string does not fail.
        let _ = Escaper::new(buffer).write_str(&text);
    }
}

/// Shorthand.
pub(super) fn text<T: AsRef<str>>(text: T) -> Visible<T> {
    Visible(text)
}

/// A tag without an end, as HTML and XML both read it.
const BREAK: PreEscaped<&str> = PreEscaped("<br/>");

/// A fact in a list of facts.
pub(super) fn fact(name: &str, value: &str) -> Markup {
    html! {
        dt { (name) }
        dd {
            @for (at, line) in value.lines().enumerate() {
                @if at > 0 { (BREAK) }
                (text(line))
            }
        }
    }
}

/// What is told by colour is told by a sign, too; a reader that speaks says the word.
pub(super) fn mark(class: &str) -> Markup {
    let (sign, word) = match class {
        "good" => ("✓", "holds"),
        "bad" => ("✗", "failed"),
        "unknown" => ("?", "unknown"),
        "undecided" => ("◌", "not decided"),
        "doubt" => ("~", "with a reservation"),
        _ => ("·", "neutral"),
    };
    html! { span.mark role="img" aria-label=(word) { (sign) } " " }
}
