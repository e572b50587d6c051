//! `docker.exec(name, argv)`: a program in a container, as a vouched probe and as an action.

use std::sync::Arc;
use std::time::Instant;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;

use crate::engine::world::{Outcome, Output, Request, Stream};
use crate::value::{Answer, Unknown, UnknownCause, Value};
use crate::world::shell::{self, Kept};

use super::{Docker, is_missing, name, no_answer};

/// What a program in a container came to.
struct Ended {
    status: Option<i64>,
    stdout: Kept,
    stderr: Kept,
    time: std::time::Duration,
}

impl Docker {
    /// As a probe: what it came to; absent if there is no such container, or if it does not run.
    pub(super) async fn asked(&self, request: &Request) -> Result<Answer, Unknown> {
        match self.exec(request, None).await? {
            Ok(ended) => Ok(record(&ended)),
            Err(absence) => Ok(Answer::absent(absence)),
        }
    }

    /// As an action: it fails if the program ends with another status than 0.
    pub(super) async fn done(&self, request: &Request, output: Arc<dyn Output>) -> Result<Outcome, Unknown> {
        let ended = match self.exec(request, Some(output)).await? {
            Ok(ended) => ended,
            Err(why) => return Err(Unknown::new(UnknownCause::Invalid, why)),
        };
        let failure = match ended.status {
            Some(0) => None,
            Some(status) => Some(format!("ended with status {status}")),
            None => Some("ended, and the engine does not say how".to_owned()),
        };
        Ok(Outcome { result: record(&ended), failure })
    }

    /// Why it could not be started is text: knowledge, not a failure to ask.
    async fn exec(&self, request: &Request, output: Option<Arc<dyn Output>>) -> Result<Result<Ended, String>, Unknown> {
        let name = name(request)?;
        let client = self.client().await?;
        let words = |value: &Value| value.unsealed().to_text().unwrap_or_default().to_string();
        let argv: Vec<String> = request.list("argv").unwrap_or_default().iter().map(words).collect();
        if argv.first().is_none_or(String::is_empty) {
            return Err(Unknown::new(UnknownCause::Invalid, "no program is named"));
        }
        let variable = |(name, value): (&Arc<str>, &Value)| format!("{name}={}", words(value));
        let env = request.map("env").map(|map| map.entries.iter().map(variable).collect());
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.clone()),
            env,
            user: request.text("user").map(str::to_owned),
            working_dir: request.text("dir").map(str::to_owned),
            ..ExecConfig::default()
        };
        let began = Instant::now();
        let exec = match client.create_exec(name, config).await {
            Ok(exec) => exec.id,
            Err(error) if is_missing(&error) => return Ok(Err(format!("there is no container `{name}`"))),
            Err(Error::DockerResponseServerError { status_code: 409, .. }) => {
                return Ok(Err(format!("the container `{name}` does not run")));
            }
            Err(error) => return Err(no_answer(&error)),
        };
        let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
        let options = StartExecOptions::default();
        let (streaming, budget) = self.streaming().await?;
        let started = streaming.start_exec(&exec, Some(options)).await;
        let StartExecResults::Attached { output: mut stream, .. } = started.map_err(|error| no_answer(&error))? else {
            return Err(Unknown::new(UnknownCause::Unreadable, "the engine did not send what it printed"));
        };
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| no_answer(&error))?;
            budget.fill_up();
            let (bytes, of, kept) = match &piece {
                LogOutput::StdErr { message } => (message, Stream::Stderr, &mut stderr),
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    (message, Stream::Stdout, &mut stdout)
                }
            };
            kept.push(bytes);
            if let Some(output) = &output {
                output.chunk(of, bytes);
            }
        }
        stdout.between(&request.secrets);
        stderr.between(&request.secrets);
        let ended = client.inspect_exec(&exec).await.map_err(|error| no_answer(&error))?;
        let status = ended.exit_code;
        // 126 and 127 of a program that the engine itself could not start.
        if matches!(status, Some(126 | 127)) && stdout.text().starts_with("OCI runtime exec failed") {
            let program = argv.first().cloned().unwrap_or_default();
            return Ok(Err(format!("`{program}` can't be run in the container `{name}`: {}", stdout.text().trim())));
        }
        Ok(Ok(Ended { status, stdout, stderr, time: began.elapsed() }))
    }
}

fn record(ended: &Ended) -> Answer {
    let status = ended.status.and_then(|status| i32::try_from(status).ok());
    shell::result(status, None, &ended.stdout, &ended.stderr, ended.time)
}
