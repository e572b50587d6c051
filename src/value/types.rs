//! The static types of the language.

use std::sync::Arc;

/// What an expression can come to. Whether it may be absent is said where it is declared, not here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Could be anything: after an error, and for what only a run can tell.
    Any,
    Bool,
    Number,
    String,
    /// A path on this host, relative to the project's root. Empty is refused where it is used.
    Path,
    Url,
    Duration,
    Size,
    Percent,
    Time,
    /// Whatever JSON can say; navigated with `["key"]`, `[0]` or `.key`.
    Json,
    /// A shell command, written out as a literal.
    Shell,
    /// A key of facts, as after `reads` and `changes`.
    Key,
    List(Arc<Type>),
    Map(Arc<Type>),
    /// In the standard library: whatever the items of an argument are.
    Item,
    /// A declared record, by its full name: `http.response`.
    Record(Arc<str>),
    /// What an action is done to: things of one kind of record, each by its name or as the record, one or a list.
    Names(Arc<str>),
}

impl Type {
    pub fn list(of: Type) -> Type {
        Type::List(Arc::new(of))
    }

    pub fn map(of: Type) -> Type {
        Type::Map(Arc::new(of))
    }

    /// What stands for [`Type::Item`] in a type that is declared with it, when it is given a value of `found`.
    pub fn item_of(&self, found: &Type) -> Option<Type> {
        match (self, found) {
            (Type::Item, found) => Some(found.clone()),
            (Type::List(declared), Type::List(found)) | (Type::Map(declared), Type::Map(found)) => {
                declared.item_of(found)
            }
            // What JSON holds is JSON.
            (Type::List(declared) | Type::Map(declared), Type::Json) => declared.item_of(&Type::Json),
            (Type::List(declared) | Type::Map(declared), Type::Any) => declared.item_of(&Type::Any),
            _ => None,
        }
    }

    /// The type with `item` where it is declared with [`Type::Item`].
    pub fn with_item(&self, item: &Type) -> Type {
        match self {
            Type::Item => item.clone(),
            Type::List(of) => Type::list(of.with_item(item)),
            Type::Map(of) => Type::map(of.with_item(item)),
            other => other.clone(),
        }
    }

    /// String, path and URL are all text; they differ in what they are good for.
    pub fn is_textual(&self) -> bool {
        matches!(self, Type::String | Type::Path | Type::Url)
    }

    /// Whether a value of this type may stand where `wanted` is expected.
    pub fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Any, _) | (_, Type::Any | Type::Item) => true,
            // What JSON holds is only known when it is asked.
            (Type::Json, Type::Key | Type::Shell | Type::Record(_)) => false,
            (Type::List(of), Type::Names(_)) => of.fits(wanted),
            (Type::Record(of), Type::Names(kind)) => of == kind,
            (of, Type::Names(_)) if of.is_textual() => true,
            (Type::Json, _) => true,
            (a, b) if a.is_textual() && b.is_textual() => true,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => a.fits(b),
            (Type::Bool | Type::Number | Type::String | Type::Path | Type::Url, Type::Json) => true,
            (Type::List(of) | Type::Map(of), Type::Json) => of.fits(&Type::Json),
            (a, b) => a == b,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::Path => f.write_str("path"),
            Type::Url => f.write_str("url"),
            Type::Duration => f.write_str("duration"),
            Type::Size => f.write_str("size"),
            Type::Percent => f.write_str("percent"),
            Type::Time => f.write_str("time"),
            Type::Json => f.write_str("json"),
            Type::Shell => f.write_str("shell"),
            Type::Key => f.write_str("key"),
            Type::List(of) => write!(f, "list({of})"),
            Type::Map(of) => write!(f, "map({of})"),
            Type::Item => f.write_str("item"),
            Type::Record(name) => f.write_str(name),
            Type::Names(kind) => write!(f, "names({kind})"),
        }
    }
}
