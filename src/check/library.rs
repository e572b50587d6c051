//! The standard library: its texts, which are in the binary, and what they declare.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, FileId, Sources, Span};
use crate::syntax;
use crate::syntax::tree::{self, EffectWord, FieldKind, Item, ItemKind, TypeExpr};
use crate::value::{Type, Value};

use super::program::{
    Effect, FieldType, KeyArg, KeyKind, KeyPattern, Library, Module, Native, NativeChanges, NativeParam, ParamRole,
    RecordType,
};

/// Every file of the standard library, by its module's name: found when this program is built.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// The standard library, read.
pub struct Stdlib {
    pub library: Arc<Library>,
    pub trees: Vec<tree::File>,
    /// What is wrong with it: nothing, which a test holds.
    pub diagnostics: Vec<Diagnostic>,
}

static STDLIB: LazyLock<Stdlib> = LazyLock::new(|| read(|_| true, true));

pub fn stdlib() -> &'static Stdlib {
    &STDLIB
}

/// What the standard library declares.
pub fn library() -> Arc<Library> {
    STDLIB.library.clone()
}

/// Sources that begin with the standard library's files: their ids are the same in every program. `docs`: with their
/// comments, which take as long to read as all else.
pub(super) fn sources(docs: bool) -> Sources {
    let mut sources = Sources::default();
    for (name, text) in FILES {
        sources.add(format!("stdlib/{name}.runbook"), None, text_of(text, docs).into_owned());
    }
    sources
}

