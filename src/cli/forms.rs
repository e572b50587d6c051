//! The forms in which a run is shown: which one `--format` or a file's ending means, and who makes it.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::check::program::Program;
use crate::engine::event::Sink;
use crate::engine::{Cancel, own_sources};
use crate::report::html::Html;
use crate::report::json::{Json, JsonArray};
use crate::report::junit::Junit;
use crate::report::live::Live;
use crate::report::markdown::Markdown;
use crate::report::tap::Tap;
use crate::report::text::{Settings, Text};
use crate::report::texts::Texts;

use super::run::refused;
use super::{Format, Global, NOT_RUN, Reports, output};

/// A form of a run that is told by one writer.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Text(Settings),
    Markdown,
    Html,
    /// An event a line.
    Json,
    /// A list of all events.
    JsonList,
    Junit,
    Tap,
}

impl Form {
    pub fn of(format: Format, text: Settings) -> Self {
        match format {
            Format::Text => Self::Text(text),
            Format::Json => Self::Json,
            Format::Markdown => Self::Markdown,
            Format::Html => Self::Html,
            Format::Junit => Self::Junit,
            Format::Tap => Self::Tap,
        }
    }

    fn of_file(path: &Path) -> Result<Self, String> {
        let ending = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default().to_lowercase();
        Ok(match ending.as_str() {
            "txt" => Self::Text(Settings::default()),
            "md" => Self::Markdown,
            "html" => Self::Html,
            "json" => Self::JsonList,
            "jsonl" => Self::Json,
            "xml" => Self::Junit,
            "tap" => Self::Tap,
            _ => {
                return Err(format!(
                    "`--report {}`: a report's form is told by its ending: .txt, .md, .html, .json, .jsonl, .xml (JUnit) or .tap",
                    path.display()
                ));
            }
        })
    }

    pub fn sink(self, out: impl Write + Send + 'static, texts: &Texts) -> Box<dyn Sink> {
        match self {
            // One stream for what is two when it is shown live.
            Self::Text(settings) => {
                let out = output::Gathered::from(BufWriter::new(out));
                Box::new(Text::new(out.clone(), out, settings))
            }
            Self::Markdown => Box::new(Markdown::new(out)),
            Self::Html => Box::new(Html::new(out, texts.clone())),
            Self::Json => Box::new(Json::new(out)),
            Self::JsonList => Box::new(JsonArray::new(out)),
            Self::Junit => Box::new(Junit::new(out)),
            Self::Tap => Box::new(Tap::new(out)),
        }
    }
}

/// The texts that a program was read from.
pub(super) fn texts(program: &Program) -> Texts {
    own_sources(program).map(|(source, _)| source.text.clone()).collect()
}

/// Who shows a run. A reader who goes away ends it, as an interrupt would.
pub(super) fn shown(format: Format, global: Global, dry: bool, cancel: &Cancel, texts: &Texts) -> Vec<Box<dyn Sink>> {
    let out = output::Watched::new(std::io::stdout(), cancel.clone());
    let text = global.text(dry);
    match format {
        Format::Text if dry => vec![Box::new(Text::new(std::io::sink(), out, text))],
        Format::Text => vec![progress(out, global, cancel)],
        Format::Json => vec![Form::Json.sink(out, texts)],
        Format::Markdown if dry => vec![Form::Markdown.sink(out, texts)],
        // These are told at the end; until then there is something to look at.
        _ => vec![Form::of(format, text).sink(out, texts), progress(std::io::sink(), global, cancel)],
    }
}

/// What is looked at while it goes on; the result goes to `result`.
fn progress(result: impl Write + Send + 'static, global: Global, cancel: &Cancel) -> Box<dyn Sink> {
    let err = output::Watched::new(std::io::stderr(), cancel.clone());
    let settings = global.text(false);
    match global.live() {
        true => Box::new(Live::new(err, result, settings, output::size)),
        false => Box::new(Text::new(err, result, settings)),
    }
}

impl Reports {
    /// The forms of the files. Each file is there before anything is done, so that what can't be written is known then.
    pub fn sinks(&self, texts: &Texts) -> Result<Vec<Box<dyn Sink>>, ExitCode> {
        self.report.iter().map(|path| Self::sink(path, texts).map_err(|why| refused(NOT_RUN, why))).collect()
    }

    fn sink(path: &Path, texts: &Texts) -> Result<Box<dyn Sink>, String> {
        let form = Form::of_file(path)?;
        let file = std::fs::File::create(path).map_err(|error| {
            format!("the report `{}` can't be written: {}", path.display(), crate::check::plain(&error))
        })?;
        Ok(form.sink(BufWriter::new(file), texts))
    }
}
