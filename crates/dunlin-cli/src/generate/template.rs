//! buf.gen.yaml, version 1 and 2.

use std::fmt;
use std::path::Path;

use saphyr::{LoadableYamlNode, Yaml};

use crate::yaml;

use super::managed::{Disable, Managed, Override, Scope};

/// What to generate.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) clean: bool,
    pub(super) managed: Managed,
    pub(super) plugins: Vec<Plugin>,
    pub(super) inputs: Vec<Input>,
}

#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) program: Program,
    pub(super) out: String,
    /// The options, joined.
    pub(super) parameter: String,
    pub(super) strategy: Strategy,
    pub(super) include_imports: bool,
    pub(super) include_wkt: bool,
    pub(super) types: Vec<String>,
    pub(super) exclude_types: Vec<String>,
}

/// What generates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The Rust generator of this program.
    Dunlin,
    /// A command.
    Local(Vec<String>),
    /// A part of protoc, and the command of protoc if it is said.
    Builtin { language: String, protoc: Vec<String> },
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dunlin => f.write_str("dunlin"),
            Self::Local(command) => f.write_str(&command.join(" ")),
            Self::Builtin { language, .. } => f.write_str(language),
        }
    }
}

/// How many files a plugin gets at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    Directory,
    All,
}

/// What to generate for.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    pub(super) location: String,
    pub(super) types: Vec<String>,
    pub(super) exclude_types: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) exclude_paths: Vec<String>,
}

const BUILTIN: [&str; 10] =
    ["cpp", "csharp", "java", "kotlin", "objc", "php", "pyi", "python", "ruby", "rust"];
const COMMON: [&str; 7] =
    ["out", "opt", "strategy", "include_imports", "include_wkt", "types", "exclude_types"];

/// Reads a template: the path of a file, or its text.
pub(super) fn read(template: &str) -> Result<Template, String> {
    let is_text =
        template.contains('\n') || template.trim_start().starts_with('{') || template.contains(": ");
    if is_text && !Path::new(template).exists() {
        return parse("--template", template);
    }
    let text = std::fs::read_to_string(template).map_err(|error| format!("{template}: {error}"))?;
    parse(template, &text)
}

fn parse(shown: &str, text: &str) -> Result<Template, String> {
    yaml::check(text).map_err(|message| format!("{shown}: {message}"))?;
    let documents = Yaml::load_from_str(text).map_err(|error| format!("{shown}: {error}"))?;
    let root = documents.first().ok_or_else(|| format!("{shown}: the file is empty"))?;
    let reader = Reader { shown };
    let root = reader.mapping(root, "")?;
    match root.text("version")?.as_deref() {
        Some("v2") => reader.v2(&root),
        Some("v1" | "v1beta1") => reader.v1(&root),
        Some(other) => Err(format!("{shown}: unknown version `{other}`; known are v1 and v2")),
        None => Err(format!("{shown}: `version` is missing")),
    }
}

struct Reader<'s> {
    shown: &'s str,
}

/// A mapping, and the place that it is at.
struct Mapping<'s, 'y> {
    shown: &'s str,
    at: String,
    yaml: &'y Yaml<'y>,
}

impl<'s, 'y> Mapping<'s, 'y> {
    fn fail<T>(&self, message: impl fmt::Display) -> Result<T, String> {
        let at = if self.at.is_empty() { String::new() } else { format!(" {}:", self.at) };
        Err(format!("{}:{at} {message}", self.shown))
    }

    fn known(&self, keys: &[&[&str]]) -> Result<(), String> {
        let given = self.yaml.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
        for key in given.map(|key| key.as_str().unwrap_or("?")) {
            if !keys.iter().any(|keys| keys.contains(&key)) {
                return self.fail(format_args!("unknown key `{key}`"));
            }
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&'y Yaml<'y>> {
        self.yaml.as_mapping_get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match scalar(value) {
                Some(text) => Ok(Some(text)),
                None => self.fail(format_args!("`{key}` has to be a text")),
            },
        }
    }

    fn required(&self, key: &str) -> Result<String, String> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None => self.fail(format_args!("`{key}` is missing")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, String> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => match value.as_bool() {
                Some(value) => Ok(value),
                None => self.fail(format_args!("`{key}` has to be true or false")),
            },
        }
    }

    /// One text or several.
    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let texts = match value.as_vec() {
            Some(list) => list.iter().map(scalar).collect(),
            None => scalar(value).map(|text| vec![text]),
        };
        match texts {
            Some(texts) => Ok(texts),
            None => self.fail(format_args!("`{key}` has to be a text or a list of texts")),
        }
    }

    fn list(&self, key: &str) -> Result<Vec<Mapping<'s, 'y>>, String> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let Some(list) = value.as_vec() else {
            return self.fail(format_args!("`{key}` has to be a list"));
        };
        let reader = Reader { shown: self.shown };
        list.iter().enumerate().map(|(i, item)| reader.mapping(item, &format!("{key}[{i}]"))).collect()
    }
}