/// What kind of field of a record this is, where it is declared to be of one.
pub fn field_kind(record: &str, field: &str) -> Option<FieldKind> {
    /// By a record's full name; its module is read when it is first asked for, since most runs ask for none.
    type Kinds = IndexMap<(Arc<str>, Arc<str>), FieldKind>;
    static KINDS: [OnceLock<Kinds>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
    let module = record.split_once('.').map_or(record, |(module, _)| module);
    let at = FILES.iter().position(|(name, _)| *name == module).or_else(|| position("core"))?;
    let kinds = KINDS[at].get_or_init(|| {
        let (module, text) = FILES[at];
        let items = syntax::parse(FileId(at as u32), &text_of(text, false)).file.items;
        let records = items.into_iter().filter_map(|item| match item.kind {
            ItemKind::Record(record) => Some(record),
            _ => None,
        });
        let fields = records.flat_map(|record| {
            let name = full_name(module, &record.name.text);
            record.fields.into_iter().filter_map(move |field| Some(((name.clone(), field.name.text), field.kind?)))
        });
        fields.collect()
    });
    kinds.iter().find(|((of, name), _)| &**of == record && &**name == field).map(|(_, kind)| *kind)
}

fn position(module: &str) -> Option<usize> {
    FILES.iter().position(|(name, _)| *name == module)
}

/// The text, or what is left of it without comments: each line at its place.
fn text_of(text: &'static str, docs: bool) -> Cow<'static, str> {
    if docs {
        return Cow::Borrowed(text);
    }
    let lines = text.lines().map(|line| if line.trim_start().starts_with('#') { "" } else { line });
    Cow::Owned(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The full name of a member: core's members are themselves, and so is one that is called as its module.
pub fn full_name(module: &str, member: &str) -> Arc<str> {
    if module == "core" || module == member { member.into() } else { format!("{module}.{member}").into() }
}

/// Those of its modules that these texts may need, and what these in turn need: reading all of it takes longer than
/// reading most runbooks. The others are empty.
pub(super) fn needed_by<'t>(texts: impl Iterator<Item = &'t str>) -> Stdlib {
    let (mut words, mut modules) = (Vec::new(), Vec::new());
    for (at, (module, text)) in FILES.iter().enumerate() {
        // A member of the module, the native with its name, a key that it declares.
        let keys = text.lines().filter_map(|line| line.strip_prefix("key ")?.split('(').next());
        let named = [format!("{module}."), format!("{module}(")].into_iter().chain(keys.map(|key| format!("{key}(")));
        for word in named {
            words.push(word);
            modules.push(at);
        }
    }
    let Ok(finder) = aho_corasick::AhoCorasick::new(&words) else { return read(|_| true, false) };
    let mut needed = [false; FILES.len()];
    let mut open: Vec<&str> = texts.collect();
    let core = position("core");
    if let Some(at) = core {
        needed[at] = true;
        open.push(FILES[at].1);
    }
    while let Some(text) = open.pop() {
        for found in finder.find_overlapping_iter(text) {
            let at = modules[found.pattern().as_usize()];
            let before = text[..found.start()].chars().next_back();
            let part = before.is_some_and(|char| char.is_alphanumeric() || char == '_' || char == '.');
            if !part && !std::mem::replace(&mut needed[at], true) {
                open.push(FILES[at].1);
            }
        }
    }
    read(|at| needed[at], false)
}

fn read(chosen: impl Fn(usize) -> bool, docs: bool) -> Stdlib {
    let mut trees = Vec::new();
    let mut diagnostics = Vec::new();
    let mut hash = Sha256::new();
    for (at, (_, text)) in FILES.iter().enumerate() {
        hash.update(text.as_bytes());
        let own = if chosen(at) { text_of(text, docs) } else { Cow::Borrowed("") };
        let parsed = syntax::parse(FileId(at as u32), &own);
        diagnostics.extend(parsed.diagnostics);
        trees.push(parsed.file);
    }
    let mut library = Library { hash: hex(&hash.finalize()).into(), ..Library::default() };
    for ((module, _), tree) in FILES.iter().zip(&trees) {
        for item in &tree.items {
            match &item.kind {
                ItemKind::Record(record) => {
                    let name = full_name(module, &record.name.text);
                    library.records.insert(
                        name.clone(),
                        Arc::new(RecordType { name, fields: IndexMap::new(), doc: item.doc.clone() }),
                    );
                }
                ItemKind::Key(key) => {
                    let name = key.name.text.clone();
                    let params = key.params.iter().map(|param| (param.name.text.clone(), Type::String)).collect();
                    library.keys.insert(name.clone(), Arc::new(KeyKind { name, params, doc: item.doc.clone() }));
                }
                _ => {}
            }
        }
    }
    for ((module, text), tree) in FILES.iter().zip(&trees) {
        let mut members = Vec::new();
        for item in &tree.items {
            match &item.kind {
                ItemKind::Record(record) => {
                    let name = full_name(module, &record.name.text);
                    let fields = record
                        .fields
                        .iter()
                        .map(|field| {
                            let (ty, optional) = declared(&field.ty, module, &library, &mut diagnostics);
                            (
                                field.name.text.clone(),
                                FieldType { ty, optional, kind: field.kind, doc: field.doc.clone() },
                            )
                        })
                        .collect();
                    let record = RecordType { name: name.clone(), fields, doc: item.doc.clone() };
                    library.records.insert(name.clone(), Arc::new(record));
                    members.push(name);
                }
                ItemKind::Key(key) => {
                    let name = key.name.text.clone();
                    let params = key
                        .params
                        .iter()
                        .map(|param| {
                            (param.name.text.clone(), declared(&param.ty, module, &library, &mut diagnostics).0)
                        })
                        .collect();
                    library.keys.insert(name.clone(), Arc::new(KeyKind { name, params, doc: item.doc.clone() }));
                }
                ItemKind::Native(native) => {
                    let native = Arc::new(read_native(native, item, module, &library, &mut diagnostics));
                    let name = native.name.clone();
                    if native.effect == Effect::Action && library.natives.contains_key(&name) {
                        library.acting.insert(name, native);
                    } else {
                        members.push(name.clone());
                        library.natives.insert(name, native);
                    }
                }
                ItemKind::Check(definition) | ItemKind::Action(definition) => {
                    members.push(full_name(module, &definition.name.text));
                }
                _ => {}
            }
        }
        let doc: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("# "))
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        let doc = (!doc.is_empty()).then(|| doc.join("\n").into());
        let name: Arc<str> = (*module).into();
        library.modules.insert(name.clone(), Arc::new(Module { name, doc, members }));
    }
    Stdlib { library: Arc::new(library), trees, diagnostics }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_native(
    native: &tree::Native,
    item: &Item,
    module: &str,
    library: &Library,
    diagnostics: &mut Vec<Diagnostic>,
) -> Native {
    let params: Vec<NativeParam> = native
        .params
        .iter()
        .map(|param| {
            let (ty, optional) = declared(&param.ty, module, library, diagnostics);
            NativeParam {
                name: param.name.text.clone(),
                ty,
                optional,
                role: ParamRole::of(&param.name.text),
                default: param.default.as_ref().and_then(constant),
                doc: param.doc.clone(),
            }
        })
        .collect();
    let (returns, returns_optional) =
        native.returns.as_ref().map_or((Type::Any, false), |ty| declared(ty, module, library, diagnostics));
    let mut keys = |exprs: &[tree::Expr]| -> Vec<KeyPattern> {
        exprs.iter().filter_map(|expr| key_pattern(expr, &params, library, diagnostics)).collect()
    };
    let reads = keys(&native.reads);
    let changes = match &native.changes {
        None => NativeChanges::Nothing,
        Some(tree::Changes::Everything(_)) => NativeChanges::Everything,
        Some(tree::Changes::Keys(exprs, _)) => NativeChanges::Keys(keys(exprs)),
    };
    Native {
        name: full_name(module, &native.name.text),
        effect: match native.effect {
            EffectWord::Function => Effect::Function,
            EffectWord::Probe => Effect::Probe,
            EffectWord::Vouched => Effect::Vouched,
            EffectWord::Action => Effect::Action,
        },
        params,
        returns,
        returns_optional,
        reads,
        changes,
        role: native.role,
        doc: item.doc.clone(),
        span: item.span,
    }
}

fn key_pattern(
    expr: &tree::Expr,
    params: &[NativeParam],
    library: &Library,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<KeyPattern> {
    let wrong = |span: Span| {
        Diagnostic::new(
            crate::diagnostic::Code::UnknownKey,
            span,
            "a declared key of the native's own parameters is needed",
        )
    };
    if let tree::ExprKind::Chain { base, links } = &expr.kind
        && let (tree::ExprKind::Name(kind), [tree::Link { kind: tree::LinkKind::Call(args), .. }]) =
            (&base.kind, links.as_slice())
        && library.keys.contains_key(&kind.text)
    {
        let args: Option<Vec<KeyArg>> = args
            .iter()
            .map(|arg| match &arg.value.kind {
                tree::ExprKind::Name(name) => {
                    params.iter().position(|param| param.name == name.text).map(KeyArg::Param)
                }
                tree::ExprKind::String(text) => text.plain().map(KeyArg::Text),
                _ => None,
            })
            .collect();
        if let Some(args) = args {
            return Some(KeyPattern { kind: kind.text.clone(), args });
        }
    }
    diagnostics.push(wrong(expr.span));
    None
}

/// A default of a native: a literal.
fn constant(expr: &tree::Expr) -> Option<Value> {
    Some(match &expr.kind {
        tree::ExprKind::Null => Value::Null,
        tree::ExprKind::Bool(value) => Value::Bool(*value),
        tree::ExprKind::Number(value) => Value::Number(*value),
        tree::ExprKind::Duration(value) => Value::Duration(*value),
        tree::ExprKind::Size(value) => Value::Size(*value),
        tree::ExprKind::Percent(value) => Value::Percent(*value),
        tree::ExprKind::Time(value) => Value::Time(*value),
        tree::ExprKind::String(text) => Value::Text(text.plain()?),
        tree::ExprKind::List(items) => Value::list(items.iter().map(constant).collect::<Option<Vec<_>>>()?),
        tree::ExprKind::Map(entries) if entries.is_empty() => Value::map::<Arc<str>>([]),
        _ => return None,
    })
}

/// A type as it was written, and whether it may be left out.
fn declared(ty: &TypeExpr, module: &str, library: &Library, diagnostics: &mut Vec<Diagnostic>) -> (Type, bool) {
    match resolve_type(ty, Some(module), library) {
        Ok(resolved) => (resolved, ty.optional),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            (Type::Any, ty.optional)
        }
    }
}

/// The names of types that are not records.
const TYPES: &[&str] =
    &["string", "number", "bool", "duration", "size", "percent", "time", "path", "url", "json", "list", "map", "any"];

/// The type that is written; `module`: whose own records need no prefix.
pub(super) fn resolve_type(ty: &TypeExpr, module: Option<&str>, library: &Library) -> Result<Type, Diagnostic> {
    let unknown = |span: Span, name: &str| {
        let records = library.records.keys().map(|name| &**name);
        let meant = crate::diagnostic::did_you_mean(name, TYPES.iter().copied().chain(records));
        let diagnostic =
            Diagnostic::new(crate::diagnostic::Code::UnknownType, span, format!("there is no type `{name}`"));
        if name == "secret" {
            return diagnostic.label("not here").help(
                    "only parameters of checks and actions are of type `secret`; a runbook reads one: `secret key = env(\"KEY\")`",
                );
        }
        diagnostic.label("unknown").help(
            meant.map_or_else(|| format!("types are {}", TYPES.join(", ")), |meant| format!("did you mean `{meant}`?")),
        )
    };
    let of = |ty: &TypeExpr| match &ty.of {
        Some(of) => resolve_type(of, module, library),
        None => Ok(Type::Any),
    };
    let record = |name: &str| library.records.get(name).map(|record| Type::Record(record.name.clone()));
    let name = ty.path.iter().map(|name| &*name.text).collect::<Vec<_>>().join(".");
    let resolved = match name.as_str() {
        "string" => Type::String,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "duration" => Type::Duration,
        "size" => Type::Size,
        "percent" => Type::Percent,
        "time" => Type::Time,
        "path" => Type::Path,
        "url" => Type::Url,
        "json" => Type::Json,
        "shell" => Type::Shell,
        "any" => Type::Any,
        // Only the standard library declares what depends on its arguments.
        "item" if module.is_some() => Type::Item,
        "list" => Type::list(of(ty)?),
        "map" => Type::map(of(ty)?),
        "names" => match of(ty)? {
            Type::Record(kind) => Type::Names(kind),
            _ => return Err(unknown(ty.span, &name)),
        },
        _ => {
            let own = module.and_then(|module| record(&full_name(module, &name)));
            own.or_else(|| record(&name)).ok_or_else(|| unknown(ty.span, &name))?
        }
    };
    Ok(resolved)
}
