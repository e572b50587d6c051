//! The forms in which a run is shown: which one `--format` or a file's ending means, and who makes it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use crate::check::program::Program;
use crate::engine::events::event::Sink;
use crate::engine::{Cancel, Past, own_sources};
use crate::record::Replay;
use crate::report::html::html;
use crate::report::json::{Json, JsonArray};
use crate::report::junit::junit;
use crate::report::live::Live;
use crate::report::markdown::markdown;
use crate::report::tap::tap;
use crate::report::text::{Settings, Text};
use crate::report::texts::Texts;
use crate::value::display::io_words;

use super::output::refused;
use super::streams::{self, Behind, Counted, Moved, Progress};
use super::viewers::{Shown, Viewer};
use super::{Format, Global, NOT_RUN, NOT_TOLD, Reports, output};

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
            Self::Markdown => Box::new(markdown(out)),
            Self::Html => Box::new(html(out, texts.clone())),
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
    /// What is printed at the end.
    whole: Vec<Box<dyn Sink>>,
    /// Files.
    files: Vec<Report>,
    progress: Progress,
    /// What was taken of standard output and error.
    moved: Moved,
}

/// A file that shows a run.
struct Report {
    path: PathBuf,
    sink: Box<dyn Sink>,
    /// Why it could not be written, if so.
    wrong: Arc<OnceLock<String>>,
    moved: Moved,
}

impl Views {
    /// A reader who goes away ends the run, as an interrupt would.
    pub fn new(format: Format, global: Global, dry: bool, cancel: &Cancel, texts: &Texts) -> Self {
        let moved = Moved::default();
        let progress = Progress::new(output::read_by_someone(streams::stderr(), cancel), &moved);
        let out = Counted::new(output::read_by_someone(streams::stdout(), cancel), &moved);
        let out = Behind::new(&progress, out);
        let text = global.text(dry);
        let mut live: Vec<Box<dyn Sink>> = Vec::new();
        let mut whole: Vec<Box<dyn Sink>> = Vec::new();
        match format {
            Format::Text if dry => live.push(Box::new(Text::new(std::io::sink(), out, text))),
            Format::Text => live.push(shown(&progress, out, global)),
            Format::Json => live.push(Form::Json.sink(out, texts)),
            _ => {
                whole.push(Form::of(format, text).sink(BufWriter::new(out), texts));
                // Until that is told there is something to look at; a comment on a pull request needs nothing beside it.
                if !(dry && format == Format::Markdown) {
                    live.push(shown(&progress, std::io::sink(), global));
                }
            }
        }
        Self { live, whole, files: Vec::new(), progress, moved }
    }

    /// With files beside them. Each is there before anything is done, so that what can't be written is known then.
    pub fn with(mut self, reports: &Reports, texts: &Texts) -> Result<Self, ExitCode> {
        for path in &reports.report {
            let form = Form::of_file(path).map_err(|why| refused(NOT_RUN, why))?;
            let file = crate::record::create(path).map_err(|fault| {
                refused(NOT_RUN, format!("the report `{}` can't be written: {fault}", path.display()))
            })?;
            // A run does not end because its report can't be written: what went wrong is told afterwards.
            let wrong: Arc<OnceLock<String>> = Arc::default();
            let noted = wrong.clone();
            let file = output::Watched::new(file, move |error| {
                let _ = noted.set(io_words(error));
                true
            });
            let moved = Moved::default();
            let sink = form.sink(BufWriter::new(Counted::new(file, &moved)), texts);
            self.files.push(Report { path: path.clone(), sink, wrong, moved });
        }
        Ok(self)
    }

    /// Tells them what happened before the run was gone on with.
    pub fn behind(mut self, past: &Past) -> Self {
        for event in &past.events {
            self.live.iter_mut().for_each(|sink| sink.recall(event));
            self.whole.iter_mut().for_each(|sink| sink.take(event));
            self.files.iter_mut().for_each(|file| file.sink.take(event));
        }
        self
    }

