//! A text that is put together of parts and values.

use std::sync::Arc;

use crate::check::program::Text;
use crate::value::size::{self, Room};
use crate::value::{Answer, Sealed, Type, UnknownCause, Value};

use super::url_text::UrlText;

/// A text as it is put together. A secret makes all of it secret.
pub struct Composed {
    out: String,
    /// It is a URL: its values must not change each other's place in it.
    url: Option<UrlText>,
    seal: Option<Arc<str>>,
    room: Room,
}

impl Composed {
    pub fn of(text: &Text) -> Self {
        Self { out: String::new(), url: text.url.then(UrlText::default), seal: None, room: Room::default() }
    }

    pub fn text(&mut self, text: &str) {
        match &mut self.url {
            Some(url) => url.text(text),
            None => self.out.push_str(text),
        }
    }

    /// `Err`: what the text is instead.
    pub fn value(&mut self, value: &Value, ty: &Type) -> Result<(), Answer> {
        if let Value::Secret(sealed) = value {
            self.seal.get_or_insert_with(|| sealed.name().clone());
        }
        match value.unsealed().to_text() {
            Some(text) if text.is_empty() && *ty == Type::Path => {
                let reason = "an empty path in a text: it would mean another place than was meant";
                Err(Answer::unknown(UnknownCause::Invalid, reason))
            }
            Some(text) if !self.room.text(text.len()) => Err(size::too_large()),
            Some(text) => match &mut self.url {
                Some(url) => url.value(&text).map_err(|why| Answer::unknown(UnknownCause::Invalid, why)),
                None => {
                    self.out.push_str(&text);
                    Ok(())
                }
            },
            None => {
                let reason = format!("{} can't be put into a text", value.unsealed().kind());
                Err(Answer::unknown(UnknownCause::Invalid, reason))
            }
        }
    }

    pub fn finish(self) -> Answer {
        let out = match self.url.map(UrlText::finish) {
            None => self.out,
            Some(Ok(url)) => url,
            Some(Err(why)) => return Answer::unknown(UnknownCause::Invalid, why),
        };
        let value = Value::text(out);
        Answer::Known(match self.seal {
            Some(name) => Value::Secret(Sealed::new(name, value)),
            None => value,
        })
    }
}