fn scalar(value: &Yaml<'_>) -> Option<String> {
    let text = value.as_str().map(str::to_owned);
    text.or_else(|| value.as_bool().map(|v| v.to_string()))
        .or_else(|| value.as_integer().map(|v| v.to_string()))
}

impl<'s> Reader<'s> {
    fn mapping<'y>(&self, yaml: &'y Yaml<'y>, at: &str) -> Result<Mapping<'s, 'y>, String> {
        let mapping = Mapping { shown: self.shown, at: at.to_owned(), yaml };
        if yaml.as_mapping().is_none() { mapping.fail("expected keys and values") } else { Ok(mapping) }
    }

    fn v2(&self, root: &Mapping<'s, '_>) -> Result<Template, String> {
        root.known(&[&["version", "clean", "managed", "plugins", "inputs"]])?;
        let managed = match root.get("managed") {
            Some(yaml) => managed(&self.mapping(yaml, "managed")?)?,
            None => Managed::default(),
        };
        let plugins = root.list("plugins")?.iter().map(plugin_v2).collect::<Result<Vec<_>, _>>()?;
        if plugins.is_empty() {
            return root.fail("`plugins` is empty");
        }
        let inputs = root.list("inputs")?.iter().map(input).collect::<Result<_, _>>()?;
        Ok(Template { clean: root.flag("clean")?, managed, plugins, inputs })
    }

    fn v1(&self, root: &Mapping<'s, '_>) -> Result<Template, String> {
        root.known(&[&["version", "managed", "plugins", "types"]])?;
        let managed = match root.get("managed") {
            Some(yaml) => managed_v1(&self.mapping(yaml, "managed")?)?,
            None => Managed::default(),
        };
        let mut types = Vec::new();
        if let Some(yaml) = root.get("types") {
            types = self.mapping(yaml, "types")?.texts("include")?;
        }
        let mut plugins = root.list("plugins")?.iter().map(plugin_v1).collect::<Result<Vec<_>, _>>()?;
        if plugins.is_empty() {
            return root.fail("`plugins` is empty");
        }
        plugins.iter_mut().for_each(|plugin| plugin.types.clone_from(&types));
        Ok(Template { managed, plugins, ..Default::default() })
    }
}

fn plugin_v2(plugin: &Mapping<'_, '_>) -> Result<Plugin, String> {
    plugin.known(&[&["local", "protoc_builtin", "protoc_path", "remote", "revision"], &COMMON])?;
    let local = plugin.texts("local")?;
    let program = match (local.as_slice(), plugin.text("protoc_builtin")?, plugin.text("remote")?) {
        ([_, ..], None, None) => local_program(local),
        ([], Some(language), None) => Program::Builtin { language, protoc: plugin.texts("protoc_path")? },
        ([], None, Some(name)) => return remote(plugin, &name),
        _ => return plugin.fail("exactly one of `local`, `protoc_builtin` and `remote` is needed"),
    };
    common(plugin, program)
}

fn plugin_v1(plugin: &Mapping<'_, '_>) -> Result<Plugin, String> {
    plugin.known(&[&["plugin", "name", "remote", "revision", "path", "protoc_path"], &COMMON])?;
    if let Some(name) = plugin.text("remote")? {
        return remote(plugin, &name);
    }
    let name = match plugin.text("plugin")? {
        Some(name) => name,
        None => plugin.required("name")?,
    };
    let path = plugin.texts("path")?;
    let program = if name.contains('/') {
        return remote(plugin, &name);
    } else if !path.is_empty() {
        Program::Local(path)
    } else if BUILTIN.contains(&name.as_str()) {
        Program::Builtin { language: name, protoc: plugin.texts("protoc_path")? }
    } else {
        local_program(vec![format!("protoc-gen-{name}")])
    };
    common(plugin, program)
}

fn local_program(command: Vec<String>) -> Program {
    match command.as_slice() {
        [one] if one == "dunlin" || one == "protoc-gen-dunlin" => Program::Dunlin,
        _ => Program::Local(command),
    }
}

fn remote<T>(plugin: &Mapping<'_, '_>, name: &str) -> Result<T, String> {
    plugin.fail(format_args!(
        "the plugin {name} runs on a server, and nothing is fetched; install it and name it by `local`"
    ))
}

