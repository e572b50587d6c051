//! `runbook doc [MODULE]` and `runbook explain CODE`

use std::process::ExitCode;

use clap::Args;

use crate::check::explain::explain;
use crate::check::library;
use crate::check::program::{Effect, KeyArg, KeyPattern, Library, Native, NativeChanges, RecordType};
use crate::diagnostic::{Code, did_you_mean};
use crate::report::style::Paint;

use super::{Global, NOT_RUN};

#[derive(Args)]
pub(super) struct Doc {
    /// A module: `http`; or one of its members: `http.get`. Without it, all modules
    module: Option<String>,

    /// The JSON Schema of the events of a run instead: what `--format json` prints
    #[arg(long, conflicts_with = "module")]
    schema: bool,
}

#[derive(Args)]
pub(super) struct Explain {
    /// The code, as messages show it: `RB0102`
    code: String,
}

impl Explain {
    pub fn run(self, _global: Global) -> ExitCode {
        match Code::parse(&self.code) {
            Some(code) => {
                let text = explain(code);
                if text.is_empty() {
                    println!("{code}: {}", code.title())
                } else {
                    println!("{text}")
                }
                ExitCode::SUCCESS
            }
            None => {
                eprintln!(
                    "runbook: there is no code `{}`; codes are shown in messages, such as {}",
                    self.code,
                    Code::UnknownField
                );
                ExitCode::from(NOT_RUN)
            }
        }
    }
}

impl Doc {
    pub fn run(self, global: Global) -> ExitCode {
        if self.schema {
            println!("{:#}", crate::engine::events::event::schema());
            return ExitCode::SUCCESS;
        }
        let paint = Paint { on: global.colour_out() };
        let library = library();
        let Some(name) = &self.module else {
            for module in library.modules.values() {
                let first = module.doc.as_deref().and_then(|doc| doc.lines().next()).unwrap_or_default();
                println!("{}  {first}", paint.bold(&format!("{:<8}", module.name)));
            }
            println!("\n`runbook doc MODULE` shows one of them.");
            return ExitCode::SUCCESS;
        };
        if let Some(module) = library.modules.get(name.as_str()) {
            println!("{}\n", paint.bold(&module.name));
            println!("{}\n", module.doc.as_deref().unwrap_or_default());
            for member in &module.members {
                describe(&library, member, paint);
            }
            return ExitCode::SUCCESS;
        }
        let members: Vec<&str> =
            library.modules.values().flat_map(|module| module.members.iter()).map(|member| &**member).collect();
        if members.contains(&name.as_str()) {
            describe(&library, name, paint);
            return ExitCode::SUCCESS;
        }
        let known = library.modules.keys().map(|name| &**name).chain(members);
        let help = did_you_mean(name, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        eprintln!("runbook: there is no module `{name}`{help}");
        ExitCode::from(NOT_RUN)
    }
}

fn describe(library: &Library, name: &str, paint: Paint) {
    if let Some(native) = library.natives.get(name) {
        native_doc(native, paint);
    }
    if let Some(native) = library.acting.get(name) {
        native_doc(native, paint);
    }
    if let Some(record) = library.records.get(name) {
        record_doc(record, paint);
    }
    let definition = check_doc(name);
    if let Some((signature, doc)) = definition {
        println!("{}  {}", paint.bold(&signature), paint.dim("in the language itself"));
        indented(&doc);
    }
}

fn native_doc(native: &Native, paint: Paint) {
    let params: Vec<String> = native
        .params
        .iter()
        .map(|param| {
            let optional = if param.optional { "?" } else { "" };
            let default = param.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
            format!("{}: {}{optional}{default}", param.name, param.ty)
        })
        .collect();
    let optional = if native.returns_optional { "?" } else { "" };
    println!("{}({}) -> {}{optional}", paint.bold(&native.name), params.join(", "), native.returns);
    let effect = match native.effect {
        Effect::Function => paint.dim("computes"),
        Effect::Probe => paint.good("looks"),
        Effect::Vouched => paint.doubtful("looks, on its author's word"),
        Effect::Action => match &native.changes {
            NativeChanges::Nothing => paint.action("action"),
            NativeChanges::Everything => paint.bad("action: may change anything, unless `changes […]` says less"),
            NativeChanges::Keys(keys) => {
                let words: Vec<String> = keys.iter().map(|key| key_words(key, native)).collect();
                paint.action(&format!("action: changes {}", words.join(", ")))
            }
        },
    };
    println!("    {effect}");
    indented(native.doc.as_deref().unwrap_or_default());
    for param in native.params.iter().filter(|param| param.doc.is_some()) {
        println!("    {}  {}", paint.bold(&param.name), param.doc.as_deref().unwrap_or_default().replace('\n', " "));
    }
    println!();
}

/// A key as the declaration writes it: `container(name)`, `url("*")`.
fn key_words(key: &KeyPattern, native: &Native) -> String {
    let word = |arg: &KeyArg| match arg {
        KeyArg::Param(at) => native.params.get(*at).map(|param| param.name.to_string()).unwrap_or_default(),
        KeyArg::Text(text) => format!("\"{text}\""),
    };
    format!("{}({})", key.kind, key.args.iter().map(word).collect::<Vec<_>>().join(", "))
}

fn record_doc(record: &RecordType, paint: Paint) {
    println!("{} {}", paint.dim("record"), paint.bold(&record.name));
    indented(record.doc.as_deref().unwrap_or_default());
    for (name, field) in &record.fields {
        let optional = if field.optional { "?" } else { "" };
        let doc = field.doc.as_deref().unwrap_or_default().replace('\n', " ");
        println!("    .{name}: {}{optional}  {}", field.ty, paint.dim(&doc));
    }
    println!();
}

/// The signature and doc comment of a check or action of the stdlib.
fn check_doc(name: &str) -> Option<(String, String)> {
    use crate::syntax::tree::ItemKind;
    let (module, member) = name.split_once('.').unwrap_or(("core", name));
    let at = crate::check::library::FILES.iter().position(|(file, _)| *file == module)?;
    let tree = &crate::check::library::stdlib().trees[at];
    tree.items.iter().find_map(|item| {
        let (word, definition) = match &item.kind {
            ItemKind::Check(definition) => ("check", definition),
            ItemKind::Action(definition) => ("action", definition),
            _ => return None,
        };
        if &*definition.name.text != member {
            return None;
        }
        let params: Vec<String> = definition
            .params
            .iter()
            .map(|param| {
                let ty = param.ty.path.iter().map(|name| &*name.text).collect::<Vec<_>>().join(".");
                let of = param.ty.of.as_ref().map(|of| format!("({})", of.path[0].text)).unwrap_or_default();
                format!("{}: {ty}{of}", param.name.text)
            })
            .collect();
        Some((format!("{word} {name}({})", params.join(", ")), item.doc.as_deref().unwrap_or_default().to_owned()))
    })
}

fn indented(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}
