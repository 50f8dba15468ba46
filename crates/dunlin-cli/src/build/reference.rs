//! How an input or output is named: a path or an address, and options behind `#`.

use std::path::Path;

use super::Failure;
use crate::payload::Format;

/// A path with the options behind `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) path: &'a str,
    pub(super) kind: Kind,
    pub(super) compression: Compression,
    /// The folder in an archive or repository that is meant.
    pub(super) subdir: Option<&'a str>,
    /// Leading folders of the paths in an archive that are left out.
    pub(super) strip_components: usize,
    pub(super) revision: Revision<'a>,
}

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A descriptor set.
    Descriptors(Format),
    /// A folder or a .proto file.
    Source,
    Tar,
    Zip,
    Git,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What of a repository is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Revision<'a> {
    pub(super) branch: Option<&'a str>,
    pub(super) tag: Option<&'a str>,
    /// Anything else that git can name.
    pub(super) reference: Option<&'a str>,
    pub(super) depth: Option<u32>,
    pub(super) recurse_submodules: bool,
}

const OPTIONS: &str = "format, compression, subdir, strip_components, branch, tag, ref, depth and \
                       recurse_submodules";

impl<'a> Reference<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Failure> {
        let (path, options) = text.split_once('#').unwrap_or((text, ""));
        // The dash of `-#format=x` is taken off on the command line.
        let path = if path.is_empty() && text.starts_with('#') { "-" } else { path };
        let (kind, compression) = by_ending(path);
        let mut found = Self {
            path,
            kind,
            compression,
            subdir: None,
            strip_components: 0,
            revision: Revision::default(),
        };
        let mut format = None;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let number =
                |value: &str| value.parse().map_err(|_| format!("`{option}`: the value has to be a number"));
            match option.split_once('=') {
                Some(("format", value)) => format = Some(value),
                None => format = Some(option),
                Some(("compression", "none")) => found.compression = Compression::None,
                Some(("compression", "gzip")) => found.compression = Compression::Gzip,
                Some(("compression", "zstd")) => found.compression = Compression::Zstd,
                Some(("compression", _)) => {
                    return Err(Failure::Other(format!("`{option}`: known are none, gzip and zstd")));
                }
                Some(("subdir", value)) => found.subdir = Some(value),
                Some(("strip_components", value)) => found.strip_components = number(value)? as usize,
                Some(("branch", value)) => found.revision.branch = Some(value),
                Some(("tag", value)) => found.revision.tag = Some(value),
                Some(("ref" | "commit", value)) => found.revision.reference = Some(value),
                Some(("depth", value)) => found.revision.depth = Some(number(value)?),
                Some(("recurse_submodules", value)) => {
                    found.revision.recurse_submodules = value
                        .parse()
                        .map_err(|_| format!("`{option}`: the value has to be true or false"))?;
                }
                _ => {
                    return Err(Failure::Other(format!(
                        "unknown option `{option}` behind `#`; known are {OPTIONS}"
                    )));
                }
            }
        }
        if let Some(format) = format {
            found.kind = by_name(format)?;
            if format == "tgz" || format == "targz" {
                found.compression = Compression::Gzip;
            }
        }
        found.check()?;
        Ok(found)
    }

    /// Options that mean nothing here are mistakes.
    fn check(&self) -> Result<(), Failure> {
        let Revision { branch, tag, reference, depth, recurse_submodules } = self.revision;
        let is_revised = branch.is_some() || tag.is_some() || reference.is_some() || depth.is_some();
        let is_archive = matches!(self.kind, Kind::Tar | Kind::Zip);
        let fault = if (is_revised || recurse_submodules) && self.kind != Kind::Git {
            "branch, tag, ref, depth and recurse_submodules are for git; add `format=git`"
        } else if tag.is_some() && (branch.is_some() || reference.is_some()) {
            "a tag excludes branch and ref"
        } else if self.subdir.is_some() && !is_archive && self.kind != Kind::Git {
            "subdir is for archives and git"
        } else if self.strip_components > 0 && !is_archive {
            "strip_components is for archives"
        } else {
            return Ok(());
        };
        Err(Failure::Other(format!("{}: {fault}", self.path)))
    }
}

