//! Managed mode: file options that the users of a schema choose, not its authors.

use dunlin_compiler::wellknown;
use dunlin_protobuf::descriptor::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileOptions, JsType,
    OptimizeMode, Type,
};

/// The rules of `managed`.
#[derive(Debug, Default)]
pub(super) struct Managed {
    pub(super) enabled: bool,
    pub(super) disable: Vec<Disable>,
    pub(super) overrides: Vec<Override>,
}

/// What is left as it is.
#[derive(Debug, Default)]
pub(super) struct Disable {
    pub(super) file_option: Option<String>,
    pub(super) field_option: Option<String>,
    pub(super) scope: Scope,
    pub(super) field: Option<String>,
}

/// An option that gets this value.
#[derive(Debug, Default)]
pub(super) struct Override {
    pub(super) option: String,
    pub(super) value: String,
    pub(super) scope: Scope,
    pub(super) field: Option<String>,
}

/// The files that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The `name` that buf.yaml gives their module.
    pub(super) module: Option<String>,
    /// A file or folder, as it is imported.
    pub(super) path: Option<String>,
}

impl Scope {
    fn holds(&self, file: &str, module: Option<&str>) -> bool {
        (self.module.is_none() || self.module.as_deref() == module) && holds(self.path.as_deref(), file)
    }
}

const TEXTS: [&str; 17] = [
    "java_package",
    "java_package_prefix",
    "java_package_suffix",
    "java_outer_classname",
    "go_package",
    "go_package_prefix",
    "objc_class_prefix",
    "csharp_namespace",
    "csharp_namespace_prefix",
    "php_namespace",
    "php_metadata_namespace",
    "php_metadata_namespace_suffix",
    "ruby_package",
    "ruby_package_suffix",
    "swift_prefix",
    "optimize_for",
    "jstype",
];
const FLAGS: [&str; 3] = ["java_multiple_files", "java_string_check_utf8", "cc_enable_arenas"];

impl Override {
    /// Checks name and value.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = self.option.as_str();
        if FLAGS.contains(&name) {
            return self
                .value
                .parse::<bool>()
                .map(drop)
                .map_err(|_| format!("{name} has to be true or false"));
        }
        match name {
            "optimize_for" if optimize_mode(&self.value).is_none() => {
                Err("optimize_for has to be SPEED, CODE_SIZE or LITE_RUNTIME".into())
            }
            "jstype" if js_type(&self.value).is_none() => {
                Err("jstype has to be JS_NORMAL, JS_STRING or JS_NUMBER".into())
            }
            _ if TEXTS.contains(&name) => Ok(()),
            _ => Err(format!("unknown option `{name}`")),
        }
    }
}

fn holds(path: Option<&str>, file: &str) -> bool {
    let Some(path) = path.map(|path| path.trim_end_matches('/')) else { return true };
    path == "." || file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn optimize_mode(name: &str) -> Option<OptimizeMode> {
    Some(match name {
        "SPEED" => OptimizeMode::SPEED,
        "CODE_SIZE" => OptimizeMode::CODE_SIZE,
        "LITE_RUNTIME" => OptimizeMode::LITE_RUNTIME,
        _ => return None,
    })
}

fn js_type(name: &str) -> Option<JsType> {
    Some(match name {
        "JS_NORMAL" => JsType::JS_NORMAL,
        "JS_STRING" => JsType::JS_STRING,
        "JS_NUMBER" => JsType::JS_NUMBER,
        _ => return None,
    })
}

impl Managed {
    /// Sets the options of a file, which is of this module.
    pub(super) fn apply(&self, file: &mut FileDescriptorProto, module: Option<&str>) {
        let path = file.name.clone().unwrap_or_default();
        if !self.enabled || wellknown::source(&path).is_some() {
            return;
        }
        let package = file.package.clone().unwrap_or_default();
        let rules = Rules { managed: self, path: &path, package: &package, module };
        rules.file_options(file.options.get_or_insert_default());
        if self.overrides.iter().any(|rule| rule.option == "jstype") {
            let scope = package.clone();
            rules.fields(&mut file.extension, &scope);
            rules.messages(&mut file.message_type, &scope);
        }
    }
}

/// What is said of one file.
struct Rules<'m> {
    managed: &'m Managed,
    path: &'m str,
    package: &'m str,
    module: Option<&'m str>,
}

