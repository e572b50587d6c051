//! What is wrong with a text, as data.
//!
//! In: the phases that find mistakes (`syntax`, `check`). Out: [`Diagnostic`]s, which `report::diagnostic` renders for
//! people and `--format json` prints for programs. Nothing here knows of a terminal.

pub mod code;
pub mod source;

pub use code::Code;
pub use source::{FileId, Location, Source, Sources, Span};

/// How bad it is. An error keeps a runbook from being run; a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Warning,
    Error,
}

/// One finding: what was expected, what was found, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// One sentence without a full stop: what is wrong, in the words of the runbook's author.
    pub message: String,
    /// The very words that are wrong, first; then what else must be seen to understand it.
    pub labels: Vec<Label>,
    /// What would mend it, where that can be said.
    pub help: Option<String>,
}

/// A mark under some words, with what is to be said of just these words (may be empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

impl Diagnostic {
    /// An error at `span`. Its severity is the one that its code declares.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: brief(message.into()),
            labels: vec![Label { span, text: String::new() }],
            help: None,
        }
    }

    /// What is to be said of the marked words themselves: usually what was found or expected there.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = brief(text.into());
        }
        self
    }

    /// A second place that must be seen to understand the first.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: brief(text.into()) });
        self
    }

    /// What would mend it.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(brief(text.into()));
        self
    }

    /// As [`Diagnostic::help`], where there may be nothing to say.
    pub fn help_if(mut self, text: Option<String>) -> Self {
        if text.is_some() {
            self.help = text.map(brief);
        }
        self
    }

    /// Where it is: the first label's span.
    pub fn span(&self) -> Span {
        self.labels.first().map(|label| label.span).unwrap_or_default()
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The longest text of a diagnostic, in characters: it may quote what an author wrote, however long that is.
const LONGEST: usize = 2000;

/// A text without its middle, if it is too long.
fn brief(text: String) -> String {
    if text.len() <= LONGEST || text.chars().count() <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST / 2).collect();
    let tail: Vec<char> = text.chars().rev().take(LONGEST / 4).collect();
    format!("{head}…{}", tail.iter().rev().collect::<String>())
}

/// The longest name that anyone could have meant something else by, in bytes.
const LONGEST_NAME: usize = 200;

/// The name out of `candidates` that someone who wrote `given` most likely meant.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > LONGEST_NAME {
        return None;
    }
    let given = given.to_lowercase();
    let most = (given.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_NAME)
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            // Letters that are swapped, missing or too many; or a word that goes on differently.
            let distance = strsim::osa_distance(&given, &lower);
            let near = distance <= most || strsim::jaro_winkler(&given, &lower) >= 0.88;
            (near, distance, candidate)
        })
        // The same again is no advice, nor is one letter for another.
        .filter(|(near, distance, _)| *near && *distance > 0 && *distance < given.chars().count())
        .min_by_key(|(_, distance, _)| *distance)
        .map(|(.., candidate)| candidate)
}
