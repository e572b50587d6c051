//! One command: started, fed, read, and ended.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::engine::Redactor;
use crate::engine::world::{Output, Request, Stream};
use crate::process::ProcessTree;
use crate::process::sandbox::{self, Refusals, Sandbox};
use crate::value::Value;
use crate::value::display::io_words;

/// How much of a stream's head, and of its tail, is kept.
const KEPT: usize = 512 * 1024;

/// How much is read from a stream at once, at most.
const CHUNK: usize = 16 * 1024;

/// How long a stream is read before others have their turn.
const TURN: Duration = Duration::from_millis(2);

/// How long pipes are read on after the command itself has ended: what it started may hold them open.
const DRAIN: Duration = Duration::from_millis(300);

/// What is to be started.
pub(super) struct Command {
    program: Vec<String>,
    dir: PathBuf,
    env: Vec<(String, String)>,
    /// Variables that are not inherited.
    withheld: Arc<[Arc<str>]>,
    secrets: Arc<Redactor>,
    stdin: Option<String>,
}

/// What a command came to.
pub(super) struct Ended {
    pub status: Option<i32>,
    pub signal: Option<i32>,
    pub cancelled: bool,
    pub stdout: Kept,
    pub stderr: Kept,
    pub time: Duration,
    /// What the sandbox refused, where there was one.
    pub refusals: Refusals,
}

impl Command {
    /// A program with its arguments, in a folder.
    pub fn new(program: Vec<String>, dir: PathBuf) -> Self {
        Self { program, dir, env: Vec::new(), withheld: [].into(), secrets: Redactor::new(), stdin: None }
    }

    /// With the environment that a request gives it.
    pub fn surrounded(self, request: &Request) -> Result<Self, String> {
        Ok(Self {
            env: variables(request)?,
            withheld: request.withheld.clone(),
            secrets: request.secrets.clone(),
            ..self
        })
    }

    pub fn of(request: &Request) -> Result<Self, String> {
        let mut env: Vec<(String, String)> = Vec::new();
        let program: Vec<String> = match request.shell("command") {
            Some(command) => {
                for (name, value) in &command.env {
                    env.push((name.clone(), value.unsealed().to_text().unwrap_or_default().to_string()));
                }
                let shell = command.shell.words().iter().map(|word| (*word).to_owned());
                shell.chain([command.source.clone()]).collect()
            }
            None => {
                let argv = request.list("argv").or_else(|| request.list("command")).unwrap_or_default();
                argv.iter().map(|arg| arg.unsealed().to_text().unwrap_or_default().to_string()).collect()
            }
        };
        if program.iter().any(|word| word.contains('\0')) {
            return Err("a NUL byte can't be part of a command".to_owned());
        }
        if program.first().is_none_or(String::is_empty) {
            return Err("no program is named".to_owned());
        }
        env.extend(variables(request)?);
        let dir = request.text("dir").map_or_else(|| request.root.to_path_buf(), PathBuf::from);
        let stdin = request.value("stdin").map(Value::unsealed).and_then(Value::to_text).map(|text| text.to_string());
        Ok(Self { program, dir, env, withheld: request.withheld.clone(), secrets: request.secrets.clone(), stdin })
    }

