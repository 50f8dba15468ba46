//! buf.yaml and buf.work.yaml, as far as they say which modules there are.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};

use crate::yaml;

/// A module: a folder whose files are imported by their paths in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// The name that it has in a registry.
    pub(crate) name: Option<String>,
    pub(crate) root: PathBuf,
    /// Folders that the module is limited to; none for all.
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) excludes: Vec<PathBuf>,
}

/// The modules that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) modules: Vec<Module>,
    /// Modules that are not here: names of a registry.
    pub(crate) dependencies: Vec<String>,
}

const MODULE_KEYS: &[&str] = &["path", "name", "includes", "excludes", "lint", "breaking"];
const V2_KEYS: &[&str] = &["version", "name", "modules", "deps", "lint", "breaking", "plugins", "policies"];
const V1_KEYS: &[&str] = &["version", "name", "deps", "build", "lint", "breaking", "doc"];
const V1_BUILD_KEYS: &[&str] = &["excludes"];
const V1BETA1_BUILD_KEYS: &[&str] = &["roots", "excludes"];
const WORK_KEYS: &[&str] = &["version", "directories"];

/// Reads the configuration in `folder`, if there is one.
pub(crate) fn read(folder: &Path) -> Result<Option<Workspace>, String> {
    let work = find(folder, &["buf.work.yaml", "buf.work"]);
    let module = find(folder, &["buf.yaml", "buf.mod"]);
    if let Some(work) = work {
        let mut workspace = Workspace::default();
        for directory in directories(&work)? {
            let root = folder.join(&directory);
            let inner = match find(&root, &["buf.yaml", "buf.mod"]) {
                Some(path) => read_module(&path, &root)?,
                None => single(&root),
            };
            workspace.modules.extend(inner.modules);
            workspace.dependencies.extend(inner.dependencies);
        }
        if let Some(module) = module
            && text_of(&load(&module)?, "version") == Some("v2")
        {
            return Err(format!("{}: a v2 buf.yaml and a buf.work.yaml exclude each other", work.display()));
        }
        return Ok(Some(workspace));
    }
    module.map(|path| read_module(&path, folder)).transpose()
}

fn find(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// A folder without configuration is one module.
pub(crate) fn single(root: &Path) -> Workspace {
    let module = Module { name: None, root: root.to_path_buf(), includes: Vec::new(), excludes: Vec::new() };
    Workspace { modules: vec![module], dependencies: Vec::new() }
}

fn load(path: &Path) -> Result<Yaml<'static>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    yaml::check(&text).map_err(|message| format!("{}: {message}", path.display()))?;
    let documents = Yaml::load_from_str(Box::leak(text.into_boxed_str()))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    documents.into_iter().next().ok_or_else(|| format!("{}: the file is empty", path.display()))
}

fn directories(path: &Path) -> Result<Vec<String>, String> {
    let yaml = load(path)?;
    check_keys(path, &yaml, WORK_KEYS, "")?;
    let directories = strings(path, &yaml, "directories")?;
    if directories.is_empty() {
        return Err(format!("{}: `directories` is empty", path.display()));
    }
    for (index, directory) in directories.iter().enumerate() {
        check_inside(path, directory)?;
        let overlaps = directories[..index]
            .iter()
            .find(|other| Path::new(directory).starts_with(other) || Path::new(other).starts_with(directory));
        if directory == "." || overlaps.is_some() {
            return Err(format!("{}: directory \"{directory}\" overlaps another one", path.display()));
        }
    }
    Ok(directories)
}

fn read_module(path: &Path, folder: &Path) -> Result<Workspace, String> {
    let yaml = load(path)?;
    let fail = |message: String| Err(format!("{}: {message}", path.display()));
    let mut workspace = Workspace { modules: Vec::new(), dependencies: strings(path, &yaml, "deps")? };
    let name = text_of(&yaml, "name").map(str::to_owned);
    match text_of(&yaml, "version") {
        Some("v2") => {
            check_keys(path, &yaml, V2_KEYS, "")?;
            let Some(modules) = yaml.as_mapping_get("modules") else {
                workspace.modules = single(folder).modules;
                workspace.modules.iter_mut().for_each(|module| module.name.clone_from(&name));
                return Ok(workspace);
            };
            if yaml.as_mapping_get("name").is_some() {
                return fail("`name` and `modules` exclude each other at the top".into());
            }
            let Some(modules) = modules.as_vec() else { return fail("`modules` has to be a list".into()) };
            for module in modules {
                check_keys(path, module, MODULE_KEYS, "modules.")?;
                let root = text_of(module, "path").unwrap_or(".");
                check_inside(path, root)?;
                let within = |key: &str| -> Result<Vec<PathBuf>, String> {
                    let folders = strings(path, module, key)?;
                    if let Some(outside) =
                        folders.iter().find(|f| root != "." && !Path::new(f).starts_with(root))
                    {
                        return Err(format!(
                            "{}: \"{outside}\" is not inside module \"{root}\"",
                            path.display()
                        ));
                    }
                    Ok(folders.iter().map(|f| folder.join(f)).collect())
                };
                let new = Module {
                    name: text_of(module, "name").map(str::to_owned),
                    root: joined(folder, root),
                    includes: within("includes")?,
                    excludes: within("excludes")?,
                };
                if workspace.modules.contains(&new) {
                    return fail(format!("module \"{root}\" is listed twice"));
                }
                workspace.modules.push(new);
            }
        }
        version @ Some("v1" | "v1beta1") => {
            check_keys(path, &yaml, V1_KEYS, "")?;
            let empty = Yaml::Mapping(Default::default());
            let build = yaml.as_mapping_get("build").filter(|build| !build.is_null()).unwrap_or(&empty);
            let is_beta = version == Some("v1beta1");
            check_keys(path, build, if is_beta { V1BETA1_BUILD_KEYS } else { V1_BUILD_KEYS }, "build.")?;
            let excludes = strings(path, build, "excludes")?;
            let mut roots = strings(path, build, "roots")?;
            if roots.is_empty() {
                roots.push(".".into());
            }
            let outside = excludes.iter().find(|exclude| {
                !roots.iter().any(|root| root == "." || Path::new(exclude).starts_with(root))
            });
            if let Some(outside) = outside {
                return fail(format!("\"{outside}\" is not inside any root"));
            }
            for root in roots {
                check_inside(path, &root)?;
                workspace.modules.push(Module {
                    name: name.clone(),
                    root: joined(folder, &root),
                    includes: Vec::new(),
                    // In v1beta1 they are relative to the configuration, in v1 to the only root.
                    excludes: excludes.iter().map(|exclude| folder.join(exclude)).collect(),
                });
            }
        }
        Some(other) => return fail(format!("unknown version \"{other}\"; known are v1beta1, v1 and v2")),
        None => return fail("`version` is missing, as in `version: v2`".into()),
    }
    Ok(workspace)
}