    /// Each on a thread of its own, so that no reader keeps the run from its deadlines: for a run that acts. What a thread can't
    /// take in time it reads in the journal.
    pub fn on_threads(self, replay: impl Fn() -> Replay) -> Result<(Vec<Box<dyn Sink>>, Showing), ExitCode> {
        let Self { live, whole, files, progress, moved } = self;
        let failed = |error| refused(NOT_TOLD, format!("no thread could be started: {error}; nothing was run"));
        // What is drawn is cleared away before the whole is printed where it stood.
        let printed = live.into_iter().chain(whole).collect();
        let settling = progress.clone();
        let settled = move || settling.drained();
        let what = "the output".to_owned();
        let (handing, viewer) = Viewer::start(what, printed, replay(), moved, settled).map_err(failed)?;
        let (mut sinks, mut showing) = (vec![handing], Showing { progress, viewers: vec![(viewer, Arc::default())] });
        for Report { path, sink, wrong, moved } in files {
            let what = format!("the report `{}`", path.display());
            let (handing, viewer) = Viewer::start(what, vec![sink], replay(), moved, || {}).map_err(failed)?;
            sinks.push(handing);
            showing.viewers.push((viewer, wrong));
        }
        Ok((sinks, showing))
    }

    /// All in turn, and whoever is told of an event waits for them: for what changes nothing.
    pub fn in_turn(self) -> (Vec<Box<dyn Sink>>, Written) {
        let Self { live, whole, files, progress, .. } = self;
        let mut sinks: Vec<Box<dyn Sink>> = live.into_iter().chain(whole).collect();
        let mut written = Written { progress, files: Vec::new() };
        for Report { path, sink, wrong, .. } in files {
            sinks.push(sink);
            written.files.push((path, wrong));
        }
        (sinks, written)
    }
}

/// What is looked at while it goes on; the result goes to `result`.
fn shown(progress: &Progress, result: impl Write + Send + 'static, global: Global) -> Box<dyn Sink> {
    let (err, settings) = (progress.clone(), global.text(false));
    match global.live() {
        true => Box::new(Live::new(err, result, settings, output::size)),
        false => Box::new(Text::new(err, result, settings)),
    }
}

/// Those who show a run on threads of their own.
pub(super) struct Showing {
    progress: Progress,
    viewers: Vec<(Viewer, Arc<OnceLock<String>>)>,
}

impl Showing {
    /// When the run is over: waits until all is shown, as long as somebody reads; what was not is told.
    pub fn finish(self, run: &str) {
        self.progress.over();
        let again = format!("; what happened is in the record: `runbook report {run} --format …` makes it again");
        for (viewer, wrong) in &self.viewers {
            let what = &viewer.what;
            let why = match (viewer.finish(), wrong.get()) {
                (Shown::Stalled(limit), _) => {
                    let limit = limit.as_secs();
                    format!("{what} is not whole: nobody has read it for {limit}s{again}")
                }
                (Shown::Lost(lost), _) => format!("{what} is not whole: {lost} events are neither shown nor recorded"),
                (Shown::Whole, Some(why)) => format!("{what} could not be written whole: {why}{again}"),
                (Shown::Whole, None) => continue,
            };
            output::tell(&why);
        }
        if self.progress.given_up() {
            output::tell(&format!("the progress of the run was not read{again}"));
        }
    }
}

/// The files of a dry run, and what went wrong with each.
pub(super) struct Written {
    progress: Progress,
    files: Vec<(PathBuf, Arc<OnceLock<String>>)>,
}

impl Written {
    /// When it is over: whether all were written whole; those that were not are told.
    pub fn whole(&self) -> bool {
        self.progress.drained();
        let mut whole = true;
        for (path, wrong) in &self.files {
            let Some(why) = wrong.get() else { continue };
            whole = false;
            output::tell(&format!("the report `{}` could not be written whole: {why}", path.display()));
        }
        whole
    }
}
