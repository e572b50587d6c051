//! Secrets: values that nothing can print.
//!
//! A [`Sealed`] has no `Display`, its `Debug` and its serialized form show its name alone. What may see the value (an
//! environment, a standard input, a request, a comparison) says so by calling [`Sealed::reveal`]; whoever computes with
//! it seals the result. Its value is known to the run's `engine::redact::Redactor`, which takes it out of every event.

use std::sync::Arc;

use super::Value;

/// A value under a seal.
#[derive(Clone)]
pub struct Sealed {
    name: Arc<str>,
    value: Arc<Value>,
}

impl Sealed {
    /// Seals `value`; `name` is what is shown instead: the secret's name in the runbook.
    pub fn new(name: impl Into<Arc<str>>, value: Value) -> Self {
        let value = match value {
            Value::Secret(inner) => return inner,
            other => other,
        };
        Self { name: name.into(), value: Arc::new(value) }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The value itself. Each caller is a place where a secret leaves our hands, or is computed with and sealed again.
    pub fn reveal(&self) -> &Value {
        &self.value
    }
}

impl PartialEq for Sealed {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "‹secret {}›", self.name)
    }
}