impl Rules<'_> {
    fn is_disabled(&self, option: &str) -> bool {
        self.managed.disable.iter().any(|rule| {
            let is_option = match &rule.file_option {
                Some(name) => name == option,
                None => rule.field_option.is_none() && rule.field.is_none(),
            };
            is_option && rule.scope.holds(self.path, self.module)
        })
    }

    /// The value, prefix and suffix that an option got.
    fn overridden(&self, option: &str) -> (Option<&str>, Option<&str>, Option<&str>) {
        let (mut value, mut prefix, mut suffix) = (None, None, None);
        for rule in self.managed.overrides.iter().filter(|rule| rule.scope.holds(self.path, self.module)) {
            let Some(kind) = rule.option.strip_prefix(option) else { continue };
            if !kind.is_empty() && self.is_disabled(&rule.option) {
                continue;
            }
            match kind {
                "" => (value, prefix, suffix) = (Some(rule.value.as_str()), None, None),
                "_prefix" => (value, prefix) = (None, Some(rule.value.as_str())),
                "_suffix" => (value, suffix) = (None, Some(rule.value.as_str())),
                _ => {}
            }
        }
        (value, prefix, suffix)
    }

    /// The value of an option: what it was set to, or what `default` makes of prefix and suffix.
    fn text(
        &self,
        option: &str,
        target: &mut Option<String>,
        default: impl FnOnce(Option<&str>, Option<&str>) -> Option<String>,
    ) {
        if self.is_disabled(option) {
            return;
        }
        let (value, prefix, suffix) = self.overridden(option);
        if let Some(new) = value.map(str::to_owned).or_else(|| default(prefix, suffix)) {
            *target = Some(new);
        }
    }

    fn flag(&self, option: &str, target: &mut Option<bool>, default: Option<bool>) {
        if !self.is_disabled(option) {
            let value = self.overridden(option).0.and_then(|value| value.parse().ok());
            *target = value.or(default).or(*target);
        }
    }

    fn file_options(&self, options: &mut FileOptions) {
        let package = (!self.package.is_empty()).then_some(self.package);
        self.text("java_package", &mut options.java_package, |prefix, suffix| {
            let parts = [prefix.unwrap_or("com"), package?, suffix.unwrap_or_default()];
            Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("."))
        });
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let stem = name.strip_suffix(".proto").unwrap_or(name);
        self.text("java_outer_classname", &mut options.java_outer_classname, |_, _| {
            Some(format!("{}Proto", pascal(stem)))
        });
        self.flag("java_multiple_files", &mut options.java_multiple_files, Some(true));
        self.flag("java_string_check_utf8", &mut options.java_string_check_utf8, None);
        self.flag("cc_enable_arenas", &mut options.cc_enable_arenas, None);
        self.text("go_package", &mut options.go_package, |prefix, _| {
            let path =
                [prefix?, folder].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            Some(match package.and_then(go_name) {
                Some(name) => format!("{path};{name}"),
                None => path,
            })
        });
        self.text("csharp_namespace", &mut options.csharp_namespace, |prefix, _| {
            let own = pascal_parts(package?, ".");
            Some(prefix.filter(|p| !p.is_empty()).map_or(own.clone(), |prefix| format!("{prefix}.{own}")))
        });
        self.text("objc_class_prefix", &mut options.objc_class_prefix, |_, _| package.map(objc_prefix));
        self.text("php_namespace", &mut options.php_namespace, |_, _| package.map(php_namespace));
        self.text("php_metadata_namespace", &mut options.php_metadata_namespace, |_, suffix| {
            Some(format!("{}\\{}", php_namespace(package?), suffix.unwrap_or("GPBMetadata")))
        });
        self.text("ruby_package", &mut options.ruby_package, |_, suffix| {
            let own = pascal_parts(package?, "::");
            Some(suffix.filter(|s| !s.is_empty()).map_or(own.clone(), |suffix| format!("{own}::{suffix}")))
        });
        self.text("swift_prefix", &mut options.swift_prefix, |_, _| None);
        if !self.is_disabled("optimize_for")
            && let Some(mode) = self.overridden("optimize_for").0.and_then(optimize_mode)
        {
            options.optimize_for = Some(mode);
        }
    }

    fn messages(&self, messages: &mut [DescriptorProto], scope: &str) {
        for message in messages {
            let name = join(scope, message.name.as_deref().unwrap_or_default());
            self.fields(&mut message.field, &name);
            self.fields(&mut message.extension, &name);
            self.messages(&mut message.nested_type, &name);
        }
    }

    fn fields(&self, fields: &mut [FieldDescriptorProto], scope: &str) {
        const INTEGERS: [Type; 5] =
            [Type::TYPE_INT64, Type::TYPE_UINT64, Type::TYPE_SINT64, Type::TYPE_FIXED64, Type::TYPE_SFIXED64];
        for field in fields {
            if !field.r#type.is_some_and(|ty| INTEGERS.contains(&ty)) {
                continue;
            }
            let name = join(scope, field.name.as_deref().unwrap_or_default());
            let is_field = |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| *wanted == name);
            let is_disabled = self.managed.disable.iter().any(|rule| {
                let is_option = rule.field_option.as_ref().is_none_or(|option| option == "jstype");
                let is_here = rule.scope.holds(self.path, self.module);
                is_option && rule.file_option.is_none() && is_here && is_field(&rule.field)
            });
            let last = self.managed.overrides.iter().rfind(|rule| {
                rule.option == "jstype" && rule.scope.holds(self.path, self.module) && is_field(&rule.field)
            });
            if let Some(new) = last.filter(|_| !is_disabled).and_then(|rule| js_type(&rule.value)) {
                let options: &mut FieldOptions = field.options.get_or_insert_default();
                options.jstype = Some(new);
            }
        }
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// `weather_api` as `WeatherApi`.
fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn pascal_parts(package: &str, separator: &str) -> String {
    package.split('.').map(pascal).collect::<Vec<_>>().join(separator)
}

