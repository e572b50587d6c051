//! Standard output and error: colour or not, a terminal or not; and nothing with a secret in it.

use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex};

use crate::engine::cancel::Cause;
use crate::engine::{Cancel, Redactor};
use crate::report::text::Settings;

use super::signals::is_ignored;
use super::{Global, When};

impl Global {
    pub fn colour(self, terminal: bool) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// For what goes to standard error.
    pub fn colour_err(self) -> bool {
        self.colour(std::io::stderr().is_terminal())
    }

    pub fn colour_out(self) -> bool {
        self.colour(std::io::stdout().is_terminal())
    }

    pub fn text(self, result_only: bool) -> Settings {
        let terminal = if result_only { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() };
        Settings { colour: self.colour(terminal), quiet: self.quiet, verbose: self.verbose }
    }

    /// What goes on is drawn, rather than told line by line: there is a terminal that can, and someone who wants to look on. Some CI
    /// systems have a terminal, and keep every byte that it was sent; all of them say `CI`.
    pub fn live(self) -> bool {
        let said = |name: &str| std::env::var(name).unwrap_or_default();
        let draws = !["", "dumb"].contains(&&*said("TERM"));
        let nobody = !["", "0", "false"].contains(&&*said("CI"));
        !self.quiet && draws && !nobody && std::io::stderr().is_terminal()
    }
}

/// Columns and rows of the terminal, as they are now.
pub(super) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (usize::from(size.ws_col), usize::from(size.ws_row)),
        _ => (80, 24),
    }
}

/// How wide what is printed may be.
pub(super) fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.unwrap_or_else(|| size().0)
}

/// What knows the secrets of this process: everything that leaves it goes through this one.
pub(super) static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(Redactor::new);

/// Says something when a run is over. Who has stopped reading is not waited for.
pub(super) fn tell(text: &str) {
    super::streams::tell(format!("runbook: {}\n", REDACTOR.text(text)));
}

/// Takes the secrets out of traces: our libraries' words are not ours.
struct Trace;

impl Write for Trace {
    /// One event, whole.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = REDACTOR.text(&String::from_utf8_lossy(bytes));
        std::io::stderr().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// A stream whose errors may be no one's who writes to it: what is written then is lost.
pub(super) struct Watched<W, T> {
    out: W,
    /// Takes note of an error; whether that is all there is to do.
    taken: T,
}

impl<W, T: Fn(&std::io::Error) -> bool> Watched<W, T> {
    pub fn new(out: W, taken: T) -> Self {
        Self { out, taken }
    }

    fn or_taken<R>(&self, result: std::io::Result<R>, instead: R) -> std::io::Result<R> {
        match result {
            Err(error) if (self.taken)(&error) => Ok(instead),
            result => result,
        }
    }
}

impl<W: Write, T: Fn(&std::io::Error) -> bool> Write for Watched<W, T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes);
        self.or_taken(written, bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.out.flush();
        self.or_taken(flushed, ())
    }
}

/// A stream whose reader may go away: the run is then told to end, once.
pub(super) fn read_by_someone<W>(out: W, cancel: &Cancel) -> Watched<W, impl Fn(&std::io::Error) -> bool + use<W>> {
    let cancel = cancel.clone();
    Watched::new(out, move |error| {
        let no_reader = error.kind() == std::io::ErrorKind::BrokenPipe;
        // EIO: the terminal of a session that has ended. Who ignores hang-ups (nohup(1)) expects that.
        let no_terminal = error.raw_os_error() == Some(libc::EIO);
        if no_reader || no_terminal && !is_ignored(libc::SIGHUP) {
            cancel.gently.raise(Cause::HangUp);
        }
        no_reader || no_terminal
    })
}

/// For what is told at once: whoever reads it is not written to line by line.
pub(super) struct Gathered<W: Write>(Arc<Mutex<BufWriter<W>>>);

impl Default for Gathered<std::io::Stdout> {
    fn default() -> Self {
        Self::from(BufWriter::with_capacity(1 << 16, std::io::stdout()))
    }
}

impl<W: Write> From<BufWriter<W>> for Gathered<W> {
    fn from(out: BufWriter<W>) -> Self {
        Self(Arc::new(Mutex::new(out)))
    }
}

impl<W: Write> Clone for Gathered<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).write(bytes)
    }

    /// Only full buffers, and the end, are written.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Traces to standard error, where `RUST_LOG` asks for them.
pub(super) fn traces() {
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(|| Trace)
            .with_ansi(false)
            .init();
    }
}

/// Who reads may go: writing to nobody is an error that is looked at, not a signal that ends the run half-way.
pub(super) fn broken_pipes() {
    // Rust ignores SIGPIPE already; `println!` would panic on the error it then sees.
    std::panic::set_hook(Box::new(|info| {
        let message = info.to_string();
        if message.contains("failed printing to stdout") {
            std::process::exit(0);
        }
        let message = REDACTOR.text(&message);
        let _ =
            writeln!(std::io::stderr(), "runbook: this is a mistake in runbook itself, please report it: {message}");
    }));
}

/// Nothing was done: says why, and gives the exit code.
pub(super) fn refused(code: u8, why: impl std::fmt::Display) -> ExitCode {
    let why = REDACTOR.text(&why.to_string());
    let _ = writeln!(std::io::stderr(), "runbook: {why}");
    ExitCode::from(code)
}
