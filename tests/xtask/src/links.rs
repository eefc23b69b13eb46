//! The handbook hangs together: every relative link and include of the Markdown files leads to a file, and every page of
//! the book stands in its summary.

use std::path::{Path, PathBuf};

use crate::files;

/// Sentences for what is broken.
pub fn broken() -> Result<Vec<String>, String> {
    let root = files::root();
    let mut pages = vec![root.join("README.md"), root.join("README.zh.md"), root.join("CONTRIBUTING.md")];
    pages.push(root.join("CHANGELOG.md"));
    pages.extend(files::below(&[root.join("docs")], &["book"]).into_iter().filter(|p| is_markdown(p)));
    let mut broken = Vec::new();
    for page in &pages {
        let text = files::read(page)?;
        let folder = page.parent().expect("a page lies in a folder");
        for target in targets(&text) {
            if !folder.join(&target).exists() {
                broken.push(format!("{} leads to {target}, which is not there", shown(page)));
            }
        }
    }
    let book = root.join("docs/src");
    let summary = book.join("SUMMARY.md");
    let listed: Vec<PathBuf> =
        targets(&files::read(&summary)?).iter().map(|target| book.join(target)).collect();
    for page in pages.iter().filter(|page| page.starts_with(&book) && **page != summary) {
        if !listed.contains(page) {
            broken.push(format!("{} is not in docs/src/SUMMARY.md", shown(page)));
        }
    }
    Ok(broken)
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}

fn shown(page: &Path) -> String {
    page.strip_prefix(files::root()).unwrap_or(page).display().to_string()
}

/// Relative targets of `](target)` and `{{#include target}}`, without their anchors. Code is passed over.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        for (opening, closing) in [("](", ')'), ("{{#include ", '}')] {
            if fenced && opening == "](" {
                continue;
            }
            for (at, _) in line.match_indices(opening) {
                let target = line[at + opening.len()..].split(closing).next().unwrap_or("");
                let target = target.split('#').next().unwrap_or("").trim();
                if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                    found.push(target.to_owned());
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_includes_are_found_and_addresses_are_not() {
        let text = "see [a](b/c.md#part), ![p](p.png) and [web](https://example.org)\n```\n{{#include ../x.toml}}\n[n](no)\n```\n";
        assert_eq!(targets(text), ["b/c.md", "p.png", "../x.toml"]);
    }
}
