//! The kept corpora, replayed without the engine.

use std::path::Path;
use std::time::{Duration, Instant};

/// What a small input may take. Generous: the build is a slow one, and machines are busy.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn every_kept_input_passes_its_target_in_time() {
    for (name, target) in dunlin_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("the folder can be listed").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has a corpus");
        for file in files {
            let input = std::fs::read(&file).expect("the file was listed");
            println!("{}", file.display());
            let start = Instant::now();
            target(&input);
            let took = start.elapsed();
            assert!(took < LIMIT, "{} takes {took:?}", file.display());
        }
    }
}
