//! Every line of the list of hostile cases has a test named by its number.

use std::{fs, path::Path};

use super::{assert_none, root};

const LINES: [&[u32]; 4] = [
    &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    &[11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24],
    &[25, 26, 27, 28],
    &[29, 30, 31, 32, 33, 34, 35, 36, 37, 38],
];

fn sources_below(path: &Path, found: &mut String) {
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).expect("readable"));
        }
    }
}

fn missing_in(sources: &str) -> Vec<String> {
    let numbers = LINES.into_iter().flatten();
    let names = numbers.map(|number| format!("hostile_{number:02}_"));
    names.filter(|name| !sources.contains(name)).collect()
}

#[test]
fn each_hostile_line_has_a_test() {
    let mut sources = String::new();
    for place in ["agent/src", "agent/tests", "integration/tests"] {
        sources_below(&root().join(place), &mut sources);
    }
    assert_none(&missing_in(&sources));
}

#[test]
fn a_line_without_a_test_is_found() {
    assert_eq!(missing_in("").len(), 38);
    // Put together here, so that this very line does not count.
    let found = format!("hostile_{}_", 28);
    assert!(!missing_in(&format!("fn {found}changes() {{}}")).contains(&found));
}