fn common(plugin: &Mapping<'_, '_>, program: Program) -> Result<Plugin, String> {
    let strategy = match plugin.text("strategy")?.as_deref() {
        None | Some("directory") => Strategy::Directory,
        Some("all") => Strategy::All,
        Some(other) => {
            return plugin.fail(format_args!("unknown strategy `{other}`; known are directory and all"));
        }
    };
    let (include_imports, include_wkt) = (plugin.flag("include_imports")?, plugin.flag("include_wkt")?);
    if include_wkt && !include_imports {
        return plugin.fail("`include_wkt` needs `include_imports`");
    }
    Ok(Plugin {
        program,
        out: plugin.required("out")?,
        parameter: plugin.texts("opt")?.join(","),
        strategy,
        include_imports,
        include_wkt,
        types: plugin.texts("types")?,
        exclude_types: plugin.texts("exclude_types")?,
    })
}

/// Kinds of inputs, the options that say so behind `#`, and those that may be added.
const KINDS: [(&str, &str, &[&str]); 9] = [
    ("directory", "", &[]),
    ("proto_file", "", &[]),
    ("binary_image", "format=binpb", &["compression"]),
    ("json_image", "format=json", &["compression"]),
    ("text_image", "format=txtpb", &["compression"]),
    ("yaml_image", "format=yaml", &["compression"]),
    ("tarball", "format=tar", &["compression", "strip_components", "subdir"]),
    ("zip_archive", "format=zip", &["strip_components", "subdir"]),
    ("git_repo", "format=git", &["branch", "commit", "tag", "ref", "depth", "recurse_submodules", "subdir"]),
];

fn input(input: &Mapping<'_, '_>) -> Result<Input, String> {
    if let Some(name) = input.text("module")? {
        return input.fail(format_args!(
            "the module {name} is on a server, and nothing is fetched; copy it into a folder and name that by \
             `directory`"
        ));
    }
    let mut given = KINDS.iter().filter(|(kind, ..)| input.get(kind).is_some());
    let (Some((kind, format, options)), None) = (given.next(), given.next()) else {
        let kinds: Vec<&str> = KINDS.iter().map(|(kind, ..)| *kind).collect();
        return input.fail(format_args!("exactly one of {} is needed", kinds.join(", ")));
    };
    input.known(&[&[*kind], *options, &["types", "exclude_types", "paths", "exclude_paths"]])?;
    let mut said: Vec<String> =
        Some(*format).filter(|format| !format.is_empty()).map(str::to_owned).into_iter().collect();
    for option in *options {
        if let Some(value) = input.text(option)? {
            if value.contains(',') {
                return input.fail(format_args!("`{option}` cannot hold a comma"));
            }
            said.push(format!("{option}={value}"));
        }
    }
    let location = input.required(kind)?;
    Ok(Input {
        location: if said.is_empty() { location } else { format!("{location}#{}", said.join(",")) },
        types: input.texts("types")?,
        exclude_types: input.texts("exclude_types")?,
        paths: input.texts("paths")?,
        exclude_paths: input.texts("exclude_paths")?,
    })
}

fn scope(rule: &Mapping<'_, '_>) -> Result<Scope, String> {
    Ok(Scope { module: rule.text("module")?, path: rule.text("path")? })
}

fn managed(managed: &Mapping<'_, '_>) -> Result<Managed, String> {
    managed.known(&[&["enabled", "disable", "override"]])?;
    let disable = |item: &Mapping<'_, '_>| {
        item.known(&[&["file_option", "field_option", "module", "path", "field"]])?;
        Ok(Disable {
            file_option: item.text("file_option")?,
            field_option: item.text("field_option")?,
            scope: scope(item)?,
            field: item.text("field")?,
        })
    };
    let set = |item: &Mapping<'_, '_>| {
        item.known(&[&["file_option", "field_option", "value", "module", "path", "field"]])?;
        let option = match (item.text("file_option")?, item.text("field_option")?) {
            (Some(option), None) | (None, Some(option)) => option,
            _ => return item.fail("exactly one of `file_option` and `field_option` is needed"),
        };
        let new = Override {
            option,
            value: item.required("value")?,
            scope: scope(item)?,
            field: item.text("field")?,
        };
        new.check().or_else(|message| item.fail(message))?;
        Ok(new)
    };
    Ok(Managed {
        enabled: managed.flag("enabled")?,
        disable: managed.list("disable")?.iter().map(disable).collect::<Result<_, String>>()?,
        overrides: managed.list("override")?.iter().map(set).collect::<Result<_, String>>()?,
    })
}

