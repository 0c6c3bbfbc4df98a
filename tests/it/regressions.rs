//! Replays every input in `fuzz/regressions` through the law that its target asserts.

use std::path::Path;

use countersign::testing::fuzzing;

#[test]
fn every_input_that_ever_broke_a_law_is_replayed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    let mut folders: Vec<String> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort_unstable();
    // A folder that no target reads would look like a test and be none.
    let targets: Vec<&str> = fuzzing::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, targets);
    let mut broken = Vec::new();
    for (target, law) in fuzzing::TARGETS {
        let entries = std::fs::read_dir(root.join(target)).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_unstable();
        assert!(!files.is_empty(), "{target} has no input");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // The panic says which law; the list below, on which files.
            if std::panic::catch_unwind(|| law(&bytes)).is_err() {
                broken.push(file);
            }
        }
    }
    assert!(broken.is_empty(), "laws are broken on {broken:?}");
}

#[test]
fn the_laws_hold_for_the_files_of_others() {
    // Vectors and documents of the repository are inputs too.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fuzzing::scope(countersign::testing::SCOPE.as_bytes());
    for vector in std::fs::read_dir(root.join("tests/vectors/receipts")).unwrap() {
        let text = std::fs::read_to_string(vector.unwrap().path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        fuzzing::verify(lines.join("\n").as_bytes());
        lines.iter().for_each(|line| fuzzing::receipt_line(line.as_bytes()));
    }
    for line in fuzzing::valid_file().lines() {
        fuzzing::receipt_line(line.as_bytes());
    }
    fuzzing::verify(fuzzing::valid_file().as_bytes());
    fuzzing::verify(b"");
    fuzzing::bundle(b"");
    fuzzing::tool_listing(br#"{"tools": []}"#);
    for kind in ["attacks", "checkpoints", "disclosures", "proofs"] {
        for vector in std::fs::read_dir(root.join("tests/vectors").join(kind)).unwrap() {
            let text = std::fs::read_to_string(vector.unwrap().path()).unwrap();
            let body = text.split_inclusive('\n').filter(|line| !line.starts_with("# "));
            fuzzing::evidence(body.collect::<String>().as_bytes());
        }
    }
    fuzzing::json(include_bytes!("../corpus/attack_strings.json"));
}