/// A folder without `.` parts inside it.
fn joined(folder: &Path, path: &str) -> PathBuf {
    folder.join(path).components().collect()
}

fn text_of<'y>(yaml: &'y Yaml<'_>, key: &str) -> Option<&'y str> {
    yaml.as_mapping_get(key)?.as_str()
}

fn strings(path: &Path, yaml: &Yaml<'_>, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = yaml.as_mapping_get(key).filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let list =
        value.as_vec().and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    list.ok_or_else(|| format!("{}: `{key}` has to be a list of texts", path.display()))
}

fn check_keys(path: &Path, yaml: &Yaml<'_>, known: &[&str], prefix: &str) -> Result<(), String> {
    let Some(mapping) = yaml.as_mapping() else {
        return Err(format!("{}: expected keys and values", path.display()));
    };
    for key in mapping.keys() {
        let key = key.as_str().unwrap_or("?");
        if !known.contains(&key) {
            return Err(format!("{}: unknown key `{prefix}{key}`", path.display()));
        }
    }
    Ok(())
}

fn check_inside(path: &Path, folder: &str) -> Result<(), String> {
    let leaves = folder.starts_with('/') || folder.split('/').any(|part| part == "..");
    if leaves {
        return Err(format!("{}: \"{folder}\" leaves the folder of the configuration", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(files: &[(&str, &str)]) -> Result<Option<Workspace>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let strip = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_path_buf();
        Ok(read(folder.path())?.map(|mut workspace| {
            for module in &mut workspace.modules {
                module.root = strip(&module.root);
                module.excludes.iter_mut().for_each(|path| *path = strip(path));
            }
            workspace
        }))
    }

    fn roots(files: &[(&str, &str)]) -> Vec<String> {
        let workspace = workspace(files).unwrap().unwrap();
        workspace.modules.iter().map(|module| module.root.display().to_string()).collect()
    }

    #[test]
    fn every_version_says_its_modules() {
        for (files, want) in [
            (&[("buf.yaml", "version: v2")][..], &[""][..]),
            (
                &[("buf.yaml", "version: v2\nmodules:\n  - path: proto\n  - path: vendor\n")],
                &["proto", "vendor"],
            ),
            (&[("buf.yaml", "version: v1\nbuild:\n  excludes: [gen]\n")], &[""]),
            (&[("buf.yaml", "version: v1beta1\nbuild:\n  roots: [a, b]\n")], &["a", "b"]),
            (
                &[
                    ("buf.work.yaml", "version: v1\ndirectories: [x, y]\n"),
                    ("x/buf.yaml", "version: v1\n"),
                    ("y/a", ""),
                ],
                &["x/.", "y"],
            ),
        ] {
            let want: Vec<PathBuf> = want.iter().map(PathBuf::from).collect();
            let got: Vec<PathBuf> = roots(files).iter().map(PathBuf::from).collect();
            assert_eq!(got, want, "{files:?}");
        }
        assert_eq!(workspace(&[]).unwrap(), None);
    }

    #[test]
    fn modules_have_the_names_that_the_configuration_gives_them() {
        let names = |text: &str| -> Vec<Option<String>> {
            let workspace = workspace(&[("buf.yaml", text)]).unwrap().unwrap();
            workspace.modules.into_iter().map(|module| module.name).collect()
        };
        let (a, b) = (Some("buf.build/x/a".to_owned()), Some("buf.build/x/b".to_owned()));
        assert_eq!(names("version: v1\nname: buf.build/x/a\n"), std::slice::from_ref(&a));
        assert_eq!(names("version: v2\nname: buf.build/x/a\n"), std::slice::from_ref(&a));
        let several = "version: v2\nmodules:\n  - {path: a, name: buf.build/x/a}\n  - path: c\n  - {path: b, name: buf.build/x/b}\n";
        assert_eq!(names(several), [a, None, b]);
    }

    #[test]
    fn mistakes_are_told_with_the_file() {
        for (text, want) in [
            ("version: v3", "unknown version"),
            ("version: v2\nmodule: []", "unknown key `module`"),
            ("version: v2\nmodules:\n  - path: ../up", "leaves the folder"),
            ("version: v2\nmodules:\n  - path: a\n  - path: a", "listed twice"),
            ("modules: []", "`version` is missing"),
            (&"- ".repeat(100_000), "200 deep"),
        ] {
            let error = workspace(&[("buf.yaml", text)]).unwrap_err();
            assert!(error.contains(want) && error.contains("buf.yaml"), "{text}: {error}");
        }
    }
}