/// Options of managed mode in version 1 that hold for all files, or with `default`, for all but some.
const MANAGED_V1: [&str; 9] = [
    "cc_enable_arenas",
    "java_multiple_files",
    "java_string_check_utf8",
    "java_package_prefix",
    "csharp_namespace",
    "go_package_prefix",
    "objc_class_prefix",
    "optimize_for",
    "ruby_package",
];

/// Managed mode of version 1: an entry for each option, and `override` with values by option and file.
fn managed_v1(managed: &Mapping<'_, '_>) -> Result<Managed, String> {
    managed.known(&[&["enabled", "override"], &MANAGED_V1])?;
    let reader = Reader { shown: managed.shown };
    let mut overrides = Vec::new();
    let mut disable = Vec::new();
    let mut add = |at: &Mapping<'_, '_>, new: Override| {
        new.check().or_else(|message| at.fail(message))?;
        overrides.push(new);
        Ok::<_, String>(())
    };
    for option in MANAGED_V1 {
        let Some(yaml) = managed.get(option) else { continue };
        let rule = |value: String, module: Option<String>| Override {
            option: option.to_owned(),
            value,
            scope: Scope { module, path: None },
            ..Default::default()
        };
        if yaml.as_mapping().is_none() {
            add(managed, rule(managed.required(option)?, None))?;
            continue;
        }
        let rules = reader.mapping(yaml, &format!("managed.{option}"))?;
        rules.known(&[&["default", "except", "override"]])?;
        if let Some(value) = rules.text("default")? {
            add(&rules, rule(value, None))?;
        }
        for module in rules.texts("except")? {
            disable.push(Disable {
                file_option: Some(option.strip_suffix("_prefix").unwrap_or(option).to_owned()),
                scope: Scope { module: Some(module), path: None },
                ..Default::default()
            });
        }
        for (module, value) in by_name(&rules)? {
            add(&rules, rule(value, Some(module)))?;
        }
    }
    if let Some(yaml) = managed.get("override") {
        let options = reader.mapping(yaml, "managed.override")?;
        for (key, _) in yaml.as_mapping().into_iter().flatten() {
            let name = key.as_str().unwrap_or("?");
            let Some(files) = options.get(name) else { continue };
            let files = reader.mapping(files, &format!("managed.override.{name}"))?;
            for (file, value) in entries(&files)? {
                let option = name.to_lowercase();
                let scope = Scope { module: None, path: Some(file) };
                add(&files, Override { option, value, scope, ..Default::default() })?;
            }
        }
    }
    Ok(Managed { enabled: managed.flag("enabled")?, disable, overrides })
}

/// The entries of `override`, by the name of a module.
fn by_name(rules: &Mapping<'_, '_>) -> Result<Vec<(String, String)>, String> {
    let reader = Reader { shown: rules.shown };
    match rules.get("override") {
        Some(yaml) => entries(&reader.mapping(yaml, &format!("{}.override", rules.at))?),
        None => Ok(Vec::new()),
    }
}

/// Keys and texts.
fn entries(mapping: &Mapping<'_, '_>) -> Result<Vec<(String, String)>, String> {
    let keys = mapping.yaml.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    let keys: Vec<_> = keys.filter_map(|key| key.as_str()).collect();
    keys.into_iter().map(|key| Ok((key.to_owned(), mapping.required(key)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_mode_of_version_1_gives_the_rules_of_version_2() {
        let text = "version: v1\nplugins: [{name: go, out: gen}]\nmanaged:\n  enabled: true\n  \
                    java_multiple_files: false\n  go_package_prefix:\n    default: example.com/gen\n    \
                    except: [buf.build/a/b]\n    override: {buf.build/c/d: x}\n  override:\n    \
                    JAVA_PACKAGE: {a.proto: org.a}\n";
        let managed = parse("buf.gen.yaml", text).unwrap().managed;
        let rules: Vec<_> = managed
            .overrides
            .iter()
            .map(|rule| {
                let Scope { module, path } = &rule.scope;
                (rule.option.as_str(), rule.value.as_str(), path.as_deref(), module.as_deref())
            })
            .collect();
        assert!(managed.enabled && managed.disable.len() == 1 && managed.disable[0].scope.module.is_some());
        assert_eq!(
            rules,
            [
                ("java_multiple_files", "false", None, None),
                ("go_package_prefix", "example.com/gen", None, None),
                ("go_package_prefix", "x", None, Some("buf.build/c/d")),
                ("java_package", "org.a", Some("a.proto"), None),
            ]
        );
        let bad = text.replace("JAVA_PACKAGE", "NOPE");
        assert!(parse("buf.gen.yaml", &bad).unwrap_err().contains("unknown option `nope`"));
    }
}