fn by_name(format: &str) -> Result<Kind, Failure> {
    Ok(match format {
        "binpb" | "bin" => Kind::Descriptors(Format::Binary),
        "json" => Kind::Descriptors(Format::Json),
        "txtpb" => Kind::Descriptors(Format::Text),
        "yaml" => Kind::Descriptors(Format::Yaml),
        "dir" | "mod" | "protofile" => Kind::Source,
        "tar" | "tgz" | "targz" => Kind::Tar,
        "zip" => Kind::Zip,
        "git" => Kind::Git,
        _ => {
            return Err(Failure::Other(format!(
                "unknown format `{format}`; known are binpb, json, txtpb, yaml, dir, protofile, tar, zip and git"
            )));
        }
    })
}

/// What the name of a file tells.
fn by_ending(path: &str) -> (Kind, Compression) {
    let ending =
        |path: &str| Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
    let outer = ending(path);
    let (inner, compression) = match outer.as_str() {
        "gz" => (ending(path.trim_end_matches(".gz")), Compression::Gzip),
        "zst" => (ending(path.trim_end_matches(".zst")), Compression::Zstd),
        "tgz" => ("tar".to_owned(), Compression::Gzip),
        _ => (outer, Compression::None),
    };
    let kind = match inner.as_str() {
        "binpb" | "bin" | "pb" | "protoset" | "desc" | "fds" => Kind::Descriptors(Format::Binary),
        "json" => Kind::Descriptors(Format::Json),
        "txtpb" => Kind::Descriptors(Format::Text),
        "yaml" | "yml" => Kind::Descriptors(Format::Yaml),
        "tar" => Kind::Tar,
        "zip" => Kind::Zip,
        "git" => Kind::Git,
        _ if path.ends_with("/.git") || path == ".git" => Kind::Git,
        _ => Kind::Source,
    };
    (kind, compression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_follows_from_the_ending_or_the_options() {
        for (text, kind, compression) in [
            ("proto", Kind::Source, Compression::None),
            ("-", Kind::Source, Compression::None),
            ("#format=json", Kind::Descriptors(Format::Json), Compression::None),
            ("a.binpb.gz", Kind::Descriptors(Format::Binary), Compression::Gzip),
            ("a.json.zst", Kind::Descriptors(Format::Json), Compression::Zstd),
            ("a.tar.gz", Kind::Tar, Compression::Gzip),
            ("a.tgz", Kind::Tar, Compression::Gzip),
            ("a.zip#subdir=x,strip_components=1", Kind::Zip, Compression::None),
            (".git#branch=main", Kind::Git, Compression::None),
            ("https://example.com/a.git#tag=v1,depth=3", Kind::Git, Compression::None),
            ("a#format=git,ref=HEAD~1", Kind::Git, Compression::None),
            ("a#format=tar,compression=zstd", Kind::Tar, Compression::Zstd),
        ] {
            let found = Reference::parse(text).unwrap();
            assert_eq!((found.kind, found.compression), (kind, compression), "{text}");
        }
    }

    #[test]
    fn options_that_mean_nothing_are_refused() {
        for (text, want) in [
            ("a#format=x", "unknown format `x`"),
            ("a#x=y", "unknown option `x=y`"),
            ("a#branch=main", "format=git"),
            ("a.git#branch=a,tag=b", "a tag excludes"),
            ("a.git#ref=a,tag=b", "a tag excludes"),
            ("a#subdir=b", "archives and git"),
            ("a.git#strip_components=1", "is for archives"),
            ("a.git#depth=x", "a number"),
            ("a.tar#compression=x", "none, gzip and zstd"),
        ] {
            match Reference::parse(text) {
                Err(Failure::Other(message)) => assert!(message.contains(want), "{text}: {message}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
