//! `docker.engine()`

use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, no_answer, text};

impl Docker {
    pub(super) async fn engine(&self) -> Result<Answer, Unknown> {
        let client = self.client().await?;
        let version = client.version().await.map_err(|error| no_answer(&error))?;
        let not_said = "the engine does not say";
        if version.version.is_none() {
            return Err(Unknown::new(UnknownCause::Unreadable, "what answers there does not say which engine it is"));
        }
        Ok(Answer::Known(Value::record(
            "docker.engine",
            [
                ("version", text(version.version, not_said)),
                ("api_version", text(version.api_version, not_said)),
                ("os", text(version.os, not_said)),
                ("arch", text(version.arch, not_said)),
            ],
        )))
    }
}
