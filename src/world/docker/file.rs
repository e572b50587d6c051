//! `docker.file(container, path)`: what lies at a path in a container, without running anything in it.
//!
//! The engine's archive endpoint tells it, also of mounted secrets, and of a container that does not run. That the
//! container's own user may read it is another question.

use std::io::Read;

use bollard::errors::Error;
use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder};
use futures_util::StreamExt;

use crate::engine::world::Request;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, is_missing, named, no_answer, time};

/// The largest content that is read.
const LARGEST: i64 = 8 << 20;

/// How many symbolic links are followed.
const LINKS: usize = 16;

/// The kinds of files, by the bits of Go's `os.FileMode`.
const KINDS: [(u32, &str); 4] = [(1 << 31, "folder"), (1 << 26, "device"), (1 << 25, "fifo"), (1 << 24, "socket")];
const LINK: u32 = 1 << 27;

impl Docker {
    pub(super) async fn file(&self, request: &Request) -> Result<Answer, Unknown> {
        let container = named(request, "container")?;
        let asked = request.text("path").unwrap_or_default();
        if !asked.starts_with('/') {
            let reason = format!("`{asked}` is no path in a container: it has to begin with `/`");
            return Err(Unknown::new(UnknownCause::Invalid, reason));
        }
        let client = self.client().await?;
        let mut path = asked.to_owned();
        let mut links = 0;
        let found = loop {
            let options = ContainerArchiveInfoOptionsBuilder::default().path(&path).build();
            match client.get_container_archive_info(container, Some(options)).await {
                Ok(found) if found.file_mode & LINK != 0 && !found.link_target.is_empty() && links < LINKS => {
                    path = found.link_target;
                    links += 1;
                }
                Ok(found) => break found,
                // The engine's answer has no body here, and does not tell which of the two is missing.
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
                    return match client.inspect_container(container, None).await {
                        Ok(_) => Ok(Answer::absent(format!("`{container}` has no {asked}"))),
                        Err(error) if is_missing(&error) => {
                            Ok(Answer::absent(format!("there is no container `{container}`")))
                        }
                        Err(error) => Err(no_answer(&error)),
                    };
                }
                Err(error) => return Err(no_answer(&error)),
            }
        };
        let mode = found.file_mode;
        let kind = KINDS.iter().find(|(bit, _)| mode & bit != 0).map_or("file", |(_, kind)| kind);
        let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
        let permissions =
            special.iter().filter(|(bit, _)| mode & bit != 0).fold(mode & 0o777, |all, (_, bit)| all | bit);
        let text = match () {
            () if !request.wants("text") && !request.wants("lines") => None,
            () if kind != "file" => Some(Answer::unknown(UnknownCause::Unreadable, format!("it is a {kind}"))),
            () if found.size > LARGEST => {
                Some(Answer::unknown(UnknownCause::Unreadable, "it has more than the 8 MiB that are read"))
            }
            () => Some(self.content(container, &path).await?),
        };
        let text = text.unwrap_or_else(|| Answer::unknown(UnknownCause::LeftOut, "it was not asked for"));
        let lines = text.clone().and_then(|text| {
            let text = text.to_text().unwrap_or_default();
            Answer::Known(Value::list(text.lines().map(Value::text)))
        });
        let known = Answer::Known;
        Ok(known(Value::record(
            "docker.file",
            [
                ("path", known(Value::text(asked))),
                ("kind", known(Value::text(kind))),
                ("size", known(Value::Size(found.size))),
                ("mode", known(Value::text(format!("{permissions:04o}")))),
                ("modified", time(found.modification_time.as_deref(), "the engine does not say")),
                ("text", text),
                ("lines", lines),
            ],
        )))
    }

    /// The content of a plain file: the engine sends it as a tar archive of one entry.
    async fn content(&self, container: &str, path: &str) -> Result<Answer, Unknown> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut stream = std::pin::pin!(self.client().await?.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(piece) = stream.next().await {
            archive.extend_from_slice(&piece.map_err(|error| no_answer(&error))?);
            if archive.len() as i64 > LARGEST + (1 << 16) {
                return Ok(Answer::unknown(UnknownCause::Unreadable, "it has more than the 8 MiB that are read"));
            }
        }
        let unreadable = |error: std::io::Error| {
            Unknown::new(UnknownCause::Unreadable, format!("what the engine sent of it can't be read: {error}"))
        };
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut content = Vec::new();
        if let Some(entry) = archive.entries().map_err(unreadable)?.next() {
            entry.map_err(unreadable)?.read_to_end(&mut content).map_err(unreadable)?;
        }
        Ok(match String::from_utf8(content) {
            Ok(text) => Answer::Known(Value::text(text)),
            Err(_) => Answer::unknown(UnknownCause::Unreadable, "it is no UTF-8"),
        })
    }
}
