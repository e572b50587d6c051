//! `docker.logs(name)`: both streams, told apart.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use jiff::Timestamp;

use crate::engine::world::Request;
use crate::value::size::list_of;
use crate::value::{Answer, Number, Unknown, UnknownCause, Value};

use super::{Docker, is_missing, name, no_answer};

/// The most that is read.
const LARGEST: usize = 8 << 20;

/// What was read of a log.
#[derive(Default)]
struct Printed {
    /// Both streams, as they came.
    all: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Docker {
    pub(super) async fn logs(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = name(request)?;
        let tail = request.number("tail").and_then(Number::as_i64).unwrap_or(10_000);
        let since = request.duration("since").map(|since| {
            let since = jiff::SignedDuration::try_from(since).unwrap_or(jiff::SignedDuration::MAX);
            Timestamp::now().checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH)
        });
        let after = since.into_iter().chain(request.time("after")).max();
        let Some(printed) = self.printed(name, tail, after).await? else {
            return Ok(Answer::absent(format!("there is no container `{name}`")));
        };
        let lossy = |bytes: &[u8]| Answer::Known(Value::text(String::from_utf8_lossy(bytes).into_owned()));
        let lines = list_of(String::from_utf8_lossy(&printed.all).lines());
        Ok(Answer::Known(Value::record(
            "docker.log",
            [
                ("text", lossy(&printed.all)),
                ("stdout", lossy(&printed.stdout)),
                ("stderr", lossy(&printed.stderr)),
                ("lines", lines),
            ],
        )))
    }

    /// The last lines that a container printed; none if there is no such container.
    pub(in crate::world) async fn last_lines(&self, name: &str, tail: i64) -> Result<Vec<String>, Unknown> {
        let printed = self.printed(name, tail, None).await?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&printed.all).lines().map(str::to_owned).collect())
    }

    async fn printed(&self, name: &str, tail: i64, after: Option<Timestamp>) -> Result<Option<Printed>, Unknown> {
        let mut options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&tail.max(0).to_string());
        if let Some(after) = after {
            // The engine takes whole seconds; by the time that it writes before each line, the rest is told.
            options = options.since(i32::try_from(after.as_second().max(0)).unwrap_or(0)).timestamps(true);
        }
        let (streaming, budget) = self.streaming().await?;
        let mut stream = std::pin::pin!(streaming.logs(name, Some(options.build())));
        let mut printed = Printed::default();
        while let Some(piece) = stream.next().await {
            budget.fill_up();
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(no_answer(&error)),
            };
            let (message, of) = match &piece {
                LogOutput::StdErr { message } => (message, &mut printed.stderr),
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    (message, &mut printed.stdout)
                }
            };
            let line = match after.and_then(|after| Some((after, stamped(message)?))) {
                Some((after, (time, _))) if time < after => continue,
                Some((_, (_, line))) => line,
                None => message,
            };
            of.extend_from_slice(line);
            printed.all.extend_from_slice(line);
            if printed.all.len() > LARGEST {
                let reason = "the log has more than the 8 MiB that are read; ask for less of it by `tail` or `since`";
                return Err(Unknown::new(UnknownCause::Unreadable, reason));
            }
        }
        Ok(Some(printed))
    }
}

/// A line with the time before it, apart.
fn stamped(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let at = line.iter().position(|byte| *byte == b' ')?;
    let time = std::str::from_utf8(&line[..at]).ok()?.parse().ok()?;
    Some((time, &line[at + 1..]))
}