/// `v1`, `v1beta2`, `v2alpha`, `v1test`, `v1p1beta1`.
fn is_version(part: &str) -> bool {
    let Some(rest) = part.strip_prefix('v') else { return false };
    let after_digits = |text: &str| -> Option<String> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len() && !text.starts_with('0')).then(|| rest.to_owned())
    };
    let Some(rest) = after_digits(rest) else { return false };
    if rest.is_empty() || rest.starts_with("test") {
        return true;
    }
    let stage = match rest.strip_prefix('p') {
        Some(patch) => match after_digits(patch) {
            Some(rest) => rest,
            None => return false,
        },
        None => rest,
    };
    ["alpha", "beta"].iter().filter_map(|word| stage.strip_prefix(word)).any(|number| {
        number.is_empty() || number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0')
    })
}

fn go_name(package: &str) -> Option<String> {
    let (rest, last) = package.rsplit_once('.')?;
    let before = rest.rsplit('.').next()?;
    is_version(last).then(|| format!("{before}{last}"))
}

fn objc_prefix(package: &str) -> String {
    let mut parts: Vec<&str> = package.split('.').collect();
    if parts.last().is_some_and(|part| is_version(part)) {
        parts.pop();
    }
    let letters = parts.iter().filter_map(|part| part.chars().next());
    let mut prefix: String = letters.flat_map(char::to_uppercase).collect();
    while prefix.len() < 3 {
        prefix.push('X');
    }
    if prefix == "GPB" { "GPX".into() } else { prefix }
}

