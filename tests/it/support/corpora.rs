//! Collections of commands that are kept outside of the repository, where they are there.

use std::path::Path;

use serde_json::Value;

/// Reads the records of a collection; says so and returns none where it is absent.
pub(crate) fn records(file: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora").join(file);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: corpus absent");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Reads the lines of shell of a collection, with their ids; none where it is absent.
pub(crate) fn lines(file: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let records = records(file).unwrap_or_default();
    let shell = records.iter().filter(|record| record["kind"] == "shell");
    shell.map(|record| (text(&record["id"]), text(&record["input"]))).collect()
}
