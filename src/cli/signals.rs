//! Signals: heard on a thread of their own, whatever the run's thread does.
//!
//! In: SIGINT, SIGTERM, SIGQUIT, SIGHUP. Out: the flags of a [`Cancel`]. Behind the run's end, when all that is left is
//! to hand out what readers have not taken yet, a signal ends the waiting: the journal has it all.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::engine::Cancel;
use crate::engine::cancel::{Asks, Signal};

/// How long readers of a run that has ended, and was asked to end, may still take.
const LEAVING: Duration = Duration::from_secs(2);

const HEARD: [(SignalKind, Signal); 4] = [
    (SignalKind::interrupt(), Signal::Interrupt),
    (SignalKind::terminate(), Signal::Terminate),
    (SignalKind::quit(), Signal::Quit),
    (SignalKind::hangup(), Signal::HangUp),
];

/// The exit code of a run that has ended, shared with the thread that hears.
type Over = Arc<Mutex<Option<u8>>>;

/// Signals are heard as long as this lives.
pub(super) struct Listening {
    cancel: Cancel,
    over: Over,
    ended: CancellationToken,
    left: CancellationToken,
}

impl Listening {
    /// From now on a signal ends the run in order. Before that it ends the program, which has done nothing yet.
    pub fn new(cancel: &Cancel) -> Self {
        let listening = Self {
            cancel: cancel.clone(),
            over: Over::default(),
            ended: CancellationToken::new(),
            left: CancellationToken::new(),
        };
        let (ready, started) = std::sync::mpsc::channel();
        let hearing = (cancel.clone(), listening.over.clone(), listening.ended.clone(), listening.left.clone());
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let (cancel, over, ended, left) = hearing;
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                let heard = hear();
                let _ = ready.send(());
                tokio::select! {
                    () = left.cancelled() => {}
                    () = listen(heard, cancel, over, ended) => {}
                }
            });
        });
        // What is started next may already be told to end.
        if thread.is_ok() {
            let _ = started.recv();
        }
        listening
    }

    /// The run has ended, and this is its exit code. Whoever was to end the run does not wait long for its readers.
    pub fn over(&self, code: u8) {
        *self.over.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(code);
        if self.cancel.by_signal() {
            self.ended.cancel();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.left.cancel();
    }
}

/// The signals that are heard. What was to be ignored from the start (by nohup(1), by a shell's `&`) stays so.
fn hear() -> Vec<(tokio::signal::unix::Signal, Signal)> {
    // A file that may not grow further is an error of the write, not the end of the program.
    if let Ok(too_large) = signal(SignalKind::from_raw(libc::SIGXFSZ)) {
        drop(too_large);
    }
    let wanted = HEARD.into_iter().filter(|(kind, _)| !is_ignored(kind.as_raw_value()));
    wanted.filter_map(|(kind, what)| Some((signal(kind).ok()?, what))).collect()
}

async fn listen(
    heard: Vec<(tokio::signal::unix::Signal, Signal)>,
    cancel: Cancel,
    over: Over,
    ended: CancellationToken,
) {
    let began = Instant::now();
    let each = heard.into_iter().map(|(mut stream, signal)| {
        let (cancel, over, ended) = (cancel.clone(), over.clone(), ended.clone());
        async move {
            while stream.recv().await.is_some() {
                let asks = cancel.signal(signal, began.elapsed());
                if code(&over).is_none() {
                    continue;
                }
                match asks {
                    Asks::EndAtOnce => leave(&over),
                    Asks::End => ended.cancel(),
                    Asks::Nothing => {}
                }
            }
        }
    });
    let waiting = async {
        ended.cancelled().await;
        tokio::time::sleep(LEAVING).await;
        leave(&over);
    };
    tokio::join!(futures_util::future::join_all(each), waiting);
}

fn code(over: &Over) -> Option<u8> {
    *over.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends the program: its run is over, and someone does not read what it told.
fn leave(over: &Over) {
    if let Some(code) = code(over) {
        crate::process::finish();
        // Nothing is flushed: a reader that stands still would hold that up.
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(code)) };
    }
}

/// Whether a signal was to be ignored from the start.
pub(super) fn is_ignored(signal: i32) -> bool {
    // SAFETY: asks for the action of a signal, into a place of ours.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
