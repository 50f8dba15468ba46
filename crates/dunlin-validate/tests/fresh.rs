//! The messages in the repository are those that are generated from the schema.

use std::fs;
use std::path::Path;

#[test]
fn the_generated_messages_are_fresh() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages");
    let _ = fs::remove_dir_all(&out);
    dunlin_build::product_messages(package, &out).unwrap();
    for entry in fs::read_dir(&out).unwrap() {
        let name = entry.unwrap().file_name();
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap_or_default();
        let is_fresh = read(&out) == read(&package.join("src/generated"));
        assert!(is_fresh, "stale: {name:?}; cargo run -p dunlin-build --example messages writes it");
    }
}
