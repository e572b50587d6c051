//! The forms in which a run is shown: which one `--format` or a file's ending means, and who makes it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use crate::check::plain;
use crate::check::program::Program;
use crate::engine::event::Sink;
use crate::engine::{Cancel, Past, own_sources};
use crate::report::html::Html;
use crate::report::json::{Json, JsonArray};
use crate::report::junit::junit;
use crate::report::live::Live;
use crate::report::markdown::Markdown;
use crate::report::tap::tap;
use crate::report::text::{Settings, Text};
use crate::report::texts::Texts;

use super::recorded::ends;
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
            Self::Junit => Box::new(junit(out)),
            Self::Tap => Box::new(tap(out)),
        }
    }
}

/// The texts that a program was read from.
pub(super) fn texts(program: &Arc<Program>) -> Texts {
    let program = program.clone();
    Texts::new(move |hash| {
        own_sources(&program).find(|(_, file)| file.hash == hash).map(|(source, _)| source.text.clone())
    })
}

/// Who shows a run.
pub(super) struct Views {
    /// These show what happens as it happens.
    live: Vec<Box<dyn Sink>>,
    /// These show the whole of it: what is printed at the end, and files.
    whole: Vec<Box<dyn Sink>>,
}

impl Views {
    /// A reader who goes away ends the run, as an interrupt would.
    pub fn new(format: Format, global: Global, dry: bool, cancel: &Cancel, texts: &Texts) -> Self {
        let out = output::read_by_someone(std::io::stdout(), cancel);
        let text = global.text(dry);
        let mut views = Self { live: Vec::new(), whole: Vec::new() };
        match format {
            Format::Text if dry => views.live.push(Box::new(Text::new(std::io::sink(), out, text))),
            Format::Text => views.live.push(progress(out, global, cancel)),
            Format::Json => views.live.push(Form::Json.sink(out, texts)),
            _ => {
                views.whole.push(Form::of(format, text).sink(out, texts));
                // Until that is told there is something to look at; a comment on a pull request needs nothing beside it.
                if !(dry && format == Format::Markdown) {
                    views.live.push(progress(std::io::sink(), global, cancel));
                }
            }
        }
        views
    }

    /// With files beside them. Each is there before anything is done, so that what can't be written is known then.
    pub fn with(mut self, reports: &Reports, texts: &Texts) -> Result<(Self, Written), ExitCode> {
        let mut written = Written::default();
        for path in &reports.report {
            let form = Form::of_file(path).map_err(|why| refused(NOT_RUN, why))?;
            let file = File::create(path).map_err(|error| {
                refused(NOT_RUN, format!("the report `{}` can't be written: {}", path.display(), plain(&error)))
            })?;
            // A run does not end because its report can't be written: what went wrong is told afterwards.
            let wrong: Arc<OnceLock<String>> = Arc::default();
            written.0.push((path.clone(), wrong.clone()));
            let file = output::Watched::new(file, move |error| {
                let _ = wrong.set(plain(error));
                true
            });
            self.whole.push(form.sink(BufWriter::new(file), texts));
        }
        Ok((self, written))
    }

    /// Tells them what happened before the run was gone on with.
    pub fn behind(mut self, past: &Past) -> Self {
        for event in past.events.iter().filter(|event| !ends(event)) {
            self.live.iter_mut().for_each(|sink| sink.recall(event));
            self.whole.iter_mut().for_each(|sink| sink.take(event));
        }
        self
    }

    /// What is drawn is cleared away before the whole is printed where it stood.
    pub fn into_sinks(self) -> Vec<Box<dyn Sink>> {
        self.live.into_iter().chain(self.whole).collect()
    }
}

/// What is looked at while it goes on; the result goes to `result`.
fn progress(result: impl Write + Send + 'static, global: Global, cancel: &Cancel) -> Box<dyn Sink> {
    let err = output::read_by_someone(std::io::stderr(), cancel);
    let settings = global.text(false);
    match global.live() {
        true => Box::new(Live::new(err, result, settings, output::size)),
        false => Box::new(Text::new(err, result, settings)),
    }
}

/// The files of a run, and what went wrong with each.
#[derive(Default)]
pub(super) struct Written(Vec<(PathBuf, Arc<OnceLock<String>>)>);

impl Written {
    /// When the run is over: whether all were written whole; those that were not are told.
    pub fn whole(&self, run: Option<&str>) -> bool {
        let mut whole = true;
        for (path, wrong) in &self.0 {
            let Some(why) = wrong.get() else { continue };
            whole = false;
            let again = match run {
                Some(run) => {
                    format!("; what happened is in the record: `runbook report {run} --format …` makes it again")
                }
                None => String::new(),
            };
            let why = format!("the report `{}` could not be written whole: {why}{again}", path.display());
            let _ = writeln!(std::io::stderr(), "runbook: {}", output::REDACTOR.text(&why));
        }
        whole
    }
}
