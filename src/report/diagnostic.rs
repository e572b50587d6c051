//! Diagnostics for people (miette) and for programs (a JSON object a line).

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteSpanContents, SourceCode, SourceSpan};

use crate::diagnostic::{Diagnostic, Severity, Sources, Span};

use super::safe::safe;

/// The most diagnostics that are told at once.
const MOST: usize = 100;

/// The longest line that is shown whole, in bytes; of a longer one, what is around the mark.
const LONGEST: usize = 160;

/// Everything that is wrong, as people read it, and the sum.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false).with_context_lines(1);
    for diagnostic in diagnostics.iter().take(MOST) {
        let shown = Shown::of(sources, diagnostic);
        let _ = handler.render_report(&mut out, &shown);
        out.push('\n');
    }
    if diagnostics.len() > MOST {
        out.push_str(&format!("and {} more\n", diagnostics.len() - MOST));
    }
    out
}

/// "3 errors, 1 warning"
pub fn sum(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let count = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let parts: Vec<String> = [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { "no errors".to_owned() } else { parts.join(", ") }
}

/// A diagnostic as a JSON object.
pub fn json(sources: &Sources, diagnostic: &Diagnostic) -> serde_json::Value {
    let place = |span: Span| {
        let at = sources.location(span);
        let end = sources.location(Span { start: span.end.max(span.start), ..span });
        serde_json::json!({
            "file": sources.name(span),
            "line": at.line,
            "column": at.column,
            "end_line": end.line,
            "end_column": end.column,
        })
    };
    let mut object = serde_json::json!({
        "type": "diagnostic",
        "code": diagnostic.code.id(),
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "labels": diagnostic.labels.iter().map(|label| {
            let mut object = place(label.span);
            object["text"] = label.text.as_str().into();
            object
        }).collect::<Vec<_>>(),
    });
    for (key, value) in place(diagnostic.span()).as_object().cloned().unwrap_or_default() {
        object[key] = value;
    }
    if let Some(help) = &diagnostic.help {
        object["help"] = help.as_str().into();
    }
    object
}

/// A diagnostic with just the lines that it is about: harmless, and none of them too long.
#[derive(Debug)]
struct Shown {
    code: &'static str,
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    excerpt: Excerpt,
}

/// Lines of a file, cut where they are long.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    /// The line in the file that the text starts with, from 0.
    line: usize,
}

impl Shown {
    fn of(sources: &Sources, diagnostic: &Diagnostic) -> Self {
        let main = diagnostic.span();
        let source = sources.get(main.file);
        let in_file: Vec<_> = diagnostic.labels.iter().filter(|label| label.span.file == main.file).collect();
        let (from, to) = in_file.iter().fold((main.start, main.end), |(from, to), label| {
            let near = label.span.start.abs_diff(main.start) < 4000;
            if near { (from.min(label.span.start), to.max(label.span.end)) } else { (from, to) }
        });
        let text = &*source.text;
        let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |length| at + length);
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (from, to) = (floor(from as usize), floor((to as usize).max(from as usize)));
        let first = line_start(line_start(from).saturating_sub(1));
        let last = line_end((line_end(to) + 1).min(text.len()));
        let mut excerpt = String::new();
        let mut labels = Vec::new();
        let mut at = first;
        let mut places: Vec<(usize, usize)> = in_file.iter().map(|_| (usize::MAX, 0)).collect();
        for line in text[first..last].split('\n') {
            let (start, end) = (at, at + line.len());
            at = end + 1;
            // What of a long line is shown: around the first mark in it.
            let mark = in_file.iter().map(|label| label.span.start as usize).find(|mark| (start..=end).contains(mark));
            let (cut_start, cut_end) = match mark {
                Some(mark) if line.len() > LONGEST => {
                    (floor(mark.saturating_sub(LONGEST / 2)).max(start), floor(mark + LONGEST / 2).min(end))
                }
                _ if line.len() > LONGEST => (start, floor(start + LONGEST)),
                _ => (start, end),
            };
            if cut_start > start {
                excerpt.push('…');
            }
            let mut inner = cut_start;
            for char in text[cut_start..cut_end].chars().chain(std::iter::once('\0')) {
                for (label, place) in in_file.iter().zip(&mut places) {
                    if label.span.start as usize == inner {
                        place.0 = excerpt.len();
                    }
                    if label.span.end as usize >= inner && label.span.start as usize <= inner {
                        place.1 = excerpt.len();
                    }
                }
                if char == '\0' && inner == cut_end {
                    break;
                }
                inner += char.len_utf8();
                if char == '\r' {
                    continue;
                }
                excerpt.push_str(&if char == '\t' { "    ".to_owned() } else { safe(char.encode_utf8(&mut [0; 4])) });
            }
            if cut_end < end {
                excerpt.push('…');
            }
            excerpt.push('\n');
        }
        for (label, (start, end)) in in_file.iter().zip(places) {
            if start <= excerpt.len() {
                let span = SourceSpan::from((start, end.saturating_sub(start)));
                let text = (!label.text.is_empty()).then(|| safe(&label.text));
                labels.push(LabeledSpan::new_with_span(text, span));
            }
        }
        let mut help = diagnostic.help.as_deref().map(safe);
        // A second place in another file is told in words.
        for label in diagnostic.labels.iter().filter(|label| label.span.file != main.file) {
            let place = format!("{}:{}", sources.name(label.span), sources.line(label.span));
            help = Some(format!("{} ({}: {})", help.unwrap_or_default(), place, label.text));
        }
        Self {
            code: diagnostic.code.id(),
            severity: diagnostic.severity,
            message: safe(&diagnostic.message),
            help,
            labels,
            excerpt: Excerpt { name: source.name.clone(), text: excerpt, line: text[..first].matches('\n').count() },
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.line,
            inner.column(),
            inner.line_count(),
        )))
    }
}