    /// Runs it to its end. On `cancel` everything that it started is ended; in a sandbox that happens in any case.
    pub async fn run(
        self,
        output: Option<Arc<dyn Output>>,
        cancel: CancellationToken,
        sandbox: Option<Sandbox>,
    ) -> Result<Ended, String> {
        let began = Instant::now();
        let name = self.program.first().cloned().unwrap_or_default();
        let mut command = tokio::process::Command::new(&name);
        command.args(&self.program[1..]).current_dir(&self.dir);
        for name in &*self.withheld {
            command.env_remove(&**name);
        }
        command
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if sandbox.is_none() {
            command.process_group(0);
        }
        let mut tree = ProcessTree::new();
        let mark = tree.mark(&mut command);
        let mut confined = match sandbox {
            Some(sandbox) => {
                let path = std::env::var_os("PATH");
                if let Some(why) = sandbox::lost_rights(&name, path.as_deref()) {
                    return Err(why);
                }
                Some(sandbox.confine(&mut command, mark)?)
            }
            None => None,
        };
        let mut child = tree.spawn(&mut command).map_err(|error| match error.kind() {
            _ if confined.as_ref().is_some_and(|confined| !confined.is_entered()) => {
                format!("its sandbox could not be set up: {}", io_words(&error))
            }
            _ if !self.dir.is_dir() => format!("there is no folder `{}` to run it in", self.dir.display()),
            std::io::ErrorKind::NotFound => format!("the program `{name}` was not found"),
            std::io::ErrorKind::PermissionDenied => format!("the program `{name}` may not be run"),
            _ => io_words(&error),
        })?;
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), self.stdin) {
            // A command that does not read its input must not hold the run up; nor is that an error.
            tokio::spawn(async move {
                let _ = pipe.write_all(text.as_bytes()).await;
            });
        }
        let stdout = child.stdout.take().map(|pipe| Pipe::read(pipe, Stream::Stdout, output.clone()));
        let stderr = child.stderr.take().map(|pipe| Pipe::read(pipe, Stream::Stderr, output));

        let mut cancelled = false;
        let status = tokio::select! {
            status = child.wait() => status,
            () = cancel.cancelled() => {
                cancelled = true;
                tree.end().await;
                child.wait().await
            }
        };
        let status = status.map_err(|error| format!("it can't be told how it ended: {error}"))?;
        // What the command holds of the sandbox would keep the kernel's word back.
        drop(command);
        match &mut confined {
            Some(confined) => match confined.is_over().await {
                true => tree.gone(),
                false => tree.end().await,
            },
            None => tree.release(),
        }
        let (mut stdout, mut stderr) = (Pipe::drained(stdout).await, Pipe::drained(stderr).await);
        stdout.between(&self.secrets);
        stderr.between(&self.secrets);
        let refusals = confined.as_ref().map(|confined| confined.refusals.clone()).unwrap_or_default();
        drop(confined);
        let (status, signal, time) = (status.code(), status.signal(), began.elapsed());
        Ok(Ended { status, signal, cancelled, stdout, stderr, time, refusals })
    }
}

/// The variables that a request's `env` gives.
fn variables(request: &Request) -> Result<Vec<(String, String)>, String> {
    let mut env = Vec::new();
    for (name, value) in request.map("env").iter().flat_map(|map| &map.entries) {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!("`{name}` is no name of a variable"));
        }
        let value = value.unsealed().to_text().unwrap_or_default().to_string();
        if value.contains('\0') {
            return Err(format!("the variable `{name}` holds a NUL byte"));
        }
        env.push((name.to_string(), value));
    }
    Ok(env)
}

/// A stream that is being read, and what of it is kept.
struct Pipe {
    reading: tokio::task::JoinHandle<()>,
    kept: Arc<Mutex<Kept>>,
}

impl Pipe {
    fn read(
        mut from: impl AsyncRead + Unpin + Send + 'static,
        stream: Stream,
        output: Option<Arc<dyn Output>>,
    ) -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let keeping = kept.clone();
        let reading = tokio::spawn(async move {
            // What is never written to costs nothing: most commands say little.
            let mut buffer = BytesMut::with_capacity(CHUNK);
            let mut turn = Instant::now();
            while from.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
                keeping.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer);
                if let Some(output) = &output {
                    output.chunk(stream, &buffer);
                }
                buffer.clear();
                // Who prints without end must not keep the thread from the time limits, whatever is done with what it prints.
                if turn.elapsed() > TURN {
                    tokio::task::yield_now().await;
                    turn = Instant::now();
                }
            }
        });
        Self { reading, kept }
    }

    /// What was kept, once the stream has ended or its time is up.
    async fn drained(pipe: Option<Self>) -> Kept {
        let Some(mut pipe) = pipe else { return Kept::default() };
        if tokio::time::timeout(DRAIN, &mut pipe.reading).await.is_err() {
            pipe.reading.abort();
        }
        std::mem::take(&mut *pipe.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The head and the tail of a stream.
#[derive(Default)]
pub(in crate::world) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: usize,
}

impl Kept {
    pub fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len().min(KEPT - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        self.tail.extend(&bytes[to_head..]);
        if self.tail.len() > KEPT {
            let over = self.tail.len() - KEPT;
            self.tail.drain(..over);
            self.left_out += over;
        }
    }

    /// Where the middle is left out, leaves out so much more that half a secret stands on neither side.
    pub fn between(&mut self, secrets: &Redactor) {
        if self.left_out == 0 {
            return;
        }
        let (to, from) = secrets.cuts(&self.head, self.tail.make_contiguous());
        self.left_out += self.head.len() - to + from;
        self.head.truncate(to);
        self.tail.drain(..from);
    }

    pub fn truncated(&self) -> bool {
        self.left_out > 0
    }

    pub fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.left_out == 0 {
            return String::from_utf8_lossy(&[&self.head[..], &tail].concat()).into_owned();
        }
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail));
        format!("{head}\n… {} bytes left out …\n{tail}", self.left_out)
    }
}
