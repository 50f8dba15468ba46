//! The messages in the repository are those that are generated from the schemas.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Names and texts of the files in a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn the_generated_messages_are_fresh() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages");
    // What an earlier run left there for a schema that is gone.
    let _ = fs::remove_dir_all(&out);
    dunlin_build::product_messages(package, &out).unwrap();
    let (fresh, kept) = (files(&out), files(&package.join("src/generated")));
    let stale: Vec<_> =
        fresh.keys().chain(kept.keys()).filter(|&name| fresh.get(name) != kept.get(name)).collect();
    assert!(
        stale.is_empty(),
        "stale in src/generated: {stale:?}; cargo run -p dunlin-build --example messages writes them, and \
         what belongs to no package any more has to be deleted"
    );
}
