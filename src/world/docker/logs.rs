//! `docker.logs(name)`: both streams, told apart.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use jiff::Timestamp;

use crate::engine::world::Request;
use crate::value::{Answer, Number, Unknown, UnknownCause, Value};

use super::{Docker, is_missing, name, no_answer};

/// The most that is read.
const LARGEST: usize = 8 << 20;

impl Docker {
    pub(super) async fn logs(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = name(request)?;
        let mut options = LogsOptionsBuilder::default().stdout(true).stderr(true);
        let tail = request.number("tail").and_then(Number::as_i64).unwrap_or(10_000);
        options = options.tail(&tail.max(0).to_string());
        if let Some(since) = request.duration("since") {
            // The engine takes whole seconds: rather one line too many than one too few.
            let from = Timestamp::now().as_second() - i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2) - 1;
            options = options.since(i32::try_from(from.max(0)).unwrap_or(0));
        }
        let mut stream = std::pin::pin!(self.client().await?.logs(name, Some(options.build())));
        let (mut text, mut stdout, mut stderr) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(piece) = stream.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) if is_missing(&error) => {
                    return Ok(Answer::absent(format!("there is no container `{name}`")));
                }
                Err(error) => return Err(no_answer(&error)),
            };
            let (bytes, of) = match &piece {
                LogOutput::StdErr { message } => (message, &mut stderr),
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    (message, &mut stdout)
                }
            };
            of.extend_from_slice(bytes);
            text.extend_from_slice(bytes);
            if text.len() > LARGEST {
                let reason = "the log has more than the 8 MiB that are read; ask for less of it by `tail` or `since`";
                return Err(Unknown::new(UnknownCause::Unreadable, reason));
            }
        }
        let lossy = |bytes: &[u8]| Answer::Known(Value::text(String::from_utf8_lossy(bytes).into_owned()));
        let lines = String::from_utf8_lossy(&text).lines().map(Value::text).collect::<Vec<_>>();
        Ok(Answer::Known(Value::record(
            "docker.log",
            [
                ("text", lossy(&text)),
                ("stdout", lossy(&stdout)),
                ("stderr", lossy(&stderr)),
                ("lines", Answer::Known(Value::list(lines))),
            ],
        )))
    }
}