fn php_namespace(package: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "abstract",
        "and",
        "array",
        "as",
        "break",
        "callable",
        "case",
        "catch",
        "class",
        "clone",
        "const",
        "continue",
        "declare",
        "default",
        "die",
        "do",
        "echo",
        "else",
        "elseif",
        "empty",
        "enddeclare",
        "endfor",
        "endforeach",
        "endif",
        "endswitch",
        "endwhile",
        "eval",
        "exit",
        "extends",
        "final",
        "finally",
        "fn",
        "for",
        "foreach",
        "function",
        "global",
        "goto",
        "if",
        "implements",
        "include",
        "include_once",
        "instanceof",
        "insteadof",
        "interface",
        "isset",
        "list",
        "match",
        "namespace",
        "new",
        "or",
        "print",
        "private",
        "protected",
        "public",
        "require",
        "require_once",
        "return",
        "static",
        "switch",
        "throw",
        "trait",
        "try",
        "unset",
        "use",
        "var",
        "while",
        "xor",
        "yield",
    ];
    let part = |part: &str| {
        let name = pascal(part);
        if KEYWORDS.contains(&part.to_lowercase().as_str()) { format!("{name}_") } else { name }
    };
    package.split('.').map(part).collect::<Vec<_>>().join("\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_names() {
        for (part, want) in [
            ("v1", true),
            ("v1beta2", true),
            ("v1p1alpha", true),
            ("v2test", true),
            ("v0", false),
            ("vx", false),
        ] {
            assert_eq!(is_version(part), want, "{part}");
        }
    }

    #[test]
    fn later_rules_win_and_disabling_wins_over_all() {
        let rule = |option: &str, value: &str, path: Option<&str>| Override {
            option: option.into(),
            value: value.into(),
            scope: Scope { module: None, path: path.map(str::to_owned) },
            ..Default::default()
        };
        let managed = Managed {
            enabled: true,
            disable: vec![Disable { file_option: Some("ruby_package".into()), ..Default::default() }],
            overrides: vec![
                rule("java_package", "x", None),
                rule("java_package_prefix", "org", None),
                rule("java_package_suffix", "pb", None),
                rule("ruby_package", "No", None),
                rule("php_namespace", "Mine", Some("a")),
                rule("php_namespace", "Other", Some("b")),
            ],
        };
        let mut file = FileDescriptorProto {
            name: Some("a/b.proto".into()),
            package: Some("a.list".into()),
            ..Default::default()
        };
        managed.apply(&mut file, None);
        let options = file.options.unwrap();
        assert_eq!(options.java_package.as_deref(), Some("org.a.list.pb"));
        assert_eq!(options.ruby_package, None);
        assert_eq!(options.php_namespace.as_deref(), Some("Mine"));
        assert_eq!(options.php_metadata_namespace.as_deref(), Some("A\\List_\\GPBMetadata"));
        assert_eq!(options.objc_class_prefix.as_deref(), Some("ALX"));
    }

    #[test]
    fn rules_may_be_for_a_module() {
        let module = |name: &str| Scope { module: Some(name.into()), path: None };
        let rule = |value: &str, scope| Override {
            option: "java_package".into(),
            value: value.into(),
            scope,
            ..Default::default()
        };
        let off = Disable {
            file_option: Some("ruby_package".into()),
            scope: module("a"),
            field_option: None,
            field: None,
        };
        let managed = Managed {
            enabled: true,
            disable: vec![off],
            overrides: vec![
                rule("all", Scope::default()),
                rule("of.a", module("a")),
                rule("of.b", module("b")),
            ],
        };
        let options = |module| {
            let mut file = FileDescriptorProto {
                name: Some("x.proto".into()),
                package: Some("x".into()),
                ..Default::default()
            };
            managed.apply(&mut file, module);
            let options = file.options.unwrap();
            (options.java_package.unwrap(), options.ruby_package.is_some())
        };
        assert_eq!(options(None), ("all".into(), true));
        assert_eq!(options(Some("a")), ("of.a".into(), false));
        assert_eq!(options(Some("b")), ("of.b".into(), true));
    }
}
