//! Standard output and error as a run writes to them: nobody but their own threads waits for who reads them.
//!
//! In: bytes. Out: the same bytes, as fast as they are read; how far that went, for who decides how long a reader is waited for.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How much is written at once: that much a pipe takes wholly or not at all (pipe(7)), so that it shows whether it is read.
const PIECE: usize = 4096;

/// How much may wait for who reads progress, in bytes. Who writes more waits.
const WAITING: usize = 64 * 1024;

/// How long a reader who takes nothing is waited for, when the run is over.
pub const STALLED: Duration = Duration::from_secs(10);

/// Counts what is taken, so that who waits sees whether anything moves.
#[derive(Clone, Default)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes in pieces, and counts them.
pub struct Counted<W> {
    out: W,
    moved: Moved,
}

impl<W> Counted<W> {
    pub fn new(out: W, moved: &Moved) -> Self {
        Self { out, moved: moved.clone() }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(&bytes[..bytes.len().min(PIECE)])?;
        self.moved.add(count);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// A stream of this process, without the lock of the standard library: who is stuck in it must not keep another from saying so.
#[derive(Clone, Copy)]
pub struct Raw(BorrowedFd<'static>);

pub fn stdout() -> Raw {
    Raw(rustix::stdio::stdout())
}

pub fn stderr() -> Raw {
    Raw(rustix::stdio::stderr())
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        loop {
            match rustix::io::write(self.0, bytes) {
                Err(rustix::io::Errno::INTR) => {}
                // Somebody else has made it so; it is waited for as if it were not.
                Err(rustix::io::Errno::AGAIN) => std::thread::sleep(Duration::from_millis(5)),
                // Nobody opened it: what is written is for nobody.
                Err(rustix::io::Errno::BADF) => return Ok(bytes.len()),
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes bytes, and writes them on a thread of its own. When the run is over and nobody reads, they are given up. Clones are the
/// same.
#[derive(Clone)]
pub struct Progress(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    change: Condvar,
    moved: Moved,
}

struct State {
    /// Until the thread is started, with the first bytes.
    out: Option<Box<dyn Write + Send>>,
    waiting: Vec<u8>,
    writing: bool,
    /// Since when nothing more happens in the run.
    over: Option<Instant>,
    given_up: bool,
}

impl Progress {
    pub fn new(out: impl Write + Send + 'static, moved: &Moved) -> Self {
        let out: Box<dyn Write + Send> = Box::new(Counted::new(out, moved));
        let state = State { out: Some(out), waiting: Vec::new(), writing: false, over: None, given_up: false };
        Self(Arc::new(Shared { state: Mutex::new(state), change: Condvar::new(), moved: moved.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Nothing more happens: who reads nothing from now on is not waited for without end.
    pub fn over(&self) {
        self.lock().over = Some(Instant::now());
        self.0.change.notify_all();
    }

    pub fn given_up(&self) -> bool {
        self.lock().given_up
    }

    /// Waits until all of it is written, or given up.
    pub fn drained(&self) {
        drop(self.wait(|state| state.waiting.is_empty() && !state.writing));
    }

    fn wait(&self, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let (mut moved, mut since) = (self.0.moved.count(), Instant::now());
        while !done(&state) && !state.given_up {
            let wait = self.0.change.wait_timeout(state, Duration::from_millis(500));
            state = wait.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            let now = self.0.moved.count();
            if now != moved {
                (moved, since) = (now, Instant::now());
            }
            if let Some(over) = state.over
                && since.max(over).elapsed() > STALLED
            {
                state.given_up = true;
                // Who waits for this sees that something went on.
                self.0.moved.add(1);
                self.0.change.notify_all();
            }
        }
        state
    }

    fn work(self, mut out: Box<dyn Write + Send>) {
        loop {
            let bytes = {
                let mut state = self.lock();
                while state.waiting.is_empty() {
                    state.writing = false;
                    self.0.change.notify_all();
                    state = self.0.change.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
                }
                state.writing = true;
                std::mem::take(&mut state.waiting)
            };
            self.0.change.notify_all();
            for piece in pieces(&bytes) {
                let _ = out.write_all(piece);
            }
        }
    }
}

/// Whole lines, as far as they fit into what is written at once: what others print stays between them.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = &bytes[..bytes.len().min(PIECE)];
        if most.is_empty() {
            return None;
        }
        let end = match most.len() < bytes.len() {
            true => most.iter().rposition(|byte| *byte == b'\n').map_or(most.len(), |at| at + 1),
            false => most.len(),
        };
        let (piece, rest) = bytes.split_at(end);
        bytes = rest;
        Some(piece)
    })
}

impl Write for Progress {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut state = self.wait(|state| state.waiting.len() < WAITING);
        if state.given_up {
            return Ok(bytes.len());
        }
        state.waiting.extend_from_slice(bytes);
        if let Some(out) = state.out.take() {
            let progress = self.clone();
            let started = std::thread::Builder::new().name("progress".to_owned()).spawn(move || progress.work(out));
            // Without a thread of its own, there is no progress to see; the result is written all the same.
            state.given_up |= started.is_err();
        }
        drop(state);
        self.0.change.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes behind all progress: what is drawn is cleared away before.
pub struct Behind<W> {
    progress: Progress,
    out: W,
}

impl<W> Behind<W> {
    pub fn new(progress: &Progress, out: W) -> Self {
        Self { progress: progress.clone(), out }
    }
}

impl<W: Write> Write for Behind<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.progress.drained();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Says something on standard error when a run is over, if somebody reads it.
pub fn tell(text: String) {
    let telling = std::thread::Builder::new().spawn(move || {
        let _ = stderr().write_all(text.as_bytes());
    });
    let Ok(telling) = telling else { return };
    let began = Instant::now();
    while !telling.is_finished() && began.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
