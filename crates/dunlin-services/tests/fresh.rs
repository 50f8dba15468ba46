//! The services in the repository are those that are generated from the schemas.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Paths and contents of the files in a folder and those below it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, content)| (name.join(below), content)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn the_generated_services_are_fresh() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
    // What an earlier run left there for a schema that is gone.
    let _ = fs::remove_dir_all(&out);
    dunlin_build::product_services(package.join("../dunlin-proto"), &out).unwrap();
    let (fresh, kept) = (files(&out), files(&package.join("src/generated")));
    let stale: Vec<_> =
        fresh.keys().chain(kept.keys()).filter(|&name| fresh.get(name) != kept.get(name)).collect();
    assert!(
        stale.is_empty(),
        "stale in src/generated: {stale:?}; cargo run -p dunlin-build --example services writes them, and \
         what belongs to no package any more has to be deleted"
    );
}
