//! The well-known types that the runtime has in its repository are those that are generated.

use std::fs;
use std::path::Path;

#[test]
fn the_well_known_types_of_the_runtime_are_fresh() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("well_known");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/dunlin-protobuf/src/wkt");
    fs::create_dir_all(&out).unwrap();
    dunlin_build::well_known(&out).unwrap();
    for name in ["google.protobuf.rs", "google.protobuf.compiler.rs"] {
        let fresh =
            fs::read_to_string(out.join(name)).unwrap() == fs::read_to_string(kept.join(name)).unwrap();
        assert!(
            fresh,
            "{name} is stale: cargo run -p dunlin-build --example wellknown crates/dunlin-protobuf/src/wkt \
             (without the mod.rs that it writes too)"
        );
    }
}
