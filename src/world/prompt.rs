//! `prompt`: a person at the terminal types a secret. Echo is off while they type, and on again however it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::engine::world::Request;
use crate::value::{Answer, UnknownCause, Value};

use super::native::{Registered, probe};
use super::{Asks, io_words, within};

pub(super) const NATIVES: &[Registered] = &[probe("prompt", |eyes, request| match eyes.asks {
    Asks::Terminal => ask(request).boxed(),
    Asks::Nobody => {
        let reason = "typed by a person when it is run; a dry run asks nobody";
        std::future::ready(Answer::unknown(UnknownCause::LeftOut, reason)).boxed()
    }
})];

/// The longest line that is taken.
const MOST: usize = 64 * 1024;

async fn ask(request: Request) -> Answer {
    let text = match request.value("text") {
        Some(value) if value.is_secret() => "a secret".to_owned(),
        _ => request.text("text").unwrap_or_default().chars().filter(|char| is_plain(*char)).collect(),
    };
    let mut terminal = match OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(terminal) => terminal,
        Err(_) => return Answer::unknown(UnknownCause::NoAnswer, "there is no terminal to ask on"),
    };
    let quiet = match Quiet::on(&terminal) {
        Ok(quiet) => quiet,
        Err(error) => {
            return Answer::unknown(
                UnknownCause::NoAnswer,
                format!("the terminal can't be asked: {}", io_words(&error)),
            );
        }
    };
    let aside = crate::terminal::aside();
    let _ = write!(terminal, "\r\x1b[K{text}: ").and_then(|()| terminal.flush());
    let given_up = quiet.given_up.clone();
    let answer = within(request.limit, async move {
        match tokio::task::spawn_blocking(move || line(terminal, &given_up)).await {
            Ok(Ok(bytes)) => match String::from_utf8(bytes) {
                Ok(text) if text.is_empty() => Answer::absent("nothing was typed"),
                Ok(text) => Answer::Known(Value::text(text)),
                Err(_) => Answer::unknown(UnknownCause::Unreadable, "what was typed is not UTF-8"),
            },
            Ok(Err(error)) => {
                Answer::unknown(UnknownCause::NoAnswer, format!("the terminal can't be read: {}", io_words(&error)))
            }
            Err(_) => Answer::unknown(UnknownCause::NoAnswer, "the terminal can't be read"),
        }
    })
    .await;
    drop(quiet);
    drop(aside);
    answer
}

/// Whether a terminal shows it, and nothing else.
fn is_plain(char: char) -> bool {
    !char.is_control() && !matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line, without its end.
pub(super) fn line(mut terminal: File, given_up: &AtomicBool) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !given_up.load(Ordering::Relaxed) && line.len() < MOST {
        if poll(&mut [PollFd::new(&terminal, PollFlags::IN)], Some(&tenth))? == 0 {
            continue;
        }
        let mut bytes = [0; 4096];
        let count = terminal.read(&mut bytes)?;
        line.extend_from_slice(&bytes[..count]);
        if count == 0 || line.contains(&b'\n') {
            break;
        }
    }
    line.truncate(line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(line.len()));
    Ok(line)
}

/// A terminal that does not show what is typed, as long as this lives.
struct Quiet {
    terminal: File,
    before: Termios,
    given_up: Arc<AtomicBool>,
}

impl Quiet {
    fn on(terminal: &File) -> std::io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before, given_up: Arc::default() })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        let _ = self.terminal.write_all(b"\r\n");
    }
}
