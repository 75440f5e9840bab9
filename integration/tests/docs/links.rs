//! Links lead somewhere.

use std::collections::BTreeSet;

use wgfleet_integration::pages::{self, Page};

/// Lines a person sees without scrolling, twice.
const TWO_SCREENS: usize = 100;

/// What a heading is called in a link: as forges make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let prose = page.prose();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).collect()
}

/// The targets of `[…](…)`.
fn targets(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let parts = prose.split("](").skip(1);
    parts
        .filter_map(|part| Some(part.split_once(')')?.0.to_owned()))
        .collect()
}

fn violations(page: &Page) -> Vec<String> {
    let directory = pages::root().join(&page.path);
    let directory = directory.parent().expect("a page is in a directory");
    let mut found = Vec::new();
    for target in targets(page) {
        if target.contains("://") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let path = directory.join(file);
        if !file.is_empty() && !path.exists() {
            found.push(format!("{}: {target} leads nowhere", page.path));
            continue;
        }
        if anchor.is_empty() {
            continue;
        }
        let text = if file.is_empty() {
            page.text.clone()
        } else {
            std::fs::read_to_string(&path).expect("a page")
        };
        let linked = Page {
            path: file.to_owned(),
            text,
        };
        if !anchors(&linked).contains(anchor) {
            found.push(format!("{}: {target}: there is no such heading", page.path));
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    assert!(
        pages
            .iter()
            .map(targets)
            .map(|found| found.len())
            .sum::<usize>()
            > 20
    );
    let found: Vec<_> = pages.iter().flat_map(violations).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = |text: &str| Page {
        path: "docs/new.md".into(),
        text: text.into(),
    };
    let good = page("# A: \"b\", c\n[x](#a-b-c) [y](agent.md#metrics) [z](https://example.com)");
    assert_eq!(violations(&good), [""; 0]);
    let bad = page("[x](#nothing) [y](agent.md#nothing) [z](nothing.md)");
    assert_eq!(violations(&bad).len(), 3);
}

#[test]
fn readme_leads_to_every_page() {
    let readme = targets(&pages::page("README.md"));
    for page in pages::all().iter().filter(|page| page.path != "README.md") {
        assert!(readme.contains(&page.path), "{}", page.path);
    }
}

#[test]
fn readme_fits_two_screens() {
    let lines = pages::page("README.md").text.lines().count();
    assert!(lines <= TWO_SCREENS, "{lines}");
}
